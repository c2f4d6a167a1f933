"""Days in which a person is needed: each time told once, and once that it is over, over restarts too."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from netaflux.app import App
from netaflux.core import events
from netaflux.core.model import ModuleId
from netaflux.core.notices import Sight
from netaflux.service.lookout import Lookout
from netaflux.simulator import Span
from netaflux.state import database as database_module
from tests.e2e.household import NOW, performed
from tests.e2e.lived_in import BOILER, CAMERA, COACH, ROOM, lived_in
from tests.e2e.telling import DAY, HOUR, Telling, telling
from tests.notify.receiver import SECRET
from tests.virtual import VirtualClock, run_virtually

STATION, MODULE = "House 1", "House 1/Room 2"
INDOOR, ROOM_DEVICE = "Netatmo_0", "Netatmo_1"


def lived(folder: Path, days: Callable[[Telling], Coroutine[Any, Any, None]]) -> None:
    """Live through these days, from a quiet hour on."""

    async def main(clock: VirtualClock) -> None:
        async with telling(clock, folder) as all_of_it:
            await all_of_it.lives(HOUR)
            assert all_of_it.news() == []
            await days(all_of_it)

    run_virtually(main)


def test_on_quiet_days_nobody_is_told_anything_and_the_heart_beats(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        before = told.person.beats
        await told.lives(5 * HOUR)
        await told.lives(HOUR)

        assert told.news() == []
        # every ten minutes, but for the moments until the first poll of a new start
        assert 33 <= told.person.beats - before <= 37

    lived(tmp_path, days)


def test_a_battery_that_falls_and_a_module_that_dies(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        room = told.house.modules[1].id
        told.house.change(room, battery=9)
        await told.lives(2 * HOUR)
        await told.lives(2 * HOUR)
        beats = told.person.beats
        assert told.news() == [("opened", "battery_low", MODULE)]

        told.house.change(room, gaps=(Span(told.clock.now()),))
        await told.lives(HOUR)
        told.house.change(room, reachable=False)
        await told.lives(HOUR)
        assert told.news() == []

        await told.lives(2 * HOUR)
        await told.lives(6 * HOUR)
        assert told.news() == [("opened", "module_silent", MODULE)]
        assert told.person.beats == beats

        told.house.change(room, battery=100, reachable=True, gaps=())
        await told.lives(2 * HOUR)
        assert told.news() == [("over", "battery_low", MODULE), ("over", "module_silent", MODULE)]
        assert told.person.beats > beats

    lived(tmp_path, days)


def test_a_station_without_power_speaks_for_its_modules(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        gap = (Span(told.clock.now(), told.clock.now() + DAY),)
        for module in told.house.modules:
            told.house.change(module.id, gaps=gap)
        (station,) = told.house.stations
        told.house.change_station(station.base.id, uploads=None)
        await told.lives(HOUR)
        await told.lives(DAY - 2 * HOUR)
        assert told.news() == [("opened", "station_silent", STATION)]

        await told.lives(4 * HOUR)
        assert told.news() == [("over", "station_silent", STATION)]

    lived(tmp_path, days)


def test_a_token_that_is_revoked(tmp_path: Path) -> None:
    """For a day it may be an outage of Netatmo's; meanwhile nothing arrives, which is told, too."""

    async def days(told: Telling) -> None:
        told.home.served.netatmo.logins.revoke("default")
        for _ in range(3):
            await told.lives(12 * HOUR)
        news = told.news()
        assert Counter(news) == {
            ("opened", "lag", INDOOR): 1,
            ("opened", "lag", ROOM_DEVICE): 1,
            ("opened", "authorization", "default"): 1,
        }
        assert news[-1] == ("opened", "authorization", "default")

        fresh = told.home.served.netatmo.logins.issue("default").refresh
        async with told.running() as app:
            await performed(app, "authorize", account="default", refresh_token=fresh)
            await told.clock.sleep(2 * HOUR)
        assert Counter(told.news()) == {
            ("over", "lag", INDOOR): 1,
            ("over", "lag", ROOM_DEVICE): 1,
            ("over", "authorization", "default"): 1,
        }

    lived(tmp_path, days)


def test_a_destination_that_does_not_know_the_password_any_more(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        told.home.served.fluxtream.faults.add("401")
        await told.lives(12 * HOUR)
        await told.lives(12 * HOUR)
        assert told.news() == [("opened", "credentials_refused", "fluxtream")]

        told.home.served.fluxtream.faults.clear()
        await told.lives(HOUR)
        assert told.news() == [("over", "credentials_refused", "fluxtream")]
        assert told.home.differences() == []

    lived(tmp_path, days)


def test_a_destination_that_refuses_rows(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        room = told.house.modules[1].id
        now = told.clock.now()
        told.home.served.fluxtream.refused_times = {
            told.house.rows(room, now, now + HOUR, now + HOUR)[3].time
        }
        await told.lives(2 * HOUR)
        await told.lives(2 * HOUR)
        assert told.news() == [("opened", "rows_refused", ROOM_DEVICE)]

        await told.lives(DAY)
        assert told.news() == [("over", "rows_refused", ROOM_DEVICE)]

    lived(tmp_path, days)


def test_a_destination_that_is_away_for_longer_than_the_limit(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        told.home.sections["notify"]["max_lag"] = "4h"
        told.home.served.fluxtream.faults.add("503")
        await told.lives(3.5 * HOUR)
        beats = told.person.beats
        assert told.news() == []

        await told.lives(8 * HOUR)
        assert told.news() == [("opened", "lag", INDOOR), ("opened", "lag", ROOM_DEVICE)]
        assert told.person.beats - beats < 8

        told.home.served.fluxtream.faults.clear()
        await told.lives(HOUR)
        assert told.news() == [("over", "lag", INDOOR), ("over", "lag", ROOM_DEVICE)]

    lived(tmp_path, days)


@pytest.mark.parametrize("fault", ["500", "html 200"])
def test_a_netatmo_that_is_away_for_longer_than_the_limit(tmp_path: Path, fault: str) -> None:
    async def days(told: Telling) -> None:
        told.home.served.netatmo.faults.add("200 html" if fault == "html 200" else fault)
        await told.lives(5 * HOUR)
        assert told.news() == []

        # a new start has nothing but what is on disk, and what it waits for itself
        await told.lives(8 * HOUR)
        assert told.news() == [("opened", "lag", INDOOR), ("opened", "lag", ROOM_DEVICE)]

        told.home.served.netatmo.faults.clear()
        await told.lives(2 * HOUR)
        assert told.news() == [("over", "lag", INDOOR), ("over", "lag", ROOM_DEVICE)]

    lived(tmp_path, days)


def test_a_module_that_the_account_has_no_more(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        told.home.devices.append({"name": "Attic", "module": "House 1/Attic"})
        await told.lives(3 * HOUR)
        assert told.news() == [("opened", "module_missing", "Attic")]

        told.home.devices.pop()
        await told.lives(3 * HOUR)
        assert told.news() == [("over", "module_missing", "Attic")]

    lived(tmp_path, days)


def test_a_state_that_cannot_be_written_is_told_all_the_same(tmp_path: Path) -> None:
    """What was told cannot be noted then; it is as soon as it can."""

    async def days(told: Telling) -> None:
        async with told.running() as app:
            await told.clock.sleep(HOUR)
            await refusing(app, lambda: full)
            full = True
            await told.clock.sleep(HOUR)
            assert told.news() == [("opened", "state", "state")]

            full = False
            await told.clock.sleep(600)
        await told.lives(HOUR)
        assert told.news() == [("over", "state", "state")]

    lived(tmp_path, days)


def test_a_disk_that_is_nearly_full_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is polled then, though what is small can still be written."""

    async def days(told: Telling) -> None:
        async with told.running():
            await told.clock.sleep(HOUR)
            with monkeypatch.context() as nearly_full:
                nearly_full.setattr(database_module, "SPARE_ROOM", 1 << 60)
                await told.clock.sleep(HOUR)
                (notice,) = told.person.notices
                assert told.news() == [("opened", "state", "state")]
            await told.clock.sleep(HOUR)
            assert told.news() == [("over", "state", "state")]
        assert "nothing is recorded: the disk is nearly full (" in notice["text"]
        assert str(tmp_path) not in notice["text"]

    lived(tmp_path, days)


REFUSING = """
CREATE TEMP TRIGGER no_{verb}_{table} BEFORE {verb} ON {table} WHEN disk_is_full()
BEGIN SELECT RAISE(ABORT, 'the disk is full'); END
"""


async def refusing(app: App, full: Callable[[], bool]) -> None:
    """Let SQLite itself refuse what is written while the disk is full."""

    def prepare(connection: sqlite3.Connection) -> None:
        connection.create_function("disk_is_full", 0, full)
        for verb, table in (("UPDATE", "probe"), ("INSERT", "notices"), ("DELETE", "notices")):
            connection.execute(REFUSING.format(verb=verb, table=table))

    await app.state.database.run(prepare)


def test_a_person_who_cannot_be_reached_is_told_later_in_order_and_once(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        room = told.house.modules[1].id
        told.person.status = 503
        told.house.change(room, battery=9)
        await told.lives(2 * HOUR)
        told.home.served.fluxtream.faults.add("401")
        await told.lives(DAY)
        tried = told.person.refused
        # some of it is over before anybody was told
        told.house.change(room, battery=100)
        await told.lives(2 * HOUR)
        told.house.change(room, battery=9)
        await told.lives(2 * HOUR)
        told.person.status = 200
        await told.lives(HOUR)

        assert told.news() == [
            ("opened", "credentials_refused", "fluxtream"),
            ("opened", "battery_low", MODULE),
        ]
        # never more often than every ten minutes, after the first few; logged once in each of four processes
        assert 100 < tried < 170
        failed = [each for each in told.home.told(events.TellingFailed) if each.channel == "url"]
        assert len(failed) == 4
        assert told.home.told(events.TellingRecovered) == []

    lived(tmp_path, days)


def test_what_comes_and_goes_is_not_told(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        room = told.house.modules[1].id
        async with told.running():
            for _ in range(8):
                told.house.change(room, battery=9)
                await told.clock.sleep(1800)
                told.house.change(room, battery=100)
                await told.clock.sleep(1800)
        assert told.news() == []

    lived(tmp_path, days)


def test_no_notice_holds_a_secret(tmp_path: Path) -> None:
    """Everything goes wrong that can; tokens, passwords, URLs, the mail address, the place are nobody's."""

    async def days(told: Telling) -> None:
        netatmo, fluxtream = told.home.served.netatmo, told.home.served.fluxtream
        password = told.home.sections["destinations.fluxtream"]["password"]
        told.home.sections["destinations.second"] = {
            **told.home.sections["destinations.fluxtream"],
            "type": "fluxtream",
            "password": f"not-{password}",
        }
        now = told.clock.now()
        room = ModuleId(told.house.modules[1].id)
        fluxtream.refused_times = {told.house.rows(room, now, now + HOUR, now + HOUR)[3].time}
        told.house.change(room, battery=1)
        await told.lives(2 * HOUR)
        netatmo.logins.revoke("default")
        async with told.running() as app:
            await told.clock.sleep(2 * DAY)
            await refusing(app, lambda: True)
            await told.clock.sleep(HOUR)

        text = json.dumps(told.person.notices)
        kinds = {each["kind"] for each in told.person.notices}
        assert kinds >= {
            "authorization",
            "battery_low",
            "credentials_refused",
            "lag",
            "rows_refused",
            "state",
        }
        pairs = [pair for some in netatmo.logins.issued.values() for pair in some]
        app_secret = netatmo.settings.app.client_secret
        mail = netatmo.logins.accounts["default"].mail
        secrets = [*(pair.access for pair in pairs), *(pair.refresh for pair in pairs), app_secret, password]
        for secret in (*secrets, SECRET, "4c1d7e", "://", "@", mail, "40.44", "79.95", str(tmp_path)):
            assert secret not in text
        assert len(pairs) > 1

    lived(tmp_path, days)


def test_a_module_that_was_never_heard_of(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        module = replace(
            told.house.modules[1], id="02:00:00:00:00:99", name="Attic", gaps=(Span(-inf),), reachable=False
        )
        (station,) = told.house.stations
        told.house.put(replace(station, modules=(*station.modules, module)))
        told.home.devices.append({"name": "Attic", "module": module.id})
        await told.lives(HOUR)
        await told.lives(HOUR)
        assert told.news() == [("opened", "module_silent", "House 1/Attic")]

        told.house.change(module.id, gaps=(), reachable=True)
        await told.lives(HOUR)
        assert told.news() == [("over", "module_silent", "House 1/Attic")]

    lived(tmp_path, days)


def test_a_device_of_which_nothing_ever_arrived_lags_from_its_first_day_on(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with telling(clock, tmp_path) as told:
            told.home.served.fluxtream.faults.add("503")
            await told.lives(6 * HOUR)
            assert told.news() == []

            await told.lives(7 * HOUR)
            assert told.news() == [("opened", "lag", INDOOR), ("opened", "lag", ROOM_DEVICE)]

    run_virtually(main)


def test_heating_and_cameras_are_told_of_where_a_scope_is_missing_and_where_they_lag(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        scopes = ("read_station", "read_homecoach", "read_thermostat")
        async with telling(clock, tmp_path, world=lived_in(scopes=scopes)) as told:
            told.home.devices = [ROOM, BOILER, CAMERA, COACH]
            (coach,) = told.house.modules
            told.house.change(coach.id, gaps=())
            await told.lives(12 * HOUR)
            assert told.news() == [("opened", "scope", "default")]

            told.home.served.netatmo.faults.add("500", "/api/getroommeasure")
            async with told.running() as app:
                await told.clock.sleep(9 * HOUR)
                assert told.news() == [("opened", "lag", "Living")]

                told.home.served.netatmo.faults.clear()
                fresh = told.home.served.netatmo.logins.issue("default", (*scopes, "read_camera")).refresh
                await performed(app, "authorize", account="default", refresh_token=fresh)
                await told.clock.sleep(2 * HOUR)
            assert sorted(told.news()) == [("over", "lag", "Living"), ("over", "scope", "default")]

    run_virtually(main, now=NOW)


def test_a_channel_that_fails_is_logged_once_and_once_that_it_works_again(tmp_path: Path) -> None:
    async def days(told: Telling) -> None:
        told.person.status = 500
        async with told.running():
            await told.clock.sleep(6 * HOUR)
            told.person.status = 200
            await told.clock.sleep(HOUR)

        (failed,), (recovered,) = (
            told.home.told(kind) for kind in (events.TellingFailed, events.TellingRecovered)
        )
        assert (failed.channel, recovered.channel) == ("heartbeat", "heartbeat")
        assert recovered.failures > 20
        counted = [each.kind for each in told.home.told(events.ErrorMet)]
        assert counted == ["NotTold"] * recovered.failures

    lived(tmp_path, days)


def test_a_look_that_crashes_is_not_the_last_and_no_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def days(told: Telling) -> None:
        told.house.change(told.house.modules[1].id, battery=9)
        beats = told.person.beats
        with monkeypatch.context() as broken, capture_logs() as logged:
            broken.setattr(Lookout, "look", crash)
            await told.lives(3 * HOUR)
        assert (told.news(), told.person.beats) == ([], beats)
        assert {each["event"] for each in logged if each["log_level"] == "error"} == {"telling.crashed"}

        await told.lives(3 * HOUR)
        assert told.news() == [("opened", "battery_low", MODULE)]

    lived(tmp_path, days)


async def crash(_: object) -> list[Sight]:
    raise ZeroDivisionError
