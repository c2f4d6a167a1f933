"""One wrong answer costs a call, and no row."""

from dataclasses import replace

import pytest

from netaflux.core.errors import NetafluxError, RequestRefused
from netaflux.core.events import ChannelsImpossible, ModuleMissing, RowRefused, RowsPutAside
from netaflux.core.model import PAGE_ROWS, DestinationId, Lane, Measure, Module, Page, Series, Window
from netaflux.core.spans import Spans
from netaflux.flow.claims import Claims
from tests.fakes import FakeSource
from tests.flow.scene import ONE, PORCH, START, STEP, TEMP, Scene, a_device, at

DAYS = 86400 // STEP


class Lying(FakeSource):
    """Tells some windows wrong, once or always."""

    empty_once: bool = False
    broken_from: int | None = None
    asides: int = 0

    async def page(self, module: Module, measures: tuple[Measure, ...], window: Window, lane: Lane) -> Page:  # type: ignore[override]  # a sequence of them
        page = await super().page(module, measures, window, lane)
        if self.broken_from == window.begin:
            raise RequestRefused("not this window")
        if self.empty_once and window.end is not None:
            self.empty_once = False
            return Page(page.measures, window, (), 0)
        return replace(page, aside=self.asides) if self.asides else page


def scene(**more: object) -> tuple[Scene, Lying]:
    """A porch with twenty days of rows, six hours apart, at a Netatmo that may lie."""
    played = Scene(**more)  # type: ignore[arg-type]  # as Scene takes it
    source = Lying(played.source.modules, page_rows=PAGE_ROWS)
    played.source = source
    played.restart()
    for day in range(20):
        for quarter in range(4):
            played.measure(day * DAYS + quarter * DAYS // 4)
    newest = at(19 * DAYS + 3 * DAYS // 4)
    source.modules[0] = replace(source.modules[0], newest=newest)
    played.clock.time = newest + 60
    return played, source


async def test_one_empty_answer_does_not_make_years_empty() -> None:
    played, source = scene()
    source.empty_once = True

    await played.sync()

    assert len(played.rows()) == 80


async def test_a_stretch_that_is_empty_costs_one_call_more_and_is_then_believed() -> None:
    played, source = scene()
    source.rows[played.module.id] = {
        time: row for time, row in source.rows[played.module.id].items() if time >= at(19 * DAYS)
    }
    await played.sync()
    calls = len(source.calls)

    await played.sync()

    assert calls <= 4
    assert len(source.calls) - calls == 1


async def test_a_window_that_is_always_refused_keeps_no_other_waiting() -> None:
    played, source = scene()
    await played.span(4 * DAYS, 5 * DAYS)
    await played.span(10 * DAYS, 11 * DAYS)
    source.broken_from = START

    with pytest.raises(NetafluxError):
        await played.sync()

    assert min(played.rows()) >= 4 * DAYS
    assert len(played.rows()) == 80 - 16


async def test_rows_put_aside_are_told_once() -> None:
    played, source = scene()
    source.asides = 1

    for _ in range(3):
        await played.poll()

    assert len(played.told(RowsPutAside)) == 1


async def test_a_span_is_not_resolved_by_a_clock_that_may_be_wrong() -> None:
    """What goes to Fluxtream too early can never be taken back."""
    played, source = scene()
    source.server_time = START - 3 * 365 * 86400
    played.restart(a_device(since="2d"))

    await played.ready()
    missed = played.told(ModuleMissing)
    played.clock.time += 60
    source.server_time = int(played.clock.time)
    await played.ready()

    assert [event.device for event in missed] == [PORCH]
    binding = played.state.binding(PORCH)
    assert binding is not None
    assert binding.begin == int(played.clock.time) - 2 * 86400


async def test_a_channel_that_the_module_cannot_give_is_told_and_costs_the_others_nothing() -> None:
    played, _ = scene()
    played.restart(a_device(channels=(TEMP, "CO2")))

    await played.sync()

    assert [event.channels for event in played.told(ChannelsImpossible)] == [("CO2",)]
    assert len(played.rows()) == 80


async def test_a_device_without_a_possible_channel_asks_for_nothing() -> None:
    played, source = scene()
    played.restart(a_device(channels=("Rain",)))

    await played.sync()

    assert source.calls == []


async def test_the_one_new_row_of_a_module_can_be_bad_and_is_set_aside() -> None:
    """There is nothing to try beside it but what was covered before: that tells it from a bad destination."""
    played, _ = scene()
    await played.sync()
    newest = at(19 * DAYS + 3 * DAYS // 4 + 2)
    played.measure(19 * DAYS + 3 * DAYS // 4 + 2)
    played.to[ONE].refused_times = {newest}
    played.restart()

    await played.sync()

    assert [event.time for event in played.told(RowRefused)] == [newest]
    assert played.doors[ONE].open


def test_a_row_that_changed_on_its_way_waits_until_the_old_one_has_arrived() -> None:
    """Sent at once it might be overtaken by the old value, which would stand there for good."""
    claims = Claims()
    series = Series(DestinationId("fake:one#1"), PORCH, TEMP)
    old = claims.take({series: Spans((0, 1000))})
    claims.cut([PORCH], [500])

    early = claims.take({series: Spans((500, 500))})
    claims.release(early)
    claims.release(old)
    late = claims.take({series: Spans((500, 500))})

    assert not early.spans[series]
    assert late.spans[series] == Spans((500, 500))
    assert old.settled({series: Spans((0, 1000))})[series] == Spans((0, 499), (501, 1000))
