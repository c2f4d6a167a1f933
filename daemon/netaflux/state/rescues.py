"""What has become of databases that were damaged, for people to look at."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netaflux.state.database import Database


@dataclass(frozen=True, slots=True)
class Rescue:
    """A damaged database that was set aside."""

    aside: Path
    """Where it lies, for as long as nobody deletes it."""
    reason: str
    saved: Mapping[str, int]
    """How many rows of each table were carried over."""
    lost: Sequence[str]
    """The tables of which something was not."""


async def all_rescues(database: Database, directory: Path) -> Sequence[Rescue]:
    """All of them, the newest last. Raises StateError."""
    rows = await database.run(_all)
    return [
        Rescue(directory / aside, reason, json.loads(saved), json.loads(lost))
        for aside, reason, saved, lost in rows
    ]


def _all(connection: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    return connection.execute("SELECT aside, reason, saved, lost FROM rescues ORDER BY aside").fetchall()
