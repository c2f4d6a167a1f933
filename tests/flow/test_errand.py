"""An errand fetches page after page while the ones before are on their way to the destinations."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from netaflux.core.errors import UpstreamFault
from netaflux.core.events import PageFetched
from netaflux.core.measures import CO2, HUMIDITY, TEMPERATURE, WIND_ANGLE
from netaflux.core.model import Lane, Measure, Module, Page, Window
from netaflux.core.spans import Spans
from netaflux.flow.courier import IN_HAND
from netaflux.flow.errand import FETCHES, measures_needed
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
    for _ in range(3):
        await scene.poll()
    scene.measure(*range(40 * PAGE))
    destination = gated(scene)
    before = len(scene.source.calls)

    poll = asyncio.create_task(scene.poll())
    await settled()

    # the first page is news, and waits for no place
    assert destination.inside == IN_HAND + 1 > 2
    # nothing is asked for that would have to wait
    assert len(scene.source.calls) == before + IN_HAND + 1
    destination.gate.set()
    await poll
    assert destination.most_inside == IN_HAND + 1
    assert scene.rows() == [*range(40 * PAGE)]


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
    assert len(scene.source.calls) <= 3
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
    scene.measure(*range(40 * PAGE))
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

    assert scene.rows() == [*range((IN_HAND + 1) * PAGE)]
    assert scene.covered() == Spans((START, at((IN_HAND + 1) * PAGE - 1)))
    scene.restart()
    await scene.sync()
    assert scene.rows() == [*range(40 * PAGE)]
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


@dataclass
class Slow(FakeSource):
    """Answers when it is let, in an order of its own."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    free: int = 0
    """So many calls need not wait for the gate."""
    inside: int = 0
    most_inside: int = 0
    chance: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - a test wants the same chance again

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        self.inside += 1
        self.most_inside = max(self.inside, self.most_inside)
        try:
            self.free -= 1
            if self.free < 0:
                await self.gate.wait()
            for _ in range(self.chance.randrange(50)):
                await asyncio.sleep(0)
            return await super().page(module, measures, window, lane)
        finally:
            self.inside -= 1


def slow(scene: Scene, *, told: int) -> Slow:
    """The scene's Netatmo from now on; it tells which row is the newest, and answers at once."""
    scene.source = source = Slow([replace(scene.module, newest=at(told))], PAGE, scene.source.rows)
    source.gate.set()
    scene.clock.time = at(told) + 60
    scene.restart()
    return source


async def test_windows_of_one_errand_are_fetched_side_by_side_and_their_rows_all_arrive_once() -> None:
    scene = Scene()
    scene.measure(*range(100 * PAGE))
    source = slow(scene, told=100 * PAGE - 1)

    await scene.span(0, 100 * PAGE)

    assert source.most_inside == FETCHES == 16
    assert scene.rows() == [*range(100 * PAGE)]
    assert set(scene.to[ONE].writes.values()) == {1}
    # windows are a row narrower than a page, and no sliver between two of them is left
    assert len(source.calls) <= 100 * PAGE / (PAGE - 1) + 2
    assert scene.covered() == Spans((START, at(100 * PAGE - 1)))


async def test_live_pages_wait_for_no_place_that_the_past_has_taken() -> None:
    scene = Scene()
    scene.measure(*range(200 * PAGE))
    source = slow(scene, told=200 * PAGE - 1)
    await scene.span(0, PAGE)
    destination = gated(scene)
    source.gate.clear()
    source.free = 1
    past = asyncio.create_task(scene.span(PAGE, 99 * PAGE))
    await settled()
    assert source.inside == FETCHES

    live = asyncio.create_task(scene.account.poll(scene.module.id))
    await settled()

    assert source.inside == FETCHES + 1
    source.gate.set()
    await settled()
    assert destination.inside == IN_HAND + 1
    destination.gate.set()
    await asyncio.gather(past, live)
    assert {*range(99 * PAGE), 200 * PAGE - 1} <= {*scene.rows()}


async def test_all_errands_of_an_account_share_the_places() -> None:
    modules = [a_module(number, name=f"Porch {number}") for number in range(1, 4)]
    devices = [a_device(f"Porch_{number}", f"AR Home/Porch {number}") for number in range(1, 4)]
    scene = Scene(*devices, modules=modules)
    for module in modules:
        for number in range(50 * PAGE):
            scene.source.rows[module.id][at(number)] = {TEMPERATURE: 20.5, HUMIDITY: 50}
    told = [replace(module, newest=at(50 * PAGE - 1)) for module in modules]
    scene.source = source = Slow(told, PAGE, scene.source.rows)
    source.gate.set()
    scene.restart()
    await scene.ready()
    destination = gated(scene)

    span = Window(START, at(50 * PAGE))
    account = scene.account
    errands = [account.fetch_span(each.id, span, account.targets(each.id)) for each in modules]
    work = asyncio.gather(*errands)
    await settled()

    assert source.most_inside <= FETCHES
    assert destination.inside == IN_HAND
    # all else that was fetched waits in a fetch's place
    assert len(source.calls) <= IN_HAND + FETCHES
    destination.gate.set()
    await work
    assert scene.written() == 3 * 50 * PAGE * 2


async def test_an_errand_that_fails_lets_the_fetches_beside_it_arrive() -> None:
    scene = Scene()
    scene.measure(*range(40 * PAGE))
    source = slow(scene, told=40 * PAGE - 1)
    await scene.ready()
    calls = 0
    fetch = source.page

    async def page(module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise UpstreamFault("Netatmo fails")
        return await fetch(module, measures, window, lane)

    source.page = page  # type: ignore[method-assign]  # for this one object
    with pytest.raises(UpstreamFault):
        await scene.span(0, 40 * PAGE)

    assert len(scene.rows()) == PAGE + (len(source.calls) - 1) * (PAGE - 1) > 5 * PAGE
    await scene.span(0, 40 * PAGE)
    assert scene.rows() == [*range(40 * PAGE)]
    assert set(scene.to[ONE].writes.values()) == {1}


async def test_a_cancelled_errand_waits_for_no_fetch() -> None:
    scene = Scene()
    scene.measure(*range(40 * PAGE))
    source = slow(scene, told=40 * PAGE - 1)
    await scene.ready()
    source.gate.clear()
    work = asyncio.create_task(scene.span(0, 40 * PAGE))
    await settled()

    work.cancel()
    await settled()

    assert work.done()
    assert source.inside == 0


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
