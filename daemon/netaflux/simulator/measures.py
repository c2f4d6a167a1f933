"""getmeasure: what was asked, and the page that answers it, in both shapes of the API."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, Self

import orjson

from netaflux.simulator.answers import ApiError
from netaflux.simulator.history import History, Row
from netaflux.simulator.house import House
from netaflux.simulator.units import normal_id
from netaflux.simulator.weather import Number

PAGE = 1024
"""Most rows of one answer; more are cut off without a word, the oldest kept (observed)."""

GAP = 1200
"""Seconds between two rows that are too many for one segment."""

SCALES = ("max", "30min", "1hour", "3hours", "1day", "1week", "1month")


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

    @classmethod
    def read(cls, params: Mapping[str, str], house: House, reading: Reading) -> Self:
        """What the parameters mean. Raises ApiError."""
        for name in ("device_id", "scale", "type"):
            if not params.get(name):
                raise ApiError(400, 10, f"Missing parameters: {name}")
        if params["scale"] not in SCALES:
            raise ApiError(400, 21, "Invalid scale")
        if params["scale"] != "max":
            raise ApiError(400, 21, "Scale not served")
        _flag(params, "real_time", default=False)  # makes no difference at this scale
        begin, end = _whole(params, "date_begin"), _end(params)
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
        )

    def rows(self, history: History, at: float) -> list[Row]:
        """The rows of the answer, before the columns are chosen."""
        if self.newest_only:
            newest = history.newest(at)
            return [newest] if newest else []
        return history.rows(self.begin, self.end, at, limit=self.limit)


def page_body(asked: Asked, history: History, reading: Reading, at: float) -> tuple[bytes, float]:
    """The body of the answer as JSON, and the moment up to which it has looked. Raises ApiError."""
    columns = _columns(asked.types, history.module.measures, reading)
    rows = asked.rows(history, at)
    cells = [(row.time, _cells(row, columns, ragged=history.module.ragged > 0)) for row in rows]
    seen = rows[-1].time + 1 if len(rows) == asked.limit and not asked.newest_only else asked.end
    if not cells:
        return b"[]", seen  # a list in both shapes (observed)
    body: Any = _segments(cells) if asked.optimize else {str(time): values for time, values in cells}
    return orjson.dumps(body), seen


Cells = Sequence[Number | None]


def _cells(row: Row, columns: Iterable[int | None], *, ragged: bool) -> Cells:
    cells = [None if column is None else row.values[column] for column in columns]
    while ragged and len(cells) > 1 and cells[-1] is None:
        cells.pop()
    return cells


def _segments(rows: Iterable[tuple[int, Cells]]) -> list[dict[str, Any]]:
    """Rows of an even step together; a new segment at every gap and irregular step (Netatmo's guide)."""
    segments: list[dict[str, Any]] = []
    last, step = 0, 0
    for time, cells in rows:
        stride = time - last
        if segments and (stride == step or (step == 0 and stride <= GAP)):
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
    return None if params.get("date_end") == "last" else _whole(params, "date_end")


def _limit(params: Mapping[str, str]) -> int:
    limit = _whole(params, "limit")
    if limit is None:
        return PAGE
    if limit < 1:
        raise ApiError(400, 21, "Invalid limit")
    return min(limit, PAGE)


def _whole(params: Mapping[str, str], name: str) -> int | None:
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
