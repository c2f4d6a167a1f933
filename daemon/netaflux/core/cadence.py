"""When a station, a module or a failed round is due: pure.

A station uploads about every ten minutes, and its rows can be had some seconds later. Polled too early, a
call is wasted; too late, the rows are old. So each station's rhythm is learnt from its own uploads.

    upload      +605 s: next upload     +27 s: it can be had, 85 times of 100
       |---------------|--------------------x--------->
    `stored`                              poll, and at most three more, 10 s apart
"""

from collections import deque
from dataclasses import dataclass, field
from math import ceil
from statistics import median

SHORTEST_BACK_OFF = 30.0
LONGEST_BACK_OFF = 600.0

PERIOD = 605.0
"""Seconds from upload to upload until a station's own are known (measured at stations: 605 to 607)."""
PERIODS = (590.0, 620.0)
"""Between these a period is learnt; a station that speaks all the time has none."""
PERIODS_KEPT = 9
VISIBLE_AFTER = 27.0
"""Seconds from an upload until its rows can be had, 85 times of 100, before that is learnt."""
LONGEST_VISIBLE_AFTER = 300.0
QUANTILE = 0.85
STEP = 4.0
"""Seconds by which one upload moves what is learnt: up by 0.85 of them, down by the rest."""
HITS = 2
"""Uploads in a row that were there at the first look before the next look comes earlier."""
ABOUT = 0.1
"""By how much of a period polls may come before the interval is over, since uploads keep to none."""
RETRIES = 3
RETRY_AFTER = 10.0
UNEVEN = 0.1
"""The share of an interval by which one may be longer, rather than that one poll more is made."""

HOUR, DAY, MONTH = 3600.0, 86_400.0, 30 * 86_400.0
SLACK = 60.0
"""Seconds by which a round may come before its hour has passed: uploads do not keep to the hour."""
SAME_ROW = 60
"""Seconds by which the time that a survey tells may differ from the same row's in getmeasure."""


def backed_off(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 30 s, doubled each time, at most ten minutes.

    Ten minutes is a station's own rhythm: waiting longer would cost freshness and spare nobody.
    """
    return min(LONGEST_BACK_OFF, SHORTEST_BACK_OFF * 2.0 ** min(failures - 1, 10))


@dataclass(slots=True)
class Rhythm:
    """One station's uploads, and when the next can be had. All times are monotonic seconds."""

    interval: float
    """Seconds between polls that the person wants, about."""
    stored: int | None = None
    """The newest upload (`last_status_store`, unix seconds), which is its name here."""
    uploaded_at: float = 0.0
    """When that was."""
    surveyed_at: float = float("-inf")
    looks: int = 0
    """Surveys since the next upload was due that did not show it."""
    visible_after: float = VISIBLE_AFTER
    _periods: deque[float] = field(default_factory=lambda: deque(maxlen=PERIODS_KEPT))
    _hits: int = 0

    @property
    def period(self) -> float:
        """Seconds from upload to upload, as far as known."""
        return median(self._periods) if self._periods else PERIOD

    @property
    def due_at(self) -> float:
        """When the upload after the newest can be had, 85 times of 100."""
        return self.uploaded_at + self._skipped * self.period + self.visible_after

    @property
    def _skipped(self) -> int:
        """How many uploads on the next poll is; more than one where fewer polls are wanted or possible."""
        return max(1, ceil(self.interval / self.period - ABOUT))

    def surveyed(self, stored: int | None, age: float, at: float) -> bool:
        """A survey at `at` shows an upload of that age (seconds); whether it is news."""
        self.surveyed_at = at
        news = stored is not None and stored != self.stored
        if news:
            self._learn(at - age, at)
            self.stored, self.uploaded_at, self.looks = stored, at - age, 0
        elif at >= self.due_at - 1:
            self.looks += 1
        return news

    def _learn(self, uploaded_at: float, at: float) -> None:
        """From the upload that follows the one before; one that others have shown us early tells nothing."""
        passed = uploaded_at - self.uploaded_at
        if self.stored is None or self._skipped > 1 or passed > 1.5 * self.period:
            self._hits = 0
            return
        if self.looks:
            self._hits = 0
            later = self.visible_after + QUANTILE * STEP * self.looks
            self.visible_after = min(later, LONGEST_VISIBLE_AFTER)
        elif at >= self.due_at - 1:
            self._hits += 1
            if self._hits >= HITS:
                self.visible_after = max(0.0, self.visible_after - (1 - QUANTILE) * STEP)
        low, high = PERIODS
        self._periods.append(min(max(passed, low), high))

    def next_at(self) -> float:
        """When to survey the station next."""
        if self.stored is None:
            return self.surveyed_at + self.interval
        due = self._next_due()
        if self.interval > self.period / 2:
            return due
        # who wants many more polls gets them evenly between those that follow the uploads
        wait = due - self.surveyed_at
        return self.surveyed_at + wait / max(1, ceil(wait / self.interval - UNEVEN))

    def _next_due(self) -> float:
        """When the next upload can be had, or is worth another look."""
        if 1 <= self.looks <= RETRIES and self._skipped == 1:
            return self.surveyed_at + RETRY_AFTER
        due = self.due_at
        missed = max(0.0, self.surveyed_at + RETRY_AFTER - due)
        return due + -(-missed // self.period) * self.period


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What is known of a module when it is decided whether to ask it."""

    told: int | None
    """Its newest row as the survey tells it; None where it does not."""
    newest: int | None
    """Its newest row that is known."""
    lacking: bool
    """Whether a destination lacks a row up to the newest one."""
    now: float
    """Unix seconds of Netatmo's clock."""
    asked_for: int | None = None
    """What the survey told when the module was asked last."""
    since_asked: float = float("inf")
    """Seconds since then."""


def worth_asking(sign: Sign, *, hours: int = 0) -> bool:
    """Whether a module has news, or was silent for so long that it is worth a call to hear nothing.

    With `hours` the account is thrifty: each module is asked that often at most.
    """
    if hours and sign.since_asked < hours * HOUR - SLACK:
        return False
    if sign.newest is None:
        # what is told may lie before all that is wanted: asked for once, it is no news
        return sign.told not in (None, sign.asked_for) or sign.since_asked >= HOUR - SLACK
    news = sign.told is not None and sign.told > sign.newest and sign.told != sign.asked_for
    silent = sign.now - sign.newest
    if silent > MONTH:
        return news or sign.lacking or sign.since_asked >= DAY - SLACK
    if silent > DAY or sign.told is not None:
        return news or sign.lacking or (silent > DAY and sign.since_asked >= HOUR - SLACK)
    return True  # it was heard of lately, and the survey does not tell when


def still_behind(sign: Sign) -> bool:
    """Whether the survey tells of a newer row than getmeasure gave: it will have it in a moment."""
    return sign.told is not None and sign.newest is not None and sign.told - sign.newest > SAME_ROW


# --- thrift ---

PROBES = 1.3
"""Surveys for each upload, with those that come too early."""
MOST_HOURS = 64
"""Hours between two calls for a module at most: a page holds 85."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an account's live polling needs, when nothing is short."""

    stations: int
    modules: int
    interval: float

    @property
    def _rounds(self) -> float:
        """Uploads an hour that are followed by a poll."""
        return HOUR / max(self.interval, PERIOD)

    @property
    def probes(self) -> float:
        """Surveys an hour; those between the uploads, too, where the person wants them."""
        return self.stations * max(self._rounds * PROBES, HOUR / self.interval)

    @property
    def calls(self) -> float:
        """Calls an hour."""
        return self.probes + self._rounds * self.modules

    def thrifty(self, hours: int) -> float:
        """Calls an hour where each module is asked every so many hours."""
        return self.probes + self.modules / hours


@dataclass(frozen=True, slots=True)
class Thrift:
    """How live polling makes do with fewer calls."""

    hours: int = 0
    """Each module is asked every so many hours; 0: whenever it has news."""
    stretch: float = 1.0
    """By which factor the surveys are rarer, where even they are too many."""


def thrift(need: Need, stretch: float) -> Thrift:
    """The least thrift that makes 1/`stretch` of the need suffice."""
    if stretch <= 1:
        return Thrift()
    allowed = need.calls / stretch
    hours = 1
    while hours < MOST_HOURS and need.thrifty(hours) > allowed:
        hours *= 2
    return Thrift(hours, max(1.0, need.thrifty(hours) / allowed))
