"""The lowest and highest temperature and humidity of a stretch of time, from the rows themselves.

Netatmo's own daily extremes are those of the day so far as of the newest row, and its coarser scales begin
where their buckets do: neither is the last 24 hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from netaflux.core.daytime import day_of, last_24_hours
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.core.model import Measure, Number, Row, Window

Frame = Literal["last24", "day"]


@dataclass(frozen=True, slots=True)
class Extreme:
    """A value, and the first moment it was measured at, unix seconds."""

    value: Number
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """What a sensor has measured at least and at most; None of what it does not measure, or did not then."""

    window: Window
    coldest: Extreme | None = None
    warmest: Extreme | None = None
    driest: Extreme | None = None
    dampest: Extreme | None = None

    @property
    def values(self) -> tuple[Number | None, Number | None, Number | None, Number | None]:
        """Lowest and highest temperature in °C, lowest and highest humidity in %."""
        found = (self.coldest, self.warmest, self.driest, self.dampest)
        low, high, dry, damp = (None if each is None else each.value for each in found)
        return low, high, dry, damp


def frame_of(frame: Frame, now: float, zone: str | None) -> Window:
    """The last 24 hours up to `now`, or the calendar day of that zone."""
    return last_24_hours(now) if frame == "last24" else day_of(now, zone)


def extremes_of(rows: Sequence[Row], measures: Sequence[Measure], window: Window) -> Extremes:
    """Of the rows of a window, whose values belong to `measures`."""
    coldest, warmest = _lowest_and_highest(rows, measures, TEMPERATURE)
    driest, dampest = _lowest_and_highest(rows, measures, HUMIDITY)
    return Extremes(window=window, coldest=coldest, warmest=warmest, driest=driest, dampest=dampest)


def _lowest_and_highest(
    rows: Sequence[Row], measures: Sequence[Measure], measure: Measure
) -> tuple[Extreme | None, Extreme | None]:
    if measure not in measures:
        return None, None
    column = measures.index(measure)
    known = [Extreme(value, row.time) for row in rows if (value := row.values[column]) is not None]
    if not known:
        return None, None
    return min(known, key=lambda each: each.value), max(known, key=lambda each: each.value)
