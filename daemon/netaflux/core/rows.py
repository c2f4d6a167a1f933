"""From measures to batches: rows of channels computed, then grouped by the channels that have a value.

    page's rows ─(derive)→ rows of channels ─(batches)→ one batch per set of channels that a destination lacks

This is the hot path: a year of one station is half a million rows. So the work goes by columns; the common
case, nothing missing and everything wanted, is told by a few quick looks, and the rest goes a slower way.
"""

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain, compress
from math import isfinite
from operator import attrgetter

from netaflux.core.channels import Channel
from netaflux.core.model import Batch, ChannelName, DeviceName, Measure, Number, Row, rows_of
from netaflux.core.spans import FOREVER, Spans

_Column = Sequence[Number | None]

_VALUES = attrgetter("values")
_LARGEST = sys.float_info.max
REMEMBERED = 4096
"""Values of each formula: more than a week of one place has, in a megabyte."""


def derive(rows: Sequence[Row], measures: Sequence[Measure], channels: Sequence[Channel]) -> list[Row]:
    """Rows that hold a value, or None, for each channel instead of for each measure.

    A channel has a gap where a measure that it needs is missing (from the row or from the page) or is not
    finite, and where its formula has no finite answer. Nothing enters a row that is not of that row.
    """
    if not rows:
        return []
    times, cells = zip(*rows, strict=True)
    columns = _measured(measures, cells, channels)
    for step in dict.fromkeys(step for channel in channels for step in channel.steps):
        columns[step] = _computed(step.compute, [columns[source] for source in step.inputs])
    values = zip(*(columns[channel] for channel in channels), strict=True)
    return rows_of(times, values if channels else [()] * len(times))


def _measured(
    measures: Sequence[Measure], cells: Sequence[tuple[Number | None, ...]], channels: Sequence[Channel]
) -> dict[Measure | Channel, _Column]:
    """The columns of the measures that the channels need."""
    held = dict(zip(measures, zip(*cells, strict=True), strict=True))
    gaps = (None,) * len(cells)
    needed = dict.fromkeys(measure for channel in channels for measure in channel.measures)
    return {measure: _finite(held[measure]) if measure in held else gaps for measure in needed}


def _computed(compute: Callable[..., Number | None] | None, inputs: Sequence[_Column]) -> _Column:
    if compute is None:
        return inputs[0]
    try:
        return _finite(list(map(_remembering(compute), *inputs)))
    except (ArithmeticError, TypeError, ValueError):  # a gap among the inputs, or one to come: cell by cell
        return _finite([_cell(compute, cell) for cell in zip(*inputs, strict=True)])


@cache
def _remembering(compute: Callable[..., Number | None]) -> Callable[..., Number | None]:
    """The same computation, which looks up what it was asked lately: the same air comes again and again.

    57 and 57.0 are asked for apart, since what becomes of them may differ in type.
    """
    return lru_cache(REMEMBERED, typed=True)(compute)


def _cell(compute: Callable[..., Number | None], cell: tuple[Number | None, ...]) -> Number | None:
    if None in cell:
        return None
    try:
        return compute(*cell)
    except (ArithmeticError, ValueError):
        return None


def _finite(column: _Column) -> _Column:
    """The column with a gap wherever a number is not finite."""
    try:
        if isfinite(sum(column)):  # type: ignore[arg-type]  # a None raises TypeError, which is what is asked
            return column
    except (OverflowError, TypeError):
        pass
    return [value if value is not None and -_LARGEST <= value <= _LARGEST else None for value in column]


def batches(
    device: DeviceName, channels: Sequence[Channel], rows: Sequence[Row], wanted: Mapping[ChannelName, Spans]
) -> Iterator[Batch]:
    """The cells that have a value and are wanted, as batches of whole rows.

    `rows` hold the channels' values, sorted and unique by time; so do each batch's. `wanted` says for each
    channel at which times the destination lacks it; a channel that is not in it is not wanted. The channels
    of a batch keep their order. A row of which nothing is wanted, or nothing has a value, is in no batch.
    """
    if not rows or not channels:
        return
    names = tuple(channel.name for channel in channels)
    spans = [wanted.get(name, Spans()) for name in names]
    if _all_wanted(spans, rows) and None not in chain.from_iterable(map(_VALUES, rows)):
        yield Batch(device, names, rows)
    else:
        for key, members in _grouped(spans, rows).items():
            yield Batch(device, tuple(compress(names, key)), members)


def _all_wanted(spans: Sequence[Spans], rows: Sequence[Row]) -> bool:
    around = [one.around(rows[0].time) for one in spans]
    return all(span is not None and rows[-1].time <= span[1] for span in around)


def _grouped(spans: Sequence[Spans], rows: Sequence[Row]) -> dict[tuple[bool, ...], list[Row]]:
    """The rows by which of their cells are sent, cut down to those; groups in order of their first rows."""
    times = [row.time for row in rows]
    columns = zip(*(row.values for row in rows), strict=True)
    sendable = [
        [here and value is not None for here, value in zip(_inside(times, one), column, strict=True)]
        for one, column in zip(spans, columns, strict=True)
    ]
    groups: dict[tuple[bool, ...], list[Row]] = {}
    for row, key in zip(rows, zip(*sendable, strict=True), strict=True):
        if True in key:
            kept = row if all(key) else Row(row.time, tuple(compress(row.values, key)))
            groups.setdefault(key, []).append(kept)
    return groups


def _inside(times: Sequence[int], spans: Spans) -> list[bool]:
    """For each of these sorted times, whether the spans hold it."""
    inside = [False] * len(times)
    first = max(0, bisect_right(spans.pairs, (times[0], FOREVER)) - 1)
    for begin, end in spans.pairs[first : bisect_right(spans.pairs, (times[-1], FOREVER))]:
        low, high = bisect_left(times, begin), bisect_right(times, end)
        inside[low:high] = [True] * (high - low)
    return inside
