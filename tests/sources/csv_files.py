"""CSV exports as Netatmo's web site gives them, written for tests."""

from collections.abc import Iterable, Sequence
from pathlib import Path

FIRST = 1_400_348_429
STEP = 300
LINES_BEFORE = (
    "Name;Long;Lat;ModuleName;ModuleType",
    '"AR Home";-79.9;40.4;"Basement";"Indoor"',
    "",
)
"""The module's name and position; the third line is blank."""
HEADER = 'Timestamp;"Timezone : America/New_York";Temperature;Humidity;CO2'
LOCAL = '"2014/05/17 13:40:29"'


def lines_of(
    rows: Iterable[Sequence[object]], *, header: str = HEADER, before: Sequence[str] = LINES_BEFORE
) -> list[str]:
    """The lines of a file with these rows: a time, then the cells after the local time."""
    return [*before, header, *(";".join([str(time), LOCAL, *map(str, cells)]) for time, *cells in rows)]


def written(path: Path, lines: Iterable[str], *, end: str = "\n", encoding: str = "utf-8") -> Path:
    """A file of these lines."""
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path
