"""When the history's next calls can be made, as the limits are used now: pure.

A window of a limit holds so many calls, and lets one more pass when the first of them leaves it. So the
moments of the calls to come follow from those of the calls that were made:

    call i ≥ call i-1 + what one takes      the pace at which calls are made where nothing hinders them
    call i ≥ call i-permits + hold          for every limit, of the account and of the app
    call i ≥ the reopening                  where the budget is closed, and then as slowly as caution wants it
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netaflux.core.budget import Supply
from netaflux.core.caution import Caution
from netaflux.core.limits import Limit

BLINK = 0.001
"""Seconds that no clock can tell from nothing."""
CYCLES = 3
"""Times that the longest window is followed call by call; from then on it only repeats itself."""
FOLLOWED = 4000
"""Calls that are followed one by one after a refusal, for then no hour is like the one before."""


@dataclass(slots=True)
class _Window:
    """The calls that one limit counts, and those to come as they are foreseen."""

    limit: Limit
    live: float
    answers: list[float]

    def free(self, limit: Limit) -> float:
        """When the next call can be made, with that limit in force."""
        permits = limit.for_history(self.live)
        return self.answers[-permits] + limit.hold if len(self.answers) >= permits else -math.inf


@dataclass(slots=True)
class _Easing:
    """The limits after a refusal, which change by themselves."""

    window: _Window
    caution: Caution
    hourly: Limit

    def free(self, moment: float) -> float:
        """When the next call can be made, from that moment on."""
        while not self.caution.over(moment, self.hourly):
            limits = self.caution.limits(moment, self.hourly)
            free = max(self.window.free(limit) for limit in limits)
            if free <= moment:
                break
            moment = min(free, moment + max(self.caution.unchanged(moment), BLINK))
        return moment


@dataclass(slots=True)
class _Scope:
    """What one scope grants, call by call."""

    opens: float
    windows: list[_Window]
    easing: _Easing | None = None

    @classmethod
    def of(cls, supply: Supply) -> "_Scope":
        windows = [_Window(limit, supply.live, list(supply.answers)) for limit in supply.limits]
        scope = cls(supply.opens, windows)
        if supply.caution is not None:
            hourly = max(supply.limits, key=lambda limit: limit.seconds)
            since = _Window(hourly, supply.live, list(supply.answers_since))
            scope.easing = _Easing(since, _reopened(supply.caution, supply.now), hourly)
        return scope

    def free(self, moment: float) -> float:
        """When the next call can be made, from that moment on."""
        moment = max([moment, self.opens, *(window.free(window.limit) for window in self.windows)])
        return self.easing.free(moment) if self.easing else moment

    def take(self, moment: float) -> None:
        """A call is made then, and answered at once."""
        for window in self.windows:
            window.answers.append(moment)
        if self.easing:
            self.easing.window.answers.append(moment)


def _reopened(caution: Caution, now: float) -> Caution:
    """As if the first call after the closing succeeds: nobody can foresee another refusal."""
    return caution if caution.reopened is not None else caution.succeeded(max(now, caution.opens))


@dataclass(slots=True)
class Forecast:
    """The calls to come of those who share these budgets."""

    supplies: Sequence[Supply]
    pace: float = 0.0
    """Seconds from one call to the next where no limit hinders them."""

    def seconds(self, calls: int) -> float:
        """Until so many more calls are made, and the last is answered; 0 for none."""
        if calls <= 0 or not self.supplies:
            return max(0, calls) * self.pace
        if all(_unhindered(supply, calls) for supply in self.supplies):
            return calls * self.pace
        cycle = self._cycle
        eased = any(supply.caution for supply in self.supplies)
        known = max(CYCLES * cycle, FOLLOWED if eased else 0)
        if calls <= known:
            return self._made(calls)[-1]
        made = self._made(known)
        rounds, rest = divmod(calls - known - 1, cycle)
        # `rest` calls into the last cycle, and so many whole cycles later
        return made[known - cycle + rest] + (rounds + 1) * (made[-1] - made[-1 - cycle])

    @property
    def wait(self) -> float:
        """Seconds until the next call can be made."""
        return Forecast(self.supplies).seconds(1)

    @property
    def _cycle(self) -> int:
        """Calls after which the windows are as they were."""
        every = ((max(s.limits, key=lambda limit: limit.seconds), s.live) for s in self.supplies)
        return min(limit.for_history(live) for limit, live in every)

    def _made(self, calls: int) -> list[float]:
        """After how many seconds each of so many calls is answered."""
        scopes = [_Scope.of(supply) for supply in self.supplies]
        now = moment = self.supplies[0].now
        made = []
        for _ in range(calls):
            moment = _free(scopes, moment) + self.pace
            for scope in scopes:
                scope.take(moment)
            made.append(moment - now)
        return made


def _unhindered(supply: Supply, calls: int) -> bool:
    """Whether all its limits have room for so many calls as it is, as where a person has set them high."""
    room = min(limit.for_history(supply.live) for limit in supply.limits) - len(supply.answers)
    return calls <= room and supply.opens <= supply.now and supply.caution is None


def _free(scopes: Iterable[_Scope], moment: float) -> float:
    """When all of them let a call pass."""
    while (later := max(scope.free(moment) for scope in scopes)) > moment:
        moment = later
    return moment
