"""The Unix socket's server: health for machines, status for people, commands for the command line.

GET  /livez, /healthz   200 or 503: loop, workers, database; never Netatmo or a destination
GET  /readyz            200 or 503: tokens usable, first poll done
GET  /status            JSON, see `commands/status.py`
GET  /metrics           for Prometheus, see `status/metrics.py`
POST /commands/NAME     JSON in, one JSON event a line out; the same user or root only

A port, where one is configured, answers GET /metrics and nothing else.
"""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
from aiohttp import web

from netaflux.core.settings import is_address, is_loopback
from netaflux.status.client import MISDIRECTED, STATE_HEADER
from netaflux.status.listening import listening, listening_at
from netaflux.status.settings import Address

log = structlog.get_logger(__name__)

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Exposition = Callable[[str], tuple[bytes, str]]
"""The metrics as an `Accept` header wants them, and their content type."""

LARGEST_REQUEST = 512 * 1024
"""Bytes of a command's request: a page of rows of `import-csv`, with every number as long as it can be."""

MOST_AT_SOCKET = 64
"""Connections at a time of those who may only look; the daemon's user and root always get one."""
MOST_AT_PORT = 16
"""Connections at a time: a scraper needs one, and nobody there shall use up our files."""
SCRAPE = 15.0
"""Real seconds that a scrape may take, from the connection to the last byte that the scraper has read."""
BACKLOG = 16
"""Connections that wait to be let in; where no file is left for them, asyncio complains of each."""
_PORT = re.compile(r":[0-9]*\Z")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server is asked, and who knows it."""

    alive: Callable[[], Awaitable[Sequence[str]]]
    """What is wrong with the process itself; nothing when it is alive."""
    ready: Callable[[], Awaitable[Sequence[str]]]
    """What is missing for the service to be of use."""
    status: Callable[[], Awaitable[Json]]
    metrics: Exposition
    command: Callable[[str, Json], AsyncGenerator[Json, None]]
    """The events of a command, named as on the command line."""


@asynccontextmanager
async def serve(path: Path, answers: Answers, *, mode: int, owner: int, state: str) -> AsyncIterator[None]:
    """Listen at `path`, with these permissions, until the context ends.

    `owner` is the user id that may use commands, beside root; `state` names the state that they work on, so
    that nobody who means another one is answered. Raises ConfigError, StateError.
    """
    application = _application(answers, owner, state)
    # nobody who asks here has to compress anything
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=1,
        auto_decompress=False,
        logger=_Unheard(),
        handler_cancellation=True,  # whoever waits for nothing any more need not be waited for
    )
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - it is set up

    def is_full(transport: asyncio.BaseTransport) -> bool:
        return len(server.connections) >= MOST_AT_SOCKET and _peer(transport) not in {0, owner}

    with listening(path, mode) as listener:
        loop = asyncio.get_running_loop()
        door = await loop.create_unix_server(
            lambda: _Doorkeeper(server, is_full), sock=listener, backlog=BACKLOG
        )
        try:
            yield
        finally:
            door.close()
            await runner.cleanup()


@asynccontextmanager
async def serve_metrics(address: Address, metrics: Exposition) -> AsyncIterator[None]:
    """Answer `/metrics` there, to whoever reaches it, until the context ends.

    Raises ConfigError, StateError.
    """

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path != "/metrics" or not _is_meant(address, request.headers.get("Host", "")):
            return web.Response(status=404, text="only /metrics is here\n")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, text="only GET and HEAD\n", headers={"Allow": "GET, HEAD"})
        try:
            return _page(request, metrics)
        except Exception:
            log.exception("metrics.crashed")
            return web.Response(status=500, text="a bug; see the log\n")

    async def once(request: web.BaseRequest) -> web.Response:
        response = await answer(request)
        response.force_close()
        return response

    server = web.Server(once, access_log=None, logger=_Unheard())

    def is_full(_: asyncio.BaseTransport) -> bool:
        return len(server.connections) >= MOST_AT_PORT

    with listening_at(address) as listener:
        loop = asyncio.get_running_loop()
        door = await loop.create_server(
            lambda: _Doorkeeper(server, is_full, longest=SCRAPE), sock=listener, backlog=BACKLOG
        )
        try:
            yield
        finally:
            door.close()
            server.pre_shutdown()
            await server.shutdown(timeout=1)


def _is_meant(address: Address, host: str) -> bool:
    """Whether a request for that host may be answered at this address.

    The name of another site may be made to lead to loopback, and a browser then lets that site read what is
    there. Nobody needs such a name for it; without one, or with an address, no browser is deceived.
    """
    name = _PORT.sub("", host).strip("[]").lower()
    return not address.is_loopback or not name or is_address(name) or is_loopback(name)


class _Unheard:
    """aiohttp's log of what is open to strangers: it takes every nonsense of theirs for an error of ours."""

    def exception(self, *_: object, **__: object) -> None:
        """Not a word."""

    debug = warning = exception


class _Doorkeeper(asyncio.Protocol):
    """Lets those in for whom there is a place, to the server, and hangs up on all others.

    Whoever is still there after `longest` real seconds is put out, whatever they wait for.
    """

    def __init__(
        self,
        server: Callable[[], asyncio.Protocol],
        is_full: Callable[[asyncio.BaseTransport], bool],
        *,
        longest: float | None = None,
    ) -> None:
        self._server = server
        self._is_full = is_full
        self._longest = longest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - both kinds of sockets have one
        if self._is_full(transport):
            transport.close()
            return
        within = self._server()
        transport.set_protocol(within)
        within.connection_made(transport)
        if self._longest is not None:
            asyncio.get_running_loop().call_later(self._longest, transport.abort)


def _page(request: web.BaseRequest, metrics: Exposition) -> web.Response:
    body, content_type = metrics(request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": content_type})


@web.middleware
async def _crashes_told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log our own bugs ourselves: aiohttp is not heard."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("request.crashed", path=request.path)
        raise


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

    async def metrics(request: web.Request) -> web.Response:
        return _page(request, answers.metrics)

    async def command(request: web.Request) -> web.StreamResponse:
        return await _command(request, answers, owner)

    application = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[_crashes_told, meant])
    application.router.add_get("/livez", livez)
    application.router.add_get("/healthz", livez)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/status", status)
    application.router.add_get("/metrics", metrics)
    application.router.add_post("/commands/{name}", command)
    return application


def _json(body: Json, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


async def _health(ask: Callable[[], Awaitable[Sequence[str]]]) -> web.Response:
    problems = list(await ask())
    return _json({"ok": not problems, "problems": problems}, status=503 if problems else 200)


async def _command(request: web.Request, answers: Answers, owner: int) -> web.StreamResponse:
    if _peer(request.transport) not in {0, owner}:
        return _json({"error": "only the daemon's own user or root may use commands"}, status=403)
    try:
        asked = orjson.loads(await request.read() or b"{}")
    except (orjson.JSONDecodeError, web.RequestPayloadError):
        asked = None
    if not isinstance(asked, dict):
        return _json({"error": "a command takes a JSON object"}, status=400)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    # closed at once when the other end is gone: a command nobody listens to any more stops
    async with aclosing(answers.command(request.match_info["name"], asked)) as events:
        with suppress(ConnectionResetError), _aborted_if_cut_off(request):  # they may go whenever they like
            await response.prepare(request)
            async for event in events:
                await response.write(orjson.dumps(event) + b"\n")
            await response.write_eof()
    return response


@contextmanager
def _aborted_if_cut_off(request: web.Request) -> Iterator[None]:
    """Whoever reads nothing would keep the connection open for what is still to be sent."""
    try:
        yield
    except asyncio.CancelledError:
        if request.transport is not None:
            request.transport.abort()
        raise


def _peer(transport: asyncio.BaseTransport | None) -> int | None:
    """The user id at the other end, as the kernel tells it (SO_PEERCRED, unix(7))."""
    peer = transport.get_extra_info("socket") if transport else None
    if peer is None:
        return None
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
