"""getmeasure: what was asked, and the page that answers it, in both shapes of the API."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Any, Literal, Self

import orjson

from netaflux.simulator.answers import ApiError
from netaflux.simulator.history import History, Row
from netaflux.simulator.house import House
from netaflux.simulator.scales import SCALES, column, offset, stretches
from netaflux.simulator.units import normal_id
from netaflux.simulator.weather import DAY, Number

PAGE = 1024
"""Most rows of one answer; more are cut off without a word, the oldest kept (observed)."""

GAP = 1200
"""Seconds between two rows that are too many for one segment."""

MAX = "max"
"""The scale of the rows themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Which of the things that Netatmo's documentation leaves open the simulator does."""

    date_end: Literal["included", "excluded"] = "excluded"
    foreign_types: Literal["null", "refused"] = "null"
    """What comes of a type that the module does not have: a column of nulls, or an error."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A getmeasure call that makes sense."""

    module_id: str
    types: tuple[str, ...]
    begin: float
    end: float
    limit: int
    optimize: bool
    newest_only: bool = False
    scale: str = MAX
    real_time: bool = False

    @classmethod
    def read(cls, params: Mapping[str, str], house: House, reading: Reading) -> Self:
        """What the parameters mean. Raises ApiError."""
        for name in ("device_id", "scale", "type"):
            if not params.get(name):
                raise ApiError(400, 10, f"Missing parameters: {name}")
        if params["scale"] not in {MAX, *SCALES}:
            raise ApiError(400, 21, "Invalid scale")
        begin, end = whole(params, "date_begin"), _end(params)
        if begin is not None and end is not None and begin > end:
            raise ApiError(400, 25, "Invalid date_begin")
        included = reading.date_end == "included"
        return cls(
            module_id=_module_id(params, house),
            types=tuple(params["type"].split(",")),
            begin=-inf if begin is None else begin,
            end=inf if end is None else end + included,
            limit=_limit(params),
            optimize=_flag(params, "optimize", default=True),
            newest_only=begin is None and params.get("date_end") == "last",
            scale=params["scale"],
            real_time=_flag(params, "real_time", default=False),
        )

    def rows(self, history: History, at: float) -> list[Row]:
        """The rows of the answer, before the columns are chosen."""
        if self.newest_only:
            newest = history.newest(at)
            return [newest] if newest else []
        return history.rows(self.begin, self.end, at, limit=self.limit)


def page_body(
    asked: Asked, history: History, reading: Reading, at: float, zone: str = "UTC"
) -> tuple[bytes, float]:
    """The body of the answer as JSON, and the moment up to which it has looked. Raises ApiError."""
    if asked.scale == MAX:
        columns = _columns(asked.types, history.module.measures, reading)
        rows = asked.rows(history, at)
        cells = [(row.time, _cells(row, columns, ragged=history.module.ragged > 0)) for row in rows]
        seen = rows[-1].time + 1 if len(rows) == asked.limit and not asked.newest_only else asked.end
    else:
        cells, seen = _coarse(asked, history, zone, reading, at), inf
    return _body(cells, optimize=asked.optimize), seen


def page_of_cells(cells: Iterable[tuple[int, "Cells"]], params: Mapping[str, str], step: int) -> bytes:
    """The body of an answer that holds these cells, in the shape that is asked for. Raises ApiError."""
    return _body(list(cells), optimize=_flag(params, "optimize", default=True), gap=step)


def _body(cells: Sequence[tuple[int, "Cells"]], *, optimize: bool, gap: int = GAP) -> bytes:
    if not cells:
        return b"[]"  # a list in both shapes (observed)
    body: Any = _segments(cells, gap) if optimize else {str(time): values for time, values in cells}
    return orjson.dumps(body)


Cells = Sequence[Number | None]


def _cells(row: Row, columns: Iterable[int | None], *, ragged: bool) -> Cells:
    cells = [None if column is None else row.values[column] for column in columns]
    while ragged and len(cells) > 1 and cells[-1] is None:
        cells.pop()
    return cells


def _coarse(
    asked: Asked, history: History, zone: str, reading: Reading, at: float
) -> list[tuple[int, Cells]]:
    """Stretches that begin within what was asked, each with all of its rows so far.

    Netatmo chooses by the begin and moves the times afterwards, so that they may lie beyond what was asked.
    """
    columns = [column(name, history.module.measures, asked.scale) for name in asked.types]
    if None in columns and reading.foreign_types == "refused":
        raise ApiError(400, 21, "Invalid type")
    begin = max(asked.begin, history.module.set_up - 31 * DAY)
    # a stretch that has begun before is left out, and one that begins before the end is whole
    rows = history.rows(begin, min(asked.end + 31 * DAY, at + 1), at)
    chosen = (
        (first, within)
        for first, within in stretches(rows, asked.scale, zone)
        if asked.begin <= first < asked.end
    )
    shift = 0 if asked.real_time else offset(asked.scale)
    cells: list[tuple[int, Cells]] = [
        (first + shift, [None if each is None else each(within) for each in columns])
        for first, within in islice(chosen, None if asked.newest_only else asked.limit)
    ]
    return cells[-1:] if asked.newest_only else cells


def _segments(rows: Iterable[tuple[int, Cells]], gap: int) -> list[dict[str, Any]]:
    """Rows of an even step together; a new segment at every gap and irregular step (Netatmo's guide)."""
    segments: list[dict[str, Any]] = []
    last, step = 0, 0
    for time, cells in rows:
        stride = time - last
        if segments and (stride == step or (step == 0 and stride <= gap)):
            segments[-1]["step_time"] = step = stride
            segments[-1]["value"].append(cells)
        else:
            segments.append({"beg_time": time, "value": [cells]})
            step = 0
        last = time
    return segments


def _columns(types: Iterable[str], measures: Sequence[str], reading: Reading) -> list[int | None]:
    known = {measure.lower(): column for column, measure in enumerate(measures)}
    columns = [known.get(name.strip().lower()) for name in types]
    if None in columns and reading.foreign_types == "refused":
        raise ApiError(400, 21, "Invalid type")
    return columns


def _module_id(params: Mapping[str, str], house: House) -> str:
    device = normal_id(params["device_id"])
    module = normal_id(params.get("module_id") or device)
    try:
        if normal_id(house.station(module).base.id) == device:
            return module
    except KeyError:
        pass
    raise ApiError(404, 9, "Device not found")


def _end(params: Mapping[str, str]) -> int | None:
    return None if params.get("date_end") == "last" else whole(params, "date_end")


def _limit(params: Mapping[str, str]) -> int:
    limit = whole(params, "limit")
    if limit is None:
        return PAGE
    if limit < 1:
        raise ApiError(400, 21, "Invalid limit")
    return min(limit, PAGE)


def whole(params: Mapping[str, str], name: str) -> int | None:
    """A number among the parameters, if it is there. Raises ApiError."""
    text = params.get(name)
    if not text:
        return None
    if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit():
        raise ApiError(400, 21, f"Invalid {name}")
    return int(text)


def _flag(params: Mapping[str, str], name: str, *, default: bool) -> bool:
    match params.get(name, "").lower():
        case "":
            return default
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise ApiError(400, 21, f"Invalid {name}")
