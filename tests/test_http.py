"""One HTTP exchange: sent once, whole or not at all, never to another host."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from netaflux.core.errors import TooLarge, Unreachable
from netaflux.http import Http

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """A server on loopback whose every route is this handler."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application) as server:
        yield str(server.make_url("/"))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_whose_connection_breaks_is_not_sent_again(method: str) -> None:
    """By itself aiohttp repeats a GET; each call to Netatmo needs a permit of its own."""
    calls = []

    async def breaks_the_second_time(request: web.Request) -> web.Response:
        calls.append(request.method)
        if len(calls) > 1 and request.transport:
            request.transport.abort()
        return web.Response(text="fine")

    async with served(breaks_the_second_time) as url, Http.open() as exchanges:
        await exchanges.exchange(method, url)
        with pytest.raises(Unreachable):
            await exchanges.exchange(method, url)

    assert calls == [method, method]


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    asked = []

    async def redirects(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with served(redirects) as url, Http.open() as exchanges:
        answer = await exchanges.exchange("GET", url, headers={"Authorization": "Bearer secret"})

    assert (answer.status, asked) == (302, ["/"])


async def test_an_answer_that_has_no_end_is_given_up() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 500)

    async with served(endless) as url, Http.open(largest=1000) as exchanges:
        with pytest.raises(TooLarge, match="more than 1000 bytes") as caught:
            await exchanges.exchange("GET", url)

    assert caught.value.remedy == ""  # it would be as large the next time


async def test_a_server_that_says_nothing_is_unreachable_and_the_kind_of_failure_is_told() -> None:
    async def hangs(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with served(hangs) as url, Http.open(total=0.1) as exchanges:
        with pytest.raises(Unreachable, match="Timeout"):
            await exchanges.exchange("GET", url)


async def test_an_error_names_the_place_but_not_the_query() -> None:
    async with Http.open() as exchanges:
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9/api gives no answer") as caught:
            await exchanges.exchange("GET", "http://127.0.0.1:9/api", params={"token": "canary"})

    assert "canary" not in str(caught.value)


async def test_a_page_that_is_not_json_is_none() -> None:
    async def html(request: web.Request) -> web.Response:
        return web.Response(text="<html>503", content_type="text/html", headers={"Retry-After": "120"})

    async with served(html) as url, Http.open() as exchanges:
        answer = await exchanges.exchange("GET", url)

    assert answer.json() is None
    assert answer.retry_after == 120


def test_every_client_error_of_aiohttp_is_translated_at_the_border() -> None:
    """What is none of these would leak; web sockets we do not use."""
    border = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
    known = [error for error in vars(aiohttp.client_exceptions).values() if isinstance(error, type)]
    leaking = {
        error.__name__
        for error in known
        if error.__module__ == "aiohttp.client_exceptions" and issubclass(error, Exception)
        if not issubclass(error, border) and not error.__name__.startswith("WS")
    }

    assert len(known) > 20
    assert leaking == set()
