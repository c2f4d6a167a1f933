"""What the tests of the Netatmo client share: time that passes at once, a disk, a server, payloads."""

import asyncio
import json
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from netaflux.core.budget import BudgetRecord
from netaflux.core.errors import NetafluxError, StateError
from netaflux.core.events import CallRepeated
from netaflux.core.limits import limits
from netaflux.core.model import AccountName, Lane
from netaflux.http import Http
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.gate import Budget, Gate
from netaflux.netatmo.scope import World
from tests.fakes import Listener, TurnedClock

ANNE = AccountName("anne")

PAYLOADS = Path(__file__).resolve().parent.parent / "payloads"


def payload(name: str) -> Envelope:
    """A Netatmo answer, made up in the shape of real ones."""
    envelope: Envelope = json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))
    return envelope


class _PassingTime(selectors.SelectSelector):
    """Where a loop would wait for its next timer, that time is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits, and nothing will ever happen")
            self.passed += max(timeout, 0)
        return ready


class PassingLoop(asyncio.SelectorEventLoop):
    """A loop in which nobody waits: time jumps to the next timer."""

    def __init__(self) -> None:
        self._passing = _PassingTime()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.passed


def in_passing_time(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run to the end, however long that takes in the loop's own time."""
    with asyncio.Runner(loop_factory=PassingLoop) as runner:
        runner.run(main())


@dataclass
class LoopClock:
    """The time of the running loop, on a wall clock and since some boot."""

    wall: float = 1_763_700_000.0
    since_boot: float = 5_000.0

    def now(self) -> float:
        return self.wall + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        return self.since_boot + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Disk:
    """A budget store that survives its process, takes its time, and may be full or gone."""

    records: dict[str, BudgetRecord] = field(default_factory=dict)
    delay: float = 0.0
    full: bool = False
    saves: int = 0

    async def load(self, scope: str) -> BudgetRecord:
        return self.records.get(scope, BudgetRecord())

    async def save(self, scope: str, record: BudgetRecord) -> None:
        await asyncio.sleep(self.delay)
        if self.full:
            raise StateError("the disk is full")
        self.saves += 1
        self.records[scope] = record


Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@asynccontextmanager
async def serving(handlers: Mapping[str, Handler]) -> AsyncIterator[str]:
    """A server on loopback that answers the endpoints of the API; its URL."""
    app = web.Application()
    for endpoint, handler in handlers.items():
        app.router.add_route("*", f"/api/{endpoint}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


class Keeper:
    """Lends one token after the other; each rejection brings the next."""

    def __init__(self, *tokens: str, failure: NetafluxError | None = None) -> None:
        self.tokens = list(tokens or ("first", "second", "third"))
        self.failure = failure
        self.lent = 0
        self.rejections: list[str] = []
        self.on_borrowing: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[str]:
        self.on_borrowing()
        if self.failure:
            raise self.failure
        self.lent += 1
        try:
            yield self.tokens[0]
        finally:
            self.lent -= 1

    def rejected(self, access: str) -> None:
        assert not self.lent, "a refresh would wait for this call for ever"
        self.rejections.append(access)
        self.tokens.pop(0)


@dataclass
class Wired:
    """A client with all it needs."""

    client: NetatmoClient
    gate: Gate
    keeper: Keeper
    clock: TurnedClock
    listener: Listener = field(default_factory=Listener)

    @property
    def permits(self) -> int:
        return self.gate.state().uses[-1].used

    @property
    def pauses(self) -> list[float]:
        return [event.pause for event in self.listener.events if isinstance(event, CallRepeated)]

    async def measure(self, *, write: bool = False) -> Mapping[str, object]:
        """Make a call that makes some sense."""
        return await self.client.call("getmeasure", {"scale": "max"}, lane=Lane.LIVE, write=write)


@asynccontextmanager
async def wired(
    api_url: str = "https://api.netatmo.invalid/",
    *,
    keeper: Keeper | None = None,
    total: float = 5,
    clock: TurnedClock | None = None,
) -> AsyncIterator[Wired]:
    clock, listener, keeper = clock or TurnedClock(), Listener(), keeper or Keeper()
    world = World(store=Disk(), clock=clock, boot="monday", observer=listener)
    many = limits(1000, 1000)
    async with Http.open(total=total) as http, Budget.open(app=many, account=many, world=world) as budget:
        gate = await budget.gate(ANNE)
        client = NetatmoClient(
            ANNE, http=http, api_url=api_url, keeper=keeper, gate=gate, clock=clock, observer=listener
        )
        yield Wired(client, gate, keeper, clock, listener)
