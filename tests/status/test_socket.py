"""The status socket: whose it is, what it answers, and what it leaves alone."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netaflux.core.errors import ConfigError, NobodyAtSocket, NotAuthorized
from netaflux.status import server
from netaflux.status.client import StatusClient
from netaflux.status.listening import listening
from netaflux.status.server import Answers, serve

Json = dict[str, Any]


def answers(problems: Sequence[str] = ()) -> Answers:
    """A daemon with these problems, whose every command counts to three."""

    async def troubles() -> Sequence[str]:
        return problems

    async def status() -> Json:
        return {"version": "1", "problems": list(problems)}

    async def command(name: str, asked: Json) -> AsyncGenerator[Json, None]:
        for number in range(3):
            yield {"event": name, "number": number, **asked}

    return Answers(
        alive=troubles, ready=troubles, status=status, metrics=lambda _: (b"", "text/plain"), command=command
    )


@asynccontextmanager
async def served(path: Path, *, owner: int | None = None, **more: Any) -> AsyncIterator[None]:
    """A daemon that works on the state `ours`."""
    uid = os.getuid() if owner is None else owner
    async with serve(path, answers(**more), mode=0o600, owner=uid, state="ours"):
        yield


async def got(client: StatusClient, route: str) -> tuple[int, Json]:
    return await asyncio.to_thread(client.get, route)


async def commanded(client: StatusClient, name: str, asked: Json) -> list[Json]:
    return await asyncio.to_thread(lambda: list(client.command(name, asked)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "netaflux.sock"


async def test_health_and_status_are_answered(path: Path) -> None:
    client = StatusClient([path], state="ours")

    async with served(path):
        assert await got(client, "/livez") == (200, {"ok": True, "problems": []})
        assert await got(client, "/healthz") == (200, {"ok": True, "problems": []})
        assert (await got(client, "/status"))[1]["version"] == "1"


async def test_problems_are_503(path: Path) -> None:
    async with served(path, problems=["the database does not answer"]):
        status, answer = await got(StatusClient([path]), "/readyz")

    assert (status, answer["problems"]) == (503, ["the database does not answer"])


async def test_a_command_answers_line_by_line(path: Path) -> None:
    async with served(path):
        events = await commanded(StatusClient([path], state="ours"), "sync", {"again": True})

    assert [event["number"] for event in events] == [0, 1, 2]
    assert all(event["event"] == "sync" and event["again"] for event in events)


async def test_a_command_whose_asker_has_gone_ends_without_a_word(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    async def endless(name: str, _: Json) -> AsyncGenerator[Json, None]:
        try:
            while True:
                yield {"event": name}
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    daemon = replace(answers(), command=endless)
    async with serve(path, daemon, mode=0o600, owner=os.getuid(), state="ours"):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"POST /commands/sync HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"sync")
        writer.close()
        await asyncio.wait_for(ended.wait(), 5)

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_command_that_waits_in_silence_ends_when_nobody_waits_for_it_any_more(path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def silent(name: str, _: Json) -> AsyncGenerator[Json, None]:
        begun.set()
        try:
            await asyncio.Event().wait()
            yield {"event": name}
        finally:
            ended.set()

    daemon = replace(answers(), command=silent)
    async with serve(path, daemon, mode=0o600, owner=os.getuid(), state="ours"), asyncio.timeout(5):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b"POST /commands/sync HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        await begun.wait()
        writer.close()
        await ended.wait()


async def test_a_reader_that_does_not_read_is_cut_off_with_its_command(path: Path) -> None:
    """A connection that is only closed would stay until what was written to it is read."""
    begun: asyncio.Future[asyncio.Task[Any] | None] = asyncio.get_running_loop().create_future()

    async def wordy(name: str, _: Json) -> AsyncGenerator[Json, None]:
        begun.set_result(asyncio.current_task())
        while True:
            yield {"event": name, "words": "x" * 100_000}

    daemon = replace(answers(), command=wordy)
    async with serve(path, daemon, mode=0o600, owner=os.getuid(), state="ours"), asyncio.timeout(10):
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(path))
            deaf.sendall(b"POST /commands/sync HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
            task = await begun
            assert task is not None
            await asyncio.sleep(0.2)  # until it waits for the reader
            task.cancel()
            await asyncio.wait({task})
            await asyncio.sleep(0.05)
            with pytest.raises(BrokenPipeError):
                deaf.sendall(b"more")


async def test_many_of_the_group_leave_a_place_for_the_owner(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_AT_SOCKET", 3)
    peers = iter([12345, 12345, 12345, 12345, os.getuid(), os.getuid()])
    monkeypatch.setattr(server, "_peer", lambda _: next(peers))
    async with served(path):
        idle = [await asyncio.open_unix_connection(path) for _ in range(3)]
        await asyncio.sleep(0.05)
        next(peers), next(peers), next(peers)
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b""
        assert (await got(StatusClient([path]), "/livez"))[0] == 200
        for _, each in [*idle, (reader, writer)]:
            each.close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may use commands")
async def test_another_users_command_is_refused(path: Path) -> None:
    async with served(path, owner=os.getuid() + 1):
        with pytest.raises(NotAuthorized):
            await commanded(StatusClient([path]), "sync", {})


async def test_a_daemon_of_another_state_does_not_answer_for_ours(path: Path, tmp_path: Path) -> None:
    """Two installations may share a runtime directory; a command must not reach the wrong one."""
    other = tmp_path / "other.sock"
    client = StatusClient([other, path], state="ours")

    async with serve(other, answers(["wrong one"]), mode=0o600, owner=os.getuid(), state="theirs"):
        with pytest.raises(NobodyAtSocket, match="another state"):
            await commanded(client, "sync", {})
        async with served(path):
            assert await got(client, "/livez") == (200, {"ok": True, "problems": []})


async def test_the_socket_has_its_mode_and_is_gone_afterwards(path: Path) -> None:
    async with served(path):
        mode = stat.S_IMODE(os.lstat(path).st_mode)

    assert mode == 0o600
    with pytest.raises(FileNotFoundError):
        os.lstat(path)


async def test_a_socket_that_a_dead_process_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async with served(path):
        assert (await got(StatusClient([path]), "/livez"))[0] == 200


def test_a_file_in_its_place_is_left_alone(path: Path) -> None:
    path.write_text("dear diary")

    with pytest.raises(ConfigError, match="is no socket"), listening(path, 0o600):
        pass

    assert path.read_text() == "dear diary"


async def test_a_socket_that_somebody_listens_at_is_left_alone(path: Path) -> None:
    async with served(path):
        with pytest.raises(ConfigError, match="another program listens"), listening(path, 0o600):
            pass

        assert (await got(StatusClient([path]), "/livez"))[0] == 200


def test_anothers_socket_of_the_same_name_is_not_removed(path: Path) -> None:
    with listening(path, 0o600):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))

    assert path.exists()


@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>", b'{"problems": 1}'])
async def test_what_is_not_netaflux_is_nobody(path: Path, body: bytes) -> None:
    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(stranger, path)
    async with server:
        with pytest.raises(NobodyAtSocket):
            await got(StatusClient([path]), "/livez")
