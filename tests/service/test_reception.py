"""Where the daemon answers: it moves as a whole, or stays as it is."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from netaflux.config import Settings
from netaflux.core.errors import ConfigError, NetafluxError, StateError
from netaflux.netatmo.settings import NetatmoSettings
from netaflux.service.reception import Reception
from netaflux.status.server import Answers
from netaflux.status.settings import Address, SocketMode, StatusSettings
from tests.ports import LOOPBACK, free_ports
from tests.status.metrics_scene import Json, Scene

ANYWHERE, NOT_HERE = "0.0.0.0", "192.0.2.1"  # noqa: S104 - as a container needs it

MODES: tuple[SocketMode, ...] = (0o660, 0o600)


def answers() -> Answers:
    async def untroubled() -> list[str]:
        return []

    async def status() -> Json:
        return {}

    async def command(name: str, asked: Json) -> AsyncGenerator[Json, None]:
        yield {"event": name, **asked}

    return Answers(untroubled, untroubled, status, Scene().metrics.exposition, command)


@pytest.fixture
async def reception() -> AsyncIterator[Reception]:
    reception = Reception(answers(), "ours")
    yield reception
    await reception.close()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a short name: a socket's path has at most 107 bytes."""
    return tmp_path_factory.mktemp("r")


@pytest.fixture
def ports() -> list[int]:
    return free_ports(2)


@pytest.fixture
def port(ports: list[int]) -> int:
    return ports[0]


@pytest.fixture
def other_port(ports: list[int]) -> int:
    return ports[1]


def at(path: Path, address: Address | None = None, mode: SocketMode = 0o600) -> Settings:
    status = StatusSettings(socket=path, mode=mode)
    return Settings.model_construct(
        netatmo=NetatmoSettings.model_construct(),
        status=status.model_copy(update={"metrics_listen": address}),
    )


async def answered(place: Path | int) -> bool:
    """Whether the metrics can be had there."""
    unix = isinstance(place, Path)
    connector = aiohttp.UnixConnector(str(place)) if unix else aiohttp.TCPConnector()
    url = "http://localhost/metrics" if unix else f"http://{LOOPBACK}:{place}/metrics"
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            async with session.get(url) as answer:
                return answer.status == 200
        except (aiohttp.ClientConnectionError, OSError):
            return False


async def test_all_of_it_moves(reception: Reception, folder: Path, port: int, other_port: int) -> None:
    await reception.be_at(at(folder / "a", Address(LOOPBACK, port)))
    assert [await answered(each) for each in (folder / "a", port)] == [True, True]

    await reception.be_at(at(folder / "b", Address(LOOPBACK, other_port)))
    assert reception.path == folder / "b"
    assert [await answered(each) for each in (folder / "b", other_port)] == [True, True]
    assert [await answered(each) for each in (folder / "a", port)] == [False, False]

    await reception.be_at(at(folder / "b"))
    assert [await answered(each) for each in (folder / "b", other_port)] == [True, False]

    await reception.close()
    assert not await answered(folder / "b")


async def test_what_stays_is_left_alone(reception: Reception, folder: Path, port: int) -> None:
    """A scrape under way goes on; of the socket only the mode changes."""
    await reception.be_at(at(folder / "a", Address(LOOPBACK, port)))
    for mode in MODES:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"HEAD /metrics HTTP/1.1\r\n")
        await reception.be_at(at(folder / "a", Address(LOOPBACK, port), mode))
        writer.write(b"Host: localhost\r\n\r\n")

        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert (folder / "a").stat().st_mode & 0o777 == mode
        writer.close()


async def test_a_port_is_had_at_more_addresses_though_it_is_ours(
    reception: Reception, folder: Path, port: int
) -> None:
    for host in (LOOPBACK, ANYWHERE, LOOPBACK):
        await reception.be_at(at(folder / "a", Address(host, port)))
        assert await answered(port)


@pytest.mark.parametrize("new_host", [LOOPBACK, NOT_HERE])
async def test_a_port_that_cannot_be_had_changes_nothing(
    reception: Reception, folder: Path, port: int, other_port: int, new_host: str
) -> None:
    """Not even when the old one had to be closed to see."""
    new_port = other_port if new_host == LOOPBACK else port
    await reception.be_at(at(folder / "a", Address(LOOPBACK, port)))
    with socket.create_server((LOOPBACK, other_port)), pytest.raises(NetafluxError) as caught:
        await reception.be_at(at(folder / "b", Address(new_host, new_port), 0o660))

    assert isinstance(caught.value, ConfigError if new_host == LOOPBACK else StateError)
    assert reception.path == folder / "a"
    assert not (folder / "b").exists()
    assert (folder / "a").stat().st_mode & 0o777 == 0o600
    assert [await answered(each) for each in (folder / "a", port)] == [True, True]


async def test_a_socket_that_cannot_be_had_changes_nothing(
    reception: Reception, folder: Path, port: int, other_port: int
) -> None:
    await reception.be_at(at(folder / "a", Address(LOOPBACK, port)))
    (folder / "b").write_text("not to be lost")
    with pytest.raises(ConfigError):
        await reception.be_at(at(folder / "b", Address(LOOPBACK, other_port)))

    assert [await answered(each) for each in (folder / "a", port, other_port)] == [True, True, False]
