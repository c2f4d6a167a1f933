"""What a quota error leads to: staying away, feeling the way back, and making fewer calls for hours.

Netatmo publishes 500 calls an hour, and people report refusals at 14 to 60. So a refusal says that the limit
which is in force is lower than ours, and nobody says by how much:

    closed      no call at all, for as long as Netatmo asks or ten minutes; longer when refused again soon
    feeling     one getstationsdata; the others wait until one has succeeded
    easing      five seconds between calls for ten minutes, half of the calls that an hour held before the
                refusal, a tenth of the configured limit more after each hour without another one
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from netaflux.core.limits import HOUR, Limit
from netaflux.core.moment import Moment

PROBE = "getstationsdata"
"""The one call with which a closed budget reopens: cheap, harmless, and needed anyway."""

CLOSING = 600.0
"""Seconds to stay away where Netatmo does not say for how long."""
SHORTEST_CLOSING = 10.0
LONGEST_CLOSING = HOUR
"""Netatmo counts by the hour, so nothing is gained by staying away for longer."""

PACE = Limit(1, 5)
PACED = 600.0
"""Seconds for which the pace is kept after the reopening."""
LEAST_PER_HOUR = 12
"""Calls an hour that are never gone below: people report refusals from 14 on."""

TOGETHER = 600.0
"""Seconds within which refusals of two accounts mean that the app's limit is reached, not theirs."""


def closing(asked: float | None, before: float = 0.0) -> float:
    """Seconds to stay away: as long as Netatmo asks, but at least twice as long as `before`."""
    wanted = CLOSING if asked is None else asked
    return min(LONGEST_CLOSING, max(SHORTEST_CLOSING, wanted, 2 * before))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """One refusal, and how far the way back from it has been gone. Times are seconds after the refusal."""

    refused: Moment
    length: float
    """How long to stay away."""
    per_hour: int
    """Calls in the first hour after it."""
    reopened: float | None = None
    """When a call succeeded again; None until then."""

    @classmethod
    def after(
        cls, before: Self | None, *, now: Moment, asked: float | None, made: int, hourly: Limit
    ) -> Self:
        """What a refusal leads to, after `made` calls in the hour before it; `before` is what was in force.

        Refused within an hour of the last reopening, it stays away twice as long as then; and being refused
        never raises the rate.
        """
        if before is None:
            length, rate = closing(asked), hourly.permits
        else:
            soon = before.reopened is None or before.since_reopening(now.monotonic) < HOUR
            length = closing(asked, before.length if soon else 0.0)
            rate = before.rate(now.monotonic, hourly)
        per_hour = min(hourly.permits, max(LEAST_PER_HOUR, min(made // 2, rate)))
        return cls(refused=now, length=length, per_hour=per_hour)

    @property
    def opens(self) -> float:
        """When the next call may be made (monotonic seconds)."""
        return self.refused.monotonic + self.length

    def since_reopening(self, now: float) -> float:
        """Seconds for which calls have succeeded again; negative where none has."""
        if self.reopened is None:
            return -1.0
        return now - self.refused.monotonic - self.reopened

    def extended(self, now: float, asked: float) -> Self:
        """A call that was under way was refused too, and told to stay away for longer: only that counts."""
        if self.reopened is not None:
            return self
        until = now - self.refused.monotonic + min(asked, LONGEST_CLOSING)
        return replace(self, length=max(self.length, until))

    def succeeded(self, now: float) -> Self:
        """The first call after the closing has succeeded."""
        return replace(self, reopened=now - self.refused.monotonic)

    def inherited(self, now: Moment) -> Self:
        """The same for a new process, in terms of this boot."""
        return replace(self, refused=now.before(self.refused.age(now)))

    def rate(self, now: float, hourly: Limit) -> int:
        """Calls that an hour may hold now."""
        clean = int(max(0.0, self.since_reopening(now)) // HOUR)
        return min(hourly.permits, self.per_hour + clean * math.ceil(hourly.permits / 10))

    def limits(self, now: float, hourly: Limit) -> tuple[Limit, ...]:
        """The limits of the calls since the reopening, which those before it do not count against."""
        eased = (Limit(self.rate(now, hourly), hourly.seconds),)
        return (PACE, *eased) if self.since_reopening(now) < PACED else eased

    def unchanged(self, now: float) -> float:
        """Seconds until `limits` may be others by themselves."""
        since = self.since_reopening(now)
        if since < 0:
            return math.inf
        return PACED - since if since < PACED else HOUR - since % HOUR

    def over(self, now: float, hourly: Limit) -> bool:
        """Whether all is as the configuration wants it again, and has been for an hour at least."""
        return self.since_reopening(now) >= HOUR and self.rate(now, hourly) >= hourly.permits

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `asdict` made; unknown keys of a later version are left out."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        refused = {key: known["refused"][key] for key in Moment.__dataclass_fields__}
        return cls(**{**known, "refused": Moment(**refused)})
