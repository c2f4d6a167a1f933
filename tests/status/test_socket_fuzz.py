"""Whatever comes over the status socket, to either end: an answer or an error of ours, and no traceback."""

import asyncio
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError
from netaflux.status.client import StatusClient
from netaflux.status.server import LARGEST_REQUEST, serve
from tests.damage import bytes_like
from tests.status.test_socket import answers

HEAD = b"POST /commands/sync HTTP/1.1\r\nHost: localhost\r\n"
REQUESTS = [
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /status HTTP/1.1\r\nHost: localhost\r\nX-Netaflux-State: ours\r\n\r\n",
    HEAD + b'Content-Length: 11\r\n\r\n{"again":1}',
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
]
NO_OBJECTS = {
    "squeezed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx",
    "deep": HEAD + b"Content-Length: 5000\r\n\r\n" + b"[" * 5000,
    "a list": HEAD + b"Content-Length: 2\r\n\r\n[]",
    "no text": HEAD + b"Content-Length: 2\r\n\r\n\xff\xfe",
}
NO_HTTP = {
    "a chunk without a length": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a later chunk without one": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n\r\n",
    "a length that is none": HEAD + b"Content-Length: x\r\n\r\n{",
    "an end before its time": HEAD + b"Content-Length: 50\r\n\r\n{",
    "no encoding that there is": HEAD + b"Transfer-Encoding: nonsense\r\n\r\n2\r\n{}",
    "a line without end": b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\r\n\r\n",
}
EVENTS = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"event":"module"}\n{"event":"result","exit_code":0}\n'
REFUSAL = b'HTTP/1.1 403 Forbidden\r\nContent-Length: 15\r\n\r\n{"error":"no!"}'

once_for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "netaflux.sock"


async def answered(path: Path, request: bytes, *, within: float = 5, hang_up: bool = False) -> bytes:
    """What comes back of these bytes, if anything does."""
    reader, writer = await asyncio.open_unix_connection(path)
    answer = b""
    with suppress(OSError, TimeoutError):
        writer.write(request)
        if hang_up:
            writer.write_eof()
        async with asyncio.timeout(within):
            answer = await reader.read(65536)
    writer.close()
    return answer


@pytest.mark.parametrize("what", NO_OBJECTS)
async def test_a_command_that_is_no_json_object_is_refused_without_a_traceback(
    path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(path, answers(), mode=0o600, owner=os.getuid(), state="ours"):
        answer = await answered(path, NO_OBJECTS[what])

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b'{"error":"a command takes a JSON object"}')
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize("what", NO_HTTP)
async def test_what_is_no_request_leaves_no_traceback(
    path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(path, answers(), mode=0o600, owner=os.getuid(), state="ours"):
        await answered(path, NO_HTTP[what], within=0.2, hang_up=True)
        alive = await answered(path, REQUESTS[0], within=0.2)

    assert alive.startswith(b"HTTP/1.1 200 ")
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_a_bug_in_an_answer_is_logged_and_not_told(path: Path) -> None:
    async def broken() -> Json:
        raise RuntimeError("0ops")

    with structlog.testing.capture_logs() as logged:
        async with serve(
            path, replace(answers(), status=broken), mode=0o600, owner=os.getuid(), state="ours"
        ):
            answer = await answered(path, REQUESTS[1], within=0.2)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert [(each["event"], each["path"]) for each in logged] == [("request.crashed", "/status")]
    assert b"0ops" not in answer


async def test_a_command_that_is_too_large_is_refused(path: Path) -> None:
    body = b"x" * (LARGEST_REQUEST + 1)
    async with serve(path, answers(), mode=0o600, owner=os.getuid(), state="ours"):
        answer = await answered(path, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_who_asks_for_a_command_and_goes_at_once_leaves_no_traceback(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(path, answers(), mode=0o600, owner=os.getuid(), state="ours"):
        for _ in range(20):
            await answered(path, REQUESTS[2], hang_up=True)

    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@once_for_all
@given(requests=st.lists(st.sampled_from(REQUESTS).flatmap(bytes_like), min_size=10, max_size=10))
def test_no_bytes_make_the_server_fail_or_end(path: Path, requests: list[bytes]) -> None:
    async def main() -> None:
        async with serve(path, answers(), mode=0o600, owner=os.getuid(), state="ours"):
            statuses = [
                re.match(rb"HTTP/1\.[01] (.)", await answered(path, each, within=0.02)) for each in requests
            ]
            alive, _ = await asyncio.to_thread(StatusClient([path], state="ours").get, "/livez")

        assert {status[1] for status in statuses if status} <= {b"1", b"2", b"4"}
        assert alive == 200

    asyncio.run(main())


@contextmanager
def stranger(path: Path, says: bytes) -> Iterator[None]:
    """Somebody else at the socket, who answers everything with that."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve_one() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                heard = b""
                # a command's request has nothing more to say
                while not heard.endswith(b"{}") and (more := connection.recv(65536)):
                    heard += more
                connection.sendall(says)

        thread = Thread(target=serve_one)
        thread.start()
        yield
        thread.join()


@pytest.mark.parametrize(
    "line", [b"[]", b"7", b'"event"', b"{}", b'{"event":7}', b"[" * 100_000, b"\xff", b"", b'{"event"']
)
def test_what_is_no_event_ends_a_command_as_a_connection_that_breaks_does(path: Path, line: bytes) -> None:
    says = (
        b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"event":"module"}\n' + line + b'\n{"event":"late"}\n'
    )
    with stranger(path, says):
        assert list(StatusClient([path]).command("sync", {})) == [{"event": "module"}]


@pytest.mark.parametrize("body", [b"[]", b"7", b'"no"', b"[" * 100_000, b"\xff", b"<html>"])
def test_a_refusal_that_cannot_be_read_is_no_event(path: Path, body: bytes) -> None:
    says = b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with stranger(path, says):
        assert list(StatusClient([path]).command("sync", {})) == []


@once_for_all
@given(says=st.sampled_from([EVENTS, REFUSAL]).flatmap(bytes_like))
def test_whatever_answers_there_gives_events_or_an_error_of_ours(path: Path, says: bytes) -> None:
    with stranger(path, says), suppress(NetafluxError):
        assert all(isinstance(event["event"], str) for event in StatusClient([path]).command("sync", {}))
