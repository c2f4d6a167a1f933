"""How long a boiler burned: getmeasure's `boileron` and `boileroff`, in seconds whatever the server sends."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from netaflux.core.errors import UsageError
from netaflux.core.model import Measure, Number, Page
from netaflux.core.near import did_you_mean

MINUTE: Final = 60
HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Buckets:
    """One of getmeasure's scales."""

    scale: str
    lengths: Collection[int]
    """Seconds of a bucket: a day may have an hour more or less."""
    measures: tuple[Measure, Measure]
    """How long on, how long off."""


_SHORT: Final = (Measure("boileron"), Measure("boileroff"))
_LONG: Final = (Measure("sum_boiler_on"), Measure("sum_boiler_off"))
BUCKETS: Final[Mapping[str, Buckets]] = {
    "30min": Buckets("30min", (HOUR // 2,), _SHORT),
    "1hour": Buckets("1hour", (HOUR,), _SHORT),
    "3hours": Buckets("3hours", (3 * HOUR,), _SHORT),
    "1day": Buckets("1day", (23 * HOUR, 24 * HOUR, 25 * HOUR), _LONG),
}

SLACK: Final = 0.02
"""By which part of a bucket on and off together may miss its length; they are about as long (observed)."""


class BoilerTime(NamedTuple):
    """A bucket: its begin in unix seconds, and for how many seconds of it the boiler was on and off."""

    time: int
    on: Number
    off: Number


def buckets_of(scale: str) -> Buckets:
    """The buckets of a scale. Raises UsageError."""
    if scale not in BUCKETS:
        raise UsageError(
            f"boilers are told at {', '.join(BUCKETS)}, not `{scale}`{did_you_mean(scale, BUCKETS)}"
        )
    return BUCKETS[scale]


def boiler_times(page: Page, buckets: Buckets, now: float) -> Iterator[BoilerTime]:
    """The buckets of a page that are over, and whose unit can be told.

    The documents say minutes, servers send seconds: on and off together are the bucket's length in one of
    the two. Where they are in neither nothing is known of that bucket.
    """
    for row in page.rows:
        on, off = row.values
        if on is None or off is None or on < 0 or off < 0:
            continue
        unit = _unit(on + off, buckets.lengths)
        if unit and row.time + min(buckets.lengths) <= now:
            yield BoilerTime(row.time, on * unit, off * unit)


def _unit(total: Number, lengths: Collection[int]) -> int | None:
    """Seconds in what the server counts in."""
    for unit in (1, MINUTE):
        if any(abs(total * unit - length) <= SLACK * length for length in lengths):
            return unit
    return None
