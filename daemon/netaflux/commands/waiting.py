"""Until when calls wait for Netatmo's limits, and why.

closed          no call can be made for a while: a command that comes to wait for that says so at once
waiting_until   the history's next call is far off: closed, or this hour's calls are used up
"""

from collections.abc import Iterable
from math import isfinite

from netaflux.app import App, Connected
from netaflux.commands.words import Json
from netaflux.core.budget import BudgetState
from netaflux.core.forecast import Forecast

SOON = 15.0
"""Seconds that are not worth a word: the window of ten seconds is full whenever there is much to do."""
USED_UP = "the calls of this hour are used up"


def closed(app: App) -> Json | None:
    """The budget that is closed, or used up, while calls wait for it, if there is one."""
    for state in _scopes(app, app.accounts.values()):
        if state.waiting and state.closed_until is not None:
            return {"scope": state.scope, "until": state.closed_until, "reason": state.reason}
        if state.waiting and isfinite(state.wait) and state.wait > SOON:
            until = app.clock.now() + state.wait
            return {"scope": state.scope, "until": until, "reason": state.reason or USED_UP}
    return None


def waiting(app: App, accounts: Iterable[Connected]) -> Json:
    """`waiting_until` (unix seconds, null where calls are made) and `reason`, of these accounts' history."""
    waits = [
        (wait, _reason(account, shared))
        for account, shared in _waiting(app, accounts)
        if isfinite(wait := forecast(account, shared).wait) and wait > SOON
    ]
    if not waits:
        return {"waiting_until": None, "reason": ""}
    wait, reason = max(waits)  # one account that can go on does; what people wait for is the last of them
    return {"waiting_until": app.clock.now() + wait, "reason": reason}


def forecast(*states: BudgetState, pace: float = 0.0) -> Forecast:
    """What these budgets together let the history do."""
    return Forecast([state.supply for state in states if state.supply], pace)


def _waiting(app: App, accounts: Iterable[Connected]) -> Iterable[tuple[BudgetState, BudgetState]]:
    shared = app.budget.state()
    states = (connected.gate.state() for connected in accounts)
    return ((state, shared) for state in states if state.waiting)


def _reason(*states: BudgetState) -> str:
    return next((state.reason for state in states if state.reason), USED_UP)


def _scopes(app: App, accounts: Iterable[Connected]) -> Iterable[BudgetState]:
    return (*(connected.gate.state() for connected in accounts), app.budget.state())
