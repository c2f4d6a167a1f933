"""What sqlite3 complains of, said as our own errors: the one border between the two."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from netaflux.core.errors import StateDamaged, StateError

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
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}
"""By SQLite's primary result code; the extended ones differ in their upper bits."""

SQLITE_RAISES = (sqlite3.Error, MemoryError)
"""What comes of a statement: for the want of memory, sqlite3 has no error of its own."""
_DAMAGES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Primary codes of a file that is other than SQLite left it."""
_UNREADABLE = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
"""Extended codes of a page that the disk does not give back: another place may take what is left."""


_OF_THE_DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
"""Primary codes that tell of the disk, whatever stands in the file."""

UNREADABLE_JSON: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What comes of JSON that is not what we wrote: of numbers beyond all bounds and of deep nesting, too."""


@contextmanager
def our_errors(path: Path) -> Iterator[None]:
    """Turn sqlite3's errors about this file into StateError."""
    try:
        yield
    except SQLITE_RAISES as error:
        raise state_error(path, error) from error


def state_error(path: Path, error: BaseException) -> StateError:
    """Our error for sqlite3's, or for what else came of its use; to be raised `from` it."""
    code = getattr(error, "sqlite_errorcode", None)  # sqlite3's own complaints, such as misuse, have none
    kind = StateDamaged if _is_damage(error, code) else StateError
    return kind(f"{path} cannot be used: {in_words(error)}")


def in_words(error: BaseException) -> str:
    """What sqlite3 complains of, and what that means."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    code = sqlite3.SQLITE_NOMEM if isinstance(error, MemoryError) else getattr(error, "sqlite_errorcode", 0)
    meaning = _MEANINGS.get(code & 0xFF)
    told = f"{name}: {error}".removesuffix(": ")
    return f"{meaning} ({told})" if meaning else told


def _is_damage(error: BaseException, code: int | None) -> bool:
    if code is None:
        # the one that sqlite3 has no code for is a text that is none
        return isinstance(error, sqlite3.OperationalError)
    return code & 0xFF in _DAMAGES or code in _UNREADABLE


def is_of_the_disk(error: BaseException) -> bool:
    """Whether it is the disk that does not give or take."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _OF_THE_DISK
