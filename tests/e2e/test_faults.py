"""Both servers fail all the time, values are missing, rows come late: nothing is lost, nothing is made up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netaflux.simulator import Fault, Fluxtream, House, Late, Netatmo, Span, Uploads, World, estate
from tests.e2e.household import NOW, household, performed, roomy
from tests.virtual import VirtualClock, daemon, run_virtually, until

DAY = 86_400
UPLOAD = "/api/bodytrack/upload"


def troubled_house(days: float) -> House:
    """Five modules with gaps, one row of twenty without its values, and stretches that come hours late."""
    house = estate(NOW, modules=5, days=days, nulls=0.05, ragged=0.01, missed=0.05)
    (station,) = house.stations
    house.put(replace(station, uploads=Uploads(int(NOW - days * DAY))))
    for number, module in enumerate(house.modules):
        gap = Span(NOW - (number + 2) * days / 8 * DAY, NOW - (number + 1.5) * days / 8 * DAY)
        late = Late(NOW - 9000, NOW - 3000, NOW + 3600 * (number + 1))
        later = Late(NOW + 9000, NOW + 15_000, NOW + DAY / 2)
        house.change(module.id, gaps=(gap,), late=(late, later))
    return house


def trouble(netatmo: Netatmo, fluxtream: Fluxtream) -> None:
    """Two of a hundred answers are 5xx, one is HTML, one call is cut off, one upload's answer is lost."""
    for faults, where in ((netatmo.faults, "/api/*"), (fluxtream.faults, UPLOAD)):
        faults.add(Fault.ERROR_500, where, share=0.01)
        faults.add(Fault.ERROR_503, where, share=0.01)
        faults.add(Fault.HTML_200, where, share=0.01)
        faults.add(Fault.RESET_BEFORE, where, share=0.01)
    fluxtream.faults.add(Fault.RESET_AFTER, UPLOAD, share=0.01)


@pytest.mark.parametrize(
    "days",
    [20, pytest.param(365, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_nothing_is_lost_and_nothing_is_wrong_and_verify_says_so(tmp_path: Path, days: float) -> None:
    async def main(clock: VirtualClock) -> None:
        async with household(World.of(troubled_house(days), netatmo=roomy()), tmp_path, clock=clock) as home:
            home.mirror_all()
            netatmo, fluxtream = home.served.netatmo, home.served.fluxtream
            trouble(netatmo, fluxtream)
            async with home.app() as app, daemon(app) as rounds:
                await clock.sleep(1.1 * DAY)  # the daily look back finds what came late
                netatmo.faults.clear()
                fluxtream.faults.clear()
                rounds.ring_all()
                await until(clock, rounds.caught_up)
                (*_, verified) = await performed(app, "verify")

            assert [line for line in home.differences() if "written again" not in line] == []
            assert verified["exit_code"] == 0, verified
            struck: dict[Any, int] = {
                fault: netatmo.faults.count(fault) + fluxtream.faults.count(fault)
                for fault in (Fault.ERROR_500, Fault.ERROR_503, Fault.HTML_200, Fault.RESET_BEFORE)
            }
            assert min(struck.values()) > 0
            assert fluxtream.faults.count(Fault.RESET_AFTER) > 0

    run_virtually(main, now=NOW)
