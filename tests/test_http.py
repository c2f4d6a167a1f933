"""One HTTP exchange: sent once, whole or not at all, never to another host."""

import asyncio
import gzip
import shutil
import ssl
import subprocess
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import TooLarge, Unreachable
from netaflux.http import LARGEST_ANSWER, Http
from tests.damage import bytes_like

OPENSSL = shutil.which("openssl") or ""
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


def a_certificate(folder: Path) -> ssl.SSLContext:
    """A server's, for the right host, that nobody but itself vouches for."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        [OPENSSL, *words.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")
async def test_a_server_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    asked = []

    async def listens(request: web.Request) -> web.Response:
        asked.append(request.headers)
        return web.Response(text="fine")

    application = web.Application()
    application.router.add_get("/", listens)
    server = TestServer(application, scheme="https")
    await server.start_server(ssl=a_certificate(tmp_path))
    async with Http.open() as exchanges, server:
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await exchanges.exchange("GET", str(server.make_url("/")), headers={"Authorization": "secret"})

    assert asked == []


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


async def test_nothing_is_asked_once_it_is_closed() -> None:
    async with Http.open() as exchanges:
        pass

    with pytest.raises(Unreachable, match="netaflux stops") as caught:
        await exchanges.exchange("GET", "http://127.0.0.1:9/api")
    assert not caught.value.sent


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


SECRET = "canary/of the+mine"
ECHOES = {
    "a status line that is none": b"HTTP/x.y %b\r\n\r\n",
    "a header that is none": b"HTTP/1.1 200 OK\r\n%b\r\n\r\n",
    "a chunk that is none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n",
    "a chunk that is too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n%b\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n",
    "a header that is too long": b"HTTP/1.1 200 OK\r\nEcho: " + b"%b" * 2000 + b"\r\n\r\n",
    "bytes that cannot be unpacked": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n%b",
    "a packing that nobody knows": b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nEcho: %b\r\n\r\nx",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\nEcho: %b\r\n\r\n%b",
    "bytes before the answer": b"%b\r\nHTTP/1.1 200 OK\r\n\r\n",
}


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[str]:
    """A server that answers with these bytes in turn, whatever they are, and hangs up."""
    turns = iter(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(next(turns))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("what", ECHOES)
async def test_of_an_answer_that_cannot_be_read_only_the_kind_of_failure_is_told(what: str) -> None:
    """It may repeat what was sent; aiohttp's own errors quote it."""
    answer = ECHOES[what].replace(b"%b", SECRET.encode())
    async with answering(answer) as url, Http.open() as exchanges:
        with pytest.raises(Unreachable) as caught:
            await exchanges.exchange("GET", url, params={"key": SECRET})

    assert "canary" not in caught.value.message
    assert caught.value.message.isprintable()


async def test_a_time_out_does_not_tell_the_query() -> None:
    async def hangs(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with served(hangs) as url, Http.open(total=0.1) as exchanges:
        with pytest.raises(Unreachable, match="Timeout") as caught:
            await exchanges.exchange("GET", url, params={"key": SECRET})

    assert "canary" not in caught.value.message


async def test_an_answer_that_swells_when_unpacked_is_given_up_before_it_is_held() -> None:
    """Two megabytes that become two thousand."""
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(press.compress(bytes(2**20)) for _ in range(200)) + press.flush()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    tracemalloc.start()
    try:
        async with answering(head + bomb) as url, Http.open() as exchanges:
            with pytest.raises(Unreachable, match="more than 16777216 bytes"):
                await exchanges.exchange("GET", url)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 3 * LARGEST_ANSWER


GOOD = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b; Path=/\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example.org/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n"
    + gzip.compress(b"{}", mtime=0),
]


@given(answers=st.lists(st.sampled_from(GOOD).flatmap(bytes_like), min_size=10, max_size=10))
def test_whatever_bytes_come_are_an_answer_or_no_answer(answers: list[bytes]) -> None:
    async def main() -> None:
        async with answering(*answers) as url, Http.open(total=2, cookies=True) as exchanges:
            for _ in answers:
                with suppress(Unreachable):
                    answer = await exchanges.exchange("GET", url)
                    answer.json()
                    assert answer.retry_after is None or answer.retry_after >= 0
                    assert isinstance(answer.is_image, bool)

    asyncio.run(main())
