"""Moments and days as the clock on a place's wall tells them, days of 23 and 25 hours included."""

from datetime import UTC, datetime, time, timedelta

from netaflux.core.model import Window
from netaflux.core.since import DAY, zone_of

FORM = "%Y-%m-%d_%H:%M:%S"
"""How moments are written: 2026-03-29_01:59:59."""


def time_text(moment: float, zone: str | None = None) -> str:
    """Unix seconds as text in a zone such as `Europe/Paris`; in UTC where there is none of that name."""
    return datetime.fromtimestamp(moment, UTC).astimezone(zone_of(zone)).strftime(FORM)


def moment_of(text: str, zone: str | None = None) -> int:
    """The unix seconds of a text that `time_text` has written; of two equal times the earlier.

    Raises ValueError where it is not of that form.
    """
    return int(datetime.strptime(text.strip(), FORM).replace(tzinfo=zone_of(zone)).timestamp())


def day_of(moment: float, zone: str | None = None) -> Window:
    """The calendar day that a moment lies in, from its first second to that of the next."""
    today = datetime.fromtimestamp(moment, UTC).astimezone(zone_of(zone)).date()
    begin, end = (
        # a midnight that the clocks leap over is the moment of the leap, one that comes twice the first
        int(datetime.combine(day, time(), zone_of(zone)).timestamp())
        for day in (today, today + timedelta(days=1))
    )
    return Window(begin, end)


def last_24_hours(moment: float) -> Window:
    """The 24 hours up to a moment, which belongs to them."""
    end = int(moment) + 1
    return Window(end - DAY, end)
