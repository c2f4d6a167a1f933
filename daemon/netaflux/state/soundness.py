"""Whether a database is as SQLite and we have left it."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from netaflux.core.budget import BudgetRecord
from netaflux.core.errors import StateDamaged, StateForeign
from netaflux.core.lookback import Looks
from netaflux.state.faults import UNREADABLE_JSON, state_error
from netaflux.state.header import log_of
from netaflux.state.versions import migrations, number

_WRONG = {
    "accounts": "SELECT count(*) FROM accounts WHERE typeof(serial) <> 'integer' OR serial >> 62 <> 0",
    "source_rows": "SELECT count(*) FROM source_rows WHERE json_valid(measures) IS NOT 1",
    "coverage": """
        SELECT count(*) FROM (
            SELECT *, lag("end") OVER (PARTITION BY device, destination, channel ORDER BY begin) AS before
            FROM coverage
        )
        WHERE (typeof(destination), typeof(device), typeof(channel)) <> ('text', 'text', 'text')
        OR (typeof(begin), typeof("end")) <> ('integer', 'integer')
        OR begin > "end" OR begin <= before + 1
    """,
}
"""How many rows are not such as we write them."""
_READERS: Mapping[str, Callable[[Any], object]] = {
    "budgets": BudgetRecord.from_json,
    "looks": Looks.from_json,
}
"""What the last column is read with. Tokens are not looked at: a copy of them stands beside the file."""

_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
}
"""Primary codes that say nothing of the file."""


def examine(path: Path) -> None:
    """Read all of the file, at every start; daemon/README.md tells what that costs.

    Nothing is written, so that a file which has to be set aside stays as it was found. Raises StateForeign
    where a newer netaflux wrote it, StateDamaged, StateError.
    """
    try:
        with closing(_reading(path)) as connection:
            ailment = _ailment(connection, path)
    except sqlite3.Error as error:
        told = state_error(path, error)
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if isinstance(told, StateDamaged) or code & 0xFF in _PASSING:
            raise told from error
        # all that was asked is right for a file of ours
        raise StateDamaged(f"{path} is damaged: {error}") from error
    except MemoryError as error:
        raise state_error(path, error) from error
    except UnicodeDecodeError as error:  # what SQLite complains of quotes what it found
        raise StateDamaged(f"{path} is damaged: a name in it cannot be read") from error
    if ailment:
        raise StateDamaged(f"{path} is damaged: {ailment}")


def _reading(path: Path) -> sqlite3.Connection:
    if _has_bytes(path.with_name(f"{path.name}-journal")):
        how = "mode=rw"  # only a writer can undo what the very first start has left half done
    else:
        how = "mode=ro" if _has_bytes(log_of(path)) else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)


def _has_bytes(file: Path) -> bool:
    with suppress(OSError):
        return file.stat().st_size > 0
    return False


def _ailment(connection: sqlite3.Connection, path: Path) -> str | None:
    version, ours = number(connection, "PRAGMA user_version"), len(migrations())
    if version > ours:
        raise StateForeign(f"{path} was written by a newer netaflux (its version is {version}, ours {ours})")
    pages = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if pages != "ok":
        return " ".join(pages.split())
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    wrong = next((table for table in sorted(there) if not makes_sense(connection, table)), None)
    return wrong and f"a row of {wrong} is not what was written"


def makes_sense(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the rows are such as we write them; SQLite's own check looks at pages, not at values."""
    try:
        if table in _WRONG and number(connection, _WRONG[table]):
            return False
        read = _READERS.get(table, str)
        # the many source rows are not worth it: one that has changed is sent once more
        rows = connection.execute(f"SELECT * FROM {table}") if table != "source_rows" else ()  # noqa: S608
        for row in rows:
            read(json.loads(row[-1]) if table in _READERS else row[-1])
    except (sqlite3.Error, *UNREADABLE_JSON):
        return False
    return True
