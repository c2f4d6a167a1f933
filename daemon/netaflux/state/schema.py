"""The database file itself: whose it is, of which version, and how it is brought up to ours."""

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from netaflux.core.errors import StateError, StateForeign
from netaflux.state.faults import our_errors

APPLICATION_ID = int.from_bytes(b"nafx", "big")
"""Stands in the file's header, so that nobody's database is taken for ours."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_APPLICATION_ID_AT = slice(68, 72)  # big-endian, SQLite's file format


def migrations() -> list[str]:
    """The SQL scripts in order; a file's version is the number of those that it has gone through."""
    folder = files("netaflux.state") / "migrations"
    scripts = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return [script.read_text(encoding="utf-8") for script in scripts]


def connected(path: Path) -> sqlite3.Connection:
    """A connection to our database, made or migrated as needed; to be used in this thread alone.

    Raises StateForeign, before anything is written, where the file is another program's or a newer
    netaflux's; StateError where it cannot be read or written.
    """
    _secure(path)
    with our_errors(path):
        # transactions are our own business: isolation_level None lets sqlite3 open none by itself
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            _set_up(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _secure(path: Path) -> None:
    """See to a file that only we can read; SQLite gives its mode to the -wal and -shm files beside it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            _refuse_foreign_file(path, descriptor)
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}") from error


def _refuse_foreign_file(path: Path, descriptor: int) -> None:
    # by its bytes, for SQLite may tidy up a file (journal, WAL) as soon as it opens it
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise StateForeign(f"{path} is not a regular file")
    header = os.pread(descriptor, _HEADER_BYTES, 0)
    if header and not header.startswith(_MAGIC):
        raise StateForeign(f"{path} is not a database")
    if header and int.from_bytes(header[_APPLICATION_ID_AT], "big") != APPLICATION_ID:
        raise StateForeign(f"{path} is another program's database")


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    scripts = migrations()
    version = _number(connection, "PRAGMA user_version")
    if version > len(scripts):
        raise StateForeign(
            f"{path} was written by a newer netaflux (its version is {version}, ours {len(scripts)})"
        )
    if not _number(connection, "SELECT count(*) FROM sqlite_master"):
        # before WAL, so that the id stands in the file itself and not in its -wal only
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits, a token among them
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection, scripts)


def migrate(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Run the scripts that the file has not gone through yet: all of them, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in scripts[_number(connection, "PRAGMA user_version") :]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    # not executescript: it would commit our transaction before it begins
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _number(connection: sqlite3.Connection, query: str) -> int:
    (number,) = connection.execute(query).fetchone()
    return int(number)
