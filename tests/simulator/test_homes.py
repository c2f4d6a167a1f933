import json
from typing import Any

import pytest

from netaflux.simulator import ALL_SCOPES, HeatedRoom, House, Served, Unit, World, energy_home, estate
from netaflux.simulator.homes import zone_at
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Answer, Caller

HOUR = 3600
HOME = "5e0000000000000000000001"
LIVING, BATH = "1746182631", "1688132631"
RELAY, THERMOSTAT, VALVE = "70:ee:50:00:01:0f", "04:00:00:00:01:02", "09:00:00:00:01:03"


@pytest.fixture
def world() -> World:
    """A heated home, and a station in a home of its own."""
    return World.of(House(estate(NOW, days=1).stations, [energy_home()]), scopes=ALL_SCOPES)


async def order(caller: Caller, endpoint: str, **form: str) -> Answer:
    url = f"{caller.served.netatmo_url}/api/{endpoint}"
    return await caller.call("POST", url, data={"home_id": HOME, **form}, headers=caller.netatmo_headers)


async def home(caller: Caller) -> Any:
    return (await caller.api("homestatus", home_id=HOME)).json["body"]["home"]


def turn(served: Served, seconds: float) -> None:
    """Let time pass."""
    assert isinstance(served.clock, TurnedClock)
    served.clock.time += seconds


async def living(caller: Caller) -> Any:
    return (await home(caller))["rooms"][0]


async def test_all_homes_are_listed_those_with_a_station_alone_too(caller: Caller) -> None:
    heated, weather = (await caller.api("homesdata")).json["body"]["homes"]

    assert [module["type"] for module in heated["modules"]] == ["NAPlug", "NATherm1", "NRV"]
    assert heated["modules"][0]["modules_bridged"] == [THERMOSTAT, VALVE]
    assert [schedule.get("selected") for schedule in heated["schedules"]] == [True, None]
    assert weather["name"] == "House 1"
    assert "rooms" not in weather


async def test_only_a_home_with_a_status_tells_it(caller: Caller) -> None:
    _, weather = (await caller.api("homesdata")).json["body"]["homes"]

    for unknown in (weather["id"], "0"):
        refused = await caller.api("homestatus", home_id=unknown)
        assert (refused.status, refused.code) == (400, 21)
        assert refused.json["error"]["message"] == "Invalid home_id"


async def test_a_person_without_homes_has_none(caller: Caller, served: Served) -> None:
    served.netatmo.logins.accounts["default"].house = House()

    assert (await caller.api("homesdata")).json["body"].get("homes", []) == []


@pytest.mark.parametrize("place", ["body", "home"])
async def test_what_cannot_be_reached_is_an_error_in_one_of_two_places(
    caller: Caller, served: Served, place: str
) -> None:
    simulated = served.house.homes[0]
    simulated.unit(VALVE).told = False
    simulated.errors_at = "home" if place == "home" else "body"
    body = (await caller.api("homestatus", home_id=HOME)).json["body"]

    assert (body if place == "body" else body["home"])["errors"] == [{"code": 6, "id": VALVE}]
    assert "errors" not in (body["home"] if place == "body" else body)
    assert [module["id"] for module in body["home"]["modules"]] == [RELAY, THERMOSTAT]


async def test_a_home_without_power_has_neither_modules_nor_rooms(caller: Caller, served: Served) -> None:
    for unit in served.house.homes[0].units:
        unit.told = False

    assert (await home(caller)).keys() == {"id"}


async def test_a_room_that_is_unreachable_has_but_its_id(caller: Caller, served: Served) -> None:
    served.house.homes[0].rooms[0].reachable = False

    assert await living(caller) == {"id": LIVING, "reachable": False}


async def test_a_unit_of_any_kind_is_told_as_it_was_put_there(caller: Caller, served: Served) -> None:
    simulated = served.house.homes[0]
    simulated.units.append(
        Unit(id="70:ee:50:00:00:c1", kind="NACamera", status={"sd_status": 4, "monitoring": "on"})
    )
    data = (await caller.api("homesdata")).json["body"]["homes"][0]
    status = await home(caller)

    assert data["modules"][-1]["type"] == "NACamera"
    assert (status["modules"][-1]["sd_status"], status["modules"][-1]["monitoring"]) == (4, "on")


# what is set


async def test_what_is_set_is_shown_until_its_end(caller: Caller, served: Served) -> None:
    before = await living(caller)
    answer = await order(
        caller, "setroomthermpoint", room_id=LIVING, mode="manual", temp="19.5", endtime=str(NOW + HOUR)
    )
    during = await living(caller)
    turn(served, HOUR)
    after = await living(caller)

    assert answer.json["status"] == "ok"
    assert (during["therm_setpoint_temperature"], during["therm_setpoint_mode"]) == (19.5, "manual")
    assert (during["therm_setpoint_start_time"], during["therm_setpoint_end_time"]) == (NOW, NOW + HOUR)
    assert after["therm_setpoint_temperature"] == before["therm_setpoint_temperature"]


async def test_the_home_s_mode_ends_what_a_room_was_set_to(caller: Caller, served: Served) -> None:
    await order(caller, "setroomthermpoint", room_id=LIVING, mode="max")
    turn(served, 60)
    await order(caller, "setthermmode", mode="hg")

    assert (
        (await living(caller))["therm_setpoint_mode"],
        (await living(caller))["therm_setpoint_temperature"],
    ) == (
        "hg",
        7,
    )


async def test_the_boiler_burns_while_a_room_asks_for_heat(caller: Caller) -> None:
    for temperature, burning in (("30", True), ("7", False)):
        for room in (LIVING, BATH):
            await order(caller, "setroomthermpoint", room_id=room, mode="manual", temp=temperature)
        status = await home(caller)
        assert status["modules"][1]["boiler_status"] is burning
        assert {bool(room["heating_power_request"]) for room in status["rooms"]} == {burning}


@pytest.mark.parametrize(
    ("endpoint", "form", "status", "code"),
    [
        ("setroomthermpoint", {"room_id": "0", "mode": "max"}, 400, 21),
        ("setroomthermpoint", {"room_id": LIVING}, 400, 10),
        ("setroomthermpoint", {"room_id": LIVING, "mode": "manual"}, 400, 10),
        ("setroomthermpoint", {"room_id": LIVING, "mode": "off"}, 400, 21),
        ("setroomthermpoint", {"room_id": LIVING, "mode": "max", "endtime": "1"}, 400, 25),
        ("setthermmode", {"mode": "manual"}, 400, 21),
        ("setthermmode", {"mode": "schedule", "schedule_id": "0"}, 400, 21),
        ("switchhomeschedule", {"schedule_id": "0"}, 400, 21),
        ("switchhomeschedule", {"schedule_id": "591b54a2764ff4d50d8b5795"}, 406, 7),
        ("synchomeschedule", {"schedule_id": "0"}, 500, 40),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    caller: Caller, endpoint: str, form: dict[str, str], status: int, code: int
) -> None:
    before = (await home(caller), (await caller.api("homesdata")).json["body"])
    refused = await order(caller, endpoint, **form)

    assert (refused.status, refused.code) == (status, code)
    assert (await home(caller), (await caller.api("homesdata")).json["body"]) == before


async def test_a_room_with_an_opentherm_thermostat_knows_no_setpoints(caller: Caller, served: Served) -> None:
    served.house.homes[0].units[1].kind = "OTM"
    refused = await order(caller, "setroomthermpoint", room_id=LIVING, mode="max")
    url = f"{caller.served.netatmo_url}/api/setstate"
    body = {"home": {"id": HOME, "rooms": [{"id": LIVING, "therm_setpoint_mode": "max"}]}}
    headers = {**caller.netatmo_headers, "Content-Type": "application/json"}
    done = await caller.call("POST", url, data=json.dumps(body), headers=headers)

    assert (refused.status, refused.code) == (500, 11)
    assert done.status == 200
    assert (await living(caller))["therm_setpoint_mode"] == "max"


# who may


@pytest.mark.parametrize(
    ("scopes", "endpoint", "allowed"),
    [
        (("read_station",), "homesdata", False),
        (("read_camera",), "homesdata", True),
        (("read_camera",), "getroommeasure", False),
        (("read_thermostat",), "getroommeasure", True),
    ],
)
async def test_each_call_needs_its_scope(
    caller: Caller,
    served: Served,
    scopes: tuple[str, ...],
    endpoint: str,
    allowed: bool,  # noqa: FBT001 - a table's column
) -> None:
    served.netatmo.logins.issue("default", scopes)
    asked: dict[str, Any] = {"home_id": HOME, "room_id": LIVING, "scale": "30min", "type": "temperature"}
    answer = await caller.api(endpoint, **asked)

    assert answer.status == (200 if allowed else 403)
    assert allowed or answer.code == 13


async def test_writing_needs_a_scope_of_its_own(caller: Caller, served: Served) -> None:
    served.netatmo.logins.issue("default", ("read_thermostat",))
    refused = await order(caller, "setthermmode", mode="away")

    assert (refused.status, refused.code) == (403, 13)
    assert served.house.homes[0].modes == []


# history


async def test_a_room_s_history_is_in_both_shapes(caller: Caller) -> None:
    begin = NOW - NOW % 1800 - 4 * 1800
    asked: dict[str, Any] = {
        "home_id": HOME,
        "room_id": LIVING,
        "scale": "30min",
        "type": "sp_temperature,temperature,nonsense",
        "date_begin": begin,
        "date_end": begin + 4 * 1800,
    }
    by_time = (await caller.api("getroommeasure", **asked, optimize="false")).json["body"]
    segments = (await caller.api("getroommeasure", **asked)).json["body"]

    assert [int(time) for time in by_time] == [begin + 1800 * number for number in range(4)]
    assert segments == [{"beg_time": begin, "step_time": 1800, "value": list(by_time.values())}]
    assert {cells[2] for cells in by_time.values()} == {None}


async def test_nothing_is_told_of_what_is_to_come(caller: Caller) -> None:
    asked: dict[str, Any] = {
        "home_id": HOME,
        "room_id": LIVING,
        "scale": "30min",
        "type": "temperature",
        "date_begin": NOW + 1,
    }

    assert (await caller.api("getroommeasure", **asked)).json["body"] == []


@pytest.mark.parametrize(("unit", "total"), [("seconds", 1800), ("minutes", 30)])
async def test_boiler_times_are_told_in_the_unit_of_the_server(
    caller: Caller, served: Served, unit: str, total: int
) -> None:
    served.house.homes[0].boiler_unit = "minutes" if unit == "minutes" else "seconds"
    asked: dict[str, Any] = {
        "device_id": RELAY,
        "module_id": THERMOSTAT,
        "scale": "30min",
        "type": "boileron,boileroff",
    }
    body = (await caller.api("getmeasure", **asked, date_begin=NOW - 10 * HOUR, optimize="false")).json[
        "body"
    ]

    assert len(body) == 20
    assert {on + off for on, off in body.values()} == {total}
    assert len({on for on, _ in body.values()}) > 3


async def test_a_thermostat_is_asked_through_its_relay(caller: Caller) -> None:
    asked: dict[str, Any] = {
        "device_id": VALVE,
        "module_id": THERMOSTAT,
        "scale": "30min",
        "type": "boileron",
    }
    refused = await caller.api("getmeasure", **asked)

    assert (refused.status, refused.code) == (404, 9)


def test_a_week_s_turns_are_those_of_the_place() -> None:
    turns = [{"m_offset": 420, "zone_id": 0}, {"m_offset": 1320, "zone_id": 1}]
    monday = 1_763_334_000  # 2025-11-17T00:00 in Zurich

    assert zone_at(turns, monday, "Europe/Zurich") == 1
    assert zone_at(turns, monday + 7 * HOUR, "Europe/Zurich") == 0
    assert zone_at(turns, monday + 7 * HOUR, "America/New_York") == 1
    assert zone_at([], monday, "UTC") is None


async def test_a_room_without_a_name_tells_none(caller: Caller, served: Served) -> None:
    served.house.homes[0].rooms.append(HeatedRoom(id="9", heated=False))
    told = (await caller.api("homesdata")).json["body"]["homes"][0]["rooms"][-1]

    assert told == {"id": "9", "type": "custom", "module_ids": []}
    assert [room["id"] for room in (await home(caller))["rooms"]] == [LIVING, BATH]
