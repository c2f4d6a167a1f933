"""What the tests of the state are made of: a clock that stands, pages, series, and a second process."""

import _sqlite3
import ctypes
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from netaflux.core.model import (
    ChannelName,
    DestinationId,
    DeviceName,
    Measure,
    ModuleId,
    Number,
    Page,
    Row,
    Series,
    Window,
)

MODULE = ModuleId("70:ee:50:00:00:01")
BASEMENT = DeviceName("Basement")


class StillClock:
    """Stands at one moment until it is set to another."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"the state has no reason to wait {seconds} s")


def series(channel: str = "Temp_C", device: str = "Basement", destination: str = "flux#7") -> Series:
    return Series(DestinationId(destination), DeviceName(device), ChannelName(channel))


def page(rows: Mapping[int, Sequence[Number | None]], measures: Sequence[str] = ("Temperature",)) -> Page:
    """A page of these rows by their time."""
    return Page(
        measures=tuple(Measure(measure) for measure in measures),
        window=Window(0),
        rows=[Row(time, tuple(values)) for time, values in sorted(rows.items())],
        raw_rows=len(rows),
    )


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes of a file fails in the kernel (EFBIG), as on a disk that breaks."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def bereft(connection: sqlite3.Connection) -> None:
    """From now on no transaction comes to an end on this connection."""

    def allowed(action: int, ending: str | None, *_: str | None) -> int:
        ends = action == sqlite3.SQLITE_TRANSACTION and ending in {"COMMIT", "ROLLBACK"}
        return sqlite3.SQLITE_DENY if ends else sqlite3.SQLITE_OK

    connection.set_authorizer(allowed)


@contextmanager
def no_memory() -> Iterator[None]:
    """SQLite gets no memory any more, in all of this process."""
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    limits = [library.sqlite3_hard_heap_limit64, library.sqlite3_soft_heap_limit64]
    for limit in limits:
        limit.argtypes, limit.restype = [ctypes.c_int64], ctypes.c_int64
    limits[0](1)
    try:
        yield
    finally:
        for limit in limits:
            limit(0)


def at_work_elsewhere() -> dict[str, str]:
    """The environment of a Python process that finds the same modules as this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


@contextmanager
def another_process(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs `script`; killed with SIGKILL in the end, wherever it is."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=at_work_elsewhere(),
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def modes(directory: Path) -> dict[str, int]:
    return {file.name: mode(file) for file in directory.iterdir()}
