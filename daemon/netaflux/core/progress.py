"""How far a backfill is, and how far it has to go: learnt from the pages that came so far, pure.

What is lacking is known in device time. How many rows stand in it is not, before the first pages have shown
how closely rows lie. Nor is it known where there are none: an empty stretch counts until it is crossed.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, median

from netaflux.core.events import PageFetched
from netaflux.core.model import PAGE_ROWS, Lane, ModuleId

PAGES_TELL = 16
"""The newest pages of a module, which tell how closely its rows lie."""
CALLS_TELL = 64
"""The newest calls, which tell how long one takes."""
HINDERED = 5.0
"""Seconds from one page to the next above which a wait was before the call."""
RECENTLY = 60.0
"""Seconds whose rows make the rate."""


@dataclass(slots=True)
class Learnt:
    """What the pages have shown; moments are monotonic seconds."""

    rows: int = 0
    calls: int = 0
    _lying: dict[ModuleId, deque[float]] = field(default_factory=dict)
    """Rows per second of device time, by module, of the newest pages."""
    _apart: deque[float] = field(default_factory=lambda: deque(maxlen=CALLS_TELL))
    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    _last: float | None = None
    _first: float | None = None

    def saw(self, page: PageFetched, now: float) -> None:
        """A page has come."""
        self.rows += page.rows
        self.calls += 1
        self._first = now if self._first is None else self._first
        self._recent.append((now, page.rows))
        self._forget(now)
        if page.lane is Lane.HISTORY:
            if self._last is not None and now - self._last < HINDERED:
                self._apart.append(now - self._last)
            self._last = now
        first = page.begin if page.first is None else page.first
        if page.last is not None and page.rows > 1 and page.last > first:
            lying = self._lying.setdefault(page.module, deque(maxlen=PAGES_TELL))
            lying.append((page.rows - 1) / (page.last - first))

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] <= now - RECENTLY:
            self._recent.popleft()

    @property
    def pace(self) -> float:
        """Seconds from one call of the history to the next, where nothing hinders them."""
        return fmean(self._apart) if self._apart else 0.0

    def rows_per_second(self, now: float) -> float:
        """Rows that came in the last minute, or since the first of them, per second."""
        self._forget(now)
        if self._first is None:
            return 0.0
        return sum(rows for _, rows in self._recent) / max(1.0, min(RECENTLY, now - self._first))

    def left(self, lacking: Mapping[ModuleId, int]) -> "Left | None":
        """What is to be done where these modules lack so many seconds of device time; None if unknown."""
        lying = {module: median(each) for module, each in self._lying.items()}
        if not any(lacking.values()):
            return Left(0, 0)
        if not lying:
            return None
        usual = median(lying.values())
        rows = [seconds * lying.get(module, usual) for module, seconds in lacking.items()]
        return Left(ceil(sum(rows)), sum(ceil(each / PAGE_ROWS) for each in rows))


@dataclass(frozen=True, slots=True)
class Left:
    """What is still to be fetched, as far as can be told."""

    rows: int
    calls: int


def done(lacking: int, whole: int) -> float | None:
    """The share of that much device time that is settled; None where there is none."""
    return None if whole <= 0 else min(1.0, max(0.0, 1 - lacking / whole))
