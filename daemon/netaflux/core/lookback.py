"""Looking back: stations upload late, so what was delivered is asked for again, less and less often.

All moments are times of rows, never of a clock: a module that was silent has uploaded nothing late.

    each poll                          the hour before the newest row
    once a day                         48 hours
    once a week                        14 days
    1 h, 6 h, 1 d, 7 d after a gap     the gap

What reaches no further back than a page holds is part of the poll itself and costs no call.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, pairwise
from typing import Any, Self

from netaflux.core.model import Window

HOUR, DAY = 3600, 86_400

LOOK_BACK = HOUR
"""Seconds before the newest row that each poll asks again."""
PAGE_SPAN = 3 * DAY
"""Seconds that surely fit into one page: 1024 rows at five minutes are 85 h, with room for extra rows."""
DAILY_DEPTH = 2 * DAY
WEEKLY_DEPTH = 14 * DAY
WEEK = 7 * DAY
GAP = 1800
"""Seconds without a row that are worth another look."""
AGAIN = (HOUR, 6 * HOUR, DAY, WEEK)
"""Seconds of rows after the end of a gap when it is looked at once more."""
FORGOTTEN = WEEKLY_DEPTH
"""Seconds of rows after its end when a gap that could not be looked at is nobody's business any more."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch between two rows, and how often it was looked at."""

    begin: int
    """The last row before it."""
    end: int
    """The first row behind it."""
    looks: int = 0

    def due(self, newest: int) -> bool:
        """Whether another look is due once there are rows up to `newest`."""
        return newest - self.end >= AGAIN[self.looks]

    def looked(self, newest: int) -> "Gap | None":
        """After a look with rows up to `newest`, which stands for all that were due; None after the last."""
        looks = sum(newest - self.end >= after for after in AGAIN)
        return replace(self, looks=looks) if looks < len(AGAIN) else None

    def within(self, other: "Gap") -> bool:
        """Whether it is the other one, or a part of it."""
        return other.begin <= self.begin and self.end <= other.end

    def left(self, news: Sequence[int]) -> "tuple[Gap, ...]":
        """What is left of it after rows have come."""
        inside = [time for time in news if self.begin < time < self.end]
        if not inside:
            return (self,)
        edges = pairwise((self.begin, *inside, self.end))
        return tuple(Gap(begin, end, self.looks) for begin, end in edges if end - begin > GAP)


@dataclass(frozen=True, slots=True)
class Due:
    """What a look back has to ask for."""

    depth: int = LOOK_BACK
    """Seconds before the newest row, which the poll reaches by itself."""
    windows: tuple[Window, ...] = ()
    """Stretches further back."""

    def __bool__(self) -> bool:
        return self.depth > LOOK_BACK or bool(self.windows)


@dataclass(frozen=True, slots=True)
class Looks:
    """What is known of one module's looks back."""

    day: int | None = None
    """The newest row when the last two days were looked at."""
    week: int | None = None
    """The newest row when the last two weeks were looked at."""
    gaps: tuple[Gap, ...] = ()

    def seen(self, times: Sequence[int], news: Sequence[int], newest: int) -> "Looks":
        """After a page with rows at `times`, some of them `news`, ascending; `newest` is the newest known."""
        left = (part for gap in self.gaps for part in gap.left(news))
        known = tuple(part for part in left if newest - part.end < FORGOTTEN)
        fresh = (gap for gap in gaps_between(times, newest) if not any(gap.within(each) for each in known))
        return replace(self, gaps=(*known, *fresh))

    def filled(self, times: Sequence[int], before: int) -> list[int]:
        """Those of these ascending times that lie in a gap, and before a moment from which on rows are kept.

        Nothing tells whether such a row is known; but there was none in the gap, so it is news.
        """
        old = times[: bisect_left(times, before)]
        within = (old[bisect_right(old, gap.begin) : bisect_left(old, gap.end)] for gap in self.gaps)
        return sorted({*chain.from_iterable(within)})

    def due(self, newest: int) -> Due:
        """What to ask for again, now that there are rows up to `newest`."""
        depth = DAILY_DEPTH if self._day_due(newest) else LOOK_BACK
        windows = []
        if self._week_due(newest):
            depth = DAILY_DEPTH
            windows.append(Window(newest - WEEKLY_DEPTH, newest - DAILY_DEPTH))
        for gap in self.gaps:
            if not gap.due(newest):
                continue
            if newest - gap.begin <= DAILY_DEPTH:
                depth = max(depth, newest - gap.begin)
            else:
                windows.append(Window(gap.begin, gap.end + 1))
        return Due(depth, tuple(windows))

    def looked(self, newest: int, asked: Window) -> "Looks":
        """After everything of `asked` was fetched again, as it was due with rows up to `newest`."""
        begin, end = asked.begin, newest if asked.end is None else asked.end - 1
        day = begin <= newest - DAILY_DEPTH and end >= newest
        week = begin <= newest - WEEKLY_DEPTH and end >= newest - DAILY_DEPTH - 1  # the poll reaches the rest
        gaps = (
            gap.looked(newest) if begin <= gap.begin and gap.end <= end and gap.due(newest) else gap
            for gap in self.gaps
        )
        return Looks(
            day=newest if day or self.day is None else self.day,
            week=newest if week or self.week is None else self.week,
            gaps=tuple(gap for gap in gaps if gap is not None),
        )

    def _day_due(self, newest: int) -> bool:
        return self.day is not None and newest - self.day >= DAY

    def _week_due(self, newest: int) -> bool:
        return self.week is not None and newest - self.week >= WEEK

    def to_json(self) -> dict[str, object]:
        """Plain data for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` made."""
        gaps = tuple(Gap(each["begin"], each["end"], each["looks"]) for each in data["gaps"])
        return cls(data["day"], data["week"], gaps)


def gaps_between(times: Sequence[int], newest: int) -> list[Gap]:
    """The gaps between rows at these ascending times that will still be looked at."""
    return [
        Gap(before, after)
        for before, after in pairwise(times)
        if after - before > GAP and newest - after < AGAIN[-1]
    ]
