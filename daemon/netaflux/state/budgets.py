"""What has been leased of Netatmo's limits, per scope."""

import json
import sqlite3
from functools import partial

from netaflux.core.budget import BudgetRecord
from netaflux.core.errors import StateError
from netaflux.state.database import Database
from netaflux.state.faults import UNREADABLE_JSON


class StoredBudgets:
    """Keeps what has been leased of Netatmo's limits, per scope (an account, or the app)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, scope: str) -> BudgetRecord:
        """What is known of the scope; an empty record for a new one. Raises StateError."""
        text = await self._database.run(partial(_read, scope=scope))
        try:
            return BudgetRecord() if text is None else BudgetRecord.from_json(json.loads(text))
        except UNREADABLE_JSON as error:
            raise StateError(f"The budget of {scope} is damaged: {error}") from error

    async def save(self, scope: str, record: BudgetRecord) -> None:
        """Replace the scope's record, durably. Raises StateError."""
        await self._database.run(partial(_write, scope=scope, text=json.dumps(record.to_json())))


def _read(connection: sqlite3.Connection, scope: str) -> str | None:
    row = connection.execute("SELECT record FROM budgets WHERE scope = ?", (scope,)).fetchone()
    return None if row is None else str(row[0])


def _write(connection: sqlite3.Connection, scope: str, text: str) -> None:
    connection.execute("INSERT OR REPLACE INTO budgets (scope, record) VALUES (?, ?)", (scope, text))
