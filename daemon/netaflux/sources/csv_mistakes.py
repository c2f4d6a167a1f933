"""What is wrong with files: all of it counted, the first of it kept."""

from dataclasses import dataclass, field
from typing import Final

from netaflux.core.errors import DataRefused
from netaflux.core.masking import printable

KEPT: Final = 20
"""Mistakes that are told in full."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong, and where: lines and columns count from 1."""

    file: str
    reason: str
    line: int | None = None
    column: int | None = None
    name: str = ""
    """What the header calls the column."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        if self.column is not None:
            place += f": column {self.column}" + (f" ({printable(self.name)})" if self.name else "")
        return f"{place}: {self.reason}"


@dataclass(slots=True)
class Mistakes:
    """The mistakes of all files that were read."""

    kept: list[Mistake] = field(default_factory=list)
    count: int = 0

    def note(
        self, file: str, reason: str, *, line: int | None = None, column: int | None = None, name: str = ""
    ) -> None:
        """One more."""
        self.count += 1
        if self.count <= KEPT:
            self.kept.append(Mistake(file, reason, line, column, name))

    def require_none(self) -> None:
        """Raise DataRefused, with a line for each mistake that was kept, if there is any."""
        if self.count:
            more = self.count - len(self.kept)
            lines = [str(mistake) for mistake in self.kept] + ([f"… and {more} more"] if more else [])
            raise DataRefused("\n".join(lines), advice="Nothing was sent.")
