"""The cells of Netatmo's CSV export: what its columns are called, and how numbers are written."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Final

from netaflux.core.masking import printable
from netaflux.core.measures import UNITS
from netaflux.core.model import Measure, Number

EARLIEST: Final = 1_325_376_000
"""The begin of 2012, the year of the first station: no row is older."""

_ZONE = re.compile(r"\s*time\s*zone\s*:\s*\S.*", re.IGNORECASE | re.DOTALL)
_COLUMN = re.compile(r"(?P<name>[^()\[\]]*)(?:[(\[](?P<unit>[^()\[\]]*)[)\]]\s*)?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:[.,][0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,15}")

_REMEMBERED = 8192
"""Cells whose numbers are kept: stations measure in coarse steps, so the same texts come back."""
_LONGEST_QUOTE = 40

_MEASURES = {measure.lower(): measure for measure in UNITS}
# how a sign that is not ASCII looks in a file that is not UTF-8 is not known: it may be anything
_SPELLINGS = {
    "°C": {"°c", "ºc", "\ufffdc", "c"},
    "%": {"%"},
    "ppm": {"ppm"},
    "mbar": {"mbar", "mb", "hpa"},
    "dB": {"db"},
    "mm": {"mm"},
    "km/h": {"km/h", "kmh", "kph"},
    "°": {"°", "º", "\ufffd", "deg"},
}


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file."""

    names: tuple[str, ...]
    """As they stand there."""
    measures: tuple[Measure, ...]
    places: tuple[int, ...]
    """The index of each measure's column."""

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.names)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The columns that hold no measure that netaflux knows; they are left alone."""
        return tuple(
            printable(name) for place, name in enumerate(self.names) if place > 1 and place not in self.places
        )


def read_header(cells: Sequence[str]) -> tuple[Header, list[tuple[int, str]]]:
    """The header, and what is wrong with it: the number of a column, from 1, and the reason."""
    flaws: list[tuple[int, str]] = []
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:  # of a `;` at the line's end
        names.pop()
    found: dict[Measure, int] = {}
    for place, name in enumerate(names):
        if place > 1 and (measure := _measure(name)):
            flaws += [(place + 1, reason) for reason in _flaws(name, measure, found)]
            found.setdefault(measure, place)
    if len(names) < 2 or not _ZONE.fullmatch(names[1]):  # noqa: PLR2004 - the second column
        flaws.insert(0, (2, "there is no time zone, such as `Timezone : America/New_York`"))
    if not found:
        flaws.append((3, "no column holds a measure that netaflux knows"))
    return Header(tuple(names), tuple(found), tuple(found.values())), flaws


def _parts(name: str) -> tuple[str, str]:
    """A column's name without its unit, folded, and the unit."""
    match = _COLUMN.fullmatch(name)
    if match is None:
        return name, ""
    return re.sub(r"[\s_-]+", "", match["name"]).lower(), (match["unit"] or "").strip().lower()


def _measure(name: str) -> Measure | None:
    return _MEASURES.get(_parts(name)[0])


def _flaws(name: str, measure: Measure, found: Mapping[Measure, int]) -> Iterator[str]:
    unit = _parts(name)[1]
    if measure in found:
        yield f"{measure} stands in column {found[measure] + 1} already"
    if unit and unit not in _SPELLINGS[UNITS[measure]]:
        yield f"{quoted(name)} is not in {UNITS[measure]}"


def blank(cell: str) -> bool:
    """Whether nothing stands there: the value is missing."""
    return not cell or cell.isspace()


@lru_cache(_REMEMBERED)
def number(cell: str) -> Number | None:
    """The number of a cell, with a decimal point or comma; None where it is blank. Raises ValueError."""
    text = cell.strip()
    if not text:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError(cell)
    value = float(text.replace(",", "."))
    if not isfinite(value):
        raise ValueError(cell)
    return value


def whole_seconds(cell: str) -> int | None:
    """The unix seconds of a cell, or None where it holds something else."""
    text = cell.strip()
    return int(text) if _SECONDS.fullmatch(text) else None


def quoted(cell: str) -> str:
    """A cell as it is told in a sentence: cut, and without what could steer a terminal."""
    cut = cell if len(cell) <= _LONGEST_QUOTE else cell[: _LONGEST_QUOTE - 1] + "…"
    return printable(json.dumps(cut, ensure_ascii=False))
