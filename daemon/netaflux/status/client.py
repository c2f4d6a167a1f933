"""The Unix socket's client: standard library only, so that a health check starts fast."""

import json
import socket
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from netaflux.core.errors import NobodyAtSocket, NotAuthorized

Json = dict[str, Any]

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

    def __init__(self, candidates: Sequence[Path]) -> None:
        self._candidates = tuple(dict.fromkeys(candidates))

    def get(self, route: str) -> tuple[int, Json]:
        """HTTP status and body of a route. Raises NobodyAtSocket."""
        response = self._request("GET", route, None, timeout=HEALTH_TIMEOUT)
        return response.status, json.loads(response.read())

    def command(self, name: str, request: Json) -> Iterator[Json]:
        """The events of a command that the daemon carries out. Raises NobodyAtSocket, NotAuthorized."""
        response = self._request("POST", f"/commands/{name}", request, timeout=None)
        if response.status != 200:  # noqa: PLR2004 - HTTP's word for fine
            reason = json.loads(response.read()).get("error", f"the daemon answers {response.status}")
            raise NotAuthorized(str(reason), advice="Use the daemon's own user, or sudo.")
        for line in response:
            yield json.loads(line)

    def _request(self, method: str, route: str, body: Json | None, *, timeout: float | None) -> HTTPResponse:
        refused: list[str] = []
        for path in self._candidates:
            connection = _UnixConnection(path, timeout)
            try:
                connection.request(method, route, body=None if body is None else json.dumps(body))
                return connection.getresponse()
            except FileNotFoundError:
                continue
            except (OSError, HTTPException) as error:
                refused.append(f"{path}: {error}")
        raise NobodyAtSocket(self._nobody(refused))

    def _nobody(self, refused: Sequence[str]) -> str:
        if refused:
            return f"no daemon answers ({'; '.join(refused)})"
        return f"no daemon is running: there is no socket at {' or '.join(map(str, self._candidates))}"
