"""Faults of all kinds on both sides, mixed: all arrives."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netaflux.core.errors import Unreachable
from netaflux.core.events import AuthorizationNeeded
from netaflux.core.grants import LOST_IN_WINDOW
from netaflux.core.ports import Clock
from netaflux.http import Answer, Http
from netaflux.simulator import (
    ALL_SCOPES,
    Fault,
    House,
    Mirror,
    Uploads,
    World,
    estate,
    home_coach,
)
from netaflux.simulator.faults import KILLS
from tests.e2e.household import NOW, Household, household, performed, roomy
from tests.e2e.lived_in import BOILER, CAMERA, LIVING, ROOM, THERMOSTAT, heated
from tests.simulator.guarded import HALL, guard
from tests.virtual import VirtualClock, daemon, run_virtually, until

HOUR, DAY = 3600, 86_400
NO_ANSWER = 60.0
"""Seconds after which an exchange is given up, as `Http` does by the wall's clock."""

TOKEN = "/oauth2/token"

LOSING = frozenset({Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.TRUNCATED})
"""At the token endpoint they cost the new pair, and so the account."""
STORE_ONLY = frozenset({Fault.KO, Fault.SWALLOWED})
MIXED = sorted(set(Fault) - KILLS - STORE_ONLY - {Fault.INVALID_GRANT})


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
    assert flaws == []
    assert sum(report.expected for report in reports) > 5000
    assert verified["exit_code"] == 0, verified


@pytest.mark.parametrize("seed", [1])
def test_all_faults_at_once_cost_nothing(tmp_path: Path, seed: int, scale: int, record_property: Any) -> None:
    """For a day, every sixth call fails in one way or another."""

    async def main(clock: VirtualClock) -> None:
        async with household(everything(), tmp_path, clock=clock) as home:
            mirrors = settle_in(home)
            netatmo, fluxtream = home.served.netatmo.faults, home.served.fluxtream.faults
            for fault in MIXED:
                netatmo.add(fault, "/api/*", share=0.01, seconds=20)
                fluxtream.add(fault, share=0.01, seconds=20)
            with given_up_by(clock):
                async with home.app() as app, daemon(app):
                    await clock.sleep(scale * DAY)
                await settled(home, clock, mirrors)
            counts = {fault.value: netatmo.count(fault) + fluxtream.count(fault) for fault in MIXED}
            record_property("struck", counts)
            assert min(counts.values()) > 0, counts

    run_virtually(main, now=NOW)


@pytest.mark.parametrize("fault", sorted(LOSING))
def test_where_an_answer_with_tokens_is_lost_a_person_is_asked_in_the_end(
    tmp_path: Path, fault: Fault
) -> None:
    async def main(clock: VirtualClock) -> None:
        async with household(everything(), tmp_path, clock=clock) as home:
            mirrors = settle_in(home)
            with given_up_by(clock):
                async with home.app() as app, daemon(app):
                    await clock.sleep(HOUR)
                    lost = home.served.netatmo.faults.add(fault, TOKEN, times=1)
                    home.served.netatmo.logins.expire("default")
                    await until(clock, lambda: lost.spent)
                    await clock.sleep(HOUR)
                    early = home.told(AuthorizationNeeded)
                    await until(clock, lambda: home.told(AuthorizationNeeded), every=60, within=2 * DAY)
                    fresh = home.served.netatmo.logins.issue("default", ALL_SCOPES).refresh
                    await performed(app, "authorize", account="default", refresh_token=fresh)
            await settled(home, clock, mirrors)

        assert early == []
        assert [event.suspicion for event in home.told(AuthorizationNeeded)] == [LOST_IN_WINDOW]

    run_virtually(main, now=NOW)
