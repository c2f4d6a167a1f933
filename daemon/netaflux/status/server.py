"""The Unix socket's server: health for machines, status for people, commands for the command line.

GET  /livez, /healthz   200 or 503: loop, workers, database; never Netatmo or a destination
GET  /readyz            200 or 503: tokens usable, first poll done
GET  /status            JSON, see `commands/status.py`
POST /commands/NAME     JSON in, one JSON event a line out; the same user or root only
"""

import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from netaflux.status.client import MISDIRECTED, STATE_HEADER
from netaflux.status.listening import listening

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_REQUEST = 512 * 1024
"""Bytes of a command's request: a page of rows of `import-csv`, with every number as long as it can be."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server is asked, and who knows it."""

    alive: Callable[[], Awaitable[Sequence[str]]]
    """What is wrong with the process itself; nothing when it is alive."""
    ready: Callable[[], Awaitable[Sequence[str]]]
    """What is missing for the service to be of use."""
    status: Callable[[], Awaitable[Json]]
    command: Callable[[str, Json], AsyncGenerator[Json, None]]
    """The events of a command, named as on the command line."""


@asynccontextmanager
async def serve(path: Path, answers: Answers, *, mode: int, owner: int, state: str) -> AsyncIterator[None]:
    """Listen at `path`, with these permissions, until the context ends.

    `owner` is the user id that may use commands, beside root; `state` names the state that they work on, so
    that nobody who means another one is answered. Raises ConfigError, StateError.
    """
    application = _application(answers, owner, state)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    with listening(path, mode) as listener:
        try:
            await web.SockSite(runner, listener).start()
            yield
        finally:
            await runner.cleanup()


def _application(answers: Answers, owner: int, state: str) -> web.Application:
    @web.middleware
    async def meant(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get(STATE_HEADER, state) != state:
            return _json({"error": "this daemon works on another state directory"}, status=MISDIRECTED)
        return await handler(request)

    async def livez(_: web.Request) -> web.Response:
        return await _health(answers.alive)

    async def readyz(_: web.Request) -> web.Response:
        return await _health(answers.ready)

    async def status(_: web.Request) -> web.Response:
        return _json(await answers.status())

    async def command(request: web.Request) -> web.StreamResponse:
        return await _command(request, answers, owner)

    application = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[meant])
    application.router.add_get("/livez", livez)
    application.router.add_get("/healthz", livez)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/status", status)
    application.router.add_post("/commands/{name}", command)
    return application


def _json(body: Json, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


async def _health(ask: Callable[[], Awaitable[Sequence[str]]]) -> web.Response:
    problems = list(await ask())
    return _json({"ok": not problems, "problems": problems}, status=503 if problems else 200)


async def _command(request: web.Request, answers: Answers, owner: int) -> web.StreamResponse:
    if _peer(request) not in {0, owner}:
        return _json({"error": "only the daemon's own user or root may use commands"}, status=403)
    try:
        asked = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        return _json({"error": "a command takes a JSON object"}, status=400)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    # closed at once when the other end is gone: a command nobody listens to any more stops
    async with aclosing(answers.command(request.match_info["name"], asked)) as events:
        try:
            async for event in events:
                await response.write(orjson.dumps(event) + b"\n")
            await response.write_eof()
        except ConnectionResetError:
            pass  # they may go whenever they like
    return response


def _peer(request: web.Request) -> int | None:
    """The user id at the other end, as the kernel tells it (SO_PEERCRED, unix(7))."""
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None:
        return None
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
