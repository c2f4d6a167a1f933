"""The homes of an account: what is in them, and how it is just now."""

from collections.abc import Collection
from typing import Final

from netaflux.core.errors import NotFound
from netaflux.core.events import HomeSkipped
from netaflux.core.model import Lane
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.homes import Home, homes_of, with_status

INVALID_ID: Final = 21


class Housing:
    """homesdata and homestatus, read together.

    A home that has no status (homestatus says "Invalid home_id": a home with a weather station alone, or a
    guest's) is told once, and not asked again for as long as this object lives.

    Every method raises NetatmoError, Unreachable, NotAuthorized, StateError.
    """

    def __init__(self, client: NetatmoClient) -> None:
        self._client = client
        self._skipped: set[str] = set()

    @property
    def skipped(self) -> Collection[str]:
        """The ids of the homes that have no status."""
        return frozenset(self._skipped)

    async def known(self, lane: Lane = Lane.LIVE) -> tuple[Home, ...]:
        """All homes, without how they are now."""
        return homes_of(await self._client.call("homesdata", {}, lane=lane))

    async def homes(self, lane: Lane = Lane.LIVE) -> tuple[Home, ...]:
        """All homes, as they are now; one without a status shows what homesdata tells of it."""
        return tuple([await self.now(home, lane) for home in await self.known(lane)])

    async def now(self, home: Home, lane: Lane = Lane.LIVE) -> Home:
        """A home that is known already, as it is now."""
        if home.id in self._skipped:
            return home
        try:
            status = await self._client.call("homestatus", {"home_id": home.id}, lane=lane)
        except NotFound as error:
            if error.code != INVALID_ID:
                raise
            self._skipped.add(home.id)
            skipped = HomeSkipped(account=self._client.account, home=home.id, reason=error.message)
            self._client.observer.tell(skipped)
            return home
        return with_status(home, status)
