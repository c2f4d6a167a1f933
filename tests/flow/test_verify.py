"""What verifying finds, and what repairing sends: each flaw that is there, and nothing else."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import given

from netaflux.core.channels import CATALOGUE
from netaflux.core.comparison import Findings, Held
from netaflux.core.devices import Target
from netaflux.core.errors import DestinationDown, ReadBackRefused
from netaflux.core.events import BatchRepaired, PageFetched, RowRefused
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.core.model import ChannelName, DestinationName, DeviceName, Lane, Number, Series, Window
from netaflux.core.spans import Spans
from netaflux.flow.door import Door
from netaflux.flow.verify import Inspection, Verifier
from tests.fakes import FakeDestination, FakeSource, FakeState, Listener, TurnedClock, a_module

PORCH = a_module()
BEGIN = 1_700_000_000
ALL = Window(BEGIN)
STEP = 300
ROWS = 40
NAME = DeviceName("Netatmo_Porch")
TEMP, RH = ChannelName("Temp_C"), ChannelName("RH")
ONE, TWO = DestinationName("one"), DestinationName("two")


def at(row: int) -> int:
    return BEGIN + row * STEP


@dataclass
class Mirrored(FakeDestination):
    """A destination that can be read back."""

    reads: list[tuple[DeviceName, Window]] = field(default_factory=list)
    after_reading: Callable[[], object] = lambda: None
    silent: bool = False

    async def read_back(
        self, device: DeviceName, channels: Sequence[ChannelName], window: Window
    ) -> list[Held]:
        await asyncio.sleep(0)
        if self.silent:
            raise ReadBackRefused(f"{self.name} tells nothing")
        self.reads.append((device, window))
        times = {time for name, _, time in self.cells if name == device and time in window}
        held = [
            Held(time, tuple(self.cells.get((device, channel, time)) for channel in channels))
            for time in sorted(times)
        ]
        self.after_reading()
        return held


class Scene:
    """Forty rows of a module, all of them delivered to every destination."""

    def __init__(self, *names: DestinationName) -> None:
        names = names or (ONE,)
        self.source = FakeSource([PORCH])
        self.state = FakeState()
        self.listener = Listener()
        self.destinations = {name: Mirrored(name) for name in names}
        for number in range(ROWS):
            self.source.rows[PORCH.id][at(number)] = {TEMPERATURE: number / 7, HUMIDITY: 40 + number}
            for destination in self.destinations.values():
                destination.cells[NAME, TEMP, at(number)] = float(format(number / 7, ".15g"))
                destination.cells[NAME, RH, at(number)] = 40 + number
        self.cover(ROWS - 1)
        clock = TurnedClock()
        self.doors = {
            name: Door(each, identities=self.state, clock=clock, observer=self.listener)
            for name, each in self.destinations.items()
        }
        self.verifier = self.a_verifier()

    @property
    def one(self) -> Mirrored:
        return self.destinations[ONE]

    def cover(self, row: int, *channels: ChannelName) -> None:
        """Say that rows up to this one were delivered."""
        for destination in self.destinations.values():
            for channel in channels or (TEMP, RH):
                self.state.spans[Series(destination.identity, NAME, channel)] = Spans((BEGIN, at(row)))

    def a_verifier(self, *, repair: bool = False) -> Verifier:
        return Verifier(
            source=self.source,
            doors=self.doors,
            readers=self.destinations,
            coverage=self.state,
            observer=self.listener,
            repair=repair,
        )

    async def verify(
        self, *targets: Target, repair: bool = False, asked: Window = ALL, begin: int = BEGIN
    ) -> Inspection:
        for door in self.doors.values():
            await door.ready()
        self.verifier = self.a_verifier(repair=repair)
        inspection = Inspection()
        await self.verifier.verify(PORCH, targets or [self.target(begin=begin)], asked, inspection)
        return inspection

    def target(
        self, device: DeviceName = NAME, *, begin: int = BEGIN, channels: Sequence[ChannelName] = (TEMP, RH)
    ) -> Target:
        return Target(
            device=device,
            module=PORCH,
            begin=begin,
            floor=0,
            channels=CATALOGUE.select(channels),
            destinations=tuple(self.destinations),
        )

    def sent(self) -> dict[tuple[ChannelName, int], Number]:
        """All that was written to the first destination."""
        return {(channel, time): value for ((_, channel, time), value) in self.one.writes}


def counts(inspection: Inspection, channel: ChannelName, name: DestinationName = ONE) -> tuple[int, ...]:
    """Rows, missing, different, unknown, repaired."""
    found: Findings = inspection.findings[name, NAME][channel]
    return found.rows, found.missing, found.different, found.unknown, found.repaired


async def test_what_is_complete_is_found_to_be_and_nothing_is_sent() -> None:
    scene = Scene()

    inspection = await scene.verify(repair=True)

    assert counts(inspection, TEMP) == counts(inspection, RH) == (ROWS, 0, 0, 0, 0)
    assert inspection.rows == ROWS
    assert inspection.pages == len(scene.source.calls) == 6
    assert not scene.one.writes


async def test_netatmo_is_asked_in_the_lane_of_history() -> None:
    scene = Scene()

    await scene.verify()

    fetched = [event for event in scene.listener.events if isinstance(event, PageFetched)]
    assert {event.lane for event in fetched} == {Lane.HISTORY}


async def test_flaws_are_found_and_without_repair_left() -> None:
    scene = Scene()
    del scene.one.cells[NAME, TEMP, at(3)]
    scene.one.cells[NAME, RH, at(4)] = 99

    inspection = await scene.verify()

    assert counts(inspection, TEMP) == (ROWS - 1, 1, 0, 0, 0)
    assert counts(inspection, RH) == (ROWS - 1, 0, 1, 0, 0)
    assert not scene.one.writes


async def test_a_repair_sends_just_the_flawed_cells() -> None:
    """Not the other channel of the same row, and not the row beside."""
    scene = Scene()
    del scene.one.cells[NAME, TEMP, at(3)]
    del scene.one.cells[NAME, TEMP, at(20)]
    del scene.one.cells[NAME, RH, at(20)]
    scene.one.cells[NAME, RH, at(4)] = 99
    spans = dict(scene.state.spans)

    inspection = await scene.verify(repair=True)

    assert scene.sent() == {(TEMP, at(3)): 3 / 7, (TEMP, at(20)): 20 / 7, (RH, at(20)): 60, (RH, at(4)): 44}
    assert counts(inspection, TEMP) == (ROWS - 2, 2, 0, 0, 2)
    assert counts(inspection, RH) == (ROWS - 2, 1, 1, 0, 2)
    assert scene.state.spans == spans
    assert sum(isinstance(event, BatchRepaired) for event in scene.listener.events) == 3


async def test_values_that_netatmo_does_not_know_are_told_and_left_alone() -> None:
    """A moment of its own, and a cell where Netatmo's row has a gap."""
    scene = Scene()
    scene.one.cells[NAME, TEMP, at(3) + 1] = 5
    scene.source.rows[PORCH.id][at(8)] = {TEMPERATURE: 8 / 7, HUMIDITY: None}

    inspection = await scene.verify(repair=True)

    assert counts(inspection, TEMP) == (ROWS, 0, 0, 1, 0)
    assert counts(inspection, RH) == (ROWS - 1, 0, 0, 1, 0)
    assert not scene.one.writes


async def test_rows_after_the_newest_covered_one_are_on_their_way() -> None:
    scene = Scene()
    scene.cover(ROWS - 5)
    for number in range(ROWS - 4, ROWS):
        del scene.one.cells[NAME, TEMP, at(number)]

    inspection = await scene.verify(repair=True)

    assert counts(inspection, TEMP) == (ROWS - 4, 0, 0, 0, 0)
    assert not scene.one.writes
    assert scene.source.calls[-1][1].end == at(ROWS - 5) + 1


async def test_each_channel_has_an_end_of_its_own() -> None:
    scene = Scene()
    scene.cover(9, RH)
    for number in range(ROWS):
        del scene.one.cells[NAME, RH, at(number)]

    inspection = await scene.verify()

    assert counts(inspection, TEMP) == (ROWS, 0, 0, 0, 0)
    assert counts(inspection, RH) == (0, 10, 0, 0, 0)


async def test_a_hole_in_the_coverage_is_no_excuse_below_its_end() -> None:
    scene = Scene()
    for series in scene.state.spans:
        scene.state.spans[series] -= Spans((at(3), at(3)))
    del scene.one.cells[NAME, TEMP, at(3)]

    assert counts(await scene.verify(repair=True), TEMP) == (ROWS - 1, 1, 0, 0, 1)


async def test_where_nothing_is_covered_all_rows_are_looked_at_and_none_is_repaired() -> None:
    """The state may have been lost; and what was never delivered is no repair."""
    scene = Scene()
    scene.state.spans.clear()
    del scene.one.cells[NAME, TEMP, at(3)]

    inspection = await scene.verify(repair=True)

    assert counts(inspection, TEMP) == (ROWS - 1, 1, 0, 0, 0)
    assert counts(inspection, RH) == (ROWS, 0, 0, 0, 0)
    assert not scene.one.writes


@pytest.mark.parametrize(("begin", "asked"), [(at(5), ALL), (BEGIN, Window(at(5)))])
async def test_nothing_is_looked_at_below_the_begin(begin: int, asked: Window) -> None:
    scene = Scene()
    del scene.one.cells[NAME, TEMP, at(4)]
    del scene.one.cells[NAME, TEMP, at(5)]

    inspection = await scene.verify(repair=True, begin=begin, asked=asked)

    assert counts(inspection, TEMP) == (ROWS - 6, 1, 0, 0, 1)
    assert set(scene.sent()) == {(TEMP, at(5))}
    assert min(window.begin for _, window in scene.one.reads) == at(5)


async def test_a_named_end_is_not_passed() -> None:
    scene = Scene()
    del scene.one.cells[NAME, TEMP, at(10)]
    scene.one.cells[NAME, TEMP, at(9) + 10] = 5

    inspection = await scene.verify(asked=Window(BEGIN, at(10)))

    assert counts(inspection, TEMP) == (10, 0, 0, 1, 0)


async def test_where_the_window_is_empty_netatmo_is_not_asked() -> None:
    scene = Scene()

    await scene.verify(asked=Window(at(ROWS)))

    assert not scene.source.calls


async def test_a_named_end_beyond_what_was_delivered_costs_no_call() -> None:
    scene = Scene()
    scene.cover(9)

    inspection = await scene.verify(asked=Window(BEGIN, at(ROWS)))

    assert inspection.pages == 2


async def test_two_devices_of_a_module_each_have_their_own_begin_and_end() -> None:
    scene = Scene()
    later = DeviceName("Later")
    for number in range(10, 20):
        scene.one.cells[later, TEMP, at(number)] = scene.one.cells[NAME, TEMP, at(number)]
    scene.state.spans[Series(scene.one.identity, later, TEMP)] = Spans((at(10), at(19)))

    inspection = await scene.verify(scene.target(), scene.target(later, begin=at(10), channels=[TEMP]))

    assert counts(inspection, TEMP) == (ROWS, 0, 0, 0, 0)
    found = inspection.findings[ONE, later][TEMP]
    assert (found.rows, found.left) == (10, 0)
    theirs = [window for device, window in scene.one.reads if device == later]
    assert (theirs[0].begin, theirs[-1].end) == (at(10), at(19) + 1)


async def test_a_channel_of_which_nothing_is_covered_is_looked_at_to_netatmos_end() -> None:
    scene = Scene()
    scene.cover(9, RH)
    del scene.state.spans[Series(scene.one.identity, NAME, TEMP)]

    inspection = await scene.verify()

    assert counts(inspection, TEMP) == (ROWS, 0, 0, 0, 0)
    assert counts(inspection, RH) == (10, 0, 0, 0, 0)
    assert inspection.uncovered == {(ONE, NAME): [TEMP]}


async def test_a_device_without_channels_asks_nothing() -> None:
    scene = Scene()

    assert (await scene.verify(scene.target(channels=()))).findings == {}
    assert not scene.source.calls


async def test_a_repair_that_is_taken_opens_the_door_again() -> None:
    scene = Scene()
    await scene.verify()
    del scene.one.cells[NAME, TEMP, at(3)]
    scene.doors[ONE].failed(DestinationDown("it failed before"))

    await scene.verify(repair=True)

    assert scene.doors[ONE].failures == 0


async def test_a_repair_sends_what_netatmo_says_then() -> None:
    """A poll brought a changed value after the page was read: the old one must not come back."""
    scene = Scene()
    when = (NAME, TEMP, at(3))

    def poll() -> None:
        scene.source.rows[PORCH.id][at(3)] = {TEMPERATURE: 25, HUMIDITY: 43}
        scene.one.cells[when] = 25

    del scene.one.cells[when]
    scene.one.after_reading = poll
    inspection = await scene.verify(repair=True)

    assert scene.sent() == {(TEMP, at(3)): 25}
    assert scene.one.cells[when] == 25
    assert counts(inspection, TEMP)[-1] == 1


async def test_a_value_that_netatmo_no_longer_has_is_not_sent() -> None:
    scene = Scene()
    del scene.one.cells[NAME, TEMP, at(3)]
    scene.one.after_reading = lambda: scene.source.rows[PORCH.id].pop(at(3), None)

    inspection = await scene.verify(repair=True)

    assert not scene.one.writes
    assert inspection.findings[ONE, NAME][TEMP].left == 1


async def test_a_write_that_is_acknowledged_and_lost_counts_as_no_repair() -> None:
    scene = Scene()
    when = (NAME, TEMP, at(3))
    del scene.one.cells[when]
    scene.one.after_reading = lambda: scene.one.cells.pop(when, None)

    async def lose(batch: object) -> None:
        await asyncio.sleep(0)

    scene.one.write = lose  # type: ignore[method-assign]
    inspection = await scene.verify(repair=True)

    assert counts(inspection, TEMP) == (ROWS - 1, 1, 0, 0, 0)


@pytest.mark.parametrize("lost", [[3], [3, 4]])
async def test_a_row_that_is_refused_stays_away_and_closes_no_door(lost: list[int]) -> None:
    """Refused for its own sake: a row that is there already is still taken."""
    scene = Scene()
    for number in lost:
        del scene.one.cells[NAME, TEMP, at(number)]
    scene.one.refused_times = {at(3)}

    inspection = await scene.verify(repair=True)

    assert [aside.row.time for aside in inspection.refused] == [at(3)]
    assert inspection.findings[ONE, NAME][TEMP].left == 1
    assert scene.doors[ONE].open
    assert not scene.verifier.failed
    assert sum(isinstance(event, RowRefused) for event in scene.listener.events) == 1


async def test_a_destination_that_cannot_be_read_back_delays_only_itself() -> None:
    scene = Scene(ONE, TWO)
    scene.one.silent = True
    del scene.destinations[TWO].cells[NAME, TEMP, at(30)]

    inspection = await scene.verify(repair=True)

    assert set(scene.verifier.failed) == {ONE}
    assert not scene.one.writes
    assert counts(inspection, TEMP, TWO) == (ROWS - 1, 1, 0, 0, 1)


async def test_where_no_destination_can_be_read_back_netatmo_is_asked_no_further() -> None:
    scene = Scene()
    scene.one.silent = True

    await scene.verify()

    assert len(scene.source.calls) == 1


async def test_a_destination_that_takes_no_repair_is_left_alone() -> None:
    scene = Scene()
    del scene.one.cells[NAME, TEMP, at(3)]
    del scene.one.cells[NAME, TEMP, at(30)]
    scene.one.away = True

    await scene.verify(repair=True)

    assert scene.verifier.failed[ONE].message == "one went away"
    assert len(scene.one.writes) == 1
    assert scene.doors[ONE].failures == 1


async def test_gaps_are_netatmos_own() -> None:
    """Also where a page ends in front of them; what the destination lacks is none."""
    scene = Scene()
    for number in range(7, 15):
        del scene.source.rows[PORCH.id][at(number)]
        del scene.one.cells[NAME, TEMP, at(number)]
        del scene.one.cells[NAME, RH, at(number)]
    for number in range(20, 30):
        del scene.one.cells[NAME, TEMP, at(number)]

    inspection = await scene.verify()

    assert inspection.gaps.listed == [(at(6), at(15))]


async def test_a_value_in_a_gap_is_unknown() -> None:
    scene = Scene()
    for number in range(7, 15):
        del scene.source.rows[PORCH.id][at(number)]

    assert counts(await scene.verify(), TEMP) == (ROWS - 8, 0, 0, 8, 0)


rows = st.sets(st.integers(0, ROWS - 1), max_size=12)


@given(lost=rows, altered=rows, strange=rows, reach=st.integers(0, ROWS - 1))
def test_all_flaws_are_found_and_exactly_they_are_mended(
    lost: set[int], altered: set[int], strange: set[int], reach: int
) -> None:
    """Whatever is lost, altered and planted, up to what was delivered."""
    scene = Scene()
    scene.cover(reach)
    whole = dict(scene.one.cells)
    for number in altered - lost:
        scene.one.cells[NAME, TEMP, at(number)] = -99
    for number in lost:
        del scene.one.cells[NAME, TEMP, at(number)]
    planted = {(NAME, TEMP, at(number) + 1): 7 for number in strange}
    scene.one.cells |= planted
    found = {number for number in lost if number <= reach}, {n for n in altered - lost if n <= reach}

    inspection = asyncio.run(scene.verify(repair=True))

    _, missing, different, unknown, repaired = counts(inspection, TEMP)
    assert (missing, different) == (len(found[0]), len(found[1]))
    assert unknown == len({number for number in strange if number < reach})
    assert repaired == missing + different
    assert {time for _, time in scene.sent()} == {at(number) for number in found[0] | found[1]}
    assert {
        (channel, time): value
        for (_, channel, time), value in scene.one.cells.items()
        if time <= at(reach) and (NAME, channel, time) not in planted
    } == {
        (channel, time): (time - BEGIN) // STEP / 7 if (channel, time) in scene.sent() else value
        for (_, channel, time), value in whole.items()
        if time <= at(reach)
    }
    assert {cell: scene.one.cells[cell] for cell in planted} == planted
