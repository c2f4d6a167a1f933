"""When each module's last days were looked at again, and the gaps that are to be."""

import sqlite3
from collections.abc import Sequence

import orjson

from netaflux.core.lookback import Looks
from netaflux.core.model import ModuleId, Window
from netaflux.state.source_rows import Extent


def all_looks(connection: sqlite3.Connection) -> dict[ModuleId, Looks]:
    """Every module's."""
    rows = connection.execute("SELECT module, record FROM looks")
    return {ModuleId(module): Looks.from_json(orjson.loads(record)) for module, record in rows}


def notice(
    connection: sqlite3.Connection,
    module: ModuleId,
    times: Sequence[int],
    news: Sequence[int],
    extents: tuple[Extent, Extent],
) -> Looks:
    """Note the gaps between rows at `times`, some of them news, and what they fill; answer what is known.

    `extents` are the module's before and after these rows.
    """
    before = looks_of(connection, module)
    reached, newest = extents[0].newest, extents[1].newest or times[-1]
    if times[0] == news[0]:  # the row before it stands in an earlier page
        times = [*_row_before(connection, module, times[0], reached), *times]
    after = before.seen(times, news, newest)
    _write(connection, module, before, after)
    return after


def _row_before(
    connection: sqlite3.Connection, module: ModuleId, time: int, reached: int | None
) -> list[int]:
    if reached is not None and reached < time:
        return [reached]  # after a long silence it is not kept any more
    found = connection.execute(
        "SELECT time FROM source_rows WHERE module = ? AND time < ? ORDER BY time DESC LIMIT 1",
        (module, time),
    )
    return [before for (before,) in found]


def looked(connection: sqlite3.Connection, module: ModuleId, newest: int, asked: Sequence[Window]) -> Looks:
    """Note that all of these windows was fetched again, as was due with rows up to `newest`."""
    before = looks_of(connection, module)
    after = before
    for window in asked:
        after = after.looked(newest, window)
    _write(connection, module, before, after)
    return after


def looks_of(connection: sqlite3.Connection, module: ModuleId) -> Looks:
    """The module's."""
    row = connection.execute("SELECT record FROM looks WHERE module = ?", (module,)).fetchone()
    return Looks() if row is None else Looks.from_json(orjson.loads(row[0]))


def _write(connection: sqlite3.Connection, module: ModuleId, before: Looks, after: Looks) -> None:
    if after != before:
        connection.execute(
            "INSERT OR REPLACE INTO looks (module, record) VALUES (?, ?)",
            (module, orjson.dumps(after.to_json()).decode()),
        )
