"""Days of 23 and of 25 hours are days like any other, whatever the zone of the machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from netaflux.simulator import House, Uploads, World, estate
from tests.e2e.household import household, roomy
from tests.e2e.notebook import Held, held
from tests.virtual import VirtualClock, daemon, run_virtually, until

HOUR, DAY = 3600, 86_400
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
CHANGES = [
    pytest.param(BERLIN, (2023, 3, 26), 23, id="Berlin, spring"),
    pytest.param(BERLIN, (2023, 10, 29), 25, id="Berlin, autumn"),
    pytest.param(NEW_YORK, (2023, 3, 12), 23, id="New York, spring"),
    pytest.param(NEW_YORK, (2023, 11, 5), 25, id="New York, autumn"),
]


@contextmanager
def living_in(zone: str) -> Iterator[None]:
    """The zone of this process, as its libc knows it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        try:
            yield
        finally:
            patch.undo()
            time.tzset()


def uploading(now: float, zone: str) -> House:
    house = estate(now, modules=2, days=1, missed=0.05)
    (station,) = house.stations
    house.put(replace(station, timezone=zone, uploads=Uploads(int(now - DAY))))
    return house


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_the_day_on_which_the_clocks_change_arrives_whole(
    tmp_path: Path, zone: str, day: tuple[int, int, int], hours: int
) -> None:
    midnight = datetime(*day, tzinfo=ZoneInfo(zone)).timestamp()

    async def main(clock: VirtualClock) -> None:
        world = World.of(uploading(clock.now(), zone), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            home.mirror_all()
            async with home.app() as app, daemon(app) as rounds:
                await clock.sleep((hours + 2) * HOUR)
                rounds.ring_all()
                await until(clock, rounds.caught_up)

            assert home.differences() == []
            whole = cells_between(held(home.served.fluxtream), midnight, midnight + hours * HOUR)
            assert whole >= hours * 11, "there are rows every five minutes"

    with living_in(zone):
        assert (time.localtime(midnight).tm_hour, time.localtime(midnight + hours * HOUR).tm_hour) == (0, 0)
        run_virtually(main, now=midnight - HOUR)


def cells_between(found: Held, begin: float, end: float) -> int:
    """The fewest cells that any series has there."""
    return min(sum(begin <= time < end for time in cells) for cells in found.values())
