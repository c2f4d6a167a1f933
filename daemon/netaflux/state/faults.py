"""What sqlite3 complains of, said as our own errors: the one border between the two."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netaflux.core.errors import StateError

_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk reports an input/output error",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is damaged",
    sqlite3.SQLITE_BUSY: "another program is using it",
    sqlite3.SQLITE_LOCKED: "another program is using it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "it may not be opened",
}
"""By SQLite's primary result code; the extended ones differ in their upper bits."""


@contextmanager
def our_errors(path: Path) -> Iterator[None]:
    """Turn sqlite3's errors about this file into StateError."""
    try:
        yield
    except sqlite3.Error as error:
        raise state_error(path, error) from error


def state_error(path: Path, error: sqlite3.Error) -> StateError:
    """Our error for sqlite3's; to be raised `from` it."""
    code = getattr(error, "sqlite_errorcode", None)  # sqlite3's own complaints, such as misuse, have none
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    meaning = _MEANINGS.get(code & 0xFF) if code is not None else None
    detail = f"{meaning} ({name}: {error})" if meaning else f"{name}: {error}"
    return StateError(f"{path} cannot be used: {detail}")
