"""A small Netatmo as an aiohttp application: authorization, getstationsdata, getmeasure.

It rotates tokens, cuts pages, throttles and fails as the real one does, and writes down who came.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from aiohttp import web

from netaflux.core.ports import Clock
from netaflux.simulator.accounts import Account, Logins, Refusal, Stranger
from netaflux.simulator.answers import ApiError, answered, json_answer
from netaflux.simulator.door import Door
from netaflux.simulator.ledger import CALL, Call
from netaflux.simulator.limits import Gate, Limits
from netaflux.simulator.measures import Asked, Reading, page_body
from netaflux.simulator.mishaps import Handler
from netaflux.simulator.oauth import App, Consent, authorize_answer, token_answer
from netaflux.simulator.stations import Showing, stations_body

PAGES_KEPT = 2048


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
        self._gate = Gate()
        self._pages: OrderedDict[tuple[object, ...], tuple[float, bytes]] = OrderedDict()

    def application(self) -> web.Application:
        """The routes of the API."""
        app = web.Application(middlewares=[self._enter])
        app.router.add_get("/oauth2/authorize", self._authorize)
        app.router.add_post("/oauth2/token", self._token)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/api/getstationsdata", self._getstationsdata)
            app.router.add_route(method, "/api/getmeasure", self._getmeasure)
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
        account, now = self._admitted(request, "read_station"), self.clock.now()
        device_id = request[CALL].params.get("device_id", "")
        body = stations_body(
            account.house, now, self.settings.showing, mail=account.mail, device_id=device_id
        )
        return self._answered(orjson.dumps(body))

    async def _getmeasure(self, request: web.Request) -> web.StreamResponse:
        account = self._admitted(request, "read_station")
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
        body, seen = page_body(asked, history, reading, now)
        if seen <= history.settled(now):
            self._pages[key] = (now, body)
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        return body

    def _admitted(self, request: web.Request, scope: str) -> Account:
        """Whose call it is. Raises ApiError, Stranger."""
        token = _bearer(request)
        if not token:
            raise ApiError(400, 1, "Access token is missing")
        account, pair = self.logins.bearer(token)
        if scope not in pair.scopes:
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
