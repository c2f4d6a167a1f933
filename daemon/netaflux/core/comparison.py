"""Is what a destination holds what Netatmo has? Compared value by value, a stretch of one channel at a time.

    Netatmo's rows ──(derive)──► expected ┐
                                          ├─► compare ─► Compared ─► Findings, summed up per channel
    the destination's rows ─────► held    ┘

Equal means equal at 15 significant digits: so many a destination gives back of a number, as Fluxtream's
export does, and so many survive the way through text unchanged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

from netaflux.core.model import Number

DIGITS: Final = 15
"""Significant digits of a number that are compared."""
EXAMPLES: Final = 20
"""Flaws that are kept of a channel, to be looked at; the others are counted."""
LONGEST_STEP: Final = 1800
"""Seconds between two of Netatmo's rows that are no gap: several uploads in a row have to fail before."""
LISTED_GAPS: Final = 100
"""Gaps of a module that are kept with their ends; the others are counted."""


class Held(NamedTuple):
    """What a destination holds at one moment, per channel; what stands there twice comes as two of them.

    The time need not be whole: others may have written there, too. A value that is no number is NaN.
    """

    time: Number
    values: tuple[Number | None, ...]


class Flaw(NamedTuple):
    """A value that is not as it should be."""

    time: Number
    expected: Number | None
    """None: unknown to Netatmo."""
    found: Number | None
    """None: missing."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How a stretch of one channel compares."""

    rows: int
    """Values that are there, and equal."""
    missing: tuple[Flaw, ...] = ()
    different: tuple[Flaw, ...] = ()
    """Another value stands there, or stands there beside the right one."""
    unknown: tuple[Flaw, ...] = ()
    """Values where Netatmo has none."""

    @property
    def mendable(self) -> list[int]:
        """When a value would have to be sent."""
        return [int(flaw.time) for flaw in chain(self.missing, self.different)]


def equal(value: Number, found: Number) -> bool:
    """Whether two numbers are the same as far as they are compared; one that is none equals nothing."""
    return found == value or f"{found:.{DIGITS}g}" == f"{value:.{DIGITS}g}"


def compare(expected: Mapping[Number, Number], held: Iterable[tuple[Number, Number]]) -> Compared:
    """Compare what Netatmo's rows give with what a destination holds, both of one stretch, by time."""
    right: set[Number] = set()
    wrong: dict[Number, Number] = {}
    unknown: dict[Number, Number] = {}
    for time, found in held:
        if (value := expected.get(time)) is None:
            unknown.setdefault(time, found)
        elif equal(value, found):
            right.add(time)
        else:
            wrong.setdefault(time, found)
    return Compared(
        rows=len(right - wrong.keys()),
        missing=tuple(
            Flaw(time, value, None)
            for time, value in expected.items()
            if time not in right and time not in wrong
        ),
        different=tuple(Flaw(time, expected[time], found) for time, found in wrong.items()),
        unknown=tuple(Flaw(time, None, found) for time, found in unknown.items()),
    )


@dataclass(slots=True)
class Findings:
    """One channel of a device at a destination, summed up over all stretches."""

    rows: int = 0
    missing: int = 0
    different: int = 0
    unknown: int = 0
    repaired: int = 0
    """Of the missing and different ones those that were sent and then found to be right."""
    examples: list[Flaw] = field(default_factory=list)
    """The first flaws."""

    def add(self, compared: Compared) -> None:
        """Count one more stretch."""
        self.rows += compared.rows
        self.missing += len(compared.missing)
        self.different += len(compared.different)
        self.unknown += len(compared.unknown)
        flaws = chain(compared.missing, compared.different, compared.unknown)
        self.examples += list(flaws)[: EXAMPLES - len(self.examples)]

    @property
    def left(self) -> int:
        """Values of Netatmo's that are not there as they should be: 0 where the channel is complete.

        Unknown ones do not count: nothing of Netatmo's is lacking, and nothing of ours can take them away.
        """
        return self.missing + self.different - self.repaired


@dataclass(slots=True)
class Gaps:
    """The stretches between its rows in which Netatmo itself has nothing of a module."""

    count: int = 0
    seconds: int = 0
    listed: list[tuple[int, int]] = field(default_factory=list)
    """The first ones: the last row before, and the first one after."""
    _last: int | None = None

    def add(self, times: Iterable[int]) -> None:
        """Take note of the next rows, in ascending order."""
        for time in times:
            if self._last is not None and time - self._last > LONGEST_STEP:
                self._note(self._last, time)
            self._last = time

    def _note(self, before: int, after: int) -> None:
        self.count += 1
        self.seconds += after - before
        if len(self.listed) < LISTED_GAPS:
            self.listed.append((before, after))
