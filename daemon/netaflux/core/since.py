"""Moments as people write them: a date, a date and time, a span back from now, unix seconds, or `setup`.

The same words serve `since` in the configuration and `--since` and `--until` on the command line. What is
written is read once; it becomes unix seconds when the station's zone and the present are known.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}

BEFORE_NETATMO = 1325376000
"""2012-01-01T00:00Z: no Netatmo station is older."""

FIRST_YEAR, LAST_YEAR = 1971, 2999

ACCEPTED = (
    "must be a date (2014-05-18), a date and time (2014-05-18T12:00, with or without an offset), "
    'a span back from now such as "3h" or "30d" (s, m, h, d, w), unix seconds of ten digits, or "setup"'
)
SPANS = 'must be a span such as "90s", "10m" or "1h" (s, m, h, d, w)'

# Nine digits and fewer would be a moment before 2001: a year or a date like 20140518, but no unix seconds.
_UNIX = re.compile(r"\d{10}", re.ASCII)
_SPAN = re.compile(r"(\d{1,9})\s*([smhdw])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Setup:
    """From the first row that Netatmo can hold of the module."""

    @property
    def text(self) -> str:
        """As it is written."""
        return "setup"

    def resolve(self, now: float, zone: str | None = None, set_up: int | None = None) -> int:  # noqa: ARG002 - as its siblings
        """A day before the station's `date_setup`, which is in its own zone; 2012 where it is not known."""
        return BEFORE_NETATMO if set_up is None else max(BEFORE_NETATMO, set_up - DAY)


@dataclass(frozen=True, slots=True)
class Span:
    """So many seconds before now."""

    seconds: int

    @property
    def text(self) -> str:
        """As it is written, in the widest unit that divides it."""
        unit = max((unit for unit in UNITS if self.seconds % UNITS[unit] == 0), key=UNITS.__getitem__)
        return f"{self.seconds // UNITS[unit]}{unit}"

    def resolve(self, now: float, zone: str | None = None, set_up: int | None = None) -> int:  # noqa: ARG002 - as its siblings
        """Unix seconds, not before 1970."""
        return max(0, math.ceil(now - self.seconds))


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of the calendar; without an offset it is meant in the station's own zone."""

    when: datetime

    @property
    def text(self) -> str:
        """As it is written: UTC where an offset was given, a bare date for a midnight without one."""
        if self.when.tzinfo is not None:
            return self.when.isoformat().replace("+00:00", "Z")
        return (self.when.date() if self.when.time() == time() else self.when).isoformat()

    def resolve(self, now: float, zone: str | None = None, set_up: int | None = None) -> int:  # noqa: ARG002 - as its siblings
        """Unix seconds, the first whole one that is not before the moment.

        Where the clocks are turned back, the earlier of two equal times is meant.
        """
        when = self.when if self.when.tzinfo is not None else self.when.replace(tzinfo=zone_of(zone))
        return math.ceil(when.timestamp())


Since = Setup | Span | Moment


def read_since(value: object) -> Since:
    """What a person wrote as a moment, TOML's own dates and times included.

    Raises ValueError with a sentence that says what is accepted.
    """
    if isinstance(value, Setup | Span | Moment):
        return value
    if isinstance(value, date):  # a datetime is one, too
        return _moment(value)
    if isinstance(value, str | int) and not isinstance(value, bool):
        return _read_text(str(value).strip())
    raise ValueError(ACCEPTED)


def span_seconds(text: str) -> int:
    """The seconds of a span such as `90s`, `10m`, `1h`, `30d`, `2w`. Raises ValueError with a sentence."""
    if not (match := _SPAN.fullmatch(text.strip().lower())) or int(match[1]) == 0:
        raise ValueError(SPANS)
    return int(match[1]) * UNITS[match[2]]


def zone_of(name: str | None) -> tzinfo:
    """The time zone of that name; UTC where there is none of that name."""
    try:
        return ZoneInfo(name) if name else UTC
    # ZoneInfo looks names up as files: KeyError for none, OSError for `America`, ValueError for `../x`
    except (KeyError, ValueError, OSError):
        return UTC


def _read_text(text: str) -> Since:
    if text.lower() == "setup":
        return Setup()
    if _SPAN.fullmatch(text.lower()):
        return _span(text)
    if text.isdecimal() and not _UNIX.fullmatch(text):
        raise ValueError(ACCEPTED)  # fromisoformat would take 20140518; so would many a slip of the finger
    return _moment(datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else _calendar(text))


def _span(text: str) -> Span:
    try:
        return Span(span_seconds(text))
    except ValueError:
        raise ValueError(ACCEPTED) from None


def _calendar(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(ACCEPTED) from None


def _moment(value: date) -> Moment:
    when = value if isinstance(value, datetime) else datetime.combine(value, time())
    # inside these years every zone's clocks are past unix second 0, and no change of zone leaves the calendar
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return Moment(when.astimezone(UTC) if when.tzinfo is not None else when)
