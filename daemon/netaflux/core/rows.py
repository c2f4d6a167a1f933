"""From measures to batches: rows of channels computed, then grouped by the channels that have a value.

    page's rows ─(derive)→ rows of channels ─(batches)→ one batch per set of channels that a destination lacks

This is the hot path: a year of one station is half a million rows. So the work goes by columns; the common
case, nothing missing and everything wanted, is told by a few quick looks, and the rest goes a slower way.
"""

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, compress
from typing import Any

from netaflux.core.channels import Channel
from netaflux.core.model import Batch, ChannelName, DeviceName, Measure, Number, Row, Rows
from netaflux.core.spans import Spans

_Column = Sequence[Number | None]
_Values = tuple[Number | None, ...]
_Typed = tuple[_Column, AbstractSet[type]]

_LARGEST = sys.float_info.max
REMEMBERED = 4096
"""Answers of each blend: more than a week of one place has, in a megabyte."""
_DEVICES = 64
"""Lists of channels whose blends are remembered."""


def derive(rows: Sequence[Row], measures: Sequence[Measure], channels: Sequence[Channel]) -> Rows:
    """Rows that hold a value, or None, for each channel instead of for each measure.

    A channel has a gap where a measure that it needs is missing (from the row or from the page) or is not
    finite, and where its formula has no finite answer. Nothing enters a row that is not of that row.
    """
    rows = Rows.of(rows)
    if not rows:
        return rows
    held = dict(zip(measures, zip(rows.columns, rows.kinds, strict=True), strict=True))
    gaps = (None,) * len(rows), {type(None)}
    typed: dict[Channel, _Typed] = {}
    for blend in blends(tuple(channels)):
        typed |= blend.columns(*zip(*(held.get(measure, gaps) for measure in blend.measures), strict=True))
    return rows.with_columns([typed[channel] for channel in channels])


class _Answers(dict[tuple[Any, ...], _Values]):
    """The channels of rows by their measures, computed lately: the same air comes again and again."""

    def __init__(self, compute: Callable[[tuple[Any, ...]], _Values], channels: int) -> None:
        super().__init__()
        self._compute = compute
        self.kinds: list[set[type]] = [set() for _ in range(channels)]
        """The types that each channel's values ever had."""

    def __missing__(self, cells: tuple[Any, ...]) -> _Values:
        values = self[cells] = self._compute(cells)
        for kinds, value in zip(self.kinds, values, strict=True):
            kinds.add(type(value))
        return values


@dataclass(frozen=True, slots=True)
class Blend:
    """Channels that have measures in common, and are therefore computed together."""

    channels: tuple[Channel, ...]
    measures: tuple[Measure, ...]
    compute: Callable[[tuple[Any, ...]], _Values]
    """From a row's measures, and whatever follows them, to its channels."""
    answers: dict[tuple[Any, ...], _Answers] = field(default_factory=dict)
    """By the kinds of number of each measure: 57 and 57.0 are equal, but what they become differs in type."""

    def columns(
        self, inputs: Sequence[_Column], kinds: Sequence[AbstractSet[type]]
    ) -> Iterator[tuple[Channel, _Typed]]:
        """Each channel with its values and their types, from the columns of `measures` and theirs."""
        place = tuple((int in kind, float in kind) for kind in kinds)
        answers = self.answers.setdefault(place, _Answers(self.compute, len(self.channels)))
        if len(answers) > REMEMBERED:
            answers.clear()
        # where a measure has both kinds, a row is looked up by which it is, too
        told = [map(type, column) for column, both in zip(inputs, place, strict=True) if all(both)]
        values = map(answers.__getitem__, zip(*inputs, *told, strict=True))
        for channel, column, known in zip(
            self.channels, zip(*values, strict=True), answers.kinds, strict=True
        ):
            # one type that all ever had is that of these, too
            yield channel, (column, set(known) if len(known) == 1 else set(map(type, column)))


@lru_cache(_DEVICES)
def blends(channels: tuple[Channel, ...]) -> tuple[Blend, ...]:
    """Channels in groups that have no measure in common."""
    groups: list[tuple[Channel, ...]] = []
    for channel in channels:
        kin = [group for group in groups if _needs(group) & set(channel.measures)]
        groups = [group for group in groups if group not in kin]
        groups.append((*chain.from_iterable(kin), channel))
    return tuple(_blend(tuple(channel for channel in channels if channel in group)) for group in groups)


def _needs(channels: Sequence[Channel]) -> set[Measure]:
    return {measure for channel in channels for measure in channel.measures}


def _blend(channels: tuple[Channel, ...]) -> Blend:
    measures = tuple(dict.fromkeys(measure for channel in channels for measure in channel.measures))
    steps = tuple(dict.fromkeys(step for channel in channels for step in channel.steps))

    def answer(cells: tuple[Any, ...]) -> _Values:
        known: dict[Measure | Channel, Number | None] = dict(zip(measures, map(_finite, cells)))  # noqa: B905 - types may follow
        for step in steps:
            known[step] = _computed(step.compute, [known[source] for source in step.inputs])
        return tuple(known[channel] for channel in channels)

    return Blend(channels, measures, answer)


def _computed(compute: Callable[..., Number | None] | None, inputs: Sequence[Number | None]) -> Number | None:
    if None in inputs:
        return None
    try:
        return inputs[0] if compute is None else _finite(compute(*inputs))
    except (ArithmeticError, ValueError):
        return None


def _finite(value: Number | None) -> Number | None:
    return value if value is not None and -_LARGEST <= value <= _LARGEST else None


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
    rows = Rows.of(rows)
    names = tuple(channel.name for channel in channels)
    spans = [wanted.get(name, Spans()) for name in names]
    if _all_wanted(spans, rows.times) and not any(type(None) in kinds for kinds in rows.kinds):
        yield Batch(device, names, rows)
    else:
        for key, members in _grouped(spans, rows).items():
            yield Batch(device, tuple(compress(names, key)), members)


def _all_wanted(spans: Sequence[Spans], times: Sequence[int]) -> bool:
    around = [one.around(times[0]) for one in spans]
    return all(span is not None and times[-1] <= span[1] for span in around)


def _grouped(spans: Sequence[Spans], rows: Rows) -> dict[tuple[bool, ...], list[Row]]:
    """The rows by which of their cells are sent, cut down to those; groups in order of their first rows."""
    sendable = [
        [here and value is not None for here, value in zip(_inside(rows.times, one), column, strict=True)]
        for one, column in zip(spans, rows.columns, strict=True)
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
    for begin, end in spans.near(times[0], times[-1]):
        low, high = bisect_left(times, begin), bisect_right(times, end)
        inside[low:high] = [True] * (high - low)
    return inside
