"""A Fluxtream server as a destination: who we are there, and uploads that it has acknowledged."""

from asyncio import Semaphore
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self, TypeVar

import orjson

from netaflux.core.comparison import Held
from netaflux.core.errors import BatchTooLarge, DestinationDown, ReadBackRefused, Unreachable
from netaflux.core.model import Batch, ChannelName, DestinationId, DestinationName, DeviceName, Window
from netaflux.destinations.fluxtream.answers import LOOK_AT_URL, Guest, Judge, Verdict
from netaflux.destinations.fluxtream.form import BODY_LIMIT, form, require_sound
from netaflux.destinations.fluxtream.readback import Export, stretches
from netaflux.destinations.fluxtream.settings import Api, FluxtreamSettings, place
from netaflux.http import Answer, Http

LEAST_LIMIT: Final = 8_000
"""Bytes; a server that finds a body of this size too large has another reason."""
ROUTES: Final[dict[Api, str]] = {"legacy": "/api", "v1": "/api/v1"}

T = TypeVar("T")


class Fluxtream:
    """One account on one Fluxtream server. What it learns about the server lasts as long as the process."""

    def __init__(self, name: DestinationName, settings: FluxtreamSettings, http: Http) -> None:
        self.name = name
        self._url = settings.url
        self._http = http
        password = settings.password.get_secret_value()
        token = b64encode(f"{settings.username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._secrets = (password, orjson.dumps(password)[1:-1].decode(), token)
        self._apis: tuple[Api, ...] = ("legacy", "v1") if settings.api == "auto" else (settings.api,)
        """Those that may be used; the first is the one that worked last."""
        self._in_flight = Semaphore(settings.uploads)
        self._limit = BODY_LIMIT
        self._taken = 0
        """Bytes of the largest body that was acknowledged."""
        self._guest: Guest | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, name: DestinationName, settings: FluxtreamSettings) -> AsyncIterator[Self]:
        """The destination, its connections open; nothing is asked of it yet."""
        # The server makes a session for every login without a cookie, and keeps it for ever.
        async with Http.open(connections=settings.uploads + 1, cookies=True) as http:
            yield cls(name, settings, http)

    @property
    def introduction(self) -> str:
        """Who it knows us as: user name, full name, guest id; empty until it was identified."""
        guest = self._guest
        return f"{guest.username} ({guest.fullname}), guest {guest.id}" if guest else ""

    async def identify(self) -> DestinationId:
        """Which server and which account. Raises DestinationDown, CredentialsRefused."""
        guest = await self._identified()
        return DestinationId(f"fluxtream:{place(self._url)}#{guest.id}")

    async def _identified(self) -> Guest:
        self._guest = await self._with_an_api(self._ask_guest)
        return self._guest

    async def write(self, batch: Batch) -> None:
        """Return only when the server has acknowledged every row, in as many uploads as that takes.

        Raises DestinationDown, CredentialsRefused, BatchRefused, and BatchTooLarge where one row alone is.
        """
        require_sound(batch)
        waiting = [batch.rows] if batch.rows else []
        while waiting:
            rows = waiting.pop()
            body = form(batch, rows)
            if (len(body) < self._limit or len(rows) == 1) and await self._takes(body):
                continue
            if len(rows) == 1:
                raise BatchTooLarge(f"{self._url} finds a single row of {len(body)} bytes too large.")
            half = (len(rows) + 1) // 2
            waiting += rows[half:], rows[:half]

    async def read_back(
        self, device: DeviceName, channels: Sequence[ChannelName], window: Window
    ) -> list[Held]:
        """What stands in a bounded window. Raises ReadBackRefused, DestinationDown, CredentialsRefused."""
        guest = (self._guest or await self._identified()).id
        held: list[Held] = []
        for stretch in stretches(window):
            async with self._in_flight:
                held += await self._export(guest, Export(device, tuple(channels), stretch))
        return held

    async def _export(self, guest: int, export: Export) -> list[Held]:
        for api in self._apis:
            url = f"{self._url}{ROUTES[api]}{export.path(guest)}"
            held = export.read(await self._exchange("GET", f"{url}?{export.query}"), url)
            if held is not None:
                return held
        raise ReadBackRefused(f"{self._url} cannot be read back: it has no bodytrack/exportCSV")

    async def _takes(self, body: bytes) -> bool:
        """Whether the upload was acknowledged; if not, the server wants less at a time."""
        async with self._in_flight:
            verdict = await self._with_an_api(lambda api: self._ask_upload(api, body))
        if verdict is Verdict.STORED:
            self._taken = max(self._taken, len(body))
            return True
        if verdict is Verdict.UNAUTHORIZED:
            await self._rule_out_credentials(len(body))
        self._shrink(len(body))
        return False

    async def _rule_out_credentials(self, size: int) -> None:
        """A 401 is no wrong password where the same credentials are good for other requests.

        Jetty answers so to a form of more than 200 000 bytes. Raises CredentialsRefused if they are not.
        """
        await self.identify()
        if size <= self._taken:
            self._taken = 0  # if it says so again, it may be the size after all
            raise DestinationDown(
                f"{self._url} refused an upload as unauthorized, and yet accepts this user name and password."
            )

    def _shrink(self, size: int) -> None:
        if size <= LEAST_LIMIT:
            raise DestinationDown(f"{self._url} finds even an upload of {size} bytes too large.")
        self._limit = min(self._limit, max(LEAST_LIMIT, size // 2))

    async def _with_an_api(self, ask: Callable[[Api], Awaitable[T | None]]) -> T:
        """What the API in use answers or, where it has no such route, the other one, which is then used."""
        for api in self._apis:
            found = await ask(api)
            if found is not None:
                self._apis = (api, *(other for other in self._apis if other != api))
                return found
        routes = " nor ".join(ROUTES[api] for api in self._apis)
        raise DestinationDown(f"{self._url} has no Fluxtream under {routes}.", advice=LOOK_AT_URL)

    async def _ask_guest(self, api: Api) -> Guest | None:
        url = f"{self._url}{ROUTES[api]}/guest"
        return self._judge(url).guest(await self._exchange("GET", url))

    async def _ask_upload(self, api: Api, body: bytes) -> Verdict | None:
        url = f"{self._url}{ROUTES[api]}/bodytrack/upload"
        verdict = self._judge(url).upload(await self._exchange("POST", url, body), api)
        return None if verdict is Verdict.NO_ROUTE else verdict

    def _judge(self, url: str) -> Judge:
        return Judge(url, self._secrets)

    async def _exchange(self, method: str, url: str, body: bytes | None = None) -> Answer:
        try:
            try:
                return await self._http.exchange(method, url, form=body, headers=self._headers)
            except Unreachable as error:
                if not error.dropped:
                    raise
                # An idle connection that the server has closed meanwhile; uploading twice does no harm.
                return await self._http.exchange(method, url, form=body, headers=self._headers)
        except Unreachable as error:
            look = f"See whether `url` under [destinations.{self.name}] is right and the server runs."
            raise DestinationDown(error.message, advice=look) from error
