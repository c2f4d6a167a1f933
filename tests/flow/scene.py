"""A porch, its rows, and destinations in memory: what the scenarios of the flow are played with."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from netaflux.core.channels import CATALOGUE
from netaflux.core.devices import Device
from netaflux.core.errors import DestinationDown
from netaflux.core.events import Event
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.core.model import (
    Batch,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Module,
    Number,
    Series,
    Window,
)
from netaflux.core.since import read_since
from netaflux.core.spans import Spans
from netaflux.flow.account import Account
from netaflux.flow.courier import Courier
from netaflux.flow.door import Door
from netaflux.flow.errand import Carried
from tests.fakes import ACCOUNT, FakeDestination, FakeSource, FakeState, Listener, TurnedClock, a_module

START = 1_700_000_000
STEP = 300
ONE, TWO = DestinationName("one"), DestinationName("two")
PORCH = DeviceName("Porch")
TEMP, RH = ChannelName("Temp_C"), ChannelName("RH")

E = TypeVar("E", bound=Event)


@dataclass
class Gated(FakeDestination):
    """Holds each write until its gate is open; some batches can be told to fail."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    inside: int = 0
    most_inside: int = 0
    arrivals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released by each batch that has come to the gate."""
    failing: list[tuple[ChannelName, ...]] = field(default_factory=list)
    """Batches of these channels are not taken."""
    batches: list[Batch] = field(default_factory=list)
    """All that came to the gate."""

    async def write(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.inside += 1
        self.most_inside = max(self.inside, self.most_inside)
        self.arrivals.release()
        try:
            await self.gate.wait()
        finally:
            self.inside -= 1
        if batch.channels in self.failing:
            raise DestinationDown(f"{self.name} does not take {', '.join(batch.channels)}")
        await super().write(batch)


def opened(name: DestinationName, **more: Any) -> Gated:
    """A gated destination whose gate is open."""
    destination = Gated(name, DestinationId(f"fake:{name}#1"), **more)
    destination.gate.set()
    return destination


def a_device(
    name: str = PORCH,
    module: str = "AR Home/Porch",
    *,
    channels: Iterable[str] | None = (TEMP, RH),
    since: object = START,
    to: tuple[DestinationName, ...] = (ONE,),
) -> Device:
    """A device as configured."""
    return Device(
        name=DeviceName(name),
        module=module,
        channels=None if channels is None else tuple(map(ChannelName, channels)),
        since=read_since(since),
        account=ACCOUNT,
        destinations=to,
    )


class Scene:
    """One account with a porch; a restart begins a new process on the same state."""

    def __init__(
        self,
        *devices: Device,
        destinations: Iterable[FakeDestination] = (),
        modules: Iterable[Module] = (a_module(),),
        page_rows: int = 7,
    ) -> None:
        self.clock = TurnedClock(START)
        self.source = FakeSource(list(modules), page_rows=page_rows)
        self.state = FakeState()
        self.to = {each.name: each for each in destinations} or {ONE: opened(ONE)}
        self.devices: tuple[Device, ...] = devices or (a_device(),)
        self.restart()

    def restart(self, *devices: Device) -> None:
        """A new process, with these devices configured, or the same as before."""
        self.listener = Listener()
        self.devices = devices or self.devices
        self.doors = {
            name: Door(each, identities=self.state, clock=self.clock, observer=self.listener)
            for name, each in self.to.items()
        }
        self.courier = Courier(
            coverage=self.state, bindings=self.state, doors=self.doors, observer=self.listener
        )
        self.account = Account(
            ACCOUNT,
            self.devices,
            source=self.source,
            courier=self.courier,
            coverage=self.state,
            bindings=self.state,
            catalogue=CATALOGUE,
            clock=self.clock,
            observer=self.listener,
        )

    # --- the world ---

    @property
    def module(self) -> Module:
        """The porch's, or the first of them."""
        return self.source.modules[0]

    def measure(self, *numbers: int, temperature: Number | None = 21.5, humidity: Number | None = 57) -> None:
        """Rows appear at Netatmo: the n-th is n steps after the start."""
        for number in numbers:
            cells = {TEMPERATURE: temperature, HUMIDITY: humidity}
            self.source.rows[self.module.id][at(number)] = cells

    # --- netaflux ---

    async def ready(self) -> None:
        """Doors asked and modules surveyed, as a round begins."""
        for door in self.doors.values():
            await door.ready()
        await self.account.survey()

    async def poll(self) -> Carried:
        """A round: the newest rows of all modules."""
        await self.ready()
        carried = Carried()
        for module in self.roster:
            carried += await self.account.poll(module)
        return carried

    async def catch_up(self) -> Carried:
        """The past of all modules."""
        await self.ready()
        carried = Carried()
        for module in self.roster:
            carried += await self.account.catch_up(module)
        return carried

    async def sync(self) -> None:
        """The newest rows, and then the past."""
        self.clock.time += 600
        await self.poll()
        await self.catch_up()

    @property
    def roster(self) -> Iterable[Any]:
        """The modules that devices mirror."""
        return tuple(self.account.roster.targets) if self.account.roster else ()

    async def span(self, begin: int, end: int | None, *, again: bool = False) -> None:
        """A span that a person names, by the numbers of its rows."""
        await self.ready()
        window = Window(at(begin), None if end is None else at(end))
        targets = self.account.targets(self.module.id)
        await self.account.fetch_span(self.module.id, window, targets, again=again)

    # --- what came of it ---

    def rows(
        self, name: DestinationName = ONE, channel: ChannelName = TEMP, device: DeviceName = PORCH
    ) -> list[int]:
        """The numbers of the rows that a destination holds of a channel."""
        cells = self.to[name].cells
        return sorted(number(time) for dev, chan, time in cells if (dev, chan) == (device, channel))

    def written(self, name: DestinationName = ONE) -> int:
        """How many cells came there, each as often as it came."""
        return self.to[name].writes.total()

    def covered(
        self, name: DestinationName = ONE, channel: ChannelName = TEMP, device: DeviceName = PORCH
    ) -> Spans:
        """What is recorded of a series."""
        return self.state.covered(Series(self.to[name].identity, device, channel))

    def told(self, kind: type[E]) -> list[E]:
        """The events of a kind since the restart."""
        return [event for event in self.listener.events if isinstance(event, kind)]


def at(number: int) -> int:
    """The time of the n-th row."""
    return START + number * STEP


def number(time: int) -> int:
    """Which row has that time."""
    return (time - START) // STEP
