"""The answer of getmeasure as a page of rows: both of its shapes, with all their holes and oddities."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite
from typing import cast

from netaflux.core.errors import UpstreamFault
from netaflux.core.model import Measure, Number, Page, Row, Rows, Window
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.wire import number, require_no_errors, server_time, whole

AHEAD = 600
"""Seconds that a row may be ahead of Netatmo's clock; beyond that its time cannot be."""

_LISTS = frozenset({list})
_CELLS = frozenset({int, float, type(None)})
_LONGEST_TIME = 12
"""Digits of a time in seconds; more are none."""
_NO_ROWS = frozenset({"errors", "home"})
"""What a body may hold beside rows: partial errors."""


class TimesUntold(Exception):
    """Several rows came without the step between them: their times are not in the answer.

    Asked with optimize=false, Netatmo writes the time of each.
    """


def page_of(
    envelope: Envelope,
    measures: Sequence[Measure],
    window: Window,
    now: float,
    *,
    untold_aside: bool = False,
) -> Page:
    """The rows of the window, sorted and unique; `now` is Netatmo's time where the answer does not tell it.

    Of rows before the window, in the future, or whose time or cells cannot be read only the number is kept.
    Rows after the window are no fault: whether `date_end` belongs to it is not documented. Raises TimesUntold
    (with `untold_aside` such rows are put aside instead), and UpstreamFault where the answer is not one about
    measures at all, or holds errors and no rows: it would pass for a silence.
    """
    sent = _sent(envelope.get("body"), untold_aside=untold_aside)
    if not sent.times:
        require_no_errors(envelope, "measures")
    readable = _readable(sent, len(measures))
    rows = _in_order(readable)
    latest = int(server_time(envelope) or now) + AHEAD
    if window.end is not None:
        latest = max(latest, window.end - 1)  # it was planned up to there: one wrong clock does not unmake it
    possible = _between(rows, max(window.begin, 1), latest + 1)  # a row of 1970 is a clock that was not set
    inside = possible if window.end is None else _between(possible, window.begin, window.end)
    raw_rows = len(sent.times) + sent.lost
    aside = (raw_rows - len(readable)) + (len(rows) - len(possible))
    return Page(tuple(measures), window, inside, raw_rows, aside)


def _between(rows: Rows, begin: int, end: int) -> Rows:
    """Of rows in order those of begin ≤ time < end."""
    first, beyond = bisect_left(rows.times, begin), bisect_left(rows.times, end)
    return rows if beyond - first == len(rows) else rows[first:beyond]


@dataclass(slots=True)
class _Sent:
    """What stood in the answer: times and their cells, and how many rows told no time."""

    times: list[int] = field(default_factory=list)
    cells: list[object] = field(default_factory=list)
    lost: int = 0
    ascend: bool | None = None
    """True where the times are known to ascend."""


def _sent(body: object, *, untold_aside: bool) -> _Sent:
    if body is None:
        return _Sent()
    if isinstance(body, dict):
        return _by_time(body)
    if isinstance(body, list):
        return _by_segment(body, untold_aside=untold_aside)
    raise UpstreamFault("Netatmo's answer to getmeasure holds neither segments nor rows")


def _by_time(body: Mapping[str, object]) -> _Sent:
    """The shape of optimize=false: each row under its time."""
    sent = _Sent()
    for key, cells in body.items():
        if len(key) <= _LONGEST_TIME and key.isascii() and key.isdigit():
            sent.times.append(int(key))
            sent.cells.append(cells)
        elif key not in _NO_ROWS:
            sent.lost += 1
    return sent


def _by_segment(body: Sequence[object], *, untold_aside: bool) -> _Sent:
    """The shape of optimize=true: stretches of rows with an even step, which a single row has no need of."""
    sent = _Sent(ascend=True)
    for segment in body:
        fields = segment if isinstance(segment, dict) else {}
        begin, step, cells = fields.get("beg_time"), fields.get("step_time"), fields.get("value")
        # nearly always; a page may have five hundred of them
        if type(begin) is int and type(step) is int and type(cells) is list and step > 0:
            if sent.times and begin <= sent.times[-1]:
                sent.ascend = None
            sent.times += range(begin, begin + step * len(cells), step)
            sent.cells += cells
        else:
            sent.ascend = None
            _odd_segment(sent, whole(begin), whole(step), cells, untold_aside=untold_aside)
    return sent


def _odd_segment(
    sent: _Sent, begin: int | None, step: int | None, cells: object, *, untold_aside: bool
) -> None:
    """One row, or a segment that is not as it should be."""
    if begin is None or not isinstance(cells, list):
        sent.lost += len(cells) if isinstance(cells, list) else 1
    elif len(cells) == 1:
        sent.times.append(begin)
        sent.cells += cells
    elif step and step > 0:
        sent.times += range(begin, begin + step * len(cells), step)
        sent.cells += cells
    elif cells and not untold_aside:
        raise TimesUntold
    else:
        sent.times += [begin][: len(cells)]
        sent.cells += cells[:1]
        sent.lost += len(cells[1:])


def _readable(sent: _Sent, width: int) -> Rows:
    """A row for all cells that can be read; what lies beyond the measures asked for is nobody's."""
    if (plain := _plain(sent, width)) is not None:
        return plain
    lists = [
        (time, cells) for time, cells in zip(sent.times, sent.cells, strict=True) if isinstance(cells, list)
    ]
    return Rows.of(
        [
            Row(time, tuple(number(cells[at]) if at < len(cells) else None for at in range(width)))
            for time, cells in lists
        ]
    )


def _plain(sent: _Sent, width: int) -> Rows | None:
    """The rows where all cells are what they should be, as nearly always: at the speed of C for 1024 rows."""
    if not _LISTS.issuperset(map(type, sent.cells)):
        return None
    try:
        columns = list(zip(*cast("list[list[Number | None]]", sent.cells), strict=True))
    except ValueError:  # ragged
        return None
    rows = Rows(sent.times, columns, ascend=sent.ascend)
    if len(columns) != width or not _CELLS.issuperset(chain.from_iterable(rows.kinds)):
        return None
    # one that is not finite would show in the sum
    return rows if isfinite(sum(map(_sum, columns, rows.kinds))) else None


def _sum(column: Sequence[Number | None], kinds: Collection[type]) -> Number:
    return sum(filter(None, column) if type(None) in kinds else cast("Sequence[Number]", column))


def _in_order(rows: Rows) -> Rows:
    """By time; of two rows of one time each value is that of the later one that has it."""
    if rows.ascend:
        return rows
    merged: dict[int, tuple[Number | None, ...]] = {}
    for time, values in rows:
        before = merged.get(time, values)
        merged[time] = tuple(old if new is None else new for old, new in zip(before, values, strict=True))
    return Rows.of([Row(time, merged[time]) for time in sorted(merged)])
