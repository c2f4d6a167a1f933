"""The database looked at without opening it for work: nothing is written, migrated, or made."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from netaflux.core.errors import StateError, StateForeign
from netaflux.state.faults import our_errors
from netaflux.state.header import APPLICATION_ID
from netaflux.state.open import DATABASE
from netaflux.state.versions import migrations

COMPLAINTS = 3
"""Complaints that are told; a damaged file may have thousands."""

HEADING = "*** in database main ***"


@dataclass(frozen=True, slots=True)
class Examined:
    """What there is."""

    size: int
    """Bytes, with the write-ahead log."""
    version: int
    ours: int
    """The version that this program writes."""
    complaints: tuple[str, ...]
    """What SQLite finds wrong in it."""


def examine(directory: Path) -> Examined | None:
    """Look at the database of a state directory; None where there is none yet. Raises StateError."""
    path = directory / DATABASE
    if not _exists(path):
        return None
    log = path.with_name(f"{path.name}-wal")
    # without a log nobody has it open, and SQLite would leave files of ours beside it
    how = "mode=ro" if _exists(log) else "immutable=1"
    size = path.stat().st_size + (log.stat().st_size if _exists(log) else 0)
    with our_errors(path), closing(sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True)) as database:
        owner, version = (_number(database, f"PRAGMA {what}") for what in ("application_id", "user_version"))
        if owner != APPLICATION_ID:
            raise StateForeign(f"{path} is another program's database")
        found = database.execute(f"PRAGMA quick_check({COMPLAINTS})").fetchall()
    complaints = tuple(_in_a_line(str(each)) for (each,) in found if each != "ok")
    return Examined(size, version, len(migrations()), complaints)


def _in_a_line(complaint: str) -> str:
    """What SQLite says in several lines, the first of them a heading."""
    return "; ".join(complaint.removeprefix(HEADING).split("\n")).removeprefix("; ")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise StateError(f"{path} cannot be looked at: {os.strerror(error.errno or 0)}") from error


def _number(database: sqlite3.Connection, query: str) -> int:
    (number,) = database.execute(query).fetchone()
    return int(number)
