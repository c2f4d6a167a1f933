"""How a fault befalls a call: another answer, a broken connection, a dead client."""

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping

import orjson
from aiohttp import hdrs, web

from netaflux.core.ports import Clock
from netaflux.simulator.answers import (
    ApiError,
    answered,
    bad_credentials,
    empty_answer,
    html_answer,
    json_answer,
)
from netaflux.simulator.faults import Fault, Rule

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FAULT = web.RequestKey("fault", Fault)
"""On a request whose handler has to do the wrong thing itself."""

DRIPS = 10


async def befall(rule: Rule, request: web.Request, handler: Handler, clock: Clock) -> web.StreamResponse:
    """Answer a call as the rule wants it."""
    if rule.fault in _INSTEAD:
        return _INSTEAD[rule.fault](rule, clock)
    if rule.fault in (Fault.RESET_BEFORE, Fault.HANG_BEFORE):
        return await _broken(rule.fault, request)
    if rule.fault is Fault.KILL_BEFORE:
        await _kill(rule, clock)
    request[FAULT] = rule.fault
    response = await handler(request)
    return await _afterwards(rule, request, response, clock)


async def _afterwards(
    rule: Rule, request: web.Request, response: web.StreamResponse, clock: Clock
) -> web.StreamResponse:
    """The work is done; what becomes of the answer."""
    match rule.fault:
        case Fault.RESET_AFTER | Fault.HANG_AFTER:
            return await _broken(rule.fault, request)
        case Fault.TRUNCATED:
            return await _cut(request, response)
        case Fault.DRIP:
            return await _dripped(request, response, rule.seconds, clock)
        case Fault.KILL_DONE:
            await _kill(rule, clock)
        case Fault.KILL_ANSWERED:
            await response.prepare(request)
            await response.write_eof()
            await _kill(rule, clock)
        case _:
            pass
    return response


async def _broken(fault: Fault, request: web.Request) -> web.StreamResponse:
    if fault in (Fault.HANG_BEFORE, Fault.HANG_AFTER):
        await asyncio.Event().wait()  # until the client goes away or the server ends
    if (transport := request.transport) is not None:
        # with nothing to linger for, the kernel sends a reset instead of a farewell
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return empty_answer(500)


async def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send half of the body that was promised, and hang up."""
    stream, whole = await _begun(request, response)
    await stream.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return stream


async def _dripped(
    request: web.Request, response: web.StreamResponse, seconds: float, clock: Clock
) -> web.StreamResponse:
    """Send the body drop by drop."""
    stream, whole = await _begun(request, response)
    drop = len(whole) // DRIPS + 1
    for begin in range(0, len(whole), drop):
        await clock.sleep(seconds / DRIPS)
        await stream.write(whole[begin : begin + drop])
    await stream.write_eof()
    return stream


async def _begun(
    request: web.Request, response: web.StreamResponse
) -> tuple[web.StreamResponse, bytes | bytearray]:
    """The headers of an answer, sent, and the body that is still to come."""
    body = response.body if isinstance(response, web.Response) else None
    whole = body if isinstance(body, bytes | bytearray) else b""
    headers = {hdrs.CONTENT_TYPE: response.content_type, hdrs.CONTENT_LENGTH: str(len(whole))}
    stream = web.StreamResponse(status=response.status, headers=headers)
    await stream.prepare(request)
    return stream, whole


async def _kill(rule: Rule, clock: Clock) -> None:
    if rule.seconds:
        await clock.sleep(rule.seconds)
    os.kill(rule.pid, signal.Signals(rule.signal))


Instead = Callable[[Rule, Clock], web.Response]


def _refused(status: int, code: int, message: str) -> Instead:
    return lambda rule, _: ApiError(status, code, message, retry_after=rule.retry_after).answer


def _page(status: int, title: str) -> Instead:
    return lambda _, __: html_answer(status, title)


def _partial(body: Mapping[str, object]) -> Instead:
    # Netatmo reports what failed inside a good answer, in one of two places
    return lambda _, clock: answered(orjson.dumps(body), clock.now())


_LOST = [{"code": 6, "id": "70:ee:50:ff:ff:ff"}]

_INSTEAD: Mapping[Fault, Instead] = {
    Fault.ERROR_500: _page(500, "500 Internal Server Error"),
    Fault.ERROR_502: _page(502, "502 Bad Gateway"),
    Fault.ERROR_503: _page(503, "503 Service Temporarily Unavailable"),
    Fault.UNAVAILABLE: _refused(503, 50, "Service temporarily unavailable"),
    Fault.HTML_200: _page(200, "We will be back soon"),
    Fault.HTML_403: _page(403, "403 Forbidden"),
    Fault.UNAUTHORIZED: lambda _, __: bad_credentials(),
    Fault.QUOTA_403: _refused(403, 26, "User usage reached"),
    Fault.QUOTA_429: _refused(429, 26, "Maximum api usage reached"),
    Fault.BUSY: _refused(429, 11, "Failed to enter concurrency limited section"),
    Fault.INVALID_GRANT: lambda _, __: json_answer({"error": "invalid_grant"}, 400),
    Fault.ERRORS: _partial({"errors": _LOST}),
    Fault.HOME_ERRORS: _partial({"home": {"id": "5d0000000000000000000001", "errors": _LOST}}),
}
