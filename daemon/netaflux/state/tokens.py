"""The accounts' tokens: in the database, or in a spare file until the database takes them."""

import json
import sqlite3
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Self

from netaflux.core.errors import StateError
from netaflux.core.model import AccountName
from netaflux.core.ports import Clock
from netaflux.core.tokens import TokenRecord
from netaflux.state.database import Database
from netaflux.state.spare import Saved, read_spares, remove_spare, write_spare


class StoredTokens:
    """Keeps each account's tokens; what `save` has returned from survives a power cut."""

    def __init__(
        self, database: Database, directory: Path, clock: Clock, saved: dict[AccountName, Saved]
    ) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._saved = saved
        """The newest of each account that is safe on disk, in the database or in a spare file."""
        self._spared: set[AccountName] = set()
        """Accounts with a spare file."""
        self._serials = count(1)

    @classmethod
    async def open(cls, database: Database, directory: Path, clock: Clock) -> Self:
        """Read what is there. Raises StateError."""
        tokens = cls(database, directory, clock, await database.run(_all))
        for account, spare in read_spares(directory):
            tokens._spared.add(account)
            tokens._note(account, spare)
        tokens._serials = count(1 + max((saved.serial for saved in tokens._saved.values()), default=0))
        return tokens

    async def load(self, account: AccountName) -> TokenRecord:
        """What is known of the account; an empty record for a new one.

        Raises StateError where it is damaged.
        """
        if account in self._spared:
            with suppress(StateError):  # the spare file is as safe as the database
                await self._commit(account, self._saved[account])
        saved = self._saved.get(account)
        return TokenRecord() if saved is None else _record(account, saved)

    async def save(self, account: AccountName, record: TokenRecord) -> None:
        """Replace the account's record, durably; not to be cancelled, or the spare file is not written.

        Raises StateError where neither the database nor a file takes it.
        """
        saved = Saved(next(self._serials), json.dumps(record.to_json()))
        try:
            await self._commit(account, saved)
        except StateError as error:
            self._spare(account, saved, error)

    async def _commit(self, account: AccountName, saved: Saved) -> None:
        work = partial(_write, account=account, saved=saved, now=self._clock.now())
        await self._database.run(work, then=lambda _: self._committed(account, saved))

    def _committed(self, account: AccountName, saved: Saved) -> None:
        self._note(account, saved)
        # a newer record may have gone to the spare file meanwhile
        if account in self._spared and self._saved[account] is saved:
            remove_spare(self._directory, account)
            self._spared.discard(account)

    def _spare(self, account: AccountName, saved: Saved, cause: StateError) -> None:
        # not in another thread, although it waits for the disk: it is small and rare, and so nothing can
        # come between the failed commit and the file, neither another save nor a cancelled task
        try:
            write_spare(self._directory, account, saved)
        except OSError as error:
            reason = f"{cause.message}; nor does a file beside it take them: {error.strerror}"
            raise StateError(f"The tokens of account {account} cannot be kept: {reason}") from error
        self._spared.add(account)
        self._note(account, saved)

    def _note(self, account: AccountName, saved: Saved) -> None:
        known = self._saved.get(account)
        if known is None or known.serial < saved.serial:
            self._saved[account] = saved


def _all(connection: sqlite3.Connection) -> dict[AccountName, Saved]:
    rows = connection.execute("SELECT name, serial, record FROM accounts")
    return {AccountName(name): Saved(serial, text) for name, serial, text in rows}


def _write(connection: sqlite3.Connection, account: AccountName, saved: Saved, now: float) -> None:
    connection.execute(
        "INSERT INTO accounts (name, serial, record, saved_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE"
        " SET serial = excluded.serial, record = excluded.record, saved_at = excluded.saved_at"
        " WHERE excluded.serial > serial",  # a spare file's record may come after a newer one
        (account, saved.serial, saved.text, now),
    )


def _record(account: AccountName, saved: Saved) -> TokenRecord:
    try:
        return TokenRecord.from_json(json.loads(saved.text))
    except (ValueError, TypeError, KeyError, AttributeError):
        # without the cause: it would carry the tokens' text
        raise StateError(
            f"The tokens of account {account} are damaged", advice="Run `netaflux authorize`."
        ) from None
