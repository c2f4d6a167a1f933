"""All rows of one module, past and future: the truth that everything else is compared with."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import merge
from itertools import chain, islice
from math import floor, inf
from typing import NamedTuple

from netaflux.simulator.units import Change, Module, Uploads
from netaflux.simulator.weather import INDOORS, OUTDOORS, Number, chosen, formula_of, sky_at

RECENT = 2048
"""Rows that are remembered, for the sake of speed."""


class Row(NamedTuple):
    """A moment, and a value or None for each measure of the module, in the order of `Module.measures`."""

    time: int
    values: tuple[Number | None, ...]


class History:
    """All that one module has measured and ever will."""

    def __init__(self, module: Module, uploads: Uploads | None = None) -> None:
        self.module = module
        self._uploads = uploads
        self._seed = module.seed
        self._sampling = module.sampling
        self._climate = OUTDOORS if module.kind == "NAModule1" else INDOORS
        self._formulas = [formula_of(measure) for measure in module.measures]
        self._has_holes = module.nulls > 0 or module.ragged > 0
        self._extras = tuple(sorted(set(module.extras)))
        self._changes: dict[int, list[Change]] = defaultdict(list)
        for change in module.changes:
            self._changes[change.time].append(change)
        # both depend on the time alone, and getstationsdata asks for the same day again and again
        self._measured = lru_cache(RECENT)(self._measure)
        self.visible_from = lru_cache(RECENT)(self._appear)
        """When the row of that time can first be had."""
        # rows that are there at their own moment, and no others, need not be asked one by one
        self._prompt = not (uploads or module.late or module.extras)

    def rows(self, begin: float, end: float, at: float, *, limit: int | None = None) -> list[Row]:
        """The oldest `limit` rows of begin ≤ t < end that are there at moment `at`, as they are then."""
        return [self.row(time, at) for time in islice(self.times(begin, end, at), limit)]

    def times(self, begin: float, end: float, at: float) -> Iterator[int]:
        """The times of the rows of begin ≤ t < end that are there at moment `at`, ascending."""
        sampled = self._sampled(begin, min(end, floor(at) + 1))
        if self._prompt:
            return sampled
        extras = (time for time in self._extras if begin <= time < end)
        return (time for time in _unique(merge(sampled, extras)) if self.visible_from(time) <= at)

    def row(self, time: int, at: float) -> Row:
        """The row of that time as it is at moment `at`."""
        row = self._measured(time)
        for change in self._changes.get(time, ()):
            if change.since <= at and change.measure in self.module.measures:
                column = self.module.measures.index(change.measure)
                row = Row(time, (*row.values[:column], change.value, *row.values[column + 1 :]))
        return row

    def _measure(self, time: int) -> Row:
        sky = sky_at(time, self._seed)
        cells = [formula(sky, self._climate) for formula in self._formulas]
        return Row(time, tuple(self._holed(time, cells) if self._has_holes else cells))

    def _holed(self, time: int, cells: Sequence[Number]) -> Iterator[Number | None]:
        ragged = chosen(self.module.ragged, self._seed + 1, time)
        for column, cell in enumerate(cells):
            null = chosen(self.module.nulls, self._seed + 3 + column, time)
            yield None if null or (ragged and column) else cell

    def _appear(self, time: int) -> float:
        for begin, end, moment in self.module.late:
            if begin <= time < end:
                return moment
        if self._uploads is None:
            return time
        missed = chosen(self.module.missed, self._seed + 2, time)
        return self._uploads.seen(self._uploads.carrying(time) + missed)

    def newest(self, at: float) -> Row | None:
        """The newest row that is there at moment `at`."""
        extras = (time for time in self._extras if self.visible_from(time) <= at)
        newest = max([*extras, *self._last_sampled(at)], default=None)
        return None if newest is None else self.row(newest, at)

    def settled(self, at: float) -> float:
        """The moment before which nothing changes any more after `at`."""
        live = at if self._uploads is None else at - 3 * self._uploads.every
        late = (begin for begin, _, moment in self.module.late if moment > at)
        changing = (change.time for change in self.module.changes if change.since > at)
        return min(chain([live], late, changing))

    def _sampled(self, begin: float, end: float) -> Iterator[int]:
        return chain.from_iterable(self._sampling.between(*piece) for piece in self._pieces(begin, end))

    def _pieces(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """What is left of begin ≤ t < end without the gaps."""
        begin = max(begin, self._sampling.first)
        for gap in self.module.gaps:
            if begin < min(gap.begin, end):
                yield begin, min(gap.begin, end)
            begin = max(begin, gap.end)
        if begin < end:
            yield begin, end

    def _last_sampled(self, at: float) -> list[int]:
        for begin, end in reversed(list(self._pieces(-inf, floor(at) + 1))):
            for reach in (7200, 172_800, inf):  # a few hours hold it, unless a long stretch is late
                sampled = self._sampling.between(max(begin, end - reach), end)
                if times := [time for time in sampled if self._prompt or self.visible_from(time) <= at]:
                    return times[-1:]
        return []


def _unique(times: Iterable[int]) -> Iterator[int]:
    last = None
    for time in times:
        if time != last:
            yield time
        last = time
