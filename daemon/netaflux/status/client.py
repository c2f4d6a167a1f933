"""The Unix socket's client: standard library only, so that a health check starts fast."""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from netaflux.core.errors import NobodyAtSocket, NotAuthorized

Json = dict[str, Any]

STATE_HEADER = "X-Netaflux-State"
"""Names the state that is meant: several daemons may share a machine, and a place where sockets are."""
MISDIRECTED = 421
"""HTTP's word for a server that is not the one that was meant (RFC 9110)."""
BROKEN = (OSError, HTTPException, ValueError, RecursionError, OverflowError)
"""What comes of an answer that breaks off, or is not the daemon's."""
HEALTH_TIMEOUT = 5.0
"""Real seconds: a daemon that takes longer to say that it lives does not."""


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._seconds = timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._seconds)
        self.sock.connect(str(self._path))


class StatusClient:
    """Asks the daemon behind the first of some sockets that answers."""

    def __init__(self, candidates: Sequence[Path], *, state: str | None = None) -> None:
        """`state` names the state whose daemon is meant; None where that cannot be told."""
        self._candidates = tuple(dict.fromkeys(candidates))
        self._headers = {} if state is None else {STATE_HEADER: state}

    def get(self, route: str) -> tuple[int, Json]:
        """HTTP status and body of a route. Raises NobodyAtSocket."""
        connection, response = self._requested("GET", route, None, timeout=HEALTH_TIMEOUT)
        with closing(connection):
            try:
                answer = _object(response.read())
            except BROKEN as error:
                raise NobodyAtSocket(self._nobody([f"{error!r}"])) from error
        if not self._of_us(route, answer):
            raise NobodyAtSocket(self._nobody(["what answers there is not netaflux"]))
        return response.status, answer

    @staticmethod
    def _of_us(route: str, answer: Json) -> bool:
        return "version" in answer if route == "/status" else isinstance(answer.get("problems"), list)

    def command(self, name: str, request: Json, *, patience: float | None = None) -> Iterator[Json]:
        """The events of a command that the daemon carries out; they break off where it ends first.

        `patience` is how many real seconds it may say nothing, where that is not as long as it likes.

        Raises NobodyAtSocket, NotAuthorized.
        """
        connection, response = self._requested("POST", f"/commands/{name}", request, timeout=patience)
        with closing(connection), suppress(*BROKEN):
            if response.status != 200:  # noqa: PLR2004 - HTTP's word for fine
                reason = _object(response.read()).get("error", f"the daemon answers {response.status}")
                raise NotAuthorized(str(reason), advice="Use the daemon's own user, or sudo.")
            for line in response:
                yield _event(line)

    def _requested(
        self, method: str, route: str, body: Json | None, *, timeout: float | None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        refused: list[str] = []
        for path in self._candidates:
            connection = _UnixConnection(path, timeout)
            try:
                sent = None if body is None else json.dumps(body)
                connection.request(method, route, body=sent, headers=self._headers)
                response = connection.getresponse()
                if response.status != MISDIRECTED:
                    return connection, response
                connection.close()
                refused.append(f"{path}: the daemon there works on another state directory")
            except FileNotFoundError:
                connection.close()
            except (OSError, HTTPException) as error:
                connection.close()
                refused.append(f"{path}: {error}")
        raise NobodyAtSocket(self._nobody(refused))

    def _nobody(self, refused: Sequence[str]) -> str:
        if refused:
            return f"no daemon answers ({'; '.join(refused)})"
        return f"no daemon is running: there is no socket at {' or '.join(map(str, self._candidates))}"


def _object(text: bytes) -> Json:
    """The JSON object that was answered. Raises ValueError where it is none, RecursionError."""
    answer = json.loads(text)
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - what JSON's own errors are, too
    return answer


def _event(line: bytes) -> Json:
    event = _object(line)
    if not isinstance(event.get("event"), str):
        raise ValueError("no event")  # noqa: TRY004 - the same
    return event
