"""How many calls about the past are under way at a time: fewer where Netatmo has too much to do.

Under load it answers 429 with code 11, "Failed to enter concurrency limited section". That is no limit of
ours, but calls side by side are what brings it about.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from netaflux.core.errors import Busy
from netaflux.core.model import Lane

MOST = 16


class Crowd:
    """Places for calls about the past; the answer "busy" halves them, and good answers bring them back.

    It takes a round of good answers, one for each place, to add one. Live calls need no place.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._places = float(most)
        self._under_way = 0
        self._halvings = 0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def places(self) -> int:
        """How many calls may be under way now."""
        return int(self._places)

    @asynccontextmanager
    async def place(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a place, and hold it for one call: all of it, so that a Busy is seen here."""
        if lane is Lane.LIVE:
            yield
            return
        await self._enter()
        halvings = self._halvings
        try:
            yield
            self._places = min(self._most, self._places + 1 / self._places)
        except Busy:
            if halvings == self._halvings:  # those that were under way together are one sign
                self._halvings += 1
                self._places = max(1, self._places // 2)
            raise
        finally:
            self._under_way -= 1
            self._stir()

    async def _enter(self) -> None:
        while self._under_way >= self.places:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._under_way += 1

    def _stir(self) -> None:
        """Let all look again, in the order in which they came."""
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
