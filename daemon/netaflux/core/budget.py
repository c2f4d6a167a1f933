"""What survives a restart of the budget of a scope, an account or the app, and what people see of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from netaflux.core.caution import Caution
from netaflux.core.limits import Limit, LimitUse
from netaflux.core.moment import Moment

LONGEST_CALL = 60.0
"""Seconds after which a call that was sent has its answer, or has none for good."""

LEASE = 10
"""Permits that are put on disk at a time; a crash forfeits at most these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a scope can grant to the history from a moment on; times are monotonic seconds."""

    now: float
    opens: float
    """When calls may be made (again)."""
    limits: tuple[Limit, ...]
    live: float = 0.0
    """Calls an hour that live polling is expected to make."""
    answers: tuple[float, ...] = ()
    """By when each of the history's calls that the limits still hold was answered, ascending."""
    caution: Caution | None = None
    answers_since: tuple[float, ...] = ()
    """Those of them that the caution's own limits count."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What a scope's budget looks like at a moment, for people."""

    scope: str
    uses: tuple[LimitUse, ...]
    left: tuple[int, ...]
    """The calls that each of these limits still leaves; a closing and a refusal leave fewer."""
    waiting: int
    closed_until: float | None
    """Unix seconds; None while it is open."""
    reason: str
    """Why it is closed, or grants fewer calls than configured; empty otherwise."""
    wait: float = 0.0
    """Seconds until a live call can have its permit; infinite where that takes an answer first."""
    feeling: bool = False
    """Whether it was closed, and the call that shows that it can be open again is still to succeed."""
    per_hour: int | None = None
    """Calls an hour that it grants after a refusal; None where those of the configuration."""
    stretch: float = 1.0
    """By which factor live polling has to be rarer than it would like, for its need to fit."""
    supply: Supply | None = None
    """What the history can have of it, for those who forecast."""


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
        last = Moment(self.closed, self.wall + self.closed - self.taken, self.boot)
        return now.monotonic - max(0.0, last.age(now) - LONGEST_CALL)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The lease that `asdict` made; unknown keys of a later version are left out."""
        return cls(**{key: value for key, value in data.items() if key in cls.__dataclass_fields__})


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
    caution: Caution | None = None
    """What is left of the last refusal; None where nothing is."""

    def inherited(self, now: Moment, limits: Sequence[Limit]) -> Self:
        """What a new process must reckon with: all leases closed, in terms of this boot, old ones gone."""
        closed = sorted((_inherited(lease, now) for lease in self.leases), key=lambda lease: lease.taken)
        caution = self.caution.inherited(now) if self.caution else None
        return replace(self, leases=_fresh(closed, now, limits), caution=caution)

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
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The record that `to_json` made; unknown keys of a later version are left out."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        known["leases"] = tuple(Lease.from_json(lease) for lease in known.get("leases") or ())
        caution = known.get("caution")
        known["caution"] = Caution.from_json(caution) if caution else None
        return cls(**known)


def _fresh(leases: Iterable[Lease], now: Moment, limits: Sequence[Limit]) -> tuple[Lease, ...]:
    """The leases that some window still holds."""
    longest = max(limit.hold for limit in limits)
    return tuple(
        lease
        for lease in leases
        if lease.closed is None or lease.closed + LONGEST_CALL + longest > now.monotonic
    )


def lease_size(limits: Sequence[Limit]) -> int:
    """How many permits to lease at a time: few where a crash's forfeit would weigh heavily.

    Where there are thousands an hour it is a hundredth of them: each lease waits for the disk.
    """
    longest = max(limits, key=lambda limit: limit.seconds)
    return max(1, min(max(LEASE, longest.permits // 100), longest.permits // 4))
