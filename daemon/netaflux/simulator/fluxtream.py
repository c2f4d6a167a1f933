"""A small Fluxtream as an aiohttp application: guest, upload, read-back, in the old and in the v1 API.

It refuses, misunderstands and loses what the real one does, and writes down who came with what.
"""

from base64 import b64decode
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Literal

import orjson
from aiohttp import hdrs, web

from netaflux.core.ports import Clock
from netaflux.simulator.answers import bad_credentials, empty_answer, html_answer, json_answer
from netaflux.simulator.door import Door
from netaflux.simulator.faults import Fault
from netaflux.simulator.ledger import CALL
from netaflux.simulator.mishaps import FAULT, Handler
from netaflux.simulator.readback import csv_text, sources_list, span_of
from netaflux.simulator.store import BatchRefused, Cell, Store
from netaflux.simulator.uploads import (
    Form,
    Upload,
    broken_answer,
    decoded,
    fields_of,
    form_of,
    illegal_answer,
    refused_answer,
    stored_answer,
)
from netaflux.simulator.weather import Number

FORM_LIMIT = 200_000
"""Bytes of a form that Jetty reads; beyond, Fluxtream answers as if the login were wrong (measured)."""

CHUNKED_LIMIT = 2 * 2**20
"""Bytes of a form without a Content-Length that Tomcat survives (measured)."""

LARGEST_BODY = 256 * 2**20
FORM_TYPE = "application/x-www-form-urlencoded"
SESSION = "JSESSIONID"


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxtreamSettings:
    """How this Fluxtream behaves."""

    apis: Literal["legacy", "v1", "both"] = "both"
    form_limit: int | None = FORM_LIMIT
    """None as under Tomcat, which sets no limit where it matters."""
    latency: float = 0
    """Seconds that each call takes."""
    keep_calls: int | None = None
    """How many calls and uploads are remembered; all by default."""
    read_later: bool = False
    """Whether every upload succeeds at once, and is read only when the store is: for benchmarks."""


@dataclass(slots=True, kw_only=True)
class User:
    """One guest of this Fluxtream."""

    username: str
    password: str = field(repr=False)
    guest: int
    email: str = ""
    firstname: str = "Anne"
    lastname: str = "Example"


USER = web.RequestKey("user", User)
BODY = web.RequestKey("body", bytes)
FIELDS = web.RequestKey("fields", Mapping[str, bytes])


class Fluxtream:
    """The server's state, and its routes."""

    def __init__(
        self, users: Iterable[User], clock: Clock, settings: FluxtreamSettings = FluxtreamSettings()
    ) -> None:
        self.settings = settings
        """May be exchanged at any time, but for `apis`."""
        self.users = list(users)
        self.door = Door(clock, keep=settings.keep_calls)
        self.ledger, self.faults = self.door.ledger, self.door.faults
        self.uploads: deque[Upload] = deque(maxlen=settings.keep_calls)
        self.refused_times: set[Number] = set()
        """A batch with a row of such a time is refused for its content."""
        self.sessions: dict[str, User] = {}
        """Every session ever made: they never end."""
        self._store = Store()
        self._unread: list[tuple[int, Form]] = []
        self.mappings: dict[Cell, None] = {}
        """Channels that an upload has named, whether or not anything was stored."""

    @property
    def store(self) -> Store:
        """All that is stored. Raises BatchRefused for what was not to be read until now."""
        while self._unread:
            guest, form = self._unread.pop(0)
            self._store.put(guest, form.device, form.channels, form.rows())
        return self._store

    def forget(self) -> None:
        """Begin again with an empty store."""
        self._store, self._unread = Store(), []
        self.mappings.clear()
        self.uploads.clear()

    def application(self) -> web.Application:
        """The routes of the API."""
        app = web.Application(middlewares=[self._enter], client_max_size=LARGEST_BODY)
        prefixes = {"legacy": ["/api"], "v1": ["/api/v1"], "both": ["/api", "/api/v1"]}
        for prefix in prefixes[self.settings.apis]:
            app.router.add_get(f"{prefix}/guest", self._guest)
            app.router.add_route("*", f"{prefix}/bodytrack/upload", self._upload)
            app.router.add_get(f"{prefix}/bodytrack/users/{{uid}}/sources/list", self._sources)
            app.router.add_get(f"{prefix}/bodytrack/exportCSV/{{uid}}/{{name}}", self._export)
        app.router.add_route("*", "/{nowhere:.*}", self._nowhere)
        return app

    @web.middleware
    async def _enter(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_sim/"):
            return await handler(request)
        request[BODY] = await request.read()
        request[FIELDS] = fields_of(request[BODY]) if request.content_type == FORM_TYPE else {}
        user = self._user(request)
        named = {name: decoded(text) for name, text in request[FIELDS].items() if name != "data"}
        call = self.ledger.enter(request, user.username if user else "?", {**request.query, **named})

        async def work(asking: web.Request) -> web.StreamResponse:
            return self._kept_out(asking) or await self._let_in(asking, handler)

        return await self.door.through(request, call, work, latency=self.settings.latency)

    def _kept_out(self, request: web.Request) -> web.Response | None:
        """The refusal of the filters in front; None where they have found who it is."""
        limit, size = self.settings.form_limit, len(request[BODY])
        if limit is not None and request.content_type == FORM_TYPE and size > limit:
            return _unauthenticated("400: Unable to parse form content")
        if request.headers.get(hdrs.AUTHORIZATION, "").lower().startswith("bearer"):
            return _unauthenticated("Invalid access token")
        user = self._user(request)
        if user is not None:
            request[USER] = user
            return None
        if hdrs.AUTHORIZATION not in request.headers:
            return json_answer({"result": "KO", "message": "Access Denied. Please log in."}, 401)
        return bad_credentials()

    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if request.cookies.get(SESSION) not in self.sessions:
            session = token_hex(16).upper()
            self.sessions[session] = request[USER]
            response.set_cookie(SESSION, session, httponly=True)
        return response

    def _user(self, request: web.Request) -> User | None:
        kind, _, text = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if kind.lower() != "basic":
            return self.sessions.get(request.cookies.get(SESSION, ""))
        login, _, password = _credentials(text).partition(":")
        known = (user for user in self.users if login in (user.username, user.email))
        return next((user for user in known if user.password == password), None)

    async def _guest(self, request: web.Request) -> web.StreamResponse:
        if request.get(FAULT) is Fault.KO:
            if _is_v1(request):
                return web.Response(text="You are no longer logged in", status=401)
            return json_answer({"result": "KO", "message": "Failed to get current guest: null"})
        return json_answer(_guest_model(request[USER]))

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return empty_answer(405)
        if request.content_type != FORM_TYPE:
            return broken_answer() if request.content_type == "multipart/form-data" else empty_answer(415)
        chunked = hdrs.CONTENT_LENGTH not in request.headers
        if hdrs.CONTENT_ENCODING in request.headers or (chunked and len(request[BODY]) > CHUNKED_LIMIT):
            return broken_answer()
        form = form_of(request[FIELDS])
        return broken_answer() if form is None else self._taken(request, form)

    def _taken(self, request: web.Request, form: Form) -> web.Response:
        v1 = _is_v1(request)
        if (name := form.illegal_name) is not None:
            return illegal_answer(name, v1=v1)
        self.mappings |= {Cell(request[USER].guest, form.device, name): None for name in form.channels}
        if self.settings.read_later:
            self._unread.append((request[USER].guest, form))
            return stored_answer(v1=v1)
        try:
            self._import(request, form)
        except BatchRefused as refused:
            return refused_answer(refused.failure, v1=v1)
        return stored_answer(v1=v1)

    def _import(self, request: web.Request, form: Form) -> None:
        """Store the rows, or do the wrong thing that was asked for. Raises BatchRefused."""
        data, fault = form.rows(), request.get(FAULT)
        times = _times(data)
        try:
            if fault is Fault.KO or self.refused_times.intersection(times):
                raise BatchRefused("exception: refused as asked")  # noqa: TRY301 - written down below
            if fault is not Fault.SWALLOWED:
                self.store.put(request[USER].guest, form.device, form.channels, data)
        except BatchRefused:
            self._note(request, form, times, "KO")
            raise
        self._note(request, form, times, "swallowed" if fault is Fault.SWALLOWED else "OK")

    def _note(
        self,
        request: web.Request,
        form: Form,
        times: Iterable[Number],
        outcome: Literal["OK", "KO", "swallowed"],
    ) -> None:
        self.uploads.append(
            Upload(
                number=request[CALL].number,
                time=request[CALL].time,
                guest=request[USER].guest,
                device=form.device,
                channels=form.channels,
                times=tuple(times),
                size=len(request[BODY]),
                outcome=outcome,
            )
        )

    async def _sources(self, request: web.Request) -> web.StreamResponse:
        guest = request[USER].guest
        if request.match_info["uid"] != str(guest):
            return json_answer({"sources": []})
        return json_answer(sources_list(self.store, guest, self.mappings, v1=_is_v1(request)))

    async def _export(self, request: web.Request) -> web.StreamResponse:
        guest, span = request[USER].guest, span_of(request.match_info["name"])
        try:
            names = orjson.loads(request.query["channels"])
            cells = [Cell(guest, *name.split(".", 1)) for name in names]
        except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError):
            return broken_answer()
        if span is None or request.match_info["uid"] != str(guest):
            return broken_answer()
        return web.Response(text="".join(csv_text(self.store, cells, *span)), content_type="text/csv")

    async def _nowhere(self, _request: web.Request) -> web.StreamResponse:
        return html_answer(404, "HTTP Status 404 - Not Found")


def _guest_model(user: User) -> dict[str, object]:
    return {
        "fullname": f"{user.firstname} {user.lastname}",
        "username": user.username,
        "firstname": user.firstname,
        "lastname": user.lastname,
        "email": user.email,
        "roles": "[ROLE_USER]",
        "id": user.guest,
        "isBuddy": False,
        "avatar": None,
    }


def _is_v1(request: web.Request) -> bool:
    return request.path.startswith("/api/v1/")


def _times(data: object) -> list[Number]:
    """The times of all rows that have one."""
    rows = data if isinstance(data, list) else []
    return [row[0] for row in rows if isinstance(row, list) and row and isinstance(row[0], int | float)]


def _credentials(text: str) -> str:
    try:
        return b64decode(text).decode()
    except ValueError:  # neither base64 nor text
        return ""


def _unauthenticated(reason: str) -> web.Response:
    sentence = f"oAuth2: Sorry, we couldn't authenticate your request: {reason}"
    return web.Response(text=sentence, status=401, content_type="text/html")
