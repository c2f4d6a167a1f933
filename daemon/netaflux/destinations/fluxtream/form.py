"""A batch as the body of Fluxtream's upload form.

Fluxtream takes `dev_nickname`, `channel_names` (JSON) and `data` (JSON rows `[time, value…]`) as an
application/x-www-form-urlencoded form.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from math import isfinite
from typing import Final, cast

import orjson

from netaflux.core.model import Batch, Number, Row, Rows
from netaflux.core.settings import NAME_PATTERN

BODY_LIMIT: Final = 190_000
"""Bytes that a body stays below: a Jetty server answers a form of more than 200 000 with 401 (measured)."""
LATEST: Final = 10**10
"""No time is beyond this second of the year 2286: milliseconds would widen a channel's bounds for ever."""

_VALUE: Final = frozenset({int, float})
_NAME: Final = re.compile(NAME_PATTERN)

# All that numbers in arrays, and names in quotes, can hold of what a form must not; urlencode in
# general takes longer for a page of rows than all else that happens to it.
_ESCAPES: Final = ((b"[", b"%5B"), (b"]", b"%5D"), (b",", b"%2C"), (b'"', b"%22"), (b"+", b"%2B"))


def form(batch: Batch, rows: Sequence[Row]) -> bytes:
    """The body that uploads these rows of the batch; integers stay integers, floats are as short as exact."""
    rows = Rows.of(rows)
    return b"dev_nickname=%b&channel_names=%b&data=%b" % (
        batch.device.encode("ascii"),
        _escaped(orjson.dumps(batch.channels)),
        _escaped(orjson.dumps(list(zip(rows.times, *rows.columns, strict=True)))),
    )


def require_sound(batch: Batch) -> None:
    """Make sure that nothing leaves which Fluxtream would refuse, keep wrongly, or crash on.

    A null time lands in 1970, a false deletes, a surplus cell crashes the import, and of two rows with one
    time the second stays for ever. Raises ValueError: such a batch is a mistake of ours.
    """
    flaw = next(_flaws(batch), None)
    if flaw is not None:
        raise ValueError(f"a batch for {batch.device!r} {batch.channels!r} with {flaw}")


def _flaws(batch: Batch) -> Iterator[str]:
    width = len(batch.channels)
    if not all(map(_NAME.fullmatch, (batch.device, *batch.channels))):
        yield "a name that Fluxtream does not take"
    if not 0 < width == len(set(batch.channels)):
        yield "no channel, or one twice"
    if not isinstance(batch.rows, Rows) and any(len(row.values) != width for row in batch.rows):
        yield "a row longer or shorter than its channels"
    rows = Rows.of(batch.rows)
    if rows and len(rows.columns) != width:
        yield "rows longer or shorter than its channels"
    yield from _flaws_of_times(rows)
    yield from _flaws_of_values(rows)


def _flaws_of_times(rows: Rows) -> Iterator[str]:
    if not rows.ascend:
        whole = all(type(time) is int for time in rows.times)
        yield "times that do not ascend" if whole else "a time that is not a whole second"
    if rows and not 0 < rows.times[0] <= rows.times[-1] < LATEST:
        yield "a time that cannot be"


def _flaws_of_values(rows: Rows) -> Iterator[str]:
    # by type, because a bool is an int too, and there it deletes
    if not _VALUE.issuperset(chain.from_iterable(rows.kinds)):
        yield "a value that is not a number"
    for column in cast("Sequence[Sequence[Number]]", rows.columns):
        # one that is not finite would show in the sum, which is known in a tenth of the time
        if not isfinite(sum(column)) and not all(map(isfinite, column)):
            yield "a value that is not finite"


def _escaped(json: bytes) -> bytes:
    for character, escape in _ESCAPES:
        json = json.replace(character, escape)
    return json
