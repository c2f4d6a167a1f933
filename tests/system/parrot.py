"""A proxy before both simulated servers that repeats, in a way of its own each time, what it was sent."""

import asyncio
import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from urllib.parse import quote

import aiohttp
from aiohttp import web
from yarl import URL

from tests.system.world import Outside

HEADERS = ("Authorization", "Content-Type", "Cookie")


def everything(request: web.Request, body: bytes) -> str:
    """A request as the debug page of a careless server shows it, credentials decoded."""
    headers = [f"{name}: {text}" for name, text in request.headers.items()]
    _, _, told = request.headers.get("Authorization", "").partition(" ")
    try:
        decoded = b64decode(told, validate=True).decode()
    except ValueError:
        decoded = told
    return "\n".join([decoded, body.decode(), *headers, str(request.rel_url)])


def _page(told: str) -> web.Response:
    return web.Response(status=500, content_type="text/html", text=f"<html><pre>{told}</pre></html>")


def _text(told: str) -> web.Response:
    return web.Response(status=500, text=told)


def _error(told: str) -> web.Response:
    body = {"error": {"code": 13, "message": told}, "result": "KO", "message": told, "failure": told}
    return web.json_response(body, status=403)


def _word(told: str) -> web.Response:
    return web.json_response({"error": told, "error_description": told, "result": told}, status=400)


def _good(told: str) -> web.Response:
    return web.json_response({"error": {"message": told}, "result": "KO", "message": told, "failure": told})


def _redirect(told: str) -> web.Response:
    return web.Response(status=302, headers={"Location": f"https://elsewhere.invalid/?{quote(told)}"})


SAYINGS: dict[str, Callable[[str], web.Response]] = {
    "page": _page,
    "text": _text,
    "error": _error,
    "word": _word,
    "good": _good,
    "redirect": _redirect,
}
BROKEN = "broken"
"""The saying that is no HTTP at all."""


@dataclass
class Parrot:
    """What it says, to whom."""

    outside: Outside
    url: str = ""
    sayings: tuple[str, ...] = ()
    """What it says in turn; with nothing to say it hands calls on."""
    said: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often it has said each, by path."""
    _turns: Counter[str] = field(default_factory=Counter)

    @property
    def netatmo(self) -> str:
        return f"{self.url}/netatmo"

    @property
    def fluxtream(self) -> str:
        return f"{self.url}/fluxtream"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if not self.sayings:
            return await self._handed_on(request, body)
        saying = self.sayings[self._turns[request.path] % len(self.sayings)]
        self._turns[request.path] += 1
        self.said[saying, request.path] += 1
        told = everything(request, body)
        if saying != BROKEN:
            return SAYINGS[saying](told)
        if request.transport is not None:
            request.transport.write(f"HTTP/1.1 500 {json.dumps(told)}\r\n{told}\r\n\r\n".encode())
            request.transport.close()
        return web.Response()

    async def _handed_on(self, request: web.Request, body: bytes) -> web.Response:
        server, _, rest = str(request.rel_url).lstrip("/").partition("/")
        served = self.outside.served
        url = {"netatmo": served.netatmo_url, "fluxtream": served.fluxtream_url}[server]
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                URL(f"{url.rstrip('/')}/{rest}", encoded=True),
                data=body,
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            kind = answer.headers.get("Content-Type", "text/plain")
            return web.Response(
                status=answer.status, body=await answer.read(), headers={"Content-Type": kind}
            )


@contextmanager
def parrot(outside: Outside) -> Iterator[Parrot]:
    """A parrot while the block runs."""
    bird = Parrot(outside)
    place: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", bird.answer)
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        place.set_result((runner.addresses[0][1], asyncio.get_running_loop(), stop))
        await stop.wait()
        await runner.cleanup()

    thread = Thread(target=lambda: asyncio.run(live()), name="parrot")
    thread.start()
    port, loop, stop = place.result(timeout=20)
    bird.url = f"http://127.0.0.1:{port}"
    try:
        yield bird
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
