"""Security at the simulated Netatmo: its endpoints, and the hosts beside it, of pictures and cameras."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web

from netaflux.core.ports import Clock
from netaflux.simulator.accounts import Account
from netaflux.simulator.answers import ApiError, answered, html_answer, json_answer
from netaflux.simulator.guard import Guard, Lens, signature
from netaflux.simulator.ledger import CALL
from netaflux.simulator.picture import jpeg
from netaflux.simulator.units import normal_id

Json = dict[str, Any]


class Admit(Protocol):
    """Whose call it is, if one of these scopes was granted."""

    def __call__(self, request: web.Request, *scopes: str) -> Account:
        """Raises ApiError, Stranger."""
        ...


READ = ("read_camera", "read_presence", "read_doorbell")
WRITE = ("write_camera",)
PAGE = 30


class Watch:
    """The routes of security."""

    def __init__(self, accounts: Callable[[], Mapping[str, Account]], admit: Admit, clock: Clock) -> None:
        self._accounts = accounts
        self._admit = admit
        self._clock = clock
        self.serves_old = False
        """Whether gethomedata answers: the real one has been closed to most since 2025."""
        self.repeats = False
        """A server that answers every page of events with the first one again."""

    def add_to(self, app: web.Application) -> None:
        """The API's endpoints, and the hosts beside it."""
        served = {
            "getevents": self._events,
            "getcamerapicture": self._picture_by_key,
            "gethomedata": self._gethomedata,
        }
        for name, handler in served.items():
            for method in ("GET", "POST"):
                app.router.add_route(method, f"/api/{name}", handler)
        app.router.add_post("/api/setpersonsaway", self._away)
        app.router.add_post("/api/setpersonshome", self._home)
        app.router.add_get("/pictures/{of}.jpg", self._picture)
        for way in ("relay", "local"):
            app.router.add_get(f"/{way}/{{key}}/command/ping", self._ping)
            app.router.add_get(f"/{way}/{{key}}/live/snapshot_720.jpg", self._live)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        account, asked = self._admit(request, *READ), request[CALL].params
        home_id, guard = _guard(account, asked)
        now = self._clock.now()
        try:
            events = guard.events_told(
                now,
                base_of(request),
                int(asked.get("size") or PAGE),
                event_id="" if self.repeats else asked.get("event_id", ""),
                camera=normal_id(asked.get("device_id", "")),
                person=asked.get("person_id", ""),
            )
        except (KeyError, ValueError) as error:
            raise ApiError(400, 21, "Invalid event_id") from error
        return answered(orjson.dumps({"home": {"id": home_id, "events": events}}), now)

    async def _gethomedata(self, request: web.Request) -> web.StreamResponse:
        account = self._admit(request, *READ)
        if not self.serves_old:
            raise ApiError(403, 13, "Operation is forbidden")
        now, base = self._clock.now(), base_of(request)
        size = int(request[CALL].params.get("size") or PAGE)
        homes = [
            {"id": home_id, "name": "AR Home", **guard.old_told(now, base, size)}
            for home_id, guard in account.house.guards.items()
        ]
        return answered(orjson.dumps({"homes": homes}), now)

    async def _away(self, request: web.Request) -> web.StreamResponse:
        account, asked = self._admit(request, *WRITE), request[CALL].params
        _, guard = _guard(account, asked)
        try:
            guard.leave(asked.get("person_id"))
        except KeyError as error:
            raise ApiError(400, 21, "Invalid person_id") from error
        return answered(b"{}", self._clock.now())

    async def _home(self, request: web.Request) -> web.StreamResponse:
        account, asked = self._admit(request, *WRITE), request[CALL].params
        _, guard = _guard(account, asked)
        persons = [str(one) for one in (await request.post()).getall("person_ids[]", [])]
        if not persons:
            raise ApiError(400, 10, "Missing parameters")
        try:
            guard.arrive(persons, self._clock.now())
        except KeyError as error:
            raise ApiError(400, 21, "Invalid person_id") from error
        return answered(b"{}", self._clock.now())

    async def _picture_by_key(self, request: web.Request) -> web.StreamResponse:
        asked = request[CALL].params
        of, key = asked.get("image_id", ""), asked.get("key", "")
        if key != signature(of, "ever"):
            raise ApiError(404, 9, "Device not found")
        return _jpeg(of)

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        of, expires = request.match_info["of"], request.query.get("se", "")
        if request.query.get("sig") != signature(of, expires) or int(expires) <= self._clock.now():
            return html_answer(403, "Server failed to authenticate the request")
        return _jpeg(of)

    async def _ping(self, request: web.Request) -> web.StreamResponse:
        lens = self._lens(request)
        base = base_of(request)
        if request.path.startswith("/local/") and not lens.local:
            raise web.HTTPNotFound
        key = "another" if lens.moved and request.path.startswith("/local/") else lens.key
        told = f"{base}/local/{key}"
        return json_answer({"local_url": told, "product_name": "Welcome Netatmo"})

    async def _live(self, request: web.Request) -> web.StreamResponse:
        return _jpeg(f"live {self._lens(request).eye.id}")

    def _lens(self, request: web.Request) -> Lens:
        for account in self._accounts().values():
            for guard in account.house.guards.values():
                try:
                    return guard.lens_of(request.match_info["key"])
                except KeyError:
                    continue
        raise web.HTTPNotFound


def homesdata_with(body: Json, account: Account, base: str, now: float) -> Json:
    """A body of homesdata, with what guards each home; one that has nothing else is added."""
    homes = body.setdefault("homes", [])
    known = {home["id"]: home for home in homes}
    for home_id, guard in account.house.guards.items():
        if home_id not in known:
            homes.append({"id": home_id, "name": "AR Home", "timezone": "America/New_York"})
        home = known.get(home_id, homes[-1])
        home["modules"] = [*home.get("modules", []), *guard.modules_told()]
        home["persons"] = [*home.get("persons", []), *guard.persons_told(base, now)]
    return body


def homestatus_with(body: Json, guard: Guard, home_id: str, base: str) -> Json:
    """A body of homestatus, with how what guards the home is."""
    home = body.setdefault("home", {"id": home_id})
    home["modules"] = [*home.get("modules", []), *guard.modules_now(base)]
    home["persons"] = [*home.get("persons", []), *guard.persons_now()]
    if errors := guard.errors_now():
        # in one of two places, as the home's other errors
        place = home if "errors" in home else body
        place["errors"] = [*place.get("errors", []), *errors]
    return body


def _guard(account: Account, asked: Mapping[str, str]) -> tuple[str, Guard]:
    """The home that is asked about, and what guards it. Raises ApiError."""
    home = asked.get("home_id", "")
    guard = account.house.guards.get(home)
    if not home:
        raise ApiError(400, 10, "Missing home_id")
    if guard is None:
        raise ApiError(400, 21, "Invalid home_id")
    return home, guard


def base_of(request: web.Request) -> str:
    """Where we can be reached, as whoever asks has reached us."""
    return f"http://{request.host}"


def _jpeg(of: str) -> web.Response:
    return web.Response(body=jpeg(of), content_type="image/jpeg")
