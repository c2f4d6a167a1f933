"""What the cameras of a home see, past and future, from a closed formula: any event can be told again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import count, islice, takewhile
from typing import Any
from zlib import crc32

from netaflux.simulator.weather import chosen, mix

Json = dict[str, Any]

OUTDOORS = ("NOC",)
STRANGER = ""
_INDOOR_KINDS = ("movement", "person", "movement", "person", "person_away", "sd")
_PART_KINDS = ("human", "animal", "vehicle")
_CATEGORIES = (None, "human", "animal")


@dataclass(frozen=True, slots=True)
class Eye:
    """One camera, as far as it matters to what it sees."""

    id: str
    kind: str
    set_up: int
    persons: tuple[str, ...] = ()
    """The ids of the faces that pass by."""
    step: int = 1200
    """In each stretch of so many seconds something happens once, or not at all."""
    share: float = 0.5
    """In how many of them it does."""
    late: float = 0
    """The share of events that the server tells `lag` seconds later."""
    lag: int = 900

    @property
    def seed(self) -> int:
        """What it sees other things by than its neighbours."""
        return crc32(self.id.encode())


@dataclass(frozen=True, slots=True)
class Seen:
    """One event."""

    eye: Eye
    number: int
    time: int

    @property
    def id(self) -> str:
        """24 hexadecimal digits, from which the event can be told again."""
        return f"{self.eye.seed:08x}{self.number:016x}"

    @property
    def luck(self) -> int:
        """What it is like."""
        return mix(self.eye.seed + 7, self.number)

    @property
    def kind(self) -> str:
        """Netatmo's `type`."""
        return "outdoor" if self.eye.kind in OUTDOORS else _INDOOR_KINDS[self.luck % len(_INDOOR_KINDS)]

    @property
    def person(self) -> str | None:
        """Whose face it is about."""
        faces = self.eye.persons
        return faces[self.luck // 8 % len(faces)] if faces and self.kind.startswith("person") else None

    @property
    def category(self) -> str | None:
        """What moved, where the camera knows."""
        return _CATEGORIES[self.luck // 8 % len(_CATEGORIES)] if self.kind == "movement" else None

    @property
    def parts(self) -> tuple[str, ...]:
        """What an outdoor event consists of."""
        if self.kind != "outdoor":
            return ()
        return tuple(_PART_KINDS[(self.luck >> 2 * n) % 3] for n in range(1 + self.luck % 3))

    @property
    def visible_from(self) -> int:
        """When the server tells of it."""
        return self.time + (self.eye.lag if chosen(self.eye.late, self.eye.seed + 9, self.number) else 0)

    @property
    def has_picture(self) -> bool:
        """Whether the event itself comes with a snapshot."""
        return self.kind in ("person", "movement")


class Footage:
    """All that some cameras ever see."""

    def __init__(self, eyes: Sequence[Eye]) -> None:
        self.eyes = tuple(eyes)

    def between(self, begin: float, end: float, at: float) -> list[Seen]:
        """The events of begin ≤ t < end that are told at moment `at`, oldest first."""
        back = takewhile(lambda seen: seen.time >= begin, self.back_from(at))
        return [seen for seen in back if seen.time < end][::-1]

    def back_from(self, at: float, until: Seen | None = None) -> Iterator[Seen]:
        """The events that are told at moment `at`, newest first; from `until` on, which belongs to them."""
        told = merge(*(_back(eye, at) for eye in self.eyes), key=_order, reverse=True)
        return (
            seen
            for seen in told
            if seen.visible_from <= at and (until is None or _order(seen) <= _order(until))
        )

    def page(self, at: float, size: int, event_id: str = "") -> list[Seen]:
        """One answer's events. Raises KeyError for an event that there is not."""
        return list(islice(self.back_from(at, self.find(event_id, at) if event_id else None), size))

    def find(self, event_id: str, at: float) -> Seen:
        """The event of that id. Raises KeyError."""
        for eye in self.eyes:
            begin = f"{eye.seed:08x}"
            if event_id.startswith(begin) and len(event_id) == 24:  # noqa: PLR2004 - as ids are made
                seen = _seen(eye, int(event_id[8:], 16))
                if seen is not None and seen.visible_from <= at:
                    return seen
        raise KeyError(event_id)


def _order(seen: Seen) -> tuple[int, str]:
    return seen.time, seen.id


def _back(eye: Eye, at: float) -> Iterator[Seen]:
    """Its events up to a moment, newest first."""
    newest = int((at - eye.set_up) // eye.step)
    numbers = takewhile(lambda number: number >= 0, count(newest, -1))
    found = (_seen(eye, number) for number in numbers)
    return (seen for seen in found if seen is not None and seen.time <= at)


def _seen(eye: Eye, number: int) -> Seen | None:
    if not chosen(eye.share, eye.seed + 5, number):
        return None
    return Seen(eye, number, eye.set_up + number * eye.step + mix(eye.seed, number) % eye.step)
