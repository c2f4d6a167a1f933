"""What a test does to netaflux before it begins, so that a chosen moment comes; the product knows of nothing.

    kill     it kills itself right before or after a chosen commit
    memory   its database ends no transaction while there is such a file
    clock    it lives by the clock of a test: faster than ours, and in another year if that is wished
    wall     what its system clock shows besides the true time stands in a file
    hosts    the names that it can resolve stand in a file

Whatever it does is noted in a journal, which survives the kill.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp.connector import _DNSCacheTable

import netaflux.service.daemon
import netaflux.state.database
from netaflux.clocks import ScaledClock

PATCH = pytest.MonkeyPatch()
"""Never undone: the process ends with it."""


def mark(token: str) -> str:
    """What tells a token apart in the journal."""
    return sha256(token.encode()).hexdigest()


def tamper(wishes: Mapping[str, Any]) -> None:
    """Do as the test wishes, each to its part of this process."""
    for wish, how in wishes.items():
        TAMPERINGS[wish](how)


# the kill


class Doomed:
    """A connection to the database that tells of its commits; one of them is the end of its process."""

    def __init__(self, connection: Any, wish: Mapping[str, Any]) -> None:
        self._connection = connection
        self._when: str = wish["when"]
        self._only_pairs: bool = wish["only_pairs"]
        self._left: int = wish["after"]
        self._journal = os.open(wish["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._known: str | None = None
        self._pair = ""
        """The new refresh token in this transaction."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: Any) -> Any:
        """Do what SQLite does; around a commit, more."""
        if statement.startswith("INSERT INTO accounts"):
            self._look_at(values[0][2])
        return self._commit(statement) if statement == "COMMIT" else self._carry_out(statement, *values)

    def _carry_out(self, statement: str, *values: Any) -> Any:
        return self._connection.execute(statement, *values)

    def _look_at(self, record: str) -> None:
        # a note that a token is about to be spent always comes first, and tells the pair until then
        refresh = (json.loads(record)["pair"] or {}).get("refresh", "")
        if self._known not in (None, refresh):
            self._pair = refresh
        self._known = refresh

    def _commit(self, statement: str) -> Any:
        chosen = bool(self._pair) or not self._only_pairs
        self._left -= chosen
        dying = chosen and self._left < 0
        if dying and self._when == "before":
            self._die()
        result = self._carry_out(statement)
        if self._pair:
            self._note(f"kept {mark(self._pair)}")
            self._pair = ""
        if dying and self._when == "after":
            self._die()
        return result

    def _die(self) -> None:
        self._note("killed")
        os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, what: str) -> None:
        os.write(self._journal, f"{what}\n".encode())


def _kill(wish: Mapping[str, Any]) -> None:
    connect: Callable[[Path], Any] = vars(netaflux.state.database)["connected"]
    PATCH.setattr(netaflux.state.database, "connected", lambda path: Doomed(connect(path), wish))


# memory


class Starved:
    """A connection that ends no transaction as long as there is such a file."""

    def __init__(self, connection: Any, file: Path) -> None:
        self._connection = connection
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: Any) -> Any:
        """Do what SQLite does."""
        if statement in {"COMMIT", "ROLLBACK"} and self._file.exists():
            raise MemoryError
        return self._connection.execute(statement, *values)


def _memory(file: str) -> None:
    connect: Callable[[Path], Any] = vars(netaflux.state.database)["connected"]
    PATCH.setattr(netaflux.state.database, "connected", lambda path: Starved(connect(path), Path(file)))


# time


def _clock(wish: Mapping[str, float]) -> None:
    clock = ScaledClock(wish["speed"])
    # the machine's monotonic time is the same for all its processes
    clock._start, clock._epoch = wish["start"], wish["epoch"]
    PATCH.setattr(netaflux.service.daemon, "RealClock", lambda: clock)


def _wall(file: str) -> None:
    """Let all that asks for the time of day be told another one."""
    true, scaled = time.time, ScaledClock.now

    def off() -> float:
        return float(Path(file).read_text() or 0)

    begun = off()

    class Shown(datetime):
        """A moment, where nobody asks for the present one."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=off())

    PATCH.setattr(time, "time", lambda: true() + off())
    # made after this, it has begun with the time that was shown then
    PATCH.setattr(ScaledClock, "now", lambda clock: scaled(clock) + off() - begun)
    for name, module in list(sys.modules.items()):
        if name.startswith(("netaflux", "apscheduler")) and getattr(module, "datetime", None) is datetime:
            PATCH.setattr(module, "datetime", Shown)


# names


def _hosts(file: str) -> None:
    """Resolve these names alone, each to loopback; the file is read for each new connection."""
    resolve = socket.getaddrinfo

    def told(host: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name in Path(file).read_text().split():
            return resolve("127.0.0.1", *more, **named)
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve(host, *more, **named)

    PATCH.setattr(socket, "getaddrinfo", told)
    # addresses are remembered for some minutes, which no test waits for
    PATCH.setattr(_DNSCacheTable, "expired", lambda *_: True)


TAMPERINGS: Mapping[str, Callable[[Any], None]] = {
    "kill": _kill,
    "memory": _memory,
    "clock": _clock,
    "wall": _wall,
    "hosts": _hosts,
}
