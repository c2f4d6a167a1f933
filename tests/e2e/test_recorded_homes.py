"""Rooms, boilers, Home Coaches and cameras, from the configuration to Fluxtream: true, or not at all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from netaflux.core.errors import ScopeDenied
from netaflux.core.events import AccountFailed, AccountRecovered, RowsArrivedLate
from netaflux.simulator import Fault
from netaflux.simulator.footage import Eye
from netaflux.simulator.guard import Guard, Lens
from netaflux.simulator.homes import Home, Order, boiler_cells
from tests.e2e.household import NOW, Household, household, performed
from tests.e2e.lived_in import (
    BOILER,
    CAMERA,
    COACH,
    FIVE_MINUTES,
    HALF_HOUR,
    LIVING,
    ROOM,
    THERMOSTAT,
    lived_in,
    of_the_boiler,
    of_the_camera,
    of_the_room,
    shown,
)
from tests.e2e.notebook import Mirror
from tests.simulator.guarded import HALL
from tests.virtual import VirtualClock, daemon, run_virtually, until

HOUR, DAY = 3600, 86_400
ROOMS, BOILERS, EVENTS = "/api/getroommeasure", "/api/getmeasure", "/api/getevents"
EVERYTHING = "netaflux authorize " + " ".join(
    f"--scope {scope}"
    for scope in (
        "read_station",
        "read_homecoach",
        "read_thermostat",
        "read_camera",
        "read_presence",
        "read_doorbell",
    )
)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Household]:
    async with household(lived_in(), tmp_path) as home:
        home.devices = [ROOM, BOILER, CAMERA, COACH]
        yield home


def in_seconds(place: Home, time: int) -> list[Any]:
    return boiler_cells(place, place.unit(THERMOSTAT), ("boileron", "boileroff"), time, HALF_HOUR)


async def test_all_of_them_arrive_as_they_were_and_nothing_twice(home: Household) -> None:
    result = await home.sync()

    assert (result["exit_code"], result["left"]) == (0, [])
    assert shown(home, ROOM) == of_the_room(home)
    assert shown(home, BOILER) == of_the_boiler(home, in_seconds)
    assert shown(home, CAMERA) == of_the_camera(home)
    (coach,) = home.served.house.modules
    assert home.differences([Mirror("Study", coach.id)]) != []  # the others are there, too
    found = home.differences([Mirror("Study", coach.id)])
    assert not [line for line in found if line.startswith("Study")]
    assert home.served.fluxtream.store.again.total() == 0

    uploads = len(home.served.fluxtream.uploads)
    await home.sync()
    assert len(home.served.fluxtream.uploads) == uploads


async def test_a_half_hour_comes_once_it_is_over(home: Household) -> None:
    home.devices = [ROOM, BOILER]
    await home.sync()
    newest = max(shown(home, ROOM)["Living", "Temp_C"])
    assert newest == (NOW - HALF_HOUR) // HALF_HOUR * HALF_HOUR

    home.clock.time = newest + 2 * HALF_HOUR - 1
    await home.sync()
    assert max(shown(home, ROOM)["Living", "Temp_C"]) == newest
    home.clock.time += 1
    await home.sync()

    assert max(shown(home, ROOM)["Living", "Temp_C"]) == newest + HALF_HOUR
    assert shown(home, ROOM) == of_the_room(home)
    assert shown(home, BOILER) == of_the_boiler(home, in_seconds)


async def test_what_was_set_by_hand_is_what_was_recorded(home: Household) -> None:
    home.devices = [ROOM]
    (place,) = home.served.house.homes
    place.room(LIVING).orders.append(Order(NOW - 9 * HALF_HOUR, "manual", 24.5, NOW - 3 * HALF_HOUR))
    await home.sync()

    setpoints = shown(home, ROOM)["Living", "Setpoint_C"]
    assert list(setpoints.values()).count(24.5) == 6
    assert shown(home, ROOM) == of_the_room(home)


async def test_a_boiler_in_minutes_is_recorded_in_seconds(home: Household) -> None:
    home.devices = [BOILER]
    (place,) = home.served.house.homes
    place.boiler_unit = "minutes"
    await home.sync()

    expected = of_the_boiler(home, lambda place, time: [60 * each for each in in_seconds(place, time)])
    assert shown(home, BOILER) == expected
    on, off = (expected["Boiler", name] for name in ("Boiler_On_s", "Boiler_Off_s"))
    assert {on[time] + off[time] for time in on} == {HALF_HOUR}


async def test_a_boiler_whose_unit_nobody_can_tell_is_not_recorded(home: Household) -> None:
    home.devices = [BOILER]
    (place,) = home.served.house.homes
    place.boiler_unit = "odd"
    result = await home.sync()

    assert result["exit_code"] == 0
    assert shown(home, BOILER) == {}


async def test_an_event_that_is_told_late_changes_its_count(tmp_path: Path) -> None:
    async with household(lived_in(), tmp_path) as home:
        home.devices = [CAMERA]
        busy = Eye(HALL, "NACamera", NOW - DAY, persons=("anne",), step=100, late=0.3)
        (place,) = home.served.house.homes
        home.served.house.guards[place.id] = Guard([Lens(eye=busy, name="Hall")])
        for _ in range(6):
            await home.sync()
            assert shown(home, CAMERA) == of_the_camera(home)
            home.clock.time += 2 * FIVE_MINUTES

        assert home.told(RowsArrivedLate)
        assert home.served.fluxtream.store.again.total() > 0


def test_five_minutes_that_end_while_further_pages_are_asked_for_are_not_counted_yet(tmp_path: Path) -> None:
    """The newest page was told before: what came after it is in no page."""

    async def main(clock: VirtualClock) -> None:
        async with household(lived_in(), tmp_path, clock=clock) as home:
            home.devices = [CAMERA]
            busy = Eye(HALL, "NACamera", NOW - HOUR, persons=("anne",), step=60, share=1)
            (place,) = home.served.house.homes
            home.served.house.guards[place.id] = Guard([Lens(eye=busy, name="Hall")])
            slow = home.served.netatmo.faults.add(Fault.DRIP, EVENTS, after=1, times=1, seconds=900)
            told = of_the_camera(home)

            result = await home.sync()

            assert (result["exit_code"], slow.spent) == (0, True)
            assert clock.now() >= NOW + 900
            assert shown(home, CAMERA) == told

    run_virtually(main, now=NOW)


async def test_five_minutes_that_go_on_are_not_counted_yet(home: Household) -> None:
    home.devices = [CAMERA]
    (guarding,) = home.served.house.guards.values()
    seen = next(
        each
        for each in guarding.footage.between(NOW, NOW + DAY, NOW + DAY)
        if each.eye.id == HALL and each.kind in ("movement", "person")
    )
    begin = seen.time // FIVE_MINUTES * FIVE_MINUTES
    home.clock.time = begin + FIVE_MINUTES - 1
    await home.sync()
    assert begin not in shown(home, CAMERA)["Hall", "Person"]

    home.clock.time += 1
    await home.sync()

    assert begin in shown(home, CAMERA)["Hall", "Person"]
    assert shown(home, CAMERA) == of_the_camera(home)


async def test_no_value_of_one_camera_is_recorded_for_another(home: Household) -> None:
    drive = {"name": "Drive", "source": "cameras", "module": "AR Home/Drive"}
    home.devices = [CAMERA, drive]
    await home.sync()

    vehicles = shown(home, "Drive")["Drive", "Vehicle"]
    assert sum(vehicles.values()) > 0
    assert sum(shown(home, CAMERA)["Hall", "Vehicle"].values()) == 0
    assert sum(shown(home, "Drive")["Drive", "Person"].values()) == 0


async def test_cameras_of_one_home_share_what_it_tells(home: Household) -> None:
    home.devices = [CAMERA]
    await home.sync()
    alone = home.served.netatmo.ledger.counts[EVENTS]
    home.devices = [CAMERA, {"name": "Drive", "source": "cameras", "module": "AR Home/Drive"}]
    home.served.netatmo.ledger.counts.clear()
    await home.sync()

    # the second brings its whole past, the first hardly anything
    assert home.served.netatmo.ledger.counts[EVENTS] <= alone + 2


async def test_a_missing_scope_is_named_and_costs_the_others_nothing(tmp_path: Path) -> None:
    world = lived_in(scopes=("read_station", "read_homecoach"))
    async with household(world, tmp_path) as home:
        home.devices = [ROOM, CAMERA, COACH]
        result = await home.sync()

        (coach,) = home.served.house.modules
        assert home.differences([Mirror("Study", coach.id)]) == []
        assert result["exit_code"] == ScopeDenied.exit_code
        reasons = " ".join(left["reason"] for left in result["left"])
        assert "this needs read_thermostat" in reasons
        assert "this needs read_camera or read_presence or read_doorbell" in reasons
        remedies = " ".join(left["remedy"] for left in result["left"])
        assert "--scope read_station --scope read_homecoach --scope read_thermostat" in remedies


async def test_the_list_of_devices_tells_what_each_can_measure(home: Household) -> None:
    told = await home.command("devices")

    found = {(each["source"], each["name"]): each for each in told if each["event"] == "module"}
    assert set(found) == {
        ("coaches", "Study"),
        ("rooms", "Living room"),
        ("rooms", "Bath"),
        ("boilers", "Thermostat"),
        ("cameras", "Hall"),
        ("cameras", "Drive"),
    }
    assert found["rooms", "Bath"]["channels"] == ["Temp_C", "Temp_F", "Setpoint_C", "Setpoint_F"]
    assert found["boilers", "Thermostat"]["channels"] == ["Boiler_On_s", "Boiler_Off_s"]
    assert found["cameras", "Hall"]["channels"] == ["Person", "Movement", "Human", "Animal", "Vehicle"]
    assert found["coaches", "Study"]["channels"][:3] == ["Temp_C", "Temp_F", "RH"]
    # one answer of homesdata tells of rooms, boilers and cameras
    assert home.served.netatmo.ledger.counts["/api/homesdata"] == 1


async def test_what_may_not_be_looked_for_is_told_without_a_call(tmp_path: Path) -> None:
    async with household(lived_in(scopes=("read_station",)), tmp_path) as home:
        await home.sync()  # so that it is known what was granted
        home.served.netatmo.ledger.counts.clear()
        told = await home.command("devices")

        unseen = {each["source"]: each["remedy"] for each in told if each["event"] == "unseen"}
        assert set(unseen) == {"coaches", "rooms", "boilers", "cameras"}
        # the next authorization takes the place of this one, so that one must ask for everything
        assert set(unseen.values()) == {f"Run `{EVERYTHING}`."}
        assert told[-1]["exit_code"] == 0
        assert home.served.netatmo.ledger.counts["/api/homesdata"] == 0


async def test_several_scopes_that_are_missing_are_asked_for_by_one_command(tmp_path: Path) -> None:
    async with household(lived_in(scopes=("read_station", "read_homecoach")), tmp_path) as home:
        home.devices = [ROOM, BOILER, CAMERA, COACH]
        told = await home.command("check")

    failed = [each for each in told if each["event"] == "check" and not each["ok"]]
    assert [each["what"] for each in failed] == ["account default"]
    assert failed[0]["remedy"] == f"Run `{EVERYTHING}`."
    assert failed[0]["text"].count("this needs read_thermostat") == 1
    assert failed[0]["text"].count("this needs read_camera") == 1
    assert told[-1]["exit_code"] == 77


async def test_an_account_of_several_kinds_without_tokens_is_told_once(tmp_path: Path) -> None:
    async with household(lived_in(), tmp_path) as home:
        home.devices = [ROOM, BOILER, CAMERA, COACH]
        del home.sections["netatmo"]["refresh_token"]
        told = await home.command("check")

    failed = [each["what"] for each in told if each["event"] == "check" and not each["ok"]]
    assert failed == ["account default"]


async def test_a_configured_device_mirrors_its_module_before_the_first_run(home: Household) -> None:
    home.devices = [ROOM, {**CAMERA, "module": "nobody"}]
    told = await home.command("devices")

    mirrored = {each["name"]: each["mirrored_by"] for each in told if each["event"] == "module"}
    assert mirrored.pop("Living room") == ["Living"]
    assert not any(mirrored.values())


async def test_verify_finds_and_mends_what_is_missing_of_them(home: Household) -> None:
    await home.sync()
    values = home.served.fluxtream.store.values
    room = next(cells for cell, cells in values.items() if cell[1:] == ("Living", "Setpoint_C"))
    camera = next(cells for cell, cells in values.items() if cell[1:] == ("Hall", "Person"))
    del room[sorted(room)[5]]
    camera[sorted(camera)[3]] += 7

    found = (await home.command("verify"))[-1]
    mended = (await home.command("verify", repair=True))[-1]

    assert (found["exit_code"], mended["exit_code"]) == (75, 0)
    assert shown(home, ROOM) == of_the_room(home)
    assert shown(home, CAMERA) == of_the_camera(home)


async def test_check_tells_of_each_kind(home: Household) -> None:
    told = await home.command("check")

    lines = [f"{each['what']}: {each['text']}" for each in told if each["event"] == "check"]
    assert any(
        "device Living: mirrors 1746182631: Temp_C, Temp_F, Setpoint_C, Setpoint_F" in line for line in lines
    )
    assert any("2 rooms" in line for line in lines)
    assert any("1 thermostat with a boiler" in line for line in lines)
    assert any("1 Home Coach" in line and "Coaches" not in line for line in lines)
    assert told[-1]["exit_code"] == 0


async def test_a_room_goes_on_in_the_same_series_when_it_is_renamed(home: Household) -> None:
    home.devices = [ROOM]
    await home.sync()
    (place,) = home.served.house.homes
    place.room(LIVING).name = "Parlour"
    home.clock.time += 4 * HALF_HOUR

    result = await home.sync()

    assert result["exit_code"] == 0
    assert shown(home, ROOM) == of_the_room(home)


# --- the daemon, on the virtual clock ---


def test_the_daemon_asks_seldom_and_in_time(tmp_path: Path) -> None:
    """Rooms and boilers once in half an hour, cameras every ten minutes, what there is once a day."""

    async def main(clock: VirtualClock) -> None:
        async with household(lived_in(), tmp_path, clock=clock) as home:
            home.devices = [ROOM, BOILER, CAMERA]
            async with home.app() as app, daemon(app):
                await clock.sleep(HOUR)
                counts = home.served.netatmo.ledger.counts
                counts.clear()
                await clock.sleep(DAY)
                asked = dict(counts)
            assert 46 <= asked[ROOMS] <= 60
            assert 46 <= asked[BOILERS] <= 60
            assert 140 <= asked[EVENTS] <= 200
            assert asked["/api/homesdata"] <= 3
            assert "/api/getstationsdata" not in asked
            # the last half hour was over for less than three minutes
            late = clock.now() - 180
            assert max(shown(home, ROOM)["Living", "Temp_C"]) >= late // HALF_HOUR * HALF_HOUR - HALF_HOUR

    run_virtually(main, now=NOW)


def test_as_soon_as_a_person_has_granted_it_the_rooms_are_recorded(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        world = lived_in(scopes=("read_station", "read_homecoach"))
        async with household(world, tmp_path, clock=clock) as home:
            home.devices = [ROOM, COACH]
            async with home.app() as app, daemon(app):
                await clock.sleep(3 * HOUR)
                calls = home.served.netatmo.ledger.counts["/api/homesdata"]
                scopes = (*world.accounts[0].scopes, "read_thermostat")
                fresh = home.served.netatmo.logins.issue("default", scopes)
                await performed(app, "authorize", account="default", refresh_token=fresh.refresh)
                await until(clock, lambda: shown(home, ROOM), within=1200)
            (failed,) = home.told(AccountFailed)
            assert (failed.source, failed.account) == ("rooms", "default")
            assert home.told(AccountRecovered)
            assert calls <= 5, "nobody else can help, so it is asked for hourly"

    run_virtually(main, now=NOW)


def test_heating_that_fails_costs_the_cameras_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with household(lived_in(), tmp_path, clock=clock) as home:
            home.devices = [ROOM, CAMERA]
            home.served.netatmo.faults.add(Fault.ERROR_500, ROOMS)
            async with home.app() as app, daemon(app):
                await clock.sleep(2 * HOUR)
                asked = home.served.netatmo.ledger.counts[ROOMS]
                last = max(shown(home, CAMERA)["Hall", "Person"])
                home.served.netatmo.faults.clear()
                await until(clock, lambda: shown(home, ROOM), within=1300)
            assert asked <= 30
            assert last >= clock.now() - 5 * HOUR

    run_virtually(main, now=NOW)
