"""Netatmo's limits as strict sliding windows, and what of them survives a restart.

Strict means: counted at Netatmo's door, no window of a limit ever holds more calls than the limit allows.
A call may arrive there at any moment between its sending and its answer, so its permit is used until a whole
window after the answer.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from netaflux.core.model import Lane

LONGEST_CALL = 60.0
"""Seconds after which a call that was sent has its answer, or has none for good."""

LEASE = 10
"""Permits that are put on disk at a time; a crash forfeits at most these."""


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

    @property
    def for_history(self) -> int:
        """What the history may use: a fifth stays free for live polling, but one permit is always left."""
        return max(1, self.permits - math.ceil(self.permits / 5))


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


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What a scope's budget looks like at a moment, for people."""

    scope: str
    uses: tuple[LimitUse, ...]
    waiting: int
    closed_until: float | None
    """Unix seconds; None while it is open."""
    reason: str


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
        self._all = _Tally(answers=sorted(answered))
        self._history = _Tally(answers=list(self._all.answers))
        self._longest = max(self.limits, key=lambda limit: limit.hold)

    def wait(self, now: float, lane: Lane) -> float:
        """Seconds until a permit can be had: 0 for at once, infinite where that takes an answer first."""
        waits = [self._all.wait(now, limit, limit.permits) for limit in self.limits]
        if lane is Lane.HISTORY:
            waits += [self._history.wait(now, limit, limit.for_history) for limit in self.limits]
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

    def uses(self, now: float) -> tuple[LimitUse, ...]:
        """How much of each limit is used."""
        return tuple(LimitUse(limit, self._all.used(now, limit)) for limit in self.limits)

    def _tallies(self, lane: Lane) -> tuple[_Tally, ...]:
        return (self._all, self._history) if lane is Lane.HISTORY else (self._all,)


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks of a boot."""

    monotonic: float
    wall: float
    boot: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Permits put on disk before the calls they are for; a crash forfeits what was left of them."""

    permits: int
    taken: float
    """Monotonic seconds of the boot."""
    boot: str
    wall: float
    closed: float | None = None
    """Monotonic seconds when the next lease replaced it: all its calls were sent before."""

    def answered(self, now: Moment) -> float:
        """By when (monotonic seconds of this boot) all its calls had their answers, as a new process sees it.

        An open lease may have been used up to the crash, whose moment nobody knows: it counts from now.
        """
        if self.closed is None:
            return now.monotonic
        if self.boot == now.boot:
            return min(now.monotonic, self.closed + LONGEST_CALL)
        age = now.wall - (self.wall + self.closed - self.taken)
        # a clock that was turned back tells nothing about age
        return now.monotonic - max(0.0, age - LONGEST_CALL) if age >= 0 else now.monotonic


def _inherited(lease: Lease, now: Moment) -> Lease:
    """The lease of an earlier process in terms of this boot, over and done with."""
    closed = lease.answered(now) - LONGEST_CALL
    wall = now.wall - (now.monotonic - closed)
    return Lease(lease.permits, taken=closed, boot=now.boot, wall=wall, closed=closed)


def _joined(leases: Iterable[Lease]) -> tuple[Lease, ...]:
    """Closed leases of one minute as one, closed with the last of them: a fast run must not fill the disk."""
    joined: list[Lease] = []
    for lease in leases:
        before = joined[-1] if joined else None
        if before and lease.closed is not None and lease.closed - before.taken < LONGEST_CALL:
            joined[-1] = replace(before, permits=before.permits + lease.permits, closed=lease.closed)
        else:
            joined.append(lease)
    return tuple(joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRecord:
    """All that must survive of a scope's budget."""

    leases: tuple[Lease, ...] = ()
    closed_until: float | None = None
    """Unix seconds before which no call is made, after Netatmo said that a limit is reached."""
    reason: str = ""

    def inherited(self, now: Moment, limits: Sequence[Limit]) -> Self:
        """What a new process must reckon with: all leases closed, in terms of this boot, old ones gone."""
        closed = sorted((_inherited(lease, now) for lease in self.leases), key=lambda lease: lease.taken)
        return replace(self, leases=_fresh(closed, now, limits))

    def leased(self, permits: int, now: Moment, limits: Sequence[Limit]) -> Self:
        """With a new open lease; the one before is closed."""
        closed = _joined(_fresh(self._closed(now), now, limits))
        return replace(self, leases=(*closed, Lease(permits, now.monotonic, now.boot, now.wall)))

    def given_back(self, unused: int, now: Moment) -> Self:
        """With the open lease closed and cut down to what was used of it."""
        leases = self._closed(now)
        if self.leases and self.leases[-1].closed is None:
            leases[-1] = replace(leases[-1], permits=leases[-1].permits - unused)
        return replace(self, leases=tuple(lease for lease in leases if lease.permits))

    def answers(self) -> list[float]:
        """By when each permit of the closed leases counts as answered (monotonic seconds)."""
        return [
            lease.closed + LONGEST_CALL
            for lease in self.leases
            if lease.closed is not None
            for _ in range(lease.permits)
        ]

    def _closed(self, now: Moment) -> list[Lease]:
        return [
            lease if lease.closed is not None else replace(lease, closed=now.monotonic)
            for lease in self.leases
        ]

    def to_json(self) -> dict[str, object]:
        """Plain data for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """The record that `to_json` made; unknown keys of a later version are left out."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        known["leases"] = tuple(Lease(**lease) for lease in known.get("leases") or ())  # type: ignore[attr-defined]
        return cls(**known)  # type: ignore[arg-type]


def _fresh(leases: Iterable[Lease], now: Moment, limits: Sequence[Limit]) -> tuple[Lease, ...]:
    """The leases that some window still holds."""
    longest = max(limit.hold for limit in limits)
    return tuple(
        lease
        for lease in leases
        if lease.closed is None or lease.closed + LONGEST_CALL + longest > now.monotonic
    )


def lease_size(limits: Sequence[Limit]) -> int:
    """How many permits to lease at a time: few where a crash's forfeit would weigh heavily."""
    longest = max(limits, key=lambda limit: limit.seconds)
    return max(1, min(LEASE, longest.permits // 4))
