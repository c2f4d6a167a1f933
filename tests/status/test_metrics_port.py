"""The metrics at the socket and at a port of their own, which strangers may reach."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from netaflux.core.errors import ConfigError, NetafluxError, StateError
from netaflux.status import server
from netaflux.status.listening import listening_at
from netaflux.status.server import MOST_AT_PORT, Answers, serve, serve_metrics
from netaflux.status.settings import Address
from tests.ports import free_ports
from tests.status.metrics_scene import PROMETHEUS_3, Json, Scene, delivered

ANYWHERE = "0.0.0.0"  # noqa: S104 - as a container needs it


@pytest.fixture
def scene() -> Scene:
    return Scene()


class Page(NamedTuple):
    """What an HTTP server answers."""

    status: int
    content_type: str
    body: bytes


def free_port() -> int:
    return free_ports(1)[0]


Ask = Callable[..., Awaitable[Page]]


@asynccontextmanager
async def asking(connector: aiohttp.BaseConnector, base: str) -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(path: str = "/metrics", method: str = "GET", **more: Any) -> Page:
            async with session.request(method, base + path, **more) as answer:
                return Page(answer.status, answer.headers["Content-Type"], await answer.read())

        yield ask


@asynccontextmanager
async def at_the_port(scene: Scene, host: str = "127.0.0.1") -> AsyncIterator[Ask]:
    address = Address(host, free_port())
    async with (
        serve_metrics(address, scene.metrics.exposition),
        asking(aiohttp.TCPConnector(), f"http://{address}".replace(ANYWHERE, "127.0.0.1")) as ask,
    ):
        yield ask


@asynccontextmanager
async def at_the_socket(scene: Scene, path: Path) -> AsyncIterator[Ask]:
    async def unasked() -> Any:
        raise AssertionError("only the metrics are asked for")

    async def uncommanded(name: str, asked: Json) -> AsyncGenerator[Json, None]:
        raise AssertionError(f"{name} is not commanded")
        yield asked

    answers = Answers(unasked, unasked, unasked, scene.metrics.exposition, uncommanded)
    async with (
        serve(path, answers, mode=0o600, owner=0, state="ours"),
        asking(aiohttp.UnixConnector(str(path)), "http://localhost") as ask,
    ):
        yield ask


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_the_port_tells_the_metrics(scene: Scene, host: str) -> None:
    scene.tell(delivered(3))
    async with at_the_port(scene, host) as ask:
        page = await ask()

    assert (page.status, page.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'netaflux_rows_delivered_total{destination="fluxtream",device="Porch"} 3.0\n' in page.body


async def test_the_socket_tells_the_same_in_the_format_that_is_asked_for(
    scene: Scene, tmp_path: Path
) -> None:
    headers = {"Accept": PROMETHEUS_3}
    async with at_the_socket(scene, tmp_path / "s") as socket, at_the_port(scene) as port:
        at_socket, at_port = await socket(headers=headers), await port(headers=headers)

    assert (at_socket.status, at_socket.content_type) == (at_port.status, at_port.content_type)
    names = [re.findall(rb"^# TYPE (\S+)", page.body, re.MULTILINE) for page in (at_socket, at_port)]
    assert names[0] == names[1]
    assert at_socket.content_type.startswith("application/openmetrics-text")


@pytest.mark.parametrize(
    "path", ["/", "/status", "/livez", "/readyz", "/metrics/", "/commands/sync", "/metrics%00"]
)
async def test_the_port_tells_nothing_else(scene: Scene, path: str) -> None:
    async with at_the_port(scene) as ask:
        for method in ("GET", "POST"):
            assert (await ask(path, method)).status == 404


@pytest.mark.parametrize(
    ("listening", "host", "status"),
    [
        ("127.0.0.1", "localhost:9211", 200),
        ("127.0.0.1", "LOCALHOST", 200),
        ("127.0.0.1", "[::1]:9211", 200),
        ("127.0.0.1", "192.0.2.7:80", 200),
        ("127.0.0.1", "", 200),
        ("127.0.0.1", "evil.example:9211", 404),
        ("127.0.0.1", "127.0.0.1.evil.example", 404),
        ("127.0.0.1", "localhost:9211:evil.example", 404),
        ("127.0.0.1", "[evil.example]", 404),
        ("::1", "evil.example", 404),
        (ANYWHERE, "home.example:9211", 200),
    ],
)
async def test_no_other_site_leads_a_browser_to_loopback(
    scene: Scene, listening: str, host: str, status: int
) -> None:
    """A name that was made to mean 127.0.0.1 would let its pages read what is there."""
    async with at_the_port(scene, listening) as ask:
        page = await ask(headers={"Host": host})

    assert page.status == status
    assert (b"netaflux" in page.body) == (status == 200)


async def test_whoever_names_no_host_is_no_browser(scene: Scene) -> None:
    address = Address("127.0.0.1", free_port())
    async with serve_metrics(address, scene.metrics.exposition):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()

    assert b" 200 OK\r\n" in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_metrics_are_only_read(scene: Scene, tmp_path: Path, method: str) -> None:
    async with at_the_port(scene) as port, at_the_socket(scene, tmp_path / "s") as socket:
        assert (await port(method=method)).status == 405
        assert (await socket(method=method)).status == 405


async def test_a_head_has_no_body(scene: Scene, tmp_path: Path) -> None:
    async with at_the_port(scene) as port, at_the_socket(scene, tmp_path / "s") as socket:
        for ask in (port, socket):
            page = await ask(method="HEAD")
            assert (page.status, page.body) == (200, b"")
            assert page.content_type.startswith("text/plain")


async def test_a_bug_is_no_secret_and_ends_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    seen = scene.seen
    async with at_the_port(scene) as ask:
        scene.seen = {}
        failed = await ask()
        scene.seen = seen
        mended = await ask()

    assert (failed.status, failed.body) == (500, b"a bug; see the log\n")
    assert mended.status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"GET /metrics HTTP/1.1\r\nA\x00: b\r\n\r\n",
    ],
)
async def test_nonsense_is_refused_and_fills_no_log(
    scene: Scene, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    """Whoever reaches the port may send what they like."""
    address = Address("127.0.0.1", free_port())
    async with serve_metrics(address, scene.metrics.exposition):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(sent)
        answer = await reader.read()
        writer.close()

    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert caplog.records == []


async def test_there_is_place_for_so_many_and_no_more(scene: Scene) -> None:
    """Connections that say nothing must not use up the files that the daemon needs."""
    address = Address("127.0.0.1", free_port())
    async with serve_metrics(address, scene.metrics.exposition):
        idle = [await asyncio.open_connection(address.host, address.port) for _ in range(MOST_AT_PORT)]
        one_more, its_writer = await asyncio.open_connection(address.host, address.port)

        assert await one_more.read() == b""

        its_writer.close()
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        async with asking(aiohttp.TCPConnector(), f"http://{address}") as ask:
            assert (await ask()).status == 200


async def test_whoever_never_comes_to_an_end_is_put_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would use up the places for good."""
    monkeypatch.setattr(server, "SCRAPE", 0.5)
    address = Address("127.0.0.1", free_port())
    async with serve_metrics(address, scene.metrics.exposition):
        slow = [await asyncio.open_connection(address.host, address.port) for _ in range(MOST_AT_PORT)]
        for _, writer in slow:
            writer.write(b"GET /metrics HTTP/1.1\r\n")
        refused = await asyncio.to_thread(answer_of, address)
        for reader, writer in slow:
            with suppress(ConnectionResetError):
                await reader.read()
            writer.close()

        assert refused == b""
        assert b" 200 OK" in await asyncio.to_thread(answer_of, address)


async def test_a_connection_is_for_one_scrape(scene: Scene) -> None:
    """Whoever asks on and on without reading would have the answers pile up."""
    address = Address("127.0.0.1", free_port())
    async with serve_metrics(address, scene.metrics.exposition):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
        answers = await reader.read()
        writer.close()

    assert answers.count(b"HTTP/1.1 200 OK") == 1


def answer_of(address: Address) -> bytes:
    """What a scraper gets, if anything."""
    with socket.create_connection((address.host, address.port), timeout=5) as scraper:
        try:
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return scraper.recv(65536)
        except OSError:
            return b""


async def test_it_ends_though_somebody_stays_connected(scene: Scene) -> None:
    address = Address("127.0.0.1", free_port())
    async with asyncio.timeout(5):
        async with serve_metrics(address, scene.metrics.exposition):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(b"GET /metrics HTTP/1.1\r\n")
            await asyncio.sleep(0.05)
        await reader.read()
        writer.close()

    async with serve_metrics(address, scene.metrics.exposition):
        pass  # the port is free again, though the connection has just come to its end


# Where it cannot listen


def refusal_of(address: Address) -> NetafluxError:
    with pytest.raises(NetafluxError) as caught, listening_at(address):
        pass
    return caught.value


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        error = refusal_of(address)

    assert isinstance(error, ConfigError)
    assert error.message == (f"the metrics cannot be served at {address}: another program listens there")
    assert (
        error.remedy == "Set `metrics_listen` under [status] to a free port and an address of this machine."
    )


def test_an_address_that_is_not_there_may_come() -> None:
    """At the start of a machine its network may take a while; the service manager tries again."""
    error = refusal_of(Address("192.0.2.1", 9211))

    assert isinstance(error, StateError)
    assert error.exit_code == 75
    assert "192.0.2.1:9211" in error.message
