"""The virtual clock: a week in seconds. Time stands still while anybody is busy, then jumps to a sleeper.

Whatever waits by the `Clock` port waits virtually; time-outs of sockets, and all else that waits by the event
loop, stay real. So everything that takes part lives in one process, on one event loop.

    ready     a task can go on: it does, and time stands still
    busy      a database has work, a thread was asked something, bytes are on their way: a real wait
    idle      all that anybody waits for is time: the clock jumps to where the first sleeper wakes
"""

import asyncio
import gc
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

import pytest

from netaflux.app import App
from netaflux.core.ports import Clock
from netaflux.http import Http
from netaflux.service.rounds import Rounds
from netaflux.simulator.door import Door
from netaflux.state.database import Database
from tests.fakes import TurnedClock

NOW = 1_700_000_000.0
BYTES_TRAVEL = 0.1
"""Real seconds within which bytes that one socket of this process has sent surely wake another one."""

T = TypeVar("T")
Ready = list[tuple[selectors.SelectorKey, int]]


class VirtualClock(TurnedClock):
    """Stands still until nobody is busy; then it is the moment when the next sleeper wakes."""

    speed = 1.0

    def __init__(self, now: float = NOW) -> None:
        super().__init__(now)
        self.jumps = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    async def sleep(self, seconds: float) -> None:
        """Return once so many seconds have passed on this clock; others may wake at the same moment."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.time + seconds, next(self._numbers), woken))
        await woken

    def jump(self) -> bool:
        """Go to the next moment at which somebody wakes, and wake them; False where nobody sleeps."""
        self._forget_cancelled()
        if not self._sleepers:
            return False
        self.jumps += 1
        self.time = max(self.time, self._sleepers[0][0])  # a test may have turned it beyond
        while self._sleepers and self._sleepers[0][0] <= self.time:
            _, _, woken = heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
        return True

    def _forget_cancelled(self) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heappop(self._sleepers)


class Watch:
    """Knows what is under way that no selector can see."""

    def __init__(self) -> None:
        self.asked = 0
        """HTTP exchanges that have begun and not ended."""
        self.answering = 0
        """Those of them that a simulated server is working on, or is sleeping over."""
        self._databases: list[Database] = []
        self._owed: dict[Database, int] = {}

    @property
    def travelling(self) -> bool:
        """Whether bytes are on their way; or else an exchange waits for a connection to come free."""
        return self.asked > self.answering

    @property
    def working(self) -> bool:
        """Whether a database has something to do; its thread wakes the loop when it is done."""
        self._databases = [each for each in self._databases if not each._ended.done()]
        return any(self._is_working(each) for each in self._databases)

    def _is_working(self, database: Database) -> bool:
        return database._closing or not database._ready.done() or self._owed[database] > 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See every database, exchange and simulated server that begins meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Http, "exchange", self._counting(Http.exchange, "asked"))
            patch.setattr(Door, "through", self._counting(Door.through, "answering"))
            self._watch_databases(patch)
            yield

    def _counting(self, function: Callable[..., Any], what: str) -> Callable[..., Any]:
        async def counted(*arguments: Any, **named: Any) -> Any:
            setattr(self, what, getattr(self, what) + 1)
            try:
                return await function(*arguments, **named)
            finally:
                setattr(self, what, getattr(self, what) - 1)

        return counted

    def _watch_databases(self, patch: pytest.MonkeyPatch) -> None:
        made, run, conclude = Database.__init__, Database.run, Database._conclude

        def making(database: Database, *arguments: Any) -> None:
            made(database, *arguments)
            self._databases.append(database)
            self._owed[database] = 0

        async def running(database: Database, *arguments: Any, **named: Any) -> Any:
            # what a closing database refuses was never its work
            self._owed[database] += not database._closing
            return await run(database, *arguments, **named)

        def concluding(database: Database, jobs: Any, outcomes: Any) -> None:
            self._owed[database] -= len(jobs)
            conclude(database, jobs, outcomes)

        patch.setattr(Database, "__init__", making)
        patch.setattr(Database, "run", running)
        patch.setattr(Database, "_conclude", concluding)


class VirtualSelector(selectors.DefaultSelector):
    """Looks whether anything real has happened, and makes the clock jump where nothing will."""

    def __init__(self, clock: VirtualClock, watch: Watch) -> None:
        super().__init__()
        self._clock = clock
        self._watch = watch
        self.threads = 0
        """Calls that were handed to a thread of the loop."""

    def select(self, timeout: float | None = None) -> Ready:
        """What has happened; `timeout` is 0 where a callback is ready, else it is until the next real one."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._watch.working or self.threads:
            return super().select(timeout)
        if self._watch.travelling:
            if timeout is not None and timeout < BYTES_TRAVEL:
                return super().select(timeout)
            if ready := super().select(BYTES_TRAVEL):
                return ready
        return [] if self._clock.jump() else super().select(timeout)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on the virtual clock; its own time stays real."""

    def __init__(self, clock: VirtualClock, watch: Watch) -> None:
        self._watched = VirtualSelector(clock, watch)
        super().__init__(self._watched)

    def run_in_executor(  # type: ignore[override]  # an unknown function with unknown arguments
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As ever, while the clock stands still."""
        future = super().run_in_executor(executor, func, *args)
        self._watched.threads += 1
        future.add_done_callback(lambda _: setattr(self._watched, "threads", self._watched.threads - 1))
        return future


def run_virtually(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], *, now: float = NOW) -> T:
    """What `main` comes to, on an event loop where nobody waits for a sleeper."""
    clock, watch = VirtualClock(now), Watch()
    with (
        watch.watching(),
        seldom_collected(),
        asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, watch)) as runner,
    ):
        return runner.run(main(clock))


@contextmanager
def seldom_collected() -> Iterator[None]:
    """A tenth of the time would go into looking for garbage among things that stay."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class ClockBells:
    """`Bells` by tasks that sleep on the clock: APScheduler lives by the wall's."""

    def __init__(self, clock: Clock, ring: Callable[[str], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._bells: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ring while the block runs."""
        try:
            yield
        finally:
            for bell in self._bells.values():
                bell.cancel()
            await asyncio.gather(*self._bells.values(), return_exceptions=True)

    def ring_at(self, key: str, when: float) -> None:
        """Ring `key` at that monotonic time."""
        if before := self._bells.get(key):
            before.cancel()
        self._bells[key] = asyncio.create_task(self._rings(key, when), name=f"bell of {key}")

    async def _rings(self, key: str, when: float) -> None:
        await self._clock.sleep(when - self._clock.monotonic())
        self._ring(key)


@asynccontextmanager
async def daemon(app: App, *, interval: float = 600) -> AsyncIterator[Rounds]:
    """What `netaflux run` does, while the block runs."""
    rounds, stop = Rounds(app, interval=interval, hang=ClockBells), asyncio.Event()
    work = asyncio.create_task(rounds.run(stop), name="rounds")
    try:
        yield rounds
    finally:
        stop.set()
        await work


async def until(clock: Clock, look: Callable[[], object], *, every: float = 1, within: float = 86400) -> None:
    """Return once there is something to see. Raises AssertionError after `within` seconds of the clock."""
    end = clock.monotonic() + within
    while not look():
        assert clock.monotonic() < end, f"nothing to see within {within} s"
        await clock.sleep(every)
