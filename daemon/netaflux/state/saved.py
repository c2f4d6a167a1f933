"""An account's tokens as they are written down, and their table."""

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Final

from netaflux.core.model import AccountName
from netaflux.core.tokens import TokenRecord
from netaflux.state.faults import UNREADABLE_JSON

SERIALS_END: Final = 1 << 62
"""Far more records than will ever be saved, and no more than SQLite has room for."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A record as it is written down."""

    serial: int
    """Grows with every save: of two copies, the greater one is the newer."""
    text: str = field(repr=False)

    def record(self) -> TokenRecord | None:
        """The record; None where it is damaged."""
        try:
            return TokenRecord.from_json(json.loads(self.text))
        except UNREADABLE_JSON:
            return None


def is_serial(number: object) -> bool:
    """Whether it is such as we number records with."""
    return isinstance(number, int) and 0 < number < SERIALS_END


def all_saved(connection: sqlite3.Connection) -> dict[AccountName, Saved]:
    """Every account's in the database."""
    rows = connection.execute("SELECT name, serial, record FROM accounts")
    # one with a number that we would never write is older than any other
    return {AccountName(name): Saved(serial if is_serial(serial) else 0, text) for name, serial, text in rows}


def put(connection: sqlite3.Connection, account: AccountName, saved: Saved, now: float) -> None:
    """Replace the account's, unless what is there is newer."""
    connection.execute(
        "INSERT INTO accounts (name, serial, record, saved_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE"
        " SET serial = excluded.serial, record = excluded.record, saved_at = excluded.saved_at"
        " WHERE excluded.serial > serial",  # a copy's record may come after a newer one
        (account, saved.serial, saved.text, now),
    )
