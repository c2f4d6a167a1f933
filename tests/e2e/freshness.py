"""How soon rows arrive, and what that costs: a station on the virtual clock, watched from both servers."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from netaflux.simulator import House, NetatmoSettings, Uploads, World, estate
from netaflux.simulator.ledger import Call
from tests.e2e.household import NOW, Household, household
from tests.virtual import VirtualClock

HOUR, DAY = 3600, 86_400


def uploading(modules: int = 12, *, days: float = 1, **odd: Any) -> House:
    """A house of one station that uploads two rows of each module every 605 ± 5 s, seen 0 to 30 s later."""
    house = estate(NOW, modules=modules, days=days, **odd)
    (station,) = house.stations
    house.put(replace(station, uploads=Uploads(int(NOW - days * DAY))))
    return house


@dataclass
class Watched:
    """A household whose rows are timed as they arrive."""

    home: Household
    arrived: dict[tuple[str, int], float] = field(default_factory=dict)
    """When the first value of each device's row was stored."""

    def waits(self, begin: float, end: float, *, newest: bool = False) -> list[float]:
        """Seconds from being visible until being stored, of all rows that became visible meanwhile.

        `newest`: only of the rows that were their module's newest when they became visible. A row that has
        not arrived waits for ever.
        """
        return [
            self.arrived.get((device["name"], time), float("inf")) - seen
            for device in self.home.devices
            for seen, times in self._seen(device["module"], begin, end).items()
            for time in ([max(times)] if newest else times)
        ]

    def _seen(self, module: str, begin: float, end: float) -> dict[float, list[int]]:
        history, seen = self.home.served.house.history(module), defaultdict[float, list[int]](list)
        for time in history.times(begin - DAY, end, end):
            if begin <= history.visible_from(time) < end:
                seen[history.visible_from(time)].append(time)
        # what is seen for the first time together with, or after, something newer was never the newest
        return seen

    def calls(self, begin: float = 0) -> Sequence[Call]:
        """Counted calls since a moment."""
        return [call for call in self.home.served.netatmo.ledger.calls if call.counted and call.time >= begin]


def busiest_hour(calls: Iterable[Call]) -> int:
    """The most calls in any hour."""
    times = [call.time for call in calls]
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= HOUR:
            first += 1
        most = max(most, last - first + 1)
    return most


def told(waits: Sequence[float]) -> str:
    """The figures, for a person."""
    return f"median {median(waits):.1f} s, longest {max(waits):.0f} s of {len(waits)} rows"


@asynccontextmanager
async def watched(
    clock: VirtualClock, folder: Path, house: House, settings: NetatmoSettings | None = None
) -> AsyncIterator[Watched]:
    """Somebody who lives in that house, and what arrives at their Fluxtream."""
    world = World.of(house, netatmo=settings or NetatmoSettings())
    async with household(world, folder, clock=clock) as home:
        home.mirror_all()
        del home.sections["netatmo.limits"]
        seen = Watched(home)
        store = home.served.fluxtream.store
        put = store.put

        def noted(guest: int, device: str, channels: Sequence[str], data: Any) -> None:
            put(guest, device, channels, data)
            for row in data:
                seen.arrived.setdefault((device, row[0]), clock.now())

        store.put = noted  # type: ignore[method-assign]  # to see the moment, which the store does not keep
        yield seen
