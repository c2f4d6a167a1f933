"""Who each destination was when it was last asked."""

import sqlite3
from functools import partial
from typing import Self

from netaflux.core.model import DestinationId, DestinationName
from netaflux.core.ports import Clock
from netaflux.state.database import Database


class KnownDestinations:
    """What stands behind each destination's name; coverage belongs to the identity, not to the name."""

    def __init__(
        self, database: Database, clock: Clock, identities: dict[DestinationName, DestinationId]
    ) -> None:
        self._database = database
        self._clock = clock
        self._identities = identities

    @classmethod
    async def open(cls, database: Database, clock: Clock) -> Self:
        """Read what is there. Raises StateError."""
        return cls(database, clock, await database.run(_all))

    def identity(self, name: DestinationName) -> DestinationId | None:
        """What the destination said it is when it was last asked; None for one never met."""
        return self._identities.get(name)

    async def remember_identity(self, name: DestinationName, identity: DestinationId) -> bool:
        """Keep what it said; answer whether it was another under this name before. Raises StateError."""
        before = self.identity(name)
        if before != identity:
            work = partial(_write, name=name, identity=identity, now=self._clock.now())
            await self._database.run(work, then=lambda _: self._identities.update({name: identity}))
        return before not in (None, identity)


def _all(connection: sqlite3.Connection) -> dict[DestinationName, DestinationId]:
    rows = connection.execute("SELECT name, identity FROM destinations")
    return {DestinationName(name): DestinationId(identity) for name, identity in rows}


def _write(
    connection: sqlite3.Connection, name: DestinationName, identity: DestinationId, now: float
) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO destinations (name, identity, first_seen) VALUES (?, ?, ?)",
        (name, identity, now),
    )
