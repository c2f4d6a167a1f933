"""A client beside a simulated Netatmo with a heated home; time stands still but for those who sleep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from netaflux.netatmo.energy import Energy
from netaflux.netatmo.heating import Heating
from netaflux.netatmo.housing import Housing
from netaflux.simulator import ALL_SCOPES, Home, House, NetatmoSettings, Served, World, serve
from netaflux.simulator.ledger import Call
from tests.e2e.household import ROOMY
from tests.fakes import TurnedClock
from tests.netatmo.world import Keeper, Wired, wired

NOW = 1_763_719_200
"""2025-11-21, Friday, 10:00 UTC."""


@dataclass
class Heated:
    """What a test works with."""

    energy: Energy
    served: Served
    home: Home
    wired: Wired

    async def look(self) -> Heating:
        return await self.energy.heating()

    def calls(self, endpoint: str) -> list[Call]:
        return self.served.netatmo.ledger.of(f"/api/{endpoint}")

    @property
    def writes(self) -> list[str]:
        """The writing calls that came, by their endpoints."""
        calls = self.served.netatmo.ledger.calls
        return [call.endpoint.rpartition("/")[2] for call in calls if call.method == "POST"]


@asynccontextmanager
async def heated(
    *homes: Home, scopes: tuple[str, ...] = ALL_SCOPES, total: float = 5, **settings: Any
) -> AsyncIterator[Heated]:
    clock = TurnedClock(NOW)
    world = World.of(House(homes=homes), netatmo=NetatmoSettings(limits=ROOMY, **settings), scopes=scopes)
    async with serve(world, clock) as served:
        pair = served.netatmo.logins.current("default")
        assert pair is not None
        keeper = Keeper(pair.access)
        async with wired(served.netatmo_url, keeper=keeper, total=total, clock=clock) as world_of_client:
            client = world_of_client.client
            energy = Energy(client, Housing(client), lambda: scopes)
            yield Heated(energy, served, homes[0], world_of_client)
