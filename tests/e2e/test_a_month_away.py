"""One of two destinations is away for a month: the other never notices, and when it is back all is there."""

from dataclasses import replace
from pathlib import Path

from netaflux.core.events import DestinationFailed, DestinationRecovered
from netaflux.core.model import DestinationName
from netaflux.simulator import Fault, House, Uploads, User, World, estate
from tests.e2e.household import NOW, household, roomy
from tests.e2e.notebook import differences, expected, held
from tests.virtual import VirtualClock, daemon, run_virtually, until

HOUR, DAY = 3600, 86_400
AWAY = DestinationName("away")
BERT = User(username="bert", password="bert's own", guest=8)
CHANNELS = ["Temp_C", "RH"]


def uploading() -> House:
    house = estate(NOW, modules=2, days=1)
    (station,) = house.stations
    # four uploads a day: what is proved does not depend on how many there are
    house.put(replace(station, uploads=Uploads(int(NOW - DAY), every=6 * HOUR)))
    return house


def test_a_month_away_costs_no_row_and_delays_nobody_else(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        one = World.of(uploading(), netatmo=roomy())
        world = replace(one, users=[*one.users, BERT])
        async with household(world, tmp_path, clock=clock) as home:
            home.mirror_all(channels=CHANNELS)
            home.sections["destinations.away"] = {
                "type": "fluxtream",
                "url": home.served.fluxtream_url,
                "username": BERT.username,
                "password": BERT.password,
            }
            home.sections["destinations.fluxtream"]["type"] = "fluxtream"
            fluxtream = home.served.fluxtream
            async with home.app() as app, daemon(app) as rounds:
                await clock.sleep(DAY)
                before = len(held(fluxtream, BERT.guest)["Netatmo_0", "Temp_C"])
                fluxtream.faults.add(Fault.ERROR_503, user=BERT.username)
                for _ in range(30):
                    await clock.sleep(DAY)
                    behind = clock.now() - max(held(fluxtream)["Netatmo_0", "Temp_C"])
                    assert behind < 7 * HOUR, "the other one waits"
                assert len(held(fluxtream, BERT.guest)["Netatmo_0", "Temp_C"]) == before > 0
                knocks = fluxtream.faults.count(Fault.ERROR_503)
                fluxtream.faults.clear()
                back = clock.now()
                await until(clock, lambda: home.told(DestinationRecovered), within=7 * HOUR)
                await clock.sleep(HOUR)
                rounds.ring_all()
                await until(clock, rounds.caught_up, within=2 * HOUR)

                assert home.differences() == []
                wanted = expected(home.served.house, home.mirrors, clock.now())
                assert differences(wanted, held(fluxtream, BERT.guest)) == []
            assert [event.destination for event in home.told(DestinationFailed)] == [AWAY]
            assert [event.destination for event in home.told(DestinationRecovered)] == [AWAY]
            assert knocks < 30 * 24 * 7, "it is not knocked at more often than modules are polled"
            assert clock.now() - back < 12 * HOUR

    run_virtually(main, now=NOW)
