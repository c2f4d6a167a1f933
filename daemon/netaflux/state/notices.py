"""The notices that are open, and those whose end is still to be told."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import orjson

from netaflux.core.notices import Kind, Matter, Notice
from netaflux.state.database import Database


class StoredNotices:
    """Keeps what a person was told, so that a new start tells nothing twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[Notice]:
        """All there are; one that cannot be read is left out, and told again. Raises StateError."""
        return await self._database.run(_all)

    async def save(self, changes: Mapping[Matter, Notice | None]) -> None:
        """Replace these, and forget those that are None. Raises StateError."""
        await self._database.run(partial(_write, changes=dict(changes)))


def _all(connection: sqlite3.Connection) -> list[Notice]:
    notices = []
    for kind, subject, record in connection.execute("SELECT kind, subject, record FROM notices"):
        with suppress(ValueError, TypeError, KeyError):
            notices.append(Notice.from_json(Matter(Kind(kind), subject), orjson.loads(record)))
    return notices


def _write(connection: sqlite3.Connection, changes: Mapping[Matter, Notice | None]) -> None:
    for (kind, subject), notice in changes.items():
        connection.execute("DELETE FROM notices WHERE kind = ? AND subject = ?", (kind.value, subject))
        if notice is not None:
            connection.execute(
                "INSERT INTO notices (kind, subject, record) VALUES (?, ?, ?)",
                (kind.value, subject, orjson.dumps(notice.to_json()).decode()),
            )
