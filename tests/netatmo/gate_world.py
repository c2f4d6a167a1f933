"""A machine whose processes share a budget on disk, and those who call, in time that passes at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from netaflux.core.events import Event
from netaflux.core.limits import limits
from netaflux.core.model import AccountName, Lane
from netaflux.netatmo.gate import Budget, Gate
from netaflux.netatmo.scope import World
from tests.fakes import Listener
from tests.netatmo.world import Disk, LoopClock, in_passing_time

ANNE, BEN = AccountName("anne"), AccountName("ben")


LATENCY = 0.5
"""Seconds that the calls of `refused` and `made` take."""


@dataclass
class House:
    """One machine: what survives its processes."""

    disk: Disk = field(default_factory=Disk)
    clock: LoopClock = field(default_factory=LoopClock)
    boot: str = "monday"
    listener: Listener = field(default_factory=Listener)
    account: tuple[int, int] = (1000, 1000)
    app: tuple[int, int] = (1000, 1000)

    def reboot(self) -> None:
        """Another boot: the monotonic clock counts from then on."""
        now = asyncio.get_running_loop().time()
        self.boot, self.clock = f"boot at {now}", replace(self.clock, since_boot=3.0 - now)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Budget]:
        world = World(store=self.disk, clock=self.clock, boot=self.boot, observer=self.listener)
        async with Budget.open(app=limits(*self.app), account=limits(*self.account), world=world) as budget:
            yield budget


class Calls:
    """Calls that note when they got their permit, in the loop's time."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def make(self, gate: Gate, name: str, lane: Lane = Lane.LIVE, latency: float = 0.0) -> None:
        async with gate.permit(lane):
            self.begun.append((name, asyncio.get_running_loop().time()))
            await asyncio.sleep(latency)

    def start(
        self, gate: Gate, name: str, lane: Lane = Lane.LIVE, latency: float = 0.0
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(self.make(gate, name, lane, latency))
        self._tasks.append(task)
        return task

    async def all_done(self) -> None:
        await asyncio.gather(*self._tasks)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.begun]

    @property
    def times(self) -> list[float]:
        return [time for _, time in self.begun]


def in_no_time(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Run an async test in time that passes at once."""

    def run() -> None:
        in_passing_time(test)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def fullest(arrived: list[float], seconds: float) -> int:
    """The most calls that any window of so many seconds holds, both its ends included."""
    return max((sum(begin <= time <= begin + seconds for time in arrived) for begin in arrived), default=0)


def now() -> float:
    return asyncio.get_running_loop().time()


async def refused(gate: Gate, asked: float | None = None) -> None:
    """Make a call that Netatmo refuses for its limit."""
    async with gate.permit(Lane.LIVE) as permit:
        await asyncio.sleep(LATENCY)
        await gate.refused(permit, asked, "code 26")


async def made(gate: Gate, lane: Lane = Lane.LIVE, calls: int = 1) -> list[float]:
    """Make good calls, one after the other; probes are made on the way, and do not count."""
    times: list[float] = []
    while len(times) < calls:
        async with gate.permit(lane) as permit:
            sent = now()
            await asyncio.sleep(LATENCY)
            permit.succeeded()
        if not permit.probe:
            times.append(sent)
    return times


def told(house: House, *kinds: type[Event]) -> list[Event]:
    return [event for event in house.listener.events if isinstance(event, kinds)]
