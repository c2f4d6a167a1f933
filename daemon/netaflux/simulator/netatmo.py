"""A small Netatmo as an aiohttp application: authorization, getstationsdata, getmeasure and more.

It rotates tokens, cuts pages, throttles and fails as the real one does, and writes down who came.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from aiohttp import web

from netaflux.core.ports import Clock
from netaflux.simulator import heating
from netaflux.simulator.accounts import HOME_SCOPES, Account, Logins, Refusal, Stranger
from netaflux.simulator.answers import ApiError, answered, json_answer
from netaflux.simulator.door import Door
from netaflux.simulator.ledger import CALL, Call
from netaflux.simulator.limits import Gate, Limits
from netaflux.simulator.measures import Asked, Reading, page_body
from netaflux.simulator.mishaps import Handler
from netaflux.simulator.oauth import App, Consent, authorize_answer, token_answer
from netaflux.simulator.stations import Showing, stations_body
from netaflux.simulator.watch import Watch, base_of, homesdata_with, homestatus_with

PAGES_KEPT = 2048
_MEASURED = ("read_station", "read_homecoach", "read_thermostat")
_WRITES = ("setroomthermpoint", "setthermmode", "switchhomeschedule", "synchomeschedule", "setstate")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetatmoSettings:
    """How this Netatmo behaves."""

    app: App = field(default_factory=App)
    limits: Limits = field(default_factory=Limits)
    expires_in: int = 10_800
    """Seconds that an access token lives; later changed at `Netatmo.logins`."""
    reading: Reading = field(default_factory=Reading)
    showing: Showing = field(default_factory=Showing)
    quota_status: Literal[403, 429] = 429
    """The status of a refusal with code 26: 403 until 2025, 429 since (observed)."""
    retry_after: bool = False
    """Whether a refusal with code 26 says when to come back."""
    token_status: Literal[401, 403] = 403
    """The status of a refused access token: 401 as documented, 403 as observed."""
    latency: float = 0
    """Seconds that each call takes."""
    clock_skew: int = 0
    """Seconds by which `time_server` is wrong."""
    keep_calls: int | None = None
    """How many calls the ledger keeps; all by default."""


class Netatmo:
    """The server's state, and its routes."""

    def __init__(
        self,
        accounts: Iterable[Account],
        clock: Clock,
        settings: NetatmoSettings = NetatmoSettings(),
    ) -> None:
        self.settings = settings
        """May be exchanged at any time."""
        self.clock = clock
        self.logins = Logins(accounts, clock, settings.expires_in)
        self.consent = Consent(next(iter(self.logins.accounts), ""))
        self.door = Door(clock, keep=settings.keep_calls)
        self.ledger, self.faults = self.door.ledger, self.door.faults
        self.watch = Watch(lambda: self.logins.accounts, self._admitted, clock)
        self._gate = Gate()
        self._pages: OrderedDict[tuple[object, ...], tuple[float, bytes]] = OrderedDict()

    def application(self) -> web.Application:
        """The routes of the API."""
        app = web.Application(middlewares=[self._enter])
        app.router.add_get("/oauth2/authorize", self._authorize)
        app.router.add_post("/oauth2/token", self._token)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/api/getstationsdata", self._getstationsdata)
            app.router.add_route(method, "/api/gethomecoachsdata", self._gethomecoachsdata)
            app.router.add_route(method, "/api/getmeasure", self._getmeasure)
            app.router.add_route(method, "/api/homesdata", self._homesdata)
            app.router.add_route(method, "/api/homestatus", self._homestatus)
            app.router.add_route(method, "/api/getroommeasure", self._getroommeasure)
        for endpoint in _WRITES:
            app.router.add_post(f"/api/{endpoint}", self._written)
        self.watch.add_to(app)
        app.router.add_route("*", "/{nowhere:.*}", self._nowhere)
        return app

    def prepare(self, name: str, asked: Iterable[Mapping[str, str]]) -> None:
        """Compute the pages of these getmeasure parameters now, such as those of an earlier run's ledger."""
        for params in asked:
            self._page(self.logins.accounts[name], params)

    @web.middleware
    async def _enter(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_sim/"):
            return await handler(request)
        params = await _params(request)
        counted = request.path.startswith("/api/")
        call = self.ledger.enter(request, self._user(request, params), params, counted=counted)

        async def work(asking: web.Request) -> web.StreamResponse:
            return await self._worded(call, asking, handler)

        return await self.door.through(
            request, call, work, latency=self.settings.latency, barred=lambda: self._over_quota(call)
        )

    async def _worded(self, call: Call, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Do the work, and put a refusal into the API's words."""
        try:
            return await handler(request)
        except Refusal as refusal:
            call.code = refusal.error
            return json_answer({"error": refusal.error}, 400)
        except Stranger as stranger:
            error = ApiError(self.settings.token_status, 3 if stranger.expired else 2, str(stranger))
        except ApiError as raised:
            error = raised
        call.code = error.code
        return error.answer

    def _over_quota(self, call: Call) -> web.Response | None:
        now = self.clock.monotonic()
        refused = self._gate.refusal(call.user, now, self.settings.limits) if call.counted else None
        if refused is None:
            return None
        whose, seconds = refused
        call.code = 26
        wait = seconds if self.settings.retry_after else None
        return ApiError(self.settings.quota_status, 26, f"{whose} usage reached", retry_after=wait).answer

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        return authorize_answer(self.settings.app, self.logins, self.consent, request.query)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(text) for name, text in (await request.post()).items()}
        return token_answer(self.settings.app, self.logins, form)

    async def _getstationsdata(self, request: web.Request) -> web.StreamResponse:
        return self._stations(request, self._admitted(request, "read_station"), coaches=False)

    async def _gethomecoachsdata(self, request: web.Request) -> web.StreamResponse:
        return self._stations(request, self._admitted(request, "read_homecoach"), coaches=True)

    def _stations(self, request: web.Request, account: Account, *, coaches: bool) -> web.StreamResponse:
        params = request[CALL].params
        body = stations_body(
            account.house,
            self.clock.now(),
            self.settings.showing,
            mail=account.mail,
            device_id=params.get("device_id", ""),
            coaches=coaches,
            favorites=params.get("get_favorites", "") == "true",
        )
        return self._answered(orjson.dumps(body))

    async def _homesdata(self, request: web.Request) -> web.StreamResponse:
        account = self._admitted(request, *HOME_SCOPES)
        body = heating.homesdata_body(account.house, account.mail)
        told = homesdata_with(body, account, base_of(request), self.clock.now())
        return self._answered(orjson.dumps(told))

    async def _homestatus(self, request: web.Request) -> web.StreamResponse:
        account, params = self._admitted(request, *HOME_SCOPES), request[CALL].params
        guard = account.house.guards.get(params.get("home_id", ""))
        heated = guard is None or params["home_id"] in {home.id for home in account.house.homes}
        body = heating.homestatus(account.house, params, self.clock.now()) if heated else {}
        if guard is not None:
            body = homestatus_with(body, guard, params["home_id"], base_of(request))
        return self._answered(orjson.dumps(body))

    async def _getroommeasure(self, request: web.Request) -> web.StreamResponse:
        account = self._admitted(request, "read_thermostat")
        return self._answered(heating.room_page(account.house, request[CALL].params, self.clock.now()))

    async def _written(self, request: web.Request) -> web.StreamResponse:
        """Do what was ordered; the answer has no body of its own."""
        house, params = self._admitted(request, "write_thermostat").house, request[CALL].params
        now = self.clock.now()
        match request.path.rpartition("/")[2]:
            case "setroomthermpoint":
                heating.set_room(house, params, now)
            case "setthermmode":
                heating.set_mode(house, params, now)
            case "switchhomeschedule":
                heating.switch_schedule(house, params)
            case "synchomeschedule":
                heating.sync_schedule(house, params, heating.parsed(await request.read()))
            case _:
                heating.set_state(house, heating.parsed(await request.read()), now)
        return json_answer({"status": "ok", "time_server": int(now) + self.settings.clock_skew})

    async def _getmeasure(self, request: web.Request) -> web.StreamResponse:
        account, params = self._admitted(request, *_MEASURED), request[CALL].params
        if thermostat := heating.thermostat_of(account.house, params):
            self._admitted(request, "read_thermostat")
            return self._answered(heating.boiler_page(*thermostat, params, self.clock.now()))
        self._admitted(request, "read_station", "read_homecoach")
        return self._answered(self._page(account, request[CALL].params))

    async def _nowhere(self, _request: web.Request) -> web.StreamResponse:
        raise ApiError(404, 404, "Not Found")

    def _answered(self, body: bytes) -> web.Response:
        return answered(body, self.clock.now() + self.settings.clock_skew)

    def _page(self, account: Account, params: Mapping[str, str]) -> bytes:
        """A page's body; what can change no more is kept."""
        now, reading = self.clock.now(), self.settings.reading
        asked = Asked.read(params, account.house, reading)
        key = (account.name, account.house.changes, reading, asked)
        computed, kept = self._pages.get(key, (now, b""))
        if kept and computed <= now:
            self._pages.move_to_end(key)
            return kept
        history = account.house.history(asked.module_id)
        zone = account.house.station(asked.module_id).timezone
        body, seen = page_body(asked, history, reading, now, zone)
        if seen <= history.settled(now):
            self._pages[key] = (now, body)
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        return body

    def _admitted(self, request: web.Request, *scopes: str) -> Account:
        """Whose call it is; any of the scopes will do. Raises ApiError, Stranger."""
        token = _bearer(request)
        if not token:
            raise ApiError(400, 1, "Access token is missing")
        account, pair = self.logins.bearer(token)
        if not set(scopes) & set(pair.scopes):
            raise ApiError(403, 13, "Application does not have the good scope rights")
        return account

    def _user(self, request: web.Request, params: Mapping[str, str]) -> str:
        if request.path == "/oauth2/authorize":
            return self.consent.account
        return self.logins.owner(_bearer(request) or params.get("refresh_token", "")) or "?"


def _bearer(request: web.Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


async def _params(request: web.Request) -> dict[str, str]:
    """Query and form together; the client's secret is nobody's business here."""
    form: Mapping[str, Any] = await request.post() if request.method == "POST" else {}
    both = {**request.query, **form}
    return {name: str(text) for name, text in both.items() if name != "client_secret"}
