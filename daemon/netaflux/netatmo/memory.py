"""Stores that last as long as the process: for programs that keep their tokens themselves."""

from collections.abc import Awaitable, Callable

from netaflux.core.budget import BudgetRecord
from netaflux.core.model import AccountName
from netaflux.core.tokens import TokenPair, TokenRecord


class TokensInMemory:
    """Hands each new pair to its owner, and returns when that has kept it."""

    def __init__(self, save: Callable[[TokenPair], Awaitable[None]]) -> None:
        self._save = save
        self._kept: TokenPair | None = None

    async def load(self, account: AccountName) -> TokenRecord:  # noqa: ARG002 - there is one account
        """Nothing is known of an account but what it was opened with."""
        return TokenRecord()

    async def save(self, account: AccountName, record: TokenRecord) -> None:  # noqa: ARG002 - the same
        """Have a new pair kept; all else of the record is the process's. Raises what the owner raises."""
        if record.pair is not None and record.pair != self._kept:
            await self._save(record.pair)
            self._kept = record.pair


class BudgetsInMemory:
    """The leases of this process."""

    def __init__(self) -> None:
        self._records: dict[str, BudgetRecord] = {}

    async def load(self, scope: str) -> BudgetRecord:
        """What this process knows of the scope."""
        return self._records.get(scope, BudgetRecord())

    async def save(self, scope: str, record: BudgetRecord) -> None:
        """Replace the scope's record."""
        self._records[scope] = record
