"""Polling waits while its rows would find no place on the disk, and goes on by itself once they would."""

from collections.abc import Callable
from typing import Final

from netaflux.core.errors import StateError
from netaflux.core.events import PollingResumed, PollingStopped
from netaflux.core.ports import Clock, Observer
from netaflux.state.database import Database

LOOK_EVERY: Final = 15.0
"""Seconds between looks whether there is room again; none of them costs a call."""

AFTERMATH: Final = 120.0
"""Seconds after a trouble within which tokens that had no place try again to be saved."""


class Storage:
    """Watches over the disk's troubles. That there is one is found by whoever writes."""

    def __init__(
        self, database: Database, clock: Clock, observer: Observer, resume: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._observer = observer
        self._resume = resume
        self._over_at = float("-inf")

    def explains(self, error: Exception) -> bool:
        """Whether a failure comes of the disk's trouble, now or a moment ago, and so is told already."""
        lately = self._database.trouble is not None or self._clock.monotonic() < self._over_at + AFTERMATH
        return lately and isinstance(error, StateError)

    def require(self) -> None:
        """Raise StateError while nothing is to be fetched."""
        self._database.require_room()

    async def run(self) -> None:
        """Tell of each trouble once, and once more when it is over; until cancelled."""
        self._database.watched = True
        try:
            await self._watch()
        finally:
            self._database.unwatched()

    async def _watch(self) -> None:
        while True:
            await self._database.troubled.wait()
            trouble, since = self._database.trouble, self._clock.monotonic()
            if trouble is not None:
                self._observer.tell(PollingStopped(reason=trouble.message, remedy=trouble.remedy))
            await self._room_again()
            self._over_at = self._clock.monotonic()
            self._observer.tell(PollingResumed(seconds=self._clock.monotonic() - since))
            self._resume()

    async def _room_again(self) -> None:
        await self._clock.sleep(LOOK_EVERY)
        while not await self._database.recovers():
            await self._clock.sleep(LOOK_EVERY)
