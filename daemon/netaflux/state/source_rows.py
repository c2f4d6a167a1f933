"""The source rows of the last days, so that a row that comes late or changes is noticed."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson

from netaflux.core.model import Measure, ModuleId, Number, Page, Row, Rows

RETENTION = 15 * 86_400
"""Seconds of device time that source rows are kept, counted from the module's newest row."""

Measures = Mapping[str, Number | None]
"""What was fetched of a row: None was fetched as null, a missing measure was never fetched."""


class Extent(NamedTuple):
    """How far a module's rows are known and kept."""

    newest: int | None = None
    """The newest row ever seen."""
    kept_since: int = 0
    """Rows before this are neither kept nor compared: one long dropped is not to be taken for a new one."""

    def told(self, newest: int | None, retention: int) -> "Extent":
        """Before the first row: no need to keep what will be too old, if `newest` is where they end."""
        if self.newest is not None or newest is None:
            return self
        return Extent(None, max(self.kept_since, newest - retention))

    def grown(self, last: int, retention: int) -> "Extent":
        """After a row at `last` was seen."""
        newest = last if self.newest is None else max(self.newest, last)
        return Extent(newest, max(self.kept_since, newest - retention))

    def outlived(self, last: int) -> bool:
        """Whether a page that ends there brings nothing: neither a row to keep nor a newest one."""
        return self.newest is not None and last < self.kept_since and last <= self.newest


def extents(connection: sqlite3.Connection) -> dict[ModuleId, Extent]:
    """Every module's extent."""
    rows = connection.execute("SELECT id, newest, kept_since FROM modules")
    return {ModuleId(module): Extent(newest, kept_since) for module, newest, kept_since in rows}


def keep(
    connection: sqlite3.Connection,
    module: ModuleId,
    page: Page,
    before: Extent,
    hint: int | None,
    retention: int,
) -> tuple[Extent, list[int]]:
    """Keep what the page brings, drop what is too old; answer the times of new and of changed rows."""
    told = before.told(hint, retention)
    fetched = _fetched(page, told.kept_since)
    stored = _stored(connection, module, fetched) if fetched else {}
    kept, news = _merged(stored, fetched) if stored else (fetched, list(fetched))
    after = told.grown(page.rows[-1].time, retention)
    if after != before:
        _move(connection, module, after)
    if after.kept_since > told.kept_since:
        kept = {time: row for time, row in kept.items() if time >= after.kept_since}
    _write(connection, module, kept)
    return after, news


def newest_row(connection: sqlite3.Connection, module: ModuleId) -> tuple[tuple[Measure, ...], Row] | None:
    """The newest row that is kept of the module, and what its values are of."""
    found = connection.execute(
        "SELECT time, measures FROM source_rows WHERE module = ? ORDER BY time DESC LIMIT 1", (module,)
    ).fetchone()
    if found is None:
        return None
    measures: Measures = orjson.loads(found[1])
    return tuple(Measure(measure) for measure in measures), Row(found[0], tuple(measures.values()))


def _fetched(page: Page, since: int) -> dict[int, Measures]:
    rows = Rows.of(page.rows)
    rows = rows[bisect_left(rows.times, since) :]
    cells = zip(*rows.columns, strict=True)
    return dict(zip(rows.times, (dict(zip(page.measures, row, strict=True)) for row in cells), strict=True))


def _merged(
    stored: Mapping[int, Measures], fetched: Mapping[int, Measures]
) -> tuple[dict[int, Measures], list[int]]:
    """The rows of which more is known than is stored, and the times of those that are news."""
    kept: dict[int, Measures] = {}
    news: list[int] = []
    for time, row in fetched.items():
        known, other = _grown(stored.get(time), row)
        if known != stored.get(time):
            kept[time] = known
        if other:
            news.append(time)
    return kept, news


def _grown(stored: Measures | None, fetched: Measures) -> tuple[Measures, bool]:
    """What is known after both, and whether that is news to a destination which got what was stored."""
    if stored is None:
        return fetched, True
    known, other = dict(stored), False
    for measure, value in fetched.items():
        if measure not in stored:
            known[measure] = value  # fetched for the first time, perhaps for a channel that is new
        elif value is not None and value != stored[measure]:
            known[measure], other = value, True
    return known, other


def extent(connection: sqlite3.Connection, module: ModuleId) -> Extent:
    """The module's, where it is known; else that of nothing."""
    row = connection.execute("SELECT newest, kept_since FROM modules WHERE id = ?", (module,)).fetchone()
    return Extent() if row is None else Extent(*row)


def _stored(connection: sqlite3.Connection, module: ModuleId, times: Iterable[int]) -> dict[int, Measures]:
    rows = connection.execute(
        "SELECT time, measures FROM source_rows WHERE module = ? AND time BETWEEN ? AND ?",
        (module, min(times), max(times)),
    )
    return {time: orjson.loads(text) for time, text in rows}


def _move(connection: sqlite3.Connection, module: ModuleId, extent: Extent) -> None:
    connection.execute(
        "INSERT INTO modules (id, newest, kept_since) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET newest = excluded.newest, kept_since = excluded.kept_since",
        (module, *extent),
    )
    connection.execute("DELETE FROM source_rows WHERE module = ? AND time < ?", (module, extent.kept_since))


def _write(connection: sqlite3.Connection, module: ModuleId, rows: Mapping[int, Measures]) -> None:
    # all in one statement: after every row of several the event loop would run, and keep us waiting
    connection.execute(
        "INSERT OR REPLACE INTO source_rows (module, time, measures) SELECT ?, key, value FROM json_each(?)",
        (module, orjson.dumps(rows, option=orjson.OPT_NON_STR_KEYS).decode()),
    )
