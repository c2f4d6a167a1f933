"""A small Fluxtream and a destination that points to it."""

from collections.abc import AsyncIterator

import pytest

from netaflux.core.model import DestinationName
from netaflux.destinations import OpenDestination, open_destination
from tests.destinations.small_fluxtream import SmallFluxtream

pytest.register_assert_rewrite("tests.destinations.contract")


@pytest.fixture
async def server() -> AsyncIterator[SmallFluxtream]:
    async with SmallFluxtream().running() as running:
        yield running


@pytest.fixture
async def destination(server: SmallFluxtream) -> AsyncIterator[OpenDestination]:
    async with open_destination(DestinationName("home"), server.settings()) as opened:
        yield opened
