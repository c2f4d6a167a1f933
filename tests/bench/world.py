"""The simulated world of a benchmark, in a process of its own: `python -m tests.bench.world DAYS`.

Each line on standard input is a wish, each line on standard output its answer, as JSON:

    begin SECONDS   a Fluxtream that holds nothing, calls that take so long; answers what a run needs to know
    calls           how many calls and uploads came since
    check           what the Fluxtream holds, cell by cell, against what Netatmo has
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from netaflux.clocks import RealClock
from netaflux.simulator import (
    UNLIMITED,
    FluxtreamSettings,
    House,
    Module,
    NetatmoSettings,
    Served,
    Span,
    Station,
    World,
    serve,
)
from tests.e2e.household import MANY
from tests.e2e.notebook import Mirror, differences, expected, held

CHANNELS = ("Temp_F", "RH", "H2O_ppm")
"""Those of the notebook."""
STEP = 300
LIMITS = ("per_10_seconds", "per_hour", "app_per_10_seconds", "app_per_hour")
MEASURE = "/api/getmeasure"

Wish = Callable[..., dict[str, Any]]


def a_house(now: int, days: int) -> House:
    """A station and four indoor modules, so many days of rows each, and none since."""
    begin = now - days * 86400
    odd = {"set_up": begin, "gaps": (Span(now),), "jitter": 0}
    base = Module(id="70:ee:50:00:00:01", kind="NAMain", name="Indoor", **odd)  # type: ignore[arg-type]
    rooms = [
        Module(id=f"03:00:00:00:00:{number:02x}", kind="NAModule4", name=f"Room {number}", **odd)  # type: ignore[arg-type]
        for number in range(2, 6)
    ]
    return House(
        [Station(base=base, modules=tuple(rooms), name="Bench", home_id="5d" + "0" * 22, home_name="Bench")]
    )


class Bench:
    """Answers wishes about a served world."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.mirrors = [
            Mirror(f"Bench_{number}", module.id, CHANNELS)
            for number, module in enumerate(served.house.modules, 1)
        ]

    def begin(self, seconds: str = "0") -> dict[str, Any]:
        """All that a run needs to know."""
        netatmo, fluxtream = self.served.netatmo, self.served.fluxtream
        netatmo.settings = replace(netatmo.settings, latency=float(seconds))
        fluxtream.settings = replace(fluxtream.settings, latency=float(seconds))
        fluxtream.forget()
        for ledger in (netatmo.ledger, fluxtream.ledger):
            ledger.calls.clear()
        pair = netatmo.logins.issue("default")
        first = min(self.served.house.rows(mirror.module, 0, 2**40, 2**40)[0].time for mirror in self.mirrors)
        return {
            "netatmo": self.served.netatmo_url,
            "fluxtream": self.served.fluxtream_url,
            "access": pair.access,
            "username": self.served.user.username,
            "password": self.served.user.password,
            "station": self.served.house.modules[0].id,
            "devices": {mirror.device: mirror.module for mirror in self.mirrors},
            "first": first,
            "last": int(self.served.clock.now()),
            "step": STEP,
            "configuration": self._configuration(pair.refresh),
        }

    def _configuration(self, refresh: str) -> str:
        app, user = self.served.netatmo.settings.app, self.served.user
        devices = [
            f'[[devices]]\nname = "{mirror.device}"\nmodule = "{mirror.module}"\nsince = "setup"\n'
            f"channels = {list(CHANNELS)}"
            for mirror in self.mirrors
        ]
        return "\n".join(
            [
                "[netatmo]",
                f'client_id = "{app.client_id}"',
                f'client_secret = "{app.client_secret}"',
                f'refresh_token = "{refresh}"',
                f'api_url = "{self.served.netatmo_url}"',
                "[netatmo.limits]",
                *(f"{name} = {MANY}" for name in LIMITS),
                "[destinations.fluxtream]",
                f'url = "{self.served.fluxtream_url}"',
                f'username = "{user.username}"',
                f'password = "{user.password}"',
                *devices,
            ]
        )

    def calls(self) -> dict[str, Any]:
        """How many of each."""
        asked = [call.params for call in self.served.netatmo.ledger.of(MEASURE)]
        modules = Counter(each.get("module_id", each["device_id"]) for each in asked)
        uploads = [call for call in self.served.fluxtream.ledger.calls if "upload" in call.endpoint]
        return {"most": max(modules.values()), "calls": len(asked), "uploads": len(uploads)}

    def check(self) -> dict[str, Any]:
        """Whether it is all there, and once."""
        fluxtream, now = self.served.fluxtream, self.served.clock.now()
        wanted = expected(self.served.house, self.mirrors, now)
        found = differences(wanted, held(fluxtream))
        again = fluxtream.store.again.total() + fluxtream.store.doubles
        cells = sum(len(cells) for (_, channel), cells in wanted.items() if channel == "RH")
        return {"rows": cells, "differences": found, "again": again}


async def live(days: int) -> None:
    """Serve until standard input ends."""
    world = World.of(
        a_house(int(time.time()), days),
        netatmo=NetatmoSettings(limits=UNLIMITED),
        fluxtream=FluxtreamSettings(read_later=True),
    )
    async with serve(world, RealClock()) as served:
        bench = Bench(served)
        wishes: dict[str, Wish] = {"begin": bench.begin, "calls": bench.calls, "check": bench.check}
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, *arguments = line.split()
            sys.stdout.write(orjson.dumps(wishes[word](*arguments)).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(live(int(sys.argv[1])))
