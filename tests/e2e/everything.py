"""A household with a module of every kind, and faults to come: what it should hold when they are over."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from netaflux.core.errors import Unreachable
from netaflux.core.ports import Clock
from netaflux.http import Answer, Http
from netaflux.simulator import ALL_SCOPES, House, Mirror, Uploads, World, estate, home_coach
from tests.e2e.household import NOW, Household, performed, roomy
from tests.e2e.lived_in import BOILER, CAMERA, LIVING, ROOM, THERMOSTAT, heated
from tests.simulator.guarded import HALL, guard
from tests.virtual import VirtualClock, daemon, until

HOUR, DAY = 3600, 86_400
NO_ANSWER = 60.0
"""Seconds after which an exchange is given up, as `Http` does by the wall's clock."""
TOKEN = "/oauth2/token"


def everything() -> World:
    """A station that uploads, a Home Coach, and a home with heating and cameras."""
    house = estate(NOW, modules=2, days=1)
    (station,) = house.stations
    house.put(replace(station, uploads=Uploads(int(NOW - DAY))))
    home = heated(1)
    whole = House([*house.stations, home_coach(NOW, days=1)], [home], {home.id: guard(NOW, 1)})
    return World.of(whole, netatmo=roomy(), scopes=ALL_SCOPES)


def settle_in(home: Household) -> list[Mirror]:
    """A device for each of them; answers what they should show."""
    modules = home.served.house.modules
    stations = [unit for unit in modules if unit.kind != "NHC"]
    (coach,) = [unit for unit in modules if unit.kind == "NHC"]
    units = [{"name": f"Unit_{number}", "module": unit.id} for number, unit in enumerate(stations)]
    home.devices = [*units, ROOM, BOILER, CAMERA, {"name": "Coach", "source": "coaches", "module": coach.id}]
    return [
        *(Mirror(str(each["name"]), str(each["module"])) for each in units),
        Mirror("Coach", coach.id, source="coaches"),
        Mirror("Living", LIVING, source="rooms"),
        Mirror("Boiler", THERMOSTAT, source="boilers"),
        Mirror("Hall", HALL, source="cameras"),
    ]


@contextmanager
def given_up_by(clock: Clock) -> Iterator[None]:
    """Exchanges without an answer are given up by this clock: days would pass until the wall's says so."""
    exchange = Http.exchange

    async def bounded(http: Http, *arguments: Any, **named: Any) -> Answer:
        asking = asyncio.create_task(exchange(http, *arguments, **named))
        patience = asyncio.create_task(clock.sleep(NO_ANSWER))
        try:
            await asyncio.wait({asking, patience}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            raise Unreachable("it gives no answer: TimeoutError", dropped=False, sent=True)
        finally:
            asking.cancel()
            patience.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Http, "exchange", bounded)
        yield


def clear(home: Household) -> None:
    home.served.netatmo.faults.clear()
    home.served.fluxtream.faults.clear()


async def settled(home: Household, clock: VirtualClock, mirrors: list[Mirror]) -> None:
    """A last life without faults brings what is missing, and both sides hold the same."""
    clear(home)
    async with home.app() as app, daemon(app) as rounds:
        await until(clock, rounds.caught_up, within=2 * HOUR)
        await clock.sleep(1300)
        rounds.ring_all()
        await until(clock, rounds.caught_up, within=2 * HOUR)
        reports = home.served.compare(mirrors)
        (*_, verified) = await performed(app, "verify")
    flaws = [each for each in reports if each.missing or each.different or each.extra]
    assert flaws == [], (clock.now(), flaws)
    assert sum(report.expected for report in reports) > 5000
    assert verified["exit_code"] == 0, verified
