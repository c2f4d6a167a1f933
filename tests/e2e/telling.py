"""A household whose daemon tells people, day after day on the virtual clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from netaflux.app import App
from netaflux.service.health import Health
from netaflux.service.teller import Teller
from netaflux.simulator import House, World
from tests.e2e.freshness import uploading
from tests.e2e.household import Household, household, roomy
from tests.notify.receiver import Receiver, receiving
from tests.virtual import VirtualClock, daemon

HOUR, DAY = 3600, 86_400
LOOK_EVERY = 600.0
"""Seconds between looks: each costs a commit, and days are long."""


@dataclass
class Telling:
    """A household, and whoever is told."""

    home: Household
    clock: VirtualClock
    person: Receiver

    @property
    def house(self) -> House:
        return self.home.served.house

    @asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """What `netaflux run` does, while the block runs."""
        async with self.home.app() as app, daemon(app) as rounds:
            health, ending = Health(app, rounds), asyncio.Event()
            with health.watching():
                work = asyncio.create_task(Teller(app, rounds, health, every=LOOK_EVERY).run(ending))
                try:
                    yield app
                finally:
                    ending.set()
                    await work

    async def lives(self, seconds: float) -> None:
        """The daemon runs for so long, in a process of its own."""
        async with self.running():
            await self.clock.sleep(seconds)

    def news(self) -> list[tuple[str, str, str]]:
        """What the person was told since this was asked for last."""
        told = self.person.told()
        self.person.notices.clear()
        return told


@asynccontextmanager
async def telling(clock: VirtualClock, folder: Path, *, world: World | None = None) -> AsyncIterator[Telling]:
    """Two modules that upload every ten minutes, and a server that takes notices and signs of life."""
    world = world or World.of(uploading(2, days=0.1), netatmo=roomy())
    async with household(world, folder, clock=clock) as home, receiving() as person:
        home.mirror_all()
        home.sections["notify"] = {"url": person.hook, "heartbeat_url": person.ping, "heartbeat_every": "10m"}
        yield Telling(home, clock, person)
