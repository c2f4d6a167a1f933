"""A damaged database: set aside, and what can be trusted of it carried over into a new one.

    netaflux.db                          damaged
    netaflux.db.mending                  a new one, not done yet
    netaflux.db.mended-20261127-143000   done, on its way to the damaged one's place
    netaflux.db.damaged-20261127-143000  the damaged one as it was found, its -wal beside it; nobody but
                                         its owner deletes it

The tokens come first. Coverage that claimed a row which was never delivered would lose that row, so it counts
only where SQLite finds nothing wrong with all that it hangs together with, and without its last days. What is
forgotten is fetched and delivered once more, which harms nobody.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from netaflux.core.budget import BudgetRecord
from netaflux.core.errors import StateError
from netaflux.state.doubts import doubts_of
from netaflux.state.faults import our_errors
from netaflux.state.fresh import made_anew
from netaflux.state.header import APPLICATION_ID, HEADER_BYTES, is_sound, log_of
from netaflux.state.saved import all_saved, put
from netaflux.state.soundness import makes_sense
from netaflux.state.source_rows import RETENTION
from netaflux.state.spare import read_spares, sync_directory
from netaflux.state.versions import migrate, migrations, number

HOUR: Final = 3600.0
UNKNOWN_CALLS: Final = "how many calls were made can no longer be read"

_APP = "app"
"""The scope of the budget that all accounts share."""
_UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite complains of may quote what it found."""
_BLOCK = 4096
_BESIDE = ("", "-wal", "-shm", "-journal")
"""A database and what SQLite keeps beside it, by the ends of their names."""
_TOGETHER = ("modules", "looks", "coverage")
"""All or none: where coverage spans a gap that nobody knows of, its late rows would never be noticed."""
_AS_FAR_AS_READABLE = ("destinations", "bindings", "rescues")
"""Each row stands for itself."""

_LONG_SETTLED = """
SELECT destination, device, channel, begin, min("end", moment) FROM (
    SELECT *, max("end") OVER (PARTITION BY device, destination, channel) - ? AS moment FROM coverage
) WHERE begin <= moment
"""

_log = structlog.get_logger()


@dataclass(slots=True)
class Rescued:
    """What came of it."""

    saved: dict[str, int] = field(default_factory=dict)
    """How many rows of each table were carried over."""
    lost: set[str] = field(default_factory=set)
    """Tables of which something was not."""


def rescue(path: Path, reason: str) -> None:
    """Put a new database in the place of a damaged one. Raises StateError where that cannot be written.

    A crash in the midst of it leaves the damaged one to the next start, or a new one that is done.
    """
    unfinished = path.with_name(f"{path.name}.mending")
    try:
        _remove(unfinished)
        made_anew(unfinished).close()
        aside = _place_aside(path, unfinished.stat().st_mtime)
        with our_errors(unfinished):
            rescued = _mend(path, unfinished, aside, reason)
        unfinished.replace(_mended(path, aside))
        settle(path)
    except OSError as error:
        raise StateError(f"{path} is damaged, and cannot be mended: {error.strerror}") from error
    _log.error(
        "state.rescued", reason=reason, aside=str(aside), saved=rescued.saved, lost=sorted(rescued.lost)
    )


def settle(path: Path) -> None:
    """Let a new database that is done take its place, the damaged one being set aside. Raises OSError."""
    for mended in path.parent.glob(f"{path.name}.mended-*"):
        aside = mended.with_name(mended.name.replace(".mended-", ".damaged-"))
        # the log first: beside the new one it would be taken for that one's
        for end in reversed(_BESIDE):
            if (file := path.with_name(path.name + end)).exists():
                file.rename(aside.with_name(aside.name + end))
        sync_directory(path.parent)
        mended.rename(path)
        doubts_of(path).unlink(missing_ok=True)
        sync_directory(path.parent)


def _place_aside(path: Path, now: float) -> Path:
    """A name that is free; the time is that of the file system."""
    seconds = (datetime.fromtimestamp(second, UTC) for second in count(int(now)))
    names = (path.with_name(f"{path.name}.damaged-{second:%Y%m%d-%H%M%S}") for second in seconds)
    return next(name for name in names if not name.exists())


def _mended(path: Path, aside: Path) -> Path:
    return path.with_name(aside.name.replace(".damaged-", ".mended-"))


def _mend(path: Path, unfinished: Path, aside: Path, reason: str) -> Rescued:
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as fresh:
        fresh.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        fresh.execute("PRAGMA synchronous = FULL")
        migrate(fresh, migrations())
        with _laid_open(path, fresh.serialize()[:HEADER_BYTES]) as old:
            fresh.execute("BEGIN IMMEDIATE")
            rescued = _Move(old, fresh).everything(path)
        fresh.execute(
            "INSERT INTO rescues VALUES (?, ?, ?, ?)",
            (aside.name, reason, json.dumps(rescued.saved), json.dumps(sorted(rescued.lost))),
        )
        fresh.execute("COMMIT")
    return rescued


class _Move:
    """From the one to the other, a table at a time."""

    def __init__(self, old: sqlite3.Connection, fresh: sqlite3.Connection) -> None:
        self._old = old
        self._fresh = fresh
        self._rescued = Rescued()

    def everything(self, damaged: Path) -> Rescued:
        """Move what can be trusted. Source rows are not: without them each row of the last days is news."""
        self._accounts(damaged.parent)
        self._budgets(until=_last_written(damaged) + HOUR)
        for table in _AS_FAR_AS_READABLE:
            self._put(table, self._rows(table))
        self._together()
        self._rescued.lost.add("source_rows")
        return self._rescued

    def _accounts(self, directory: Path) -> None:
        """The newest tokens of each account that are whole, here or in the copy beside the database."""
        try:
            found = all_saved(self._old)
        except _UNREADABLE:
            found = {}
            self._rescued.lost.add("accounts")
        for account, saved in [*found.items(), *read_spares(directory)]:
            if saved.record() is not None:
                put(self._fresh, account, saved, now=0)
        self._rescued.saved["accounts"] = number(self._fresh, "SELECT count(*) FROM accounts")

    def _budgets(self, until: float) -> None:
        """Where the calls of the last hour are not known, none is made until it is over."""
        if self._is_sound("budgets"):
            self._put("budgets", self._rows("budgets"))
            return
        self._rescued.lost.add("budgets")
        closed = json.dumps(BudgetRecord(closed_until=until, reason=UNKNOWN_CALLS).to_json())
        self._fresh.execute("INSERT INTO budgets VALUES (?, ?)", (_APP, closed))

    def _together(self) -> None:
        if not all(self._is_sound(table) for table in _TOGETHER):
            self._rescued.lost.update(_TOGETHER)
            return
        for table in ("modules", "looks"):
            self._put(table, self._rows(table))
        # a page from before holes were cut looks sound, too; they are cut in the days of the source rows
        self._put("coverage", self._old.execute(_LONG_SETTLED, (RETENTION,)))

    def _is_sound(self, table: str) -> bool:
        with suppress(*_UNREADABLE):
            pages = self._old.execute(f"PRAGMA quick_check({table})").fetchall()
            return pages == [("ok",)] and makes_sense(self._old, table)
        return False

    def _rows(self, table: str) -> Iterator[tuple[object, ...]]:
        """All rows before the first that cannot be read."""
        try:
            yield from self._old.execute(f"SELECT * FROM {table}")  # noqa: S608 - a table of ours
        except _UNREADABLE:
            self._rescued.lost.add(table)

    def _put(self, table: str, rows: Iterator[tuple[object, ...]]) -> None:
        columns = number(self._fresh, f"SELECT count(*) FROM pragma_table_info('{table}')")  # noqa: S608
        places = ", ".join("?" * columns)
        put = self._fresh.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)  # noqa: S608
        self._rescued.saved[table] = put.rowcount


def _last_written(damaged: Path) -> float:
    return max(file.stat().st_mtime for file in (damaged, log_of(damaged)) if file.exists())


@contextmanager
def _laid_open(damaged: Path, header: bytes) -> Iterator[sqlite3.Connection]:
    """A copy to read from, gone afterwards; `header` takes the place of one that is destroyed.

    Copied, because SQLite may change what it opens, and because some of it may have to be mended first.
    """
    scratch = damaged.with_name(f"{damaged.name}.scratch")
    try:
        _remove(scratch)
        _copy(damaged, scratch)
        if log_of(damaged).exists():
            _copy(log_of(damaged), log_of(scratch))
        _mend_header(scratch, header)
        with closing(sqlite3.connect(scratch, isolation_level=None)) as connection:
            with suppress(sqlite3.Error):
                # definitions that cannot be read shall not keep the others from being read
                connection.execute("PRAGMA writable_schema = ON")
            yield connection
    finally:
        _remove(scratch)


def _remove(database: Path) -> None:
    for end in _BESIDE:
        database.with_name(database.name + end).unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """A block that the disk does not give back any more is one of zeros."""
    with source.open("rb", buffering=0) as there, made_anew(target) as here:
        for place in range(0, os.fstat(there.fileno()).st_size, _BLOCK):
            here.write(_block(there.fileno(), place))


def _block(descriptor: int, place: int) -> bytes:
    try:
        return os.pread(descriptor, _BLOCK, place)
    except OSError:
        return bytes(_BLOCK)


def _mend_header(scratch: Path, header: bytes) -> None:
    """All that a reader needs to know is the same in every file of ours; but for the size, which is there."""
    with scratch.open("r+b") as file:
        found, size = file.read(HEADER_BYTES), file.seek(0, os.SEEK_END)
        if is_sound(found):
            return
        pages = max(1, size // _BLOCK)
        file.seek(0)
        # no free pages: whoever reads has no use for them
        file.write(header[:28] + pages.to_bytes(4, "big") + bytes(8) + header[40:])
        file.truncate(max(size, _BLOCK))  # of an empty file the log may hold all
