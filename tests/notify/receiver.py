"""Somebody's server that takes notices and signs of life, over a real socket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

SECRET = "4c1d7e-secret-path"


@dataclass
class Receiver:
    """What came to it, and what it answers."""

    url: str = ""
    notices: list[dict[str, Any]] = field(default_factory=list)
    beats: int = 0
    status: int = 200
    said: str = "thanks"
    refused: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def hook(self) -> str:
        return f"{self.url}/{SECRET}/hook"

    @property
    def ping(self) -> str:
        return f"{self.url}/{SECRET}/ping?token=4c1d7e-secret-query"

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.status != 200:
            self.refused += 1
        elif request.method == "POST":
            self.notices.append(json.loads(body))
        else:
            self.beats += 1
        return web.Response(status=self.status, text=self.said, headers=self.headers)

    def told(self) -> list[tuple[str, str, str]]:
        """The notices in short."""
        return [(each["event"], each["kind"], each["subject"]) for each in self.notices]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A server, while the block runs."""
    receiver, app = Receiver(), web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("")).rstrip("/")
        yield receiver
