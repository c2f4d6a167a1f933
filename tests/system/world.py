"""The simulated outside world of processes: served from a thread of its own while they run."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

from netaflux.clocks import RealClock, ScaledClock
from netaflux.simulator import (
    UNLIMITED,
    Account,
    FluxtreamSettings,
    NetatmoSettings,
    Served,
    Span,
    User,
    World,
    estate,
    serve,
)
from tests.e2e.notebook import Mirror, differences, expected, held

TOKEN = "/oauth2/token"
STATIONS = "/api/getstationsdata"
MEASURE = "/api/getmeasure"
UPLOAD = "/api/bodytrack/upload"

ANNE = User(username="anne", password="anne's own", guest=7)
BERT = User(username="bert", password="bert's own", guest=8)

Table = dict[str, Any]


def a_world(
    *, modules: int = 2, days: float = 1, latency: float = 0, accounts: Sequence[str] = ("default",)
) -> World:
    """A house for each account, whose history is at its end: what is compared stands still."""
    now = time.time()
    houses = [
        estate(now, modules=modules, days=days, first=number, gaps=(Span(now),))
        for number in range(len(accounts))
    ]
    return World(
        accounts=[Account(name, house) for name, house in zip(accounts, houses, strict=True)],
        users=[ANNE, BERT],
        netatmo=NetatmoSettings(limits=UNLIMITED),
        fluxtream=FluxtreamSettings(latency=latency),
    )


@dataclass(frozen=True, slots=True)
class Outside:
    """The world as tests look at it."""

    served: Served

    @property
    def token_posts(self) -> int:
        """How often anybody asked for tokens."""
        return self.served.netatmo.ledger.counts[TOKEN]

    @property
    def pages(self) -> int:
        """How many pages of measures were asked for."""
        return self.served.netatmo.ledger.counts[MEASURE]

    @property
    def uploads(self) -> int:
        """How many uploads came, taken or not."""
        return self.served.fluxtream.ledger.counts[UPLOAD]

    @property
    def written_again(self) -> int:
        """How many cells were written where the same cell stood already."""
        return self.served.fluxtream.store.again.total()

    def cells(self, user: User = ANNE) -> int:
        """How many cells that user's store holds."""
        return sum(len(cells) for cells in held(self.served.fluxtream, user.guest).values())

    def differences(self, user: User = ANNE, account: str = "default") -> list[str]:
        """How that user's store differs from what the account's modules have measured, in words."""
        house = next(each.house for each in self.served.world.accounts if each.name == account)
        mirrors = [Mirror(each["name"], each["module"]) for each in self.devices(account)]
        names = {mirror.device for mirror in mirrors}
        found = held(self.served.fluxtream, user.guest)
        ours = {series: cells for series, cells in found.items() if series[0] in names}
        return differences(expected(house, mirrors, self.served.clock.now()), ours)

    def devices(self, account: str = "default") -> list[Table]:
        """A device of the configuration for each module of the account."""
        house = next(each.house for each in self.served.world.accounts if each.name == account)
        label = "" if account == "default" else f"{account}_"
        return [
            {"name": f"{label}{unit.id[-8:].replace(':', '')}", "module": unit.id, "account": account}
            for unit in house.modules
        ]

    def quicken(self) -> None:
        """Nothing goes wrong any more, and nothing takes its time."""
        fluxtream = self.served.fluxtream
        fluxtream.settings = replace(fluxtream.settings, latency=0)
        for door in (self.served.netatmo.door, fluxtream.door):
            door.faults.clear()

    def sections(self) -> dict[str, Table]:
        """The sections of a configuration for this world."""
        app = self.served.netatmo.settings.app
        return {
            "netatmo": {
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "refresh_token": self.served.refresh_tokens["default"],
                "api_url": self.served.netatmo_url,
            },
            "netatmo.limits": {
                "per_10_seconds": 1000,
                "per_hour": 10_000,
                "app_per_10_seconds": 1000,
                "app_per_hour": 10_000,
            },
            "destinations.fluxtream": self.fluxtream(ANNE),
        }

    def fluxtream(self, user: User) -> Table:
        """The section of a destination."""
        url = self.served.fluxtream_url
        return {"type": "fluxtream", "url": url, "username": user.username, "password": user.password}


@contextmanager
def served(world: World, *, speed: float = 1, ahead: float = 0) -> Iterator[Outside]:
    """The world, while the block runs; its clock can be as fast as that of the daemon that it is for.

    It may also be so many seconds ahead of ours.
    """
    clock = RealClock() if speed == 1 and not ahead else ScaledClock(speed)
    if isinstance(clock, ScaledClock):
        clock._epoch += ahead
    place: Future[tuple[Served, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        async with serve(world, clock) as outside:
            place.set_result((outside, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = Thread(target=lambda: asyncio.run(live()), name="simulated world")
    thread.start()
    outside, loop, stop = place.result(timeout=20)
    try:
        yield Outside(outside)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
