"""A Fluxtream of a hundred lines: enough to be uploaded to, and told to answer anything at all."""

import asyncio
import json
from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.test_utils import TestServer

from netaflux.destinations import FluxtreamSettings


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields, decoded by the standard library."""
        return {name: values[0] for name, values in parse_qs(self.body.decode(), strict_parsing=True).items()}

    @property
    def rows(self) -> list[list[Any]]:
        return list(json.loads(self.form["data"]))


class SmallFluxtream:
    """Keeps what is uploaded by channel and time; both APIs unless told otherwise."""

    url: str

    def __init__(self, prefix: str = "") -> None:
        self.credentials = ("anne", "sësame: open")
        self.prefix = prefix
        self.routes = {f"{prefix}/api", f"{prefix}/api/v1"}
        self.asked: list[Asked] = []
        self.sessions = 0
        self.largest_form: int | None = None
        self.status_of_a_larger = 401
        self.drops = 0
        """How many connections are closed next instead of an answer."""
        self.gate: asyncio.Event | None = None
        """Uploads wait here."""
        self.waiting = asyncio.Semaphore(0)
        """Released by each upload that has come to the gate."""
        self.inside = self.most_inside = 0
        self.refusal: str | None = None
        self.next_answers: dict[str, deque[web.StreamResponse]] = defaultdict(deque)
        """What is answered instead, in this order, to the last part of the path."""
        self.cells: dict[tuple[str, str], dict[int, int | float]] = defaultdict(dict)

    @property
    def uploads(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path.endswith("/upload")]

    def stored(self) -> dict[tuple[str, str], dict[int, int | float]]:
        return {series: dict(cells) for series, cells in self.cells.items()}

    def settings(self, **changes: Any) -> FluxtreamSettings:
        """What somebody writes who has an account here, but for `changes`."""
        username, password = self.credentials
        told = {"type": "fluxtream", "url": self.url, "username": username, "password": password}
        return FluxtreamSettings.model_validate(told | changes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SmallFluxtream"]:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self.answer)
        async with TestServer(app) as server:
            self.url = f"http://127.0.0.1:{server.port}{self.prefix}"
            yield self

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = Asked(request.method, request.path, dict(request.headers), body)
        self.asked.append(asked)
        base, _, last = request.path.rpartition("/")
        if self.next_answers[last]:
            return self.next_answers[last].popleft()
        if self.drops:
            self.drops -= 1
            assert request.transport
            request.transport.abort()
        if self.largest_form is not None and len(body) > self.largest_form:
            words = "oAuth2: Sorry, we couldn't authenticate your request: 400: Unable to parse form content"
            return web.Response(status=self.status_of_a_larger, text=words)
        if self.gate and last == "upload":
            await self.pass_the_gate(self.gate)
        response = self.answered(asked, base.removesuffix("/bodytrack"), last)
        if response.status != 401 and "JSESSIONID" not in request.cookies:
            self.sessions += 1
            response.set_cookie("JSESSIONID", f"node0{self.sessions}", path=self.prefix or "/")
        return response

    async def pass_the_gate(self, gate: asyncio.Event) -> None:
        self.inside += 1
        self.most_inside = max(self.inside, self.most_inside)
        self.waiting.release()
        await gate.wait()
        self.inside -= 1

    def answered(self, asked: Asked, base: str, last: str) -> web.Response:
        if not self.knows(asked.headers.get("Authorization", "")):
            return page(401)
        if base not in self.routes:
            return page(404)
        if last == "guest":
            return web.json_response({"fullname": "Anne Öl", "username": "anne", "id": 7, "avatar": None})
        if self.refusal is None:
            self.take(asked)
        return v1_answer(self.refusal) if base.endswith("/v1") else legacy_answer(self.refusal)

    def knows(self, authorization: str) -> bool:
        kind, _, token = authorization.partition(" ")
        return kind == "Basic" and b64decode(token).decode("utf-8") == ":".join(self.credentials)

    def take(self, asked: Asked) -> None:
        device, names = asked.form["dev_nickname"], json.loads(asked.form["channel_names"])
        for time, *values in asked.rows:
            for name, value in zip(names, values, strict=True):
                self.cells[device, name][time] = value


def page(status: int, text: str = "<html><body>Apache Tomcat</body></html>") -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html")


def legacy_answer(refusal: str | None = None) -> web.Response:
    if refusal is not None:
        payload = {"failure": refusal}
        return web.json_response({"result": "KO", "message": "Upload failed!", "payload": payload})
    payload = {"successful_records": "1", "failed_records": "0"}
    return web.json_response({"result": "OK", "message": "Upload successful!", "payload": payload})


def v1_answer(refusal: str | None = None) -> web.Response:
    count = None if refusal is not None else "1"
    failed = None if refusal is not None else "0"
    return web.json_response({"successful_records": count, "failed_records": failed, "failure": refusal})
