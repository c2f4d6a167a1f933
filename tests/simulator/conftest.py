"""A simulated world that stands still, and somebody who calls on both of its servers."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest

from netaflux.simulator import Served, World, estate, serve
from tests.fakes import TurnedClock

NOW = 1_700_000_000
DAYS = 5
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> Any:
        return self.json["error"]["code"]


class Caller:
    """Calls on a served world, with the access token of `default` and the password of the first guest."""

    def __init__(self, served: Served, session: aiohttp.ClientSession) -> None:
        self.served = served
        self.session = session

    @property
    def netatmo_headers(self) -> dict[str, str]:
        pair = self.served.netatmo.logins.current("default")
        return {"Authorization": f"Bearer {pair.access if pair else ''}"}

    @property
    def basic(self) -> dict[str, str]:
        user = self.served.user
        return {"Authorization": aiohttp.encode_basic_auth(user.username, user.password)}

    async def call(self, method: str, url: str, **how: Any) -> Answer:
        async with self.session.request(method, url, allow_redirects=False, **how) as response:
            return Answer(response.status, response.headers, await response.read())

    async def api(self, endpoint: str, headers: Mapping[str, str] | None = None, **params: Any) -> Answer:
        url = f"{self.served.netatmo_url}/api/{endpoint}"
        return await self.call("GET", url, params=params, headers=headers or self.netatmo_headers)

    async def measure(self, module: str | None = None, **params: Any) -> Answer:
        """A page of the base unit, or of a module of its station."""
        base = self.served.house.stations[0].base.id
        asked = {"device_id": base, "module_id": module or base, "scale": "max", "type": "Temperature"}
        return await self.api("getmeasure", **{**asked, **params})

    async def token(self, **form: str) -> Answer:
        app = self.served.netatmo.settings.app
        whole = {"client_id": app.client_id, "client_secret": app.client_secret, **form}
        return await self.call("POST", f"{self.served.netatmo_url}/oauth2/token", data=whole)

    async def refresh(self, token: str) -> Answer:
        return await self.token(grant_type="refresh_token", refresh_token=token)

    async def flux(self, path: str, method: str = "GET", **how: Any) -> Answer:
        return await self.call(method, self.served.fluxtream_url + path, **{"headers": self.basic, **how})

    async def upload(
        self,
        data: object,
        channels: object = ("Temp_F",),
        *,
        device: str = "Netatmo_Porch",
        api: str = "/api",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """An upload; text is sent as it is, everything else as JSON."""
        fields = {"dev_nickname": device, "channel_names": _text(channels), "data": _text(data)}
        path, sent = f"{api}/bodytrack/upload", {**(headers or self.basic), "Content-Type": FORM}
        return await self.flux(path, "POST", data=urlencode(fields).encode(), headers=sent)


def _text(field: object) -> str:
    return field if isinstance(field, str) else orjson.dumps(field).decode()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(NOW)


@pytest.fixture
def world() -> World:
    """One station of five modules with five days of history; tests override this."""
    return World.of(estate(NOW, days=DAYS))


@pytest.fixture
async def served(world: World, clock: TurnedClock) -> AsyncIterator[Served]:
    async with serve(world, clock) as served:
        yield served


@pytest.fixture
async def caller(served: Served) -> AsyncIterator[Caller]:
    timeout = aiohttp.ClientTimeout(total=10)
    # no cookies: a test that wants a session says so
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as session:
        yield Caller(served, session)
