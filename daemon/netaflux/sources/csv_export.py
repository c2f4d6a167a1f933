"""Netatmo's CSV export of one module, read as a stream and, where it is to be sent, read twice.

    lines ─(csv)→ records ─(header, cells)→ rows ─→ pages, each with the seal of all that was read so far

The first pass checks the whole file and keeps nothing of it but a seal for each page; the second one hands
out the pages and stops before the first that has another seal: nothing is sent that was not checked.

The layout as the web site gives it (observed, 2014 to 2022): two or three lines about the station, then

    Timestamp;"Timezone : America/New_York";Temperature;Humidity;CO2
    1400348429;"2014/05/17 13:40:29";20.3;51;429

with unix seconds in the first column, the same as local time in the second, and a column for each measure.
The unix seconds are the row's time; the local time says nothing more, and less when clocks are set back.
"""

import csv
import hashlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, Final, Protocol

from netaflux.core.errors import DataRefused
from netaflux.core.masking import printable
from netaflux.core.model import PAGE_ROWS, Measure, Number, Row
from netaflux.sources.csv_cells import EARLIEST, Header, blank, number, quoted, read_header, whole_seconds
from netaflux.sources.csv_mistakes import Mistakes

FUTURE_ALLOWED: Final = 600
"""Seconds that a stamp may be ahead of our clock and still be believed."""
LONGEST_LINE: Final = 16_384
"""Characters; no line of an export is near it, and a file without line ends shall not fill the memory."""
HEADER_WITHIN: Final = 8
"""Records from the file's begin in which the header must stand; it is the third or fourth."""
ANOTHER_TABLE: Final = (
    "this is no CSV export of Netatmo's: after three lines about the module its header "
    "`Timestamp;Timezone : …;Temperature;…` should stand"
)

Tell = Callable[[int], None]
"""Is told of every page how many rows it has."""


class _Seal(Protocol):
    """A running digest."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """A file in which no mistake was found."""

    path: Path
    now: float
    header: Header
    rows: int
    first: int | None
    last: int | None
    seals: tuple[bytes, ...]
    """Of all that was read up to the end of each page; the last one is of the whole file."""

    @property
    def file(self) -> str:
        """Its name, as it can be printed anywhere."""
        return shown(self.path)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures of its rows."""
        return self.header.measures

    def pages(self) -> Iterator[list[Row]]:
        """Its rows, at most PAGE_ROWS at a time. Raises DataRefused once the file is not what it was."""
        mistakes = Mistakes()
        try:
            with _text(self.path) as text:
                pages = _Reading(self.file, text, self.now, mistakes).pages()
                for page, seal in zip_longest(pages, self.seals):
                    if page is None or page.seal != seal or mistakes.count:
                        break
                    if page.rows:
                        yield page.rows
                else:
                    return
        except OSError as error:
            raise DataRefused(f"{self.file} cannot be read any more: {error.strerror}") from error
        raise DataRefused(f"{self.file} was changed after it had been checked")


def check(path: Path, mistakes: Mistakes, *, now: float, tell: Tell = lambda _: None) -> Checked | None:
    """Read the whole file, and note all that is wrong with it; None where no header can be found.

    `now` is unix seconds. Nothing is raised: a file that cannot be read is a mistake, too.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            mistakes.note(shown(path), "this is no regular file; it has to be read twice")
            return None
        with _text(path) as text:
            return _checked(path, text, mistakes, now, tell)
    except (OSError, ValueError) as error:  # a ValueError: a path with a null character in it
        reason = error.strerror if isinstance(error, OSError) else None
        mistakes.note(shown(path), f"it cannot be read: {reason or error}")
        return None


def _checked(path: Path, text: IO[str], mistakes: Mistakes, now: float, tell: Tell) -> Checked | None:
    reading = _Reading(shown(path), text, now, mistakes)
    count, first, last, seals = 0, None, None, []
    for page in reading.pages():
        seals.append(page.seal)
        if page.rows:
            count += len(page.rows)
            first, last = page.rows[0].time if first is None else first, page.rows[-1].time
            tell(len(page.rows))
    header = reading.header
    return None if header is None else Checked(path, now, header, count, first, last, tuple(seals))


def shown(path: Path) -> str:
    """A path as it can be printed and put into JSON: file names are bytes."""
    return printable(str(path).encode(errors="surrogateescape").decode(errors="replace"))


def _text(path: Path) -> IO[str]:
    # what is not UTF-8 can only be a name before the header, or is no number either way
    return path.open(newline="", encoding="utf-8-sig", errors="replace")


@dataclass(frozen=True, slots=True)
class _Page:
    """Some rows, and the seal of all that was read up to their end."""

    rows: list[Row]
    seal: bytes


class _Reading:
    """One pass through a file."""

    def __init__(self, file: str, text: IO[str], now: float, mistakes: Mistakes) -> None:
        self._file = file
        self._text = text
        self._latest = now + FUTURE_ALLOWED
        self._mistakes = mistakes
        self._seal: _Seal = hashlib.blake2b(digest_size=16)
        self._before: tuple[int, int] | None = None
        """Time and line of the latest row so far."""
        self.header: Header | None = None

    def pages(self) -> Iterator[_Page]:
        """All rows; the last page may be empty, and its seal is that of the whole file."""
        rows: list[Row] = []
        for row in self._rows():
            rows.append(row)
            if len(rows) == PAGE_ROWS:
                yield _Page(rows, self._seal.digest())
                rows = []
        yield _Page(rows, self._seal.digest())

    def _rows(self) -> Iterator[Row]:
        records = self._records()
        header = self.header = self._header(records)
        if header is None:
            return
        for line, cells in records:
            sound = len(cells) == header.width and cells[0]
            whole = cells if sound else self._whole(line, cells, header.width)
            if whole is None:
                continue
            time, values = self._time(line, whole[0]), self._values(line, whole, header)
            if time is not None and values is not None:
                yield Row(time, values)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """The cells of every record, with the line in which it begins."""
        reader = csv.reader(self._lines(), delimiter=";", strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if self.header is not None:  # what stands before the header is anybody's
                    self._mistakes.note(self._file, f"it cannot be split into cells: {error}", line=line)
            else:
                yield line, cells

    def _lines(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE:
                raise csv.Error(f"the line is longer than {LONGEST_LINE} characters")
            self._seal.update(line.encode())
            yield line

    def _header(self, records: Iterator[tuple[int, list[str]]]) -> Header | None:
        for _, (line, cells) in zip(range(HEADER_WITHIN), records, strict=False):
            if cells and cells[0].strip().lower() == "timestamp":
                header, flaws = read_header(cells)
                for column, reason in flaws:
                    self._note(line, column, reason)
                return header
        self._mistakes.note(self._file, ANOTHER_TABLE, line=1)
        return None

    def _whole(self, line: int, cells: list[str], width: int) -> list[str] | None:
        """The record with as many cells as there are columns; None for a blank one, or after noting it."""
        if all(map(blank, cells)):
            return None
        if len(cells) < width or not all(map(blank, cells[width:])):
            reason = f"{len(cells)} cells where the header has {width}"
            self._note(line, min(len(cells), width) + 1, reason)
            return None
        return cells[:width]

    def _time(self, line: int, cell: str) -> int | None:
        time = whole_seconds(cell)
        if time is None:
            if blank(cell):
                self._note(line, 1, "there is no timestamp")
            else:
                self._note(line, 1, f"{quoted(cell)} is no timestamp in whole unix seconds")
        elif not EARLIEST <= time <= self._latest:
            when = "lies in the future" if time > self._latest else "is from before 2012"
            self._note(line, 1, f"the timestamp {time} {when}")
        elif self._before and time <= self._before[0]:
            before, there = self._before
            order = f"stands in line {there} already" if time == before else f"is earlier than line {there}'s"
            self._note(line, 1, f"the timestamp {time} {order}")
        else:
            self._before = time, line
            return time
        return None

    def _values(self, line: int, cells: list[str], header: Header) -> tuple[Number | None, ...] | None:
        try:
            return tuple([number(cells[place]) for place in header.places])
        except ValueError:
            for place in header.places:
                self._try(line, place, cells[place])
        return None

    def _try(self, line: int, place: int, cell: str) -> None:
        try:
            number(cell)
        except ValueError:
            self._note(line, place + 1, f"{quoted(cell)} is not a number")

    def _note(self, line: int, column: int, reason: str) -> None:
        name = self.header.names[column - 1] if self.header and column <= self.header.width else ""
        self._mistakes.note(self._file, reason, line=line, column=column, name=name)
