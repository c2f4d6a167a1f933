"""Polling waits while its rows would find no place on the disk, and goes on by itself once they would."""

from collections.abc import Callable
from typing import Final

from netaflux.core.events import PollingResumed, PollingStopped
from netaflux.core.ports import Clock, Observer
from netaflux.state.database import Database

LOOK_EVERY: Final = 15.0
"""Seconds between looks whether there is room again; none of them costs a call."""


class Storage:
    """Watches over the disk's troubles. That there is one is found by whoever writes."""

    def __init__(
        self, database: Database, clock: Clock, observer: Observer, resume: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._observer = observer
        self._resume = resume

    @property
    def shut(self) -> bool:
        """Whether nothing is to be fetched, since nothing could be recorded."""
        return self._database.trouble is not None

    def require(self) -> None:
        """Raise StateError while nothing is to be fetched."""
        self._database.require_room()

    async def run(self) -> None:
        """Tell of each trouble once, and once more when it is over; until cancelled."""
        while True:
            await self._database.troubled.wait()
            trouble, since = self._database.trouble, self._clock.monotonic()
            if trouble is not None:
                self._observer.tell(PollingStopped(reason=trouble.message, remedy=trouble.remedy))
            await self._room_again()
            self._observer.tell(PollingResumed(seconds=self._clock.monotonic() - since))
            self._resume()

    async def _room_again(self) -> None:
        await self._clock.sleep(LOOK_EVERY)
        while not await self._database.recovers():
            await self._clock.sleep(LOOK_EVERY)
