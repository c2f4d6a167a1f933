"""What a person is told once, and once more when it is over: damped, remembered, in order.

sight      what one look shows of a matter: it holds, it is well, or nobody can tell just now
notice     a matter that has held long enough; over when it has been well long enough
telling    a notice, or its end, that a channel still has to be told of
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, NamedTuple, Self

from netaflux.core.model import Number

MINUTE, HOUR = 60.0, 3600.0
LOW_AND_WELL: Final = 10
"""Percent by which a battery has to rise before it is well again: figures waver with the temperature."""


class Kind(Enum):
    """What a notice can be about."""

    AUTHORIZATION = "authorization"
    SCOPE = "scope"
    MODULE_MISSING = "module_missing"
    STATION_SILENT = "station_silent"
    MODULE_SILENT = "module_silent"
    BATTERY_LOW = "battery_low"
    CREDENTIALS_REFUSED = "credentials_refused"
    ROWS_REFUSED = "rows_refused"
    LAG = "lag"
    STATE = "state"


HOLDS_FOR: Final[Mapping[Kind, float]] = {
    Kind.AUTHORIZATION: 0,
    Kind.SCOPE: 10 * MINUTE,
    Kind.MODULE_MISSING: HOUR,  # Netatmo has shown empty accounts for a while
    Kind.STATION_SILENT: 0,  # its limit is in what is looked at
    Kind.MODULE_SILENT: 20 * MINUTE,  # so that its station, silent too, comes first and speaks for it
    Kind.BATTERY_LOW: HOUR,
    Kind.CREDENTIALS_REFUSED: 10 * MINUTE,
    Kind.ROWS_REFUSED: 0,
    Kind.LAG: 10 * MINUTE,
    Kind.STATE: 2 * MINUTE,
}
"""Seconds that a matter holds before it is told."""
WELL_FOR: Final[Mapping[Kind, float]] = {
    **dict.fromkeys(Kind, 15 * MINUTE),
    Kind.AUTHORIZATION: 0,
    Kind.ROWS_REFUSED: 0,  # a day without another one is in what is looked at
}
"""Seconds that it is well before that is told."""
GONE_FOR: Final = HOUR
"""The same where the matter is no longer looked at: its module or device is gone."""


class Matter(NamedTuple):
    """What there is at most one notice of."""

    kind: Kind
    subject: str
    """What it is about, as the program knows it."""


class Look(Enum):
    """How a matter looks."""

    HOLDS = "holds"
    WELL = "well"
    UNKNOWN = "unknown"
    """Nobody can tell, or it lies between: nothing changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a look shows of one matter."""

    matter: Matter
    look: Look
    name: str = ""
    """The subject as people know it."""
    text: str = ""
    """What is the matter."""
    remedy: str = ""
    over: str = ""
    """What is said when it is over."""


def beyond(seconds: float, limit: float) -> Look:
    """Whether something takes too long; it is well again below half of the limit."""
    if seconds > limit:
        return Look.HOLDS
    return Look.WELL if seconds <= limit / 2 else Look.UNKNOWN


def battery(percent: Number | None, least: int) -> Look:
    """Whether a battery is low."""
    if percent is None:
        return Look.UNKNOWN
    if percent < least:
        return Look.HOLDS
    return Look.WELL if percent >= min(100, least + LOW_AND_WELL) else Look.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A matter that a person is told of."""

    matter: Matter
    name: str
    text: str
    remedy: str
    over: str
    opened_at: float
    """Unix seconds."""
    over_at: float | None = None
    told: frozenset[str] = frozenset()
    """The channels that have told it."""
    told_over: frozenset[str] = frozenset()
    """Those that have told its end."""

    def to_json(self) -> dict[str, object]:
        """What is kept of it, beside the matter."""
        return {
            "name": self.name,
            "text": self.text,
            "remedy": self.remedy,
            "over": self.over,
            "opened_at": self.opened_at,
            "over_at": self.over_at,
            "told": sorted(self.told),
            "told_over": sorted(self.told_over),
        }

    @classmethod
    def from_json(cls, matter: Matter, kept: Mapping[str, Any]) -> Self:
        """What was kept. Raises ValueError, TypeError, KeyError."""
        over_at = kept["over_at"]
        return cls(
            matter=matter,
            **{key: str(kept[key]) for key in ("name", "text", "remedy", "over")},
            opened_at=float(kept["opened_at"]),
            over_at=None if over_at is None else float(over_at),
            told=frozenset(kept["told"]),
            told_over=frozenset(kept["told_over"]),
        )


@dataclass(frozen=True, slots=True)
class Telling:
    """What a channel has to tell."""

    notice: Notice
    over: bool

    @property
    def at(self) -> float:
        """When it came to be, unix seconds."""
        return self.notice.over_at if self.over and self.notice.over_at else self.notice.opened_at

    @property
    def facts(self) -> dict[str, object]:
        """What is told, as plain data."""
        notice = self.notice
        return {
            "event": "over" if self.over else "opened",
            "kind": notice.matter.kind.value,
            "subject": notice.name,
            "text": notice.over if self.over else notice.text,
            "remedy": "" if self.over else notice.remedy,
            "since": round(notice.opened_at),
            "time": round(self.at),
        }


class Board:
    """All notices that are open, or whose end is still to be told: one of each matter at most."""

    def __init__(self, notices: Iterable[Notice] = ()) -> None:
        self._notices = {notice.matter: notice for notice in notices}
        self._turning: dict[Matter, float] = {}
        """Since when matters look other than they stand here, in monotonic seconds."""
        self._unsaved: set[Matter] = set()

    @property
    def open(self) -> Sequence[Notice]:
        """What holds, in the order of its beginning."""
        found = [notice for notice in self._notices.values() if notice.over_at is None]
        return sorted(found, key=lambda notice: (notice.opened_at, notice.matter.kind.value))

    def see(self, sights: Collection[Sight], *, now: float, monotonic: float, complete: bool = True) -> None:
        """Take note of a look; a `complete` one has shown all that there is."""
        for sight in sights:
            self._see(sight, now, monotonic)
        if complete:
            for matter in self._gone({sight.matter for sight in sights}):
                if self._has_turned(matter, GONE_FOR, monotonic):
                    self._end(matter, "It is not looked at any more.", now)

    def _gone(self, seen: Collection[Matter]) -> Sequence[Matter]:
        for matter in [matter for matter in self._turning if matter not in seen]:
            if not self._is_open(matter):
                del self._turning[matter]
        return [matter for matter in self._notices if matter not in seen and self._is_open(matter)]

    def _is_open(self, matter: Matter) -> bool:
        notice = self._notices.get(matter)
        return notice is not None and notice.over_at is None

    def _see(self, sight: Sight, now: float, monotonic: float) -> None:
        matter = sight.matter
        if sight.look is Look.UNKNOWN:
            return
        if (sight.look is Look.HOLDS) is self._is_open(matter):
            self._turning.pop(matter, None)
        elif sight.look is Look.HOLDS and self._has_turned(matter, HOLDS_FOR[matter.kind], monotonic):
            self._open(sight, now)
        elif sight.look is Look.WELL and self._has_turned(matter, WELL_FOR[matter.kind], monotonic):
            self._end(matter, sight.over, now)

    def _has_turned(self, matter: Matter, wait: float, monotonic: float) -> bool:
        return monotonic - self._turning.setdefault(matter, monotonic) >= wait

    def _open(self, sight: Sight, now: float) -> None:
        before = self._notices.get(sight.matter)
        fresh = Notice(
            matter=sight.matter,
            name=sight.name,
            text=sight.text,
            remedy=sight.remedy,
            over=sight.over,
            opened_at=now,
        )
        # whoever has not yet been told that it was over has no need to know
        told = before.told - before.told_over if before else frozenset()
        self._put(sight.matter, replace(fresh, told=told))

    def _end(self, matter: Matter, over: str, now: float) -> None:
        notice = self._notices[matter]
        self._put(matter, replace(notice, over_at=now, over=over or notice.over) if notice.told else None)

    def _put(self, matter: Matter, notice: Notice | None) -> None:
        self._turning.pop(matter, None)
        self._unsaved.add(matter)
        if notice is None:
            del self._notices[matter]
        else:
            self._notices[matter] = notice

    # the channels

    def due(self, channel: str) -> Sequence[Telling]:
        """What a channel has to tell, in the order in which it came to be."""
        found = [
            Telling(notice, over)
            for notice in self._notices.values()
            for over in (notice.over_at is not None,)
            if self._lacks(notice, channel, over=over)
        ]
        return sorted(found, key=lambda each: (each.at, each.notice.matter.kind.value))

    def _lacks(self, notice: Notice, channel: str, *, over: bool) -> bool:
        return channel in notice.told - notice.told_over if over else channel not in notice.told

    def told(self, channel: str, telling: Telling) -> None:
        """A channel has told it; nothing else may have been seen meanwhile."""
        notice, more = self._notices[telling.notice.matter], {channel}
        self._put(
            notice.matter,
            replace(notice, told_over=notice.told_over | more)
            if telling.over
            else replace(notice, told=notice.told | more),
        )

    def settle(self, channels: Collection[str]) -> None:
        """Forget what is over and known to be over at all channels that there are."""
        for notice in list(self._notices.values()):
            if notice.over_at is not None and not (notice.told - notice.told_over) & set(channels):
                self._put(notice.matter, None)

    # the disk

    def unsaved(self) -> Mapping[Matter, Notice | None]:
        """What has changed since it was saved; None for what is forgotten."""
        return {matter: self._notices.get(matter) for matter in self._unsaved}

    def saved(self, changes: Mapping[Matter, Notice | None]) -> None:
        """These changes are on disk."""
        self._unsaved -= {matter for matter, notice in changes.items() if self._notices.get(matter) is notice}
