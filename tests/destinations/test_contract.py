"""Every destination by the one contract."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal

import pytest

from netaflux.core.model import DestinationName, Number
from netaflux.core.ports import Destination
from netaflux.destinations import FluxtreamSettings, open_destination
from netaflux.simulator import Fault, Served, User, World, serve
from tests.destinations.contract import DestinationContract
from tests.fakes import TurnedClock

Api = Literal["legacy", "v1"]
ANNE = User(username="anne", password="sësame: open", guest=7)


class FluxtreamWorld:
    def __init__(self, served: Served) -> None:
        self.url = served.fluxtream_url
        self.simulated = served.fluxtream

    def stored(self) -> Mapping[tuple[str, str], Mapping[int, Number]]:
        cells = self.simulated.store.values
        return {
            (cell.device, cell.channel): {int(time): value for time, value in values.items()}
            for cell, values in cells.items()
            if values
        }

    def refuse(self) -> str:
        self.simulated.faults.add(Fault.KO, "*/upload")
        return "exception: refused as asked"

    def go_away(self) -> None:
        self.simulated.faults.add(Fault.ERROR_503)

    def come_back(self) -> None:
        self.simulated.faults.clear()

    def opened(self, api: Api, password: str = ANNE.password) -> AbstractAsyncContextManager[Destination]:
        told = {"type": "fluxtream", "url": self.url, "username": "anne", "password": password, "api": api}
        return open_destination(DestinationName("home"), FluxtreamSettings.model_validate(told))


@pytest.mark.parametrize("api", ["legacy", "v1"])
class TestFluxtream(DestinationContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[FluxtreamWorld]:
        async with serve(World(accounts=[], users=[ANNE]), TurnedClock()) as served:
            yield FluxtreamWorld(served)

    @pytest.fixture
    async def destination(self, world: FluxtreamWorld, api: Api) -> AsyncIterator[Destination]:
        async with world.opened(api) as opened:
            yield opened

    @pytest.fixture
    async def stranger(self, world: FluxtreamWorld, api: Api) -> AsyncIterator[Destination]:
        async with world.opened(api, password="guessed") as opened:
            yield opened
