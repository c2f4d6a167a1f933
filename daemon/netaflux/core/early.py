"""Early rows: a survey shows each module's newest row already, so it need not wait for getmeasure.

Whether what is shown is quite the row that getmeasure gives later is not documented. So each module has to
show it: a row is taken from the survey only after the last three were found again in getmeasure with the same
time and the same values. One that was not ends it for the module.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from netaflux.core.model import Measure, Number, Page, Row

MATCHES = 3
"""Rows in a row that getmeasure must have confirmed."""
REMEMBERED = 64
"""Rows that wait to be confirmed; the oldest are forgotten, and prove nothing."""

Values = Mapping[Measure, Number]


@dataclass(slots=True)
class Shown:
    """What surveys have shown of one module, held against what getmeasure gave."""

    matches: int = 0
    mistaken: bool = False
    """Whether one was not confirmed: then none is believed any more."""
    _waiting: dict[int, Values] = field(default_factory=dict)

    @property
    def believed(self) -> bool:
        """Whether a row may be taken from the survey."""
        return self.matches >= MATCHES and not self.mistaken

    def show(self, time: int, values: Values) -> None:
        """A survey shows this row."""
        if values and not self.mistaken:
            self._waiting.setdefault(time, values)
            while len(self._waiting) > REMEMBERED:
                del self._waiting[min(self._waiting)]

    def compare(self, page: Page) -> str | None:
        """Hold what was shown against a page of the same module; answers what was mistaken, once."""
        if self.mistaken or not self._waiting or page.last is None:
            return None
        given = {row.time: row for row in page.rows if row.time in self._waiting}
        for time in sorted(time for time in self._waiting if page.window.begin <= time <= page.last):
            wrong = _difference(self._waiting.pop(time), given.get(time), page)
            if wrong is not None:
                self.mistaken = True
                self._waiting.clear()
                return wrong
            self.matches += 1
        return None


def _difference(shown: Values, row: Row | None, page: Page) -> str | None:
    if row is None:
        return "getmeasure has no row of that time"
    for measure, value in zip(page.measures, row.values, strict=True):
        if shown.get(measure) != value:
            return f"{measure} was shown as {shown.get(measure)}, and getmeasure says {value}"
    return None


def early_row(time: int, values: Values, measures: tuple[Measure, ...]) -> Row | None:
    """The row as a survey shows it, for these measures; None where one of them is not shown."""
    cells = tuple(values[measure] for measure in measures if measure in values)
    return Row(time, cells) if len(cells) == len(measures) and cells else None
