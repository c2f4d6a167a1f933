"""The promise of the whole: every destination ends up with exactly the source's rows, each sent once."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from netaflux.core.channels import CATALOGUE
from netaflux.core.devices import Device, Target
from netaflux.core.errors import NetafluxError
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.core.model import (
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Lane,
    Measure,
    Module,
    Page,
    Window,
)
from netaflux.core.since import read_since
from netaflux.flow.account import Account
from netaflux.flow.courier import Courier
from netaflux.flow.door import Door
from tests.fakes import ACCOUNT, Cell, FakeDestination, FakeSource, FakeState, Listener, TurnedClock, a_module

START = 1_700_000_000
PORCH = a_module()
STEP = 300
NAMES = (DestinationName("one"), DestinationName("two"))
CHANNELS = ("Temp_C", "RH", "Temp_F")
VERANDA = DeviceName("Veranda")
"""A second device of the same module, with less of it: one channel, one destination, a later begin."""
VERANDAS_BEGIN = START + 60 * STEP

FORMULAS: dict[str, Callable[[Any], Any]] = {
    "Temp_C": lambda row: row[TEMPERATURE],
    "Temp_F": lambda row: None if row[TEMPERATURE] is None else row[TEMPERATURE] * 9.0 / 5.0 + 32.0,
    "RH": lambda row: row[HUMIDITY],
}


class Shuffled(FakeSource):
    """Answers of calls that are under way side by side come in an order of their own."""

    chance = Random(0)  # noqa: S311 - a test wants the same chance again

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        for _ in range(self.chance.randrange(40)):
            await asyncio.sleep(0)
        return await super().page(module, measures, window, lane)


class History(RuleBasedStateMachine):
    """Rows come, come late and change; destinations, configuration and process come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = TurnedClock(START)
        self.source = Shuffled([PORCH])
        self.state = FakeState()
        self.destinations = {name: FakeDestination(name, DestinationId(f"fake:{name}#1")) for name in NAMES}
        self.channels: list[str] = ["Temp_C"]
        self.since = START + 40 * STEP
        self.now_row = START
        self.allowed_twice = 0
        self.telling = False
        """Whether a survey tells the newest row."""
        self.unseen_change = False
        """Whether a row came late or changed and no poll has looked since."""
        self.ever: defaultdict[int, list[dict[Any, Any]]] = defaultdict(list)
        """All that the source has ever held of a moment."""

    def teardown(self) -> None:
        try:
            self.settle()
            self.compare()
        finally:
            self.loop.close()

    # --- the world ---

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def open(self) -> None:
        """A process starts on what survived."""
        porch = Device(
            name=DeviceName("Porch"),
            module="AR Home/Porch",
            channels=tuple(map(ChannelName, self.channels)),
            since=read_since(self.since),
            account=ACCOUNT,
            destinations=NAMES,
        )
        veranda = replace(
            porch,
            name=VERANDA,
            channels=(ChannelName("RH"),),
            since=read_since(VERANDAS_BEGIN),
            destinations=NAMES[:1],
        )
        self.listener = Listener()
        self.doors = {
            name: Door(each, identities=self.state, clock=self.clock, observer=self.listener)
            for name, each in self.destinations.items()
        }
        courier = Courier(coverage=self.state, bindings=self.state, doors=self.doors, observer=self.listener)
        self.account = Account(
            ACCOUNT,
            [porch, veranda],
            source=self.source,
            courier=courier,
            coverage=self.state,
            bindings=self.state,
            catalogue=CATALOGUE,
            clock=self.clock,
            observer=self.listener,
        )

    @initialize(rows=st.integers(0, 300), telling=st.booleans(), seed=st.integers(0, 99))
    def begin(self, rows: int, seed: int, *, telling: bool) -> None:
        self.source.chance.seed(seed)
        self.telling = telling
        for _ in range(rows):
            self.add_row()
        self.open()

    def add_row(self, jitter: int = 0) -> None:
        self.now_row += STEP + jitter
        self.source_holds(self.now_row, self.values(self.now_row))

    def source_holds(self, time: int, row: dict[Any, Any]) -> None:
        self.source.rows[PORCH.id][time] = row
        self.ever[time].append(row)
        if self.telling:
            # with a newest row that is told, windows of the past are asked for side by side
            self.source.modules = [replace(PORCH, newest=self.now_row)]

    def values(self, time: int) -> dict[Any, Any]:
        temperature = None if time % 7 == 0 else (time // STEP) % 300 / 10
        return {TEMPERATURE: temperature, HUMIDITY: None if time % 11 == 0 else 40 + time % 50}

    # --- what happens ---

    @rule(count=st.integers(1, 12), jitter=st.integers(-100, 100))
    def rows_appear(self, count: int, jitter: int) -> None:
        for _ in range(count):
            self.add_row(jitter)

    def recent(self) -> int | None:
        """The first moment that the next poll looks back to."""
        newest = self.state.newest(PORCH.id)
        return None if newest is None else newest - 3600

    @precondition(lambda self: self.recent() is not None)
    @rule(back=st.integers(0, 3599))
    def a_row_appears_late(self, back: int) -> None:
        time = min(self.recent() + 3600 - back, self.now_row)  # type: ignore[operator]
        if time not in self.source.rows[PORCH.id]:
            self.source_holds(time, self.values(time))
        self.unseen_change = True

    @precondition(lambda self: self.recent() is not None)
    @rule(which=st.integers(0, 11), change=st.integers(1, 50))
    def a_row_changes(self, which: int, change: int) -> None:
        times = [t for t in sorted(self.source.rows[PORCH.id]) if t >= self.recent()]  # type: ignore[operator]
        if times:
            time = times[which % len(times)]
            held = self.source.rows[PORCH.id][time]
            self.source_holds(time, {**held, TEMPERATURE: 50 + change / 10})
            self.unseen_change = True
            # a changed row is sent again as a whole, its humidity too, and to all that mirror the module
            self.allowed_twice += len(NAMES) + 1

    async def poll_once(self, *, past: bool = True) -> None:
        for door in self.doors.values():
            await door.ready()
        roster = await self.account.survey()
        for module in roster.targets:
            await self.account.poll(module)
            self.unseen_change = self.unseen_change and all(each.down for each in self.destinations.values())
            if past:
                await self.account.catch_up(module)

    @rule(past=st.booleans())
    def poll(self, *, past: bool) -> None:
        self.clock.time += 600
        try:
            self.run(self.poll_once(past=past))
        except NetafluxError:
            assert self.source.failing

    @precondition(lambda self: not self.source.failing)
    @rule(which=st.integers(0, 1))
    def one_device_alone_is_synced(self, which: int) -> None:
        if which == 1 and self.unseen_change:
            return  # it looks at less than the others, and would carry their look-back past the change
        self.clock.time += 600
        self.run(self.sync_alone(which))

    async def sync_alone(self, which: int) -> None:
        for door in self.doors.values():
            await door.ready()
        roster = await self.account.survey()
        for module, targets in roster.targets.items():
            alone = targets[which : which + 1]
            reached = self.account_reaches(alone)
            await self.account.poll(module, alone)
            self.unseen_change = self.unseen_change and not reached
            await self.account.catch_up(module, alone)

    def account_reaches(self, targets: Sequence[Target]) -> bool:
        """Whether a destination of these devices takes rows: else nothing is fetched for them."""
        names = {name for target in targets for name in target.destinations}
        return any(self.doors[name].open and not self.destinations[name].down for name in names)

    async def live_beside_history(self) -> None:
        for door in self.doors.values():
            await door.ready()
        roster = await self.account.survey()
        for module in roster.targets:
            await asyncio.gather(
                self.account.poll(module), self.account.catch_up(module), self.account.poll(module)
            )

    @precondition(lambda self: not self.source.failing)
    @rule()
    def poll_side_by_side(self) -> None:
        self.clock.time += 600
        self.run(self.live_beside_history())

    @rule(name=st.sampled_from(NAMES), down=st.booleans())
    def a_destination_fails_or_comes_back(self, name: DestinationName, *, down: bool) -> None:
        self.destinations[name].down = down

    @rule(failing=st.booleans())
    def netatmo_fails_or_comes_back(self, *, failing: bool) -> None:
        self.source.failing = failing

    @rule(channel=st.sampled_from(CHANNELS))
    def a_channel_is_added(self, channel: str) -> None:
        if channel not in self.channels:
            self.channels.append(channel)
            self.open()

    @rule(earlier=st.integers(1, 20))
    def since_moves_earlier(self, earlier: int) -> None:
        self.since -= earlier * STEP
        self.open()

    @precondition(lambda self: not self.source.failing)
    @rule(begin=st.integers(0, 80), length=st.integers(1, 30))
    def a_middle_span_is_synced(self, begin: int, length: int) -> None:
        first, last = self.since + begin * STEP, self.since + (begin + length) * STEP
        newest = self.state.newest(PORCH.id)
        if self.unseen_change and newest is not None:
            # a sync ahead of the live end would carry the look-back of an hour past the change; the
            # deeper look-backs are for that
            last = min(last, newest)
        if first < last:
            self.run(self.sync_span(first, last))

    async def sync_span(self, begin: int, end: int) -> None:
        for door in self.doors.values():
            await door.ready()
        roster = await self.account.survey()
        for module, targets in roster.targets.items():
            await self.account.fetch_span(module, Window(begin, end), targets)

    @rule()
    def a_restart(self) -> None:
        self.open()

    @precondition(lambda self: not self.source.failing)
    @rule()
    def a_crash_between_the_yes_and_the_commit(self) -> None:
        before = self.written()
        self.state.losing = True
        with suppress(NetafluxError):
            self.run(self.poll_once())
        self.state.losing = False
        self.allowed_twice += self.written() - before
        self.open()

    def written(self) -> int:
        return sum(each.writes.total() for each in self.destinations.values())

    # --- what must hold ---

    @invariant()
    def nothing_was_sent_twice_but_by_a_crash(self) -> None:
        twice = sum(
            count - 1 for each in self.destinations.values() for count in each.writes.values() if count > 1
        )

        assert twice <= self.allowed_twice

    @invariant()
    def no_destination_holds_what_the_source_never_sent(self) -> None:
        for each in self.destinations.values():
            for (_, channel, time), value in each.cells.items():
                assert value in {FORMULAS[channel](row) for row in self.ever[time]}

    def settle(self) -> None:
        """Everything is up again, and a few polls pass."""
        self.source.failing = False
        for each in self.destinations.values():
            each.down = False
        self.open()
        for _ in range(3):
            self.clock.time += 3600
            self.run(self.poll_once())

    def compare(self) -> None:
        expected = dict(self.expected())
        begins = {"Porch": self.since, VERANDA: VERANDAS_BEGIN}

        for each in self.destinations.values():
            # a named span may have brought what lies before
            held = {cell: value for cell, value in each.cells.items() if cell[2] >= begins[cell[0]]}
            devices = {"Porch", VERANDA} if each.name == NAMES[0] else {"Porch"}
            assert held == {cell: value for cell, value in expected.items() if cell[0] in devices}

    def expected(self) -> Iterator[tuple[Cell, float]]:
        for time, row in self.source.rows[PORCH.id].items():
            for channel in self.channels:
                value = FORMULAS[channel](row)
                if time >= self.since and value is not None:
                    yield (DeviceName("Porch"), ChannelName(channel), time), value
            if time >= VERANDAS_BEGIN and (humidity := row[HUMIDITY]) is not None:
                yield (VERANDA, ChannelName("RH"), time), humidity


History.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestHistory = History.TestCase
