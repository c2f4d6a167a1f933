"""Netatmo's limits as strict sliding windows, and how live polling and history share them: pure.

Strict means: counted at Netatmo's door, no window of a limit ever holds more calls than the limit allows.
A call may arrive there at any moment between its sending and its answer, so its permit is used until a whole
window after the answer.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from netaflux.core.model import Lane

HOUR = 3600.0

LIVE_MARGIN = 1.25
"""What is kept free for live polling, by what it is expected to need."""
MOST_FOR_LIVE = 0.7
"""The share of an hour's calls beyond which live polling has to become rarer."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `permits` calls in any stretch of `seconds`."""

    permits: int
    seconds: float

    def __post_init__(self) -> None:
        if self.permits < 1:
            raise ValueError(f"a limit of {self.permits} calls would never let one pass")

    @property
    def hold(self) -> float:
        """How many seconds a permit stays used after its call's answer.

        A thousandth is added, for Netatmo's clock and ours do not tick alike.
        """
        return self.seconds * 1.001

    def for_history(self, live_per_hour: float = 0.0) -> int:
        """What the history may use, where live polling is expected to make so many calls an hour.

        That and a quarter more stays free, a fifth of the limit at least; but never less than a tenth of it,
        and one permit, is the history's.
        """
        live = math.ceil(round(live_per_hour * self.seconds / HOUR * LIVE_MARGIN, 6))
        free = max(math.ceil(self.permits / 5), live)
        return max(math.ceil(self.permits / 10), self.permits - free)


def stretch(live_per_hour: float, per_hour: int) -> float:
    """By which factor live polling has to be rarer, so that it needs no more than 70 % of an hour's calls."""
    return max(1.0, live_per_hour / (MOST_FOR_LIVE * per_hour))


def limits(per_10_seconds: int, per_hour: int) -> tuple[Limit, Limit]:
    """The two windows in which Netatmo counts, for a user as for an app (Netatmo's guide)."""
    return Limit(per_10_seconds, 10), Limit(per_hour, 3600)


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How much of one limit is used at a moment."""

    limit: Limit
    used: int

    @property
    def left(self) -> int:
        """Permits to be had at once."""
        return max(0, self.limit.permits - self.used)


@dataclass(slots=True)
class _Tally:
    """Permits taken for one purpose: the number of those in flight, the answers of the others in order."""

    flying: int = 0
    answers: list[float] = field(default_factory=list)

    def used(self, now: float, limit: Limit) -> int:
        return self.flying + len(self.answers) - bisect_right(self.answers, now - limit.hold)

    def wait(self, now: float, limit: Limit, permits: int) -> float:
        """Seconds until fewer than `permits` are used; infinite where that takes an answer first."""
        old = now - limit.hold
        freed = bisect_right(self.answers, old)
        missing = self.flying + len(self.answers) - freed - permits
        if missing < 0:
            return 0.0
        last = freed + missing
        return self.answers[last] - old if last < len(self.answers) else math.inf

    def made(self, now: float, seconds: float) -> int:
        """Calls in flight or answered in the last seconds."""
        return self.flying + len(self.answers) - bisect_right(self.answers, now - seconds)

    def answered(self, now: float, limit: Limit) -> None:
        """One in flight is no longer; what is older than the limit holds is forgotten."""
        self.flying -= 1
        self.answers.append(now)
        del self.answers[: bisect_right(self.answers, now - limit.hold)]


class Windows:
    """The limits of one scope and the permits used of them; every method is told the (monotonic) time."""

    def __init__(self, limits: Sequence[Limit], answered: Iterable[float] = ()) -> None:
        """Begin with calls of an earlier process, each known to be answered by a moment that has passed.

        Nobody remembers for whom they were: they count as history's, so that live polling keeps its share.
        """
        self.limits = tuple(limits)
        """May be exchanged by others, none longer than the longest of these."""
        self._all = _Tally(answers=sorted(answered))
        self._history = _Tally(answers=list(self._all.answers))
        self._longest = max(self.limits, key=lambda limit: limit.hold)

    def wait(self, now: float, lane: Lane, live_per_hour: float = 0.0) -> float:
        """Seconds until a permit can be had: 0 for at once, infinite where that takes an answer first.

        `live_per_hour` is what live polling is expected to need, and history therefore to leave.
        """
        waits = [self._all.wait(now, limit, limit.permits) for limit in self.limits]
        if lane is Lane.HISTORY:
            waits += [
                self._history.wait(now, limit, limit.for_history(live_per_hour)) for limit in self.limits
            ]
        return max(waits)

    def take(self, now: float, lane: Lane) -> None:
        """Use a permit; there must be one."""
        if self.wait(now, lane) > 0:
            raise ValueError("no permit can be had now")
        for tally in self._tallies(lane):
            tally.flying += 1

    def untake(self, lane: Lane) -> None:
        """Put back a permit whose call was certainly never sent."""
        for tally in self._tallies(lane):
            tally.flying -= 1

    def answered(self, now: float, lane: Lane) -> None:
        """The call of a permit has its answer, or will never have one."""
        for tally in self._tallies(lane):
            tally.answered(now, self._longest)

    def made(self, now: float, seconds: float) -> int:
        """Calls of the last seconds, those in flight included."""
        return self._all.made(now, seconds)

    def made_live(self, now: float, seconds: float) -> int:
        """Live ones among them; an earlier process's are not known to have been."""
        return self.made(now, seconds) - self._history.made(now, seconds)

    def history(self, now: float) -> tuple[float, ...]:
        """By when each of the history's permits in use was answered, ascending; those in flight: now."""
        return (*self._history.answers, *[now] * self._history.flying)

    def uses(self, now: float) -> tuple[LimitUse, ...]:
        """How much of each limit is used."""
        return tuple(LimitUse(limit, self._all.used(now, limit)) for limit in self.limits)

    def _tallies(self, lane: Lane) -> tuple[_Tally, ...]:
        return (self._all, self._history) if lane is Lane.HISTORY else (self._all,)
