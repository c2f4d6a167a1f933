"""What has become of databases that were damaged, for people to look at."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from netaflux.state.database import Database
from netaflux.state.faults import UNREADABLE_JSON

T = TypeVar("T")


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
        Rescue(directory / aside, reason, _told(saved, dict), _told(lost, list))
        for aside, reason, saved, lost in rows
    ]


def _told(text: str, kind: type[T]) -> T:
    """What is written there; nothing where that cannot be read."""
    with suppress(*UNREADABLE_JSON):
        if isinstance(told := json.loads(text), kind):
            return told
    return kind()


def _all(connection: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    return connection.execute("SELECT aside, reason, saved, lost FROM rescues ORDER BY aside").fetchall()
