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

from netaflux.core.errors import StateError

Json = dict[str, Any]

LARGEST_REQUEST = 64 * 1024
"""Bytes of a command's request; a redirect URL or a token is far below."""


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
async def serve(path: Path, answers: Answers, *, mode: int, owner: int) -> AsyncIterator[None]:
    """Listen at `path`; whoever holds the state's lock may replace a socket that was left behind.

    `owner` is the user id that may use commands, beside root.
    """
    runner = web.AppRunner(_application(answers, owner), access_log=None, shutdown_timeout=2)
    await runner.setup()
    listener = _bound(path, mode)
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _bound(path: Path, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(mode)
    except OSError as error:
        listener.close()
        raise StateError(
            f"the status socket {path} cannot be made: {error.strerror or error}",
            advice="Set `[status] socket` to a path in a directory that this user may write to.",
        ) from error
    return listener


def _application(answers: Answers, owner: int) -> web.Application:
    application = web.Application(client_max_size=LARGEST_REQUEST)
    application.router.add_get("/livez", lambda _: _health(answers.alive))
    application.router.add_get("/healthz", lambda _: _health(answers.alive))
    application.router.add_get("/readyz", lambda _: _health(answers.ready))

    async def status(_: web.Request) -> web.Response:
        return _json(await answers.status())

    async def command(request: web.Request) -> web.StreamResponse:
        return await _command(request, answers, owner)

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
        async for event in events:
            await response.write(orjson.dumps(event) + b"\n")
    await response.write_eof()
    return response


def _peer(request: web.Request) -> int | None:
    """The user id at the other end, as the kernel tells it (SO_PEERCRED, unix(7))."""
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None:
        return None
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
