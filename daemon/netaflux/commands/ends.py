"""Until when something shall last, as people write it, and how its end is told."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from netaflux.core.errors import UsageError
from netaflux.core.since import Moment, Span, read_since, zone_of

ACCEPTED: Final = (
    "takes a span from now such as 90m or 2h, a time of day (22:30), a date and time (2026-01-31T22:30), "
    "or unix seconds"
)
LONGEST: Final = 100 * 365 * 86400
"""Seconds from now that nobody lives to see the end of."""
_O_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def end_of(text: str | None, now: float, zone: str | None) -> float | None:
    """The moment that a person means, in the home's time zone where it tells none. Raises UsageError."""
    if text is None:
        return None
    if match := _O_CLOCK.fullmatch(text.strip()):
        return _next_time(int(match[1]), int(match[2]), now, zone)
    try:
        told = read_since(text)
    except ValueError:
        raise UsageError(f"--until {text}: it {ACCEPTED}", advice="") from None
    match told:
        case Span(seconds) if seconds < LONGEST:
            return now + seconds
        case Moment():
            return told.resolve(now, zone)
        case _:
            raise UsageError(f"--until {text}: it {ACCEPTED}", advice="")


def _next_time(hour: int, minute: int, now: float, zone: str | None) -> float:
    """When the clocks there next show that time; a time that they skip is the one to which they jump."""
    local_now = datetime.fromtimestamp(now, UTC).astimezone(zone_of(zone))
    days = (local_now, local_now + timedelta(days=1))
    # where the clocks are turned back, a day shows the time twice
    ends = [
        day.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=fold).timestamp()
        for day in days
        for fold in (0, 1)
    ]
    return min(end for end in ends if end > now)


def local(time: float, zone: str | None) -> str:
    """A moment as the clocks there show it."""
    return datetime.fromtimestamp(time, UTC).astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M")
