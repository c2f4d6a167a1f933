"""Sets of device time: disjoint closed spans of whole seconds, the algebra of coverage."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

FOREVER = 2**62
"""Later than any row: the end of a span that is open."""


def _merged(pairs: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sorted, disjoint, adjacent ones joined; [1, 4] and [5, 9] are one span of whole seconds."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(pair for pair in pairs if pair[0] <= pair[1]):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


@dataclass(frozen=True, slots=True, init=False)
class Spans:
    """An immutable set of seconds; `Spans((1, 4), (9, 9))` holds 1, 2, 3, 4 and 9."""

    pairs: tuple[tuple[int, int], ...]

    def __init__(self, *pairs: tuple[int, int]) -> None:
        # most have one pair, and many are made for each page
        single = len(pairs) == 1 and pairs[0][0] <= pairs[0][1]
        object.__setattr__(self, "pairs", pairs if single else _merged(pairs))

    @classmethod
    def _of(cls, pairs: Iterable[tuple[int, int]]) -> Self:
        spans = cls.__new__(cls)
        object.__setattr__(spans, "pairs", tuple(pairs))
        return spans

    @classmethod
    def at(cls, times: Iterable[int]) -> Self:
        """Just these moments."""
        return cls(*((time, time) for time in times))

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.pairs)

    def __contains__(self, time: object) -> bool:
        return isinstance(time, int) and self.around(time) is not None

    def held(self, times: Sequence[int]) -> list[int]:
        """Those of these ascending moments that are in the set."""
        held: list[int] = []
        for begin, end in self.near(times[0], times[-1]) if times else ():
            held += times[bisect_left(times, begin) : bisect_right(times, end)]
        return held

    def near(self, begin: int, end: int) -> Sequence[tuple[int, int]]:
        """The spans that may touch [begin, end]; the first of them may end before."""
        first = max(0, bisect_right(self.pairs, (begin, FOREVER)) - 1)
        return self.pairs[first : bisect_right(self.pairs, (end, FOREVER))]

    def around(self, time: int) -> tuple[int, int] | None:
        """The span that holds `time`."""
        index = bisect_right(self.pairs, (time, FOREVER)) - 1
        if index >= 0 and self.pairs[index][0] <= time <= self.pairs[index][1]:
            return self.pairs[index]
        return None

    def __or__(self, other: "Spans") -> "Spans":
        return Spans(*self.pairs, *other.pairs) if self and other else (self or other)

    def __and__(self, other: "Spans") -> "Spans":
        return Spans._of(self._common(other)) if self._meets(other) else _NONE

    def __sub__(self, other: "Spans") -> "Spans":
        return Spans._of(self._without(other)) if self._meets(other) else self

    def _meets(self, other: "Spans") -> bool:
        """Whether any second could be in both: of many that are held against one another hardly any do."""
        mine, its = self.pairs, other.pairs
        return bool(mine and its) and mine[0][0] <= its[-1][1] and its[0][0] <= mine[-1][1]

    def _common(self, other: "Spans") -> Iterator[tuple[int, int]]:
        for begin, end in self.pairs:
            for first, last in other.near(begin, end):
                if last >= begin:
                    yield max(begin, first), min(end, last)

    def _without(self, other: "Spans") -> Iterator[tuple[int, int]]:
        for begin, end in self.pairs:
            at = begin
            for first, last in other.near(begin, end):
                if first > at:
                    yield at, first - 1
                at = max(at, last + 1)
            if at <= end:
                yield at, end


_NONE = Spans()
