"""The accounts' tokens: in the database, and in a copy beside it."""

import json
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
from netaflux.state.saved import Saved, all_saved, put
from netaflux.state.spare import read_spares, write_spare


class StoredTokens:
    """Keeps each account's tokens; what `save` has returned from survives a power cut."""

    def __init__(
        self, database: Database, directory: Path, clock: Clock, saved: dict[AccountName, Saved]
    ) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._saved = saved
        """The newest of each account that is safe on disk, in the database or in a copy."""
        self._ahead: set[AccountName] = set()
        """Accounts whose newest record stands in the copy alone."""
        self._serials = count(1)

    @classmethod
    async def open(cls, database: Database, directory: Path, clock: Clock) -> Self:
        """Read what is there. Raises StateError."""
        tokens = cls(database, directory, clock, await database.run(all_saved))
        copies = dict(read_spares(directory))
        for account, copy in copies.items():
            if tokens._is_better(account, copy):
                tokens._saved[account] = copy
                tokens._ahead.add(account)
        for account, saved in tokens._saved.items():
            if copies.get(account) != saved:
                tokens._copy(account, saved)
        tokens._serials = count(1 + max((saved.serial for saved in tokens._saved.values()), default=0))
        return tokens

    async def load(self, account: AccountName) -> TokenRecord:
        """What is known of the account; an empty record for a new one.

        Raises StateError where it is damaged.
        """
        if account in self._ahead:
            with suppress(StateError):  # the copy is as safe as the database
                await self._commit(account, self._saved[account])
        saved = self._saved.get(account)
        record = TokenRecord() if saved is None else saved.record()
        if record is None:
            # without a cause: it would carry the tokens' text
            raise StateError(
                f"The tokens of account {account} are damaged", advice="Run `netaflux authorize`."
            )
        return record

    async def save(self, account: AccountName, record: TokenRecord) -> None:
        """Replace the account's record, durably; not to be cancelled, or the copy is not written.

        Raises StateError where neither the database nor a file takes it; with an intent, where the database
        does not: a token that can wait is not to be spent while what it brings has no sure place.
        """
        saved = Saved(next(self._serials), json.dumps(record.to_json()))
        if record.intent is not None:
            await self._commit(account, saved)
            self._copy(account, saved)
            return
        try:
            await self._commit(account, saved)
        except StateError as error:
            self._spare(account, saved, error)
        else:
            self._copy(account, saved)

    async def _commit(self, account: AccountName, saved: Saved) -> None:
        work = partial(put, account=account, saved=saved, now=self._clock.now())
        await self._database.run(work, then=lambda _: self._committed(account, saved))

    def _committed(self, account: AccountName, saved: Saved) -> None:
        self._note(account, saved)
        # a newer record may have gone to the copy meanwhile
        if self._saved[account] is saved:
            self._ahead.discard(account)

    # The copy is not written in another thread, although it waits for the disk: it is small and rare, and so
    # nothing can come between a commit and its copy, neither another save nor a cancelled task.

    def _copy(self, account: AccountName, saved: Saved) -> None:
        if self._saved[account] == saved:
            with suppress(OSError):  # an older one does no harm: its serial tells
                write_spare(self._directory, account, saved)

    def _spare(self, account: AccountName, saved: Saved, cause: StateError) -> None:
        try:
            write_spare(self._directory, account, saved)
        except OSError as error:
            reason = f"{cause.message}; nor does a file beside it take them: {error.strerror}"
            raise StateError(f"The tokens of account {account} cannot be kept: {reason}") from error
        self._ahead.add(account)
        self._note(account, saved)

    def _note(self, account: AccountName, saved: Saved) -> None:
        known = self._saved.get(account)
        if known is None or known.serial < saved.serial:
            self._saved[account] = saved

    def _is_better(self, account: AccountName, copy: Saved) -> bool:
        """Whether a copy is to be preferred: it is newer, or what the database has is no record any more."""
        known = self._saved.get(account)
        if known is None or copy.record() is None:
            return known is None
        return known.serial < copy.serial or known.record() is None
