"""An errand fetches page after page while the ones before are on their way to the destinations."""

import asyncio
from collections.abc import Sequence

import pytest

from netaflux.core.errors import UpstreamFault
from netaflux.core.events import PageFetched
from netaflux.core.measures import CO2, HUMIDITY, TEMPERATURE, WIND_ANGLE
from netaflux.core.model import Lane, Measure, Module, Page, Window
from netaflux.core.spans import Spans
from netaflux.flow.errand import PAGES_ON_THE_WAY, measures_needed
from tests.fakes import FakeSource, a_module
from tests.flow.scene import ONE, START, Gated, Scene, a_device, at, opened

PAGE = 7


class Failing(FakeSource):
    """Fails after some pages."""

    good_pages = 0

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        if len(self.calls) >= self.good_pages:
            raise UpstreamFault("Netatmo fails")
        return await super().page(module, measures, window, lane)


def gated(scene: Scene) -> Gated:
    """The only destination, its gate closed from now on."""
    destination = scene.to[ONE]
    assert isinstance(destination, Gated)
    destination.gate.clear()
    return destination


async def settled() -> None:
    """Everybody who can go on has done so."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_pages_follow_one_another_to_the_end() -> None:
    scene = Scene()
    scene.measure(*range(3 * PAGE + 2))

    carried = await scene.poll()

    assert scene.rows() == [*range(3 * PAGE + 2)]
    assert (carried.pages, carried.rows, carried.stopped) == (4, 3 * PAGE + 2, False)
    begins = [window.begin for _, window in scene.source.calls]
    assert begins == [START, *(at(page * PAGE - 1) + 1 for page in (1, 2, 3))]


async def test_a_last_page_that_is_just_full_is_followed_by_an_empty_one() -> None:
    scene = Scene()
    scene.measure(*range(2 * PAGE))

    carried = await scene.poll()

    assert scene.rows() == [*range(2 * PAGE)]
    assert carried.pages == 3


async def test_fetching_goes_on_while_pages_are_uploaded_and_not_too_far() -> None:
    scene = Scene()
    scene.measure(*range(20 * PAGE))
    await scene.ready()
    destination = gated(scene)

    poll = asyncio.create_task(scene.poll())
    await settled()

    assert destination.inside == PAGES_ON_THE_WAY > 1
    # one more is fetched, and waits for its place
    assert len(scene.source.calls) == PAGES_ON_THE_WAY + 1
    destination.gate.set()
    await poll
    assert destination.most_inside == PAGES_ON_THE_WAY
    assert scene.rows() == [*range(20 * PAGE)]


async def test_nothing_is_fetched_that_nobody_takes() -> None:
    scene = Scene()
    scene.measure(*range(PAGE))
    scene.to[ONE].down = True

    carried = await scene.poll()

    assert carried.stopped
    assert scene.source.calls == []
    assert "poll.completed" not in scene.listener.names()


async def test_an_errand_stops_when_its_last_destination_fails() -> None:
    scene = Scene()
    scene.measure(*range(20 * PAGE))
    await scene.ready()
    scene.to[ONE].down = True

    carried = await scene.poll()

    assert carried.stopped
    assert len(scene.source.calls) <= PAGES_ON_THE_WAY + 1
    # the stretches between pages hold no row, and may count as delivered
    assert not scene.covered() & Spans.at(map(at, range(20 * PAGE)))


async def test_what_was_fetched_before_netatmo_failed_arrives_and_is_recorded() -> None:
    scene = Scene()
    scene.source = source = Failing(scene.source.modules, PAGE)
    source.good_pages = 2
    scene.restart()
    scene.measure(*range(5 * PAGE))

    with pytest.raises(UpstreamFault):
        await scene.poll()

    assert scene.rows() == [*range(2 * PAGE)]
    assert scene.covered() == Spans((START, at(2 * PAGE - 1)))
    source.good_pages = 10**9
    await scene.sync()
    assert scene.rows() == [*range(5 * PAGE)]
    assert set(scene.to[ONE].writes.values()) == {1}


async def test_a_cancelled_errand_brings_what_is_on_its_way_to_an_end() -> None:
    """The daemon is told to stop: what it has sent is recorded, and not sent again."""
    scene = Scene()
    scene.measure(*range(20 * PAGE))
    await scene.ready()
    destination = gated(scene)
    poll = asyncio.create_task(scene.poll())
    await settled()

    poll.cancel()
    await settled()
    assert not poll.done()
    destination.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await poll

    # the fifth page was fetched, but never set out
    assert scene.rows() == [*range(PAGES_ON_THE_WAY * PAGE)]
    assert scene.covered() == Spans((START, at(PAGES_ON_THE_WAY * PAGE - 1)))
    scene.restart()
    await scene.sync()
    assert scene.rows() == [*range(20 * PAGE)]
    assert set(destination.writes.values()) == {1}


async def test_an_errand_that_is_cut_off_records_nothing_of_what_has_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The grace runs out: whether those rows arrived is not known, so they are sent once more."""
    # its default, for whoever names no other
    monkeypatch.setattr("netaflux.flow.together.Together.__init__.__kwdefaults__", {"grace": 0.01})
    scene = Scene()
    scene.measure(*range(2 * PAGE))
    await scene.ready()
    destination = gated(scene)
    poll = asyncio.create_task(scene.poll())
    await settled()

    poll.cancel()
    with pytest.raises(asyncio.CancelledError):
        await poll

    assert destination.inside == 0
    assert scene.covered() == Spans()
    destination.gate.set()
    await scene.sync()
    assert scene.rows() == [*range(2 * PAGE)]


async def test_only_the_first_page_of_a_poll_goes_before_the_past_of_others() -> None:
    """A module of which nobody knows where its rows end may have years of them."""
    scene = Scene()
    scene.measure(*range(3 * PAGE))

    await scene.poll()

    lanes = [event.lane for event in scene.told(PageFetched)]
    assert lanes == [Lane.LIVE, Lane.HISTORY, Lane.HISTORY, Lane.HISTORY]


async def test_one_fetch_asks_for_what_all_its_devices_need() -> None:
    office = a_module(2, kind="NAModule4", name="Office")
    scene = Scene(
        a_device("Warm", "AR Home/Office", channels=["Temp_F"]),
        a_device("Stuffy", "AR Home/Office", channels=["CO2", "Dew_C"]),
        modules=[office],
        destinations=[opened(ONE)],
    )
    await scene.ready()

    assert measures_needed(scene.account.targets(office.id)) == (TEMPERATURE, CO2, HUMIDITY)
    assert WIND_ANGLE not in measures_needed(scene.account.targets(office.id))
