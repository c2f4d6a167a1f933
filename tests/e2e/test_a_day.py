"""The daemon lives through a whole day beside a station that uploads as stations do."""

from dataclasses import replace
from pathlib import Path

from netaflux.service.health import Health
from netaflux.simulator import House, Uploads, World, estate
from tests.e2e.household import NOW, household, roomy
from tests.virtual import VirtualClock, daemon, run_virtually, until

DAY = 86400
MODULES = 4


def uploading(modules: int, *, days: float = 1) -> House:
    """A house whose rows come by uploads, some of them by a later one."""
    house = estate(NOW, modules=modules, days=days, missed=0.05)
    (station,) = house.stations
    house.put(replace(station, uploads=Uploads(int(NOW - days * DAY))))
    return house


def test_after_a_day_all_that_netatmo_holds_has_arrived(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with household(World.of(uploading(MODULES), netatmo=roomy()), tmp_path, clock=clock) as home:
            home.mirror_all()
            async with home.app() as app, daemon(app) as rounds:
                await clock.sleep(DAY)
                rounds.ring_all()
                await until(clock, rounds.caught_up)

                assert clock.now() - NOW < DAY + 600
                assert home.differences() == []
                house, now = home.served.house, clock.now()
                rows = sum(len(house.rows(module.id, 0, now + 1, now)) for module in house.modules)
                assert home.uploaded_rows == rows > MODULES * 570
                assert await Health(app, rounds).unwell() == []

    run_virtually(main)
