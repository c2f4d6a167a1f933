"""The gate that every call to Netatmo's API passes, so that no limit is ever exceeded."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from netaflux.core.budget import BudgetState, Limit
from netaflux.core.model import AccountName, Lane
from netaflux.netatmo.scope import Scope, World
from netaflux.netatmo.turns import Turns

CLOSING = 600.0
"""Seconds to stay away after a quota error that does not say for how long."""


class Gate:
    """One account's way to the API: a permit of the account's limits and one of the app's for every call."""

    def __init__(self, scope: Scope, turns: Turns) -> None:
        self._scope = scope
        self._turns = turns

    @asynccontextmanager
    async def permit(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a permit and hold it for one call, whose outcome does not matter. Raises StateError."""
        await self._turns.admit(self._scope, lane)
        try:
            yield
        finally:
            self._turns.answered(self._scope, lane)

    async def close(self, seconds: float | None, reason: str) -> None:
        """Let the account make no call for so long, at most an hour: Netatmo said that a limit is reached."""
        await self._scope.close(CLOSING if seconds is None else seconds, reason)

    def state(self) -> BudgetState:
        """What status shows of the account's budget."""
        return self._scope.state(self._turns.waiting(self._scope))


class Budget:
    """The limits of the app and of its accounts; there is one for each state directory."""

    def __init__(self, app: Scope, account_limits: tuple[Limit, ...], world: World) -> None:
        self._app = app
        self._account_limits = account_limits
        self._world = world
        self._turns = Turns(app, world.clock)
        self._scopes: dict[AccountName, Scope] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, app: tuple[Limit, ...], account: tuple[Limit, ...], world: World
    ) -> AsyncIterator[Self]:
        """Take up the budget where an earlier process left it, and give back at the end what was not used.

        `app` limits the calls of all accounts together, `account` those of each. Raises StateError.
        """
        budget = cls(await Scope.load("app", app, world), account, world)
        try:
            yield budget
        finally:
            await budget._end()

    async def gate(self, account: AccountName) -> Gate:
        """The gate of an account. Raises StateError."""
        if account not in self._scopes:
            scope = await Scope.load(f"account:{account}", self._account_limits, self._world)
            self._scopes.setdefault(account, scope)
        return Gate(self._scopes[account], self._turns)

    def state(self) -> BudgetState:
        """What status shows of the app's budget, with the calls of all accounts."""
        return self._app.state(self._turns.waiting())

    async def _end(self) -> None:
        await self._turns.end()
        for scope in (*self._scopes.values(), self._app):
            await scope.end()
