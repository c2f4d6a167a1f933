"""A world for the tests of tokens: a clock to turn, a store that can fail, and a Netatmo that rotates."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from netaflux.core.errors import NetafluxError, StateError, TokenRejected
from netaflux.core.events import AuthorizationNeeded, CallMade, ErrorMet, Event
from netaflux.core.model import AccountName
from netaflux.core.ports import TokenStore
from netaflux.core.tokens import TokenRecord
from netaflux.http import Http
from netaflux.netatmo.oauth import TokenEndpoint
from netaflux.netatmo.tokens import TokenKeeper

ANNE = AccountName("anne")
CLIENT_ID = "5f00c0ffee"
CLIENT_SECRET = "canary-client-secret"
HOUR = 3600.0
THREE_HOURS = 10800.0
REDIRECT = "http://localhost:8977/callback"
PAGE = b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>"

T = TypeVar("T")


class TurnedClock:
    """Stands still until it is turned; `hurried`, it is turned by whoever sleeps."""

    def __init__(self, *, hurried: bool = True) -> None:
        self.wall = 1_800_000_000.0
        self.uptime = 5_000.0
        self.hurried = hurried
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.uptime

    async def sleep(self, seconds: float) -> None:
        if self.hurried:
            self.turn(seconds)
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.uptime + seconds, next(self._numbers), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many wait for it to be turned."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def turn(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self.wall += seconds
        self.uptime += seconds
        while self._sleepers and self._sleepers[0][0] <= self.uptime:
            woken = heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)


class FailingStore:
    """A store in memory; `broken` says for how many more saves it fails."""

    def __init__(self) -> None:
        self.records: dict[AccountName, dict[str, object]] = {}
        self.broken = 0
        self.failures = 0
        self.error: Exception = StateError("The disk is full")
        self.damaged = False
        """Whether what is held can no longer be read."""
        self.slow_loads: deque[asyncio.Event] = deque()
        """What the next loads wait for, after they have read."""

    @property
    def record(self) -> TokenRecord:
        """What is on disk of the account of these tests."""
        return TokenRecord.from_json(self.records.get(ANNE, {}))

    async def load(self, account: AccountName) -> TokenRecord:
        if self.damaged:
            raise StateError("The tokens are damaged")
        record = TokenRecord.from_json(self.records.get(account, {}))
        if self.slow_loads:
            await self.slow_loads.popleft().wait()
        return record

    async def save(self, account: AccountName, record: TokenRecord) -> None:
        await asyncio.sleep(0)
        if self.broken:
            self.broken -= 1
            self.failures += 1
            raise self.error
        self.records[account] = record.to_json()


class Told(list[Event]):
    """What is told to people, in its order; apart from it what is told to those who count."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: list[CallMade | ErrorMet] = []

    def tell(self, event: Event) -> None:
        if isinstance(event, CallMade | ErrorMet):
            self.counted.append(event)
        else:
            self.append(event)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self]


class Post(NamedTuple):
    """One token POST as it came to the door."""

    form: dict[str, str]
    headers: dict[str, str]
    at: float


Mood = Callable[["RotatingNetatmo", web.Request, dict[str, str]], Awaitable[web.StreamResponse]]


class RotatingNetatmo:
    """Gives a new pair at every refresh, and forgets the old one at once."""

    def __init__(self, clock: TurnedClock) -> None:
        self._clock = clock
        self._numbers = count(1)
        self.access = ""
        self.refresh = ""
        self.codes = {"canary-code"}
        self.client_id = CLIENT_ID
        self.lifetime = THREE_HOURS
        self.posts: list[Post] = []
        self.moods: deque[Mood] = deque()
        """What happens to the next POSTs instead."""
        self.mood: Mood | None = None
        """What happens to every POST after those."""
        self.rotate()

    def rotate(self) -> dict[str, object]:
        """A new pair; the one before it is dead."""
        number = next(self._numbers)
        self.access, self.refresh = f"5e|canary-access-{number}", f"5e|canary-refresh-{number}"
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "scope": ["read_station"],
            "expires_in": self.lifetime,
            "expire_in": self.lifetime,
        }

    async def token(self, request: web.Request) -> web.StreamResponse:
        text = (await request.read()).decode()
        form = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
        self.posts.append(Post(form, dict(request.headers), self._clock.monotonic()))
        mood = self.moods.popleft() if self.moods else self.mood
        return await (mood or RotatingNetatmo.granting)(self, request, form)

    async def granting(self, _: web.Request, form: dict[str, str]) -> web.StreamResponse:
        """The usual mood."""
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, CLIENT_SECRET):
            return refusal("invalid_client")
        if form.get("grant_type") == "refresh_token" and form.get("refresh_token") == self.refresh:
            return web.json_response(self.rotate())
        if form.get("grant_type") == "authorization_code" and form.get("code") in self.codes:
            self.codes.discard(form["code"])
            return web.json_response(self.rotate())
        return refusal("invalid_grant")

    async def refusing(self, _: web.Request, form: dict[str, str]) -> web.StreamResponse:
        """A bogus mood."""
        return refusal("invalid_grant")

    async def api(self, request: web.Request) -> web.StreamResponse:
        good = request.headers.get("Authorization") == f"Bearer {self.access}"
        return web.json_response(
            {"status": "ok"} if good else {"error": {"code": 2}}, status=403 - 203 * good
        )


def refusal(word: str, status: int = 400) -> web.Response:
    """An error in OAuth's manner, which repeats what it should not."""
    return web.json_response({"error": word, "error_description": "canary-echo"}, status=status)


def refusing(word: str, status: int = 400) -> Mood:
    """Refuses without looking."""

    async def mood(netatmo: RotatingNetatmo, request: web.Request, form: dict[str, str]) -> web.Response:
        return refusal(word, status)

    return mood


def answering(
    status: int, body: bytes, content_type: str = "application/json", *, retry_after: str | None = None
) -> Mood:
    """Answers this, whatever is asked."""
    headers = {"Content-Type": content_type, **({"Retry-After": retry_after} if retry_after else {})}

    async def mood(netatmo: RotatingNetatmo, request: web.Request, form: dict[str, str]) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return mood


async def cut(netatmo: RotatingNetatmo, request: web.Request, form: dict[str, str]) -> web.StreamResponse:
    """Half of a good-looking answer, then the connection ends."""
    response = web.StreamResponse(headers={"Content-Length": "400", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"access_token": "5e|canary-access-cut", "refresh_to')
    drop(request)
    return response


async def lost(netatmo: RotatingNetatmo, request: web.Request, form: dict[str, str]) -> web.StreamResponse:
    """The pair is rotated, and its answer never arrives."""
    netatmo.rotate()
    drop(request)
    return web.Response()


def drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def held(release: asyncio.Event, arrived: asyncio.Event, then: Mood) -> Mood:
    """Waits until it is released, in the midst of a refresh."""

    async def mood(
        netatmo: RotatingNetatmo, request: web.Request, form: dict[str, str]
    ) -> web.StreamResponse:
        arrived.set()
        await release.wait()
        return await then(netatmo, request, form)

    return mood


class TokenWorld:
    """One account's tokens and everything around them."""

    def __init__(self, clock: TurnedClock, netatmo: RotatingNetatmo, url: str, http: Http) -> None:
        self.clock = clock
        self.netatmo = netatmo
        self.url = url
        self.http = http
        self.store = FailingStore()
        self.told = Told()

    def endpoint(self, client_id: str = CLIENT_ID) -> TokenEndpoint:
        return TokenEndpoint(
            self.http,
            api_url=self.url,
            client_id=client_id,
            client_secret=SecretStr(CLIENT_SECRET),
            clock=self.clock,
        )

    def keeper(
        self, *, seed: str | None = None, client_id: str = CLIENT_ID, store: TokenStore | None = None
    ) -> TokenKeeper:
        """A keeper as a new process makes it."""
        return TokenKeeper(
            ANNE,
            endpoint=self.endpoint(client_id),
            store=store or self.store,
            clock=self.clock,
            observer=self.told,
            client_id=client_id,
            seed=SecretStr(seed) if seed is not None else None,
            chance=lambda: 0.0,
        )

    async def settled(self, *, seed: str | None = None) -> TokenKeeper:
        """A keeper with a pair that has worked; the story of how it came to it is forgotten."""
        keeper = self.keeper(seed=seed)
        await keeper.adopt_refresh(self.netatmo.refresh)
        await self.call(keeper)
        self.clock.turn(60)
        self.netatmo.posts.clear()
        self.told.clear()
        self.told.counted.clear()
        return keeper

    async def call(self, keeper: TokenKeeper) -> str:
        """One API call; raises TokenRejected as the client does. The access token that it used."""
        async with keeper.borrowed() as access:
            headers = {"Authorization": f"Bearer {access}"}
            answer = await self.http.exchange("GET", f"{self.url}/api/ping", headers=headers)
            if answer.status != 200:
                raise TokenRejected("Netatmo rejects the access token", status=answer.status, code=2)
        return access

    async def persistent_call(self, keeper: TokenKeeper) -> str:
        """One API call, repeated once where the access token was rejected."""
        async with keeper.borrowed() as access:
            pass
        try:
            return await self.call(keeper)
        except TokenRejected:
            keeper.rejected(access)
            return await self.call(keeper)


@asynccontextmanager
async def token_world(*, hurried: bool = True) -> AsyncIterator[TokenWorld]:
    """The world, with Netatmo on a loopback port."""
    clock = TurnedClock(hurried=hurried)
    netatmo = RotatingNetatmo(clock)
    app = web.Application()
    app.router.add_post("/oauth2/token", netatmo.token)
    app.router.add_get("/api/ping", netatmo.api)
    async with TestServer(app) as server, Http.open(total=10) as http:
        yield TokenWorld(clock, netatmo, str(server.make_url("")).rstrip("/"), http)


def started(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task that is on its way."""
    return asyncio.get_running_loop().create_task(work)


async def until(condition: Callable[[], object]) -> None:
    """Let the others go on until this is so; the test's own time-out ends what never comes."""
    while not condition():  # noqa: ASYNC110 - the conditions are of all kinds, and some of sockets
        await asyncio.sleep(0)


def needed(world: TokenWorld) -> list[str]:
    """The suspicions that were told."""
    return [event.suspicion for event in world.told if isinstance(event, AuthorizationNeeded)]


async def poll(world: TokenWorld, keeper: TokenKeeper, *, seconds: float, every: float) -> int:
    """Call now and then, as a worker does that takes failures lightly; the calls that succeeded."""
    succeeded = 0
    end = world.clock.monotonic() + seconds
    while world.clock.monotonic() < end:
        world.clock.turn(every)
        try:
            await world.call(keeper)
            succeeded += 1
        except NetafluxError:
            continue
    return succeeded


async def sending(
    world: TokenWorld, keeper: TokenKeeper, then: Mood = RotatingNetatmo.granting
) -> tuple[asyncio.Task[str], asyncio.Event]:
    """A call whose refresh has arrived at Netatmo, and the event that lets Netatmo answer."""
    release, arrived = asyncio.Event(), asyncio.Event()
    world.netatmo.moods.append(held(release, arrived, then))
    calling = started(world.call(keeper))
    await arrived.wait()
    return calling, release


def json(data: object) -> bytes:
    return orjson.dumps(data)
