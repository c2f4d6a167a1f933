"""The gate that every call to Netatmo's API passes, so that no limit is ever exceeded."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from netaflux.core.budget import BudgetState
from netaflux.core.caution import TOGETHER
from netaflux.core.limits import Limit
from netaflux.core.model import AccountName, Lane
from netaflux.netatmo.scope import Scope, World
from netaflux.netatmo.turns import Permit, Turns


class Gate:
    """One account's way to the API: a permit of the account's limits and one of the app's for every call."""

    def __init__(self, account: AccountName, scope: Scope, budget: "Budget") -> None:
        self._account = account
        self._scope = scope
        self._budget = budget

    @asynccontextmanager
    async def permit(self, lane: Lane) -> AsyncIterator[Permit]:
        """Wait for a permit and hold it for one call. Raises StateError.

        Tell it when the call has succeeded. One that is a `probe` is for a survey and for nothing else; one
        that is `void` when the call comes to be sent is for nothing at all: ask for another.
        """
        turns = self._budget.turns
        permit = await turns.admit(self._scope, lane)
        try:
            yield permit
        finally:
            turns.answered(permit)

    @property
    def wait(self) -> float:
        """Seconds until a live call can have its permit; infinite where that takes an answer first."""
        return self._budget.wait(self._scope)

    async def pause(self, seconds: float, reason: str) -> None:
        """Let the account make no call for so long, an hour at most: Netatmo wants to be left alone."""
        self._scope.pause(seconds, reason)
        await self._scope.save()

    async def refused(self, permit: Permit, seconds: float | None, reason: str) -> None:
        """Netatmo said that a limit is reached, and maybe for how many seconds to stay away."""
        await self._budget.refused(self._scope, permit, seconds, reason)

    def share(self) -> "LiveShare":
        """A part of the account's live polling, beside all others."""
        return LiveShare(self._account, self._budget)

    def state(self) -> BudgetState:
        """What status shows of the account's budget."""
        return self._scope.state(self._budget.turns.waiting(self._scope))


class LiveShare:
    """What one kind of an account's modules needs; what the limits leave is for all kinds together."""

    def __init__(self, account: AccountName, budget: "Budget") -> None:
        self._account = account
        self._budget = budget
        self.wish = 0.0
        """Calls an hour, if nothing were short."""
        self.need = 0.0
        """Calls an hour that are going to be made."""
        budget.join(account, self)

    def stretch(self, wished: float) -> float:
        """By which factor live polling has to be rarer than `wished` calls an hour, for them to suffice.

        The limits of the account and of the app count as they are now, refusals included.
        """
        self.wish = max(0.0, wished)
        return self._budget.stretch(self._account)

    def declare_live_need(self, calls_per_hour: float) -> None:
        """How many calls this is going to make; history leaves them free."""
        self.need = max(0.0, calls_per_hour)
        self._budget.declare(self._account)


class Budget:
    """The limits of the app and of its accounts; there is one for each state directory."""

    def __init__(self, app: Scope, account_limits: tuple[Limit, ...], world: World) -> None:
        self._app = app
        self._account_limits = account_limits
        self._world = world
        self.turns = Turns(app, world.clock)
        """Those who wait."""
        self._scopes: dict[AccountName, Scope] = {}
        self._shares: defaultdict[AccountName, list[LiveShare]] = defaultdict(list)

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
        return Gate(account, self._scopes[account], self)

    def wait(self, scope: Scope) -> float:
        """Seconds until a live call of the account can have its permit."""
        return max(0.0, scope.wait(Lane.LIVE), self._app.wait(Lane.LIVE))

    async def refused(self, scope: Scope, permit: Permit, seconds: float | None, reason: str) -> None:
        """Close the account; and the app, where another account was refused a moment ago."""
        closed = [scope]
        if scope.refuse(permit.part(scope), seconds, reason) and self._another_refused(scope):
            self._app.refuse(permit.part(self._app), seconds, reason)
            closed.append(self._app)
        for each in closed:
            await each.save()

    def _another_refused(self, scope: Scope) -> bool:
        # what was refused before the app reopened has closed it already
        moment = max(self._world.clock.monotonic() - TOGETHER, self._app.reopens())
        return any(other.refused_since(moment) for other in self._scopes.values() if other is not scope)

    def join(self, account: AccountName, share: LiveShare) -> None:
        """Count what it wishes and needs from now on."""
        self._shares[account].append(share)

    def stretch(self, account: AccountName) -> float:
        """By which factor the account's live polling has to be rarer; the app's limit is shared by all."""
        self._scopes[account].live_wish = sum(share.wish for share in self._shares[account])
        self._app.live_wish = sum(scope.live_wish for scope in self._scopes.values())
        return max(self._scopes[account].stretch, self._app.stretch)

    def declare(self, account: AccountName) -> None:
        """What an account's live polling is going to make; the app's is that of all accounts."""
        self._scopes[account].live_need = sum(share.need for share in self._shares[account])
        self._app.live_need = sum(scope.live_need for scope in self._scopes.values())

    def state(self) -> BudgetState:
        """What status shows of the app's budget, with the calls of all accounts."""
        return self._app.state(self.turns.waiting())

    async def _end(self) -> None:
        await self.turns.end()
        for scope in (*self._scopes.values(), self._app):
            await scope.end()
