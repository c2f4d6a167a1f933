"""The rows that a destination refused for their content, for people to look at."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial

import orjson

from netaflux.core.model import ChannelName, DestinationId, DeviceName, Row, SetAside
from netaflux.state.database import Database

Place = tuple[DestinationId, DeviceName]
"""Where rows come to rest: a device of a destination."""


class RowsAside:
    """The rows set aside, as the coverage's transactions left them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, limit: int = 100) -> Sequence[SetAside]:
        """The latest of them by device time, newest first. Raises StateError."""
        return await self._database.run(partial(_newest, limit=limit))

    async def counts(self) -> dict[Place, int]:
        """How many there are of each device at each destination. Raises StateError."""
        return await self._database.run(_counts)

    async def refused_since(self, moment: float) -> dict[Place, int]:
        """How many of each were refused after a moment of our clock. Raises StateError."""
        return await self._database.run(partial(_refused_since, moment=moment))


def put_aside(connection: sqlite3.Connection, rows: Sequence[SetAside], now: float) -> None:
    """Note refused rows; one that was refused before gets its newest reason."""
    if not rows:  # nearly always
        return
    connection.executemany(
        "INSERT OR REPLACE INTO rows_aside"
        ' (destination, device, time, channels, "values", reason, refused_at)'
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                row.destination,
                row.device,
                row.row.time,
                orjson.dumps(row.channels).decode(),
                orjson.dumps(row.row.values).decode(),
                row.reason,
                now,
            )
            for row in rows
        ],
    )


def take_back(connection: sqlite3.Connection, devices: Iterable[DeviceName], times: Sequence[int]) -> None:
    """Forget that rows of these ascending times were refused: they have changed, and will be sent again."""
    if not times:
        return
    within, moments = (times[0], times[-1]), orjson.dumps(times).decode()
    for device in devices:
        connection.execute(
            "DELETE FROM rows_aside WHERE device = ? AND time BETWEEN ? AND ?"
            " AND time IN (SELECT value FROM json_each(?))",
            (device, *within, moments),
        )


def _newest(connection: sqlite3.Connection, limit: int) -> list[SetAside]:
    rows = connection.execute(
        'SELECT destination, device, channels, time, "values", reason'
        " FROM rows_aside ORDER BY time DESC LIMIT ?",
        (limit,),
    )
    return [_row(row) for row in rows]


def _row(row: tuple[str, str, str, int, str, str]) -> SetAside:
    destination, device, channels, time, values, reason = row
    names = tuple(ChannelName(name) for name in orjson.loads(channels))
    return SetAside(
        DestinationId(destination), DeviceName(device), names, Row(time, tuple(orjson.loads(values))), reason
    )


def _counts(connection: sqlite3.Connection) -> dict[Place, int]:
    rows = connection.execute(
        "SELECT destination, device, count(*) FROM rows_aside GROUP BY destination, device"
    )
    return {(DestinationId(destination), DeviceName(device)): number for destination, device, number in rows}


def _refused_since(connection: sqlite3.Connection, moment: float) -> dict[Place, int]:
    rows = connection.execute(
        "SELECT destination, device, count(*) FROM rows_aside"
        " WHERE refused_at > ? GROUP BY destination, device",
        (moment,),
    )
    return {(DestinationId(destination), DeviceName(device)): number for destination, device, number in rows}
