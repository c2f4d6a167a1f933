"""getstationsdata: the shapes of real answers, with their gaps."""

from dataclasses import replace
from typing import Any

import pytest

from netaflux.simulator import (
    Module,
    NetatmoSettings,
    Showing,
    Station,
    Uploads,
    World,
    demo_house,
    estate,
    home_coach,
)
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Caller


@pytest.fixture
def world() -> World:
    return World.of(demo_house(NOW, days=3))


async def device(caller: Caller) -> dict[str, Any]:
    answer = await caller.api("getstationsdata")
    assert answer.status == 200
    assert answer.json["status"] == "ok"
    shown: dict[str, Any] = answer.json["body"]["devices"][0]
    return shown


async def test_the_demo_shows_every_weather_module(caller: Caller) -> None:
    shown = await device(caller)

    assert shown["type"] == "NAMain"
    assert (shown["home_name"], shown["module_name"]) == ("AR Home", "Basement")
    assert shown["place"]["timezone"] == "America/New_York"
    assert shown["data_type"] == ["Temperature", "CO2", "Humidity", "Noise", "Pressure"]
    assert [(one["type"], one["data_type"]) for one in shown["modules"]] == [
        ("NAModule1", ["Temperature", "Humidity"]),
        ("NAModule2", ["Wind"]),
        ("NAModule3", ["Rain"]),
        ("NAModule4", ["Temperature", "CO2", "Humidity"]),
        ("NAModule4", ["Temperature", "CO2", "Humidity"]),
    ]


async def test_the_dashboard_shows_the_newest_row_under_its_own_time(caller: Caller) -> None:
    shown = await device(caller)

    for unit in (shown, *shown["modules"][:4]):
        measures = caller.served.house.module(unit["_id"]).measures
        row = caller.served.house.history(unit["_id"]).newest(NOW)
        assert row is not None
        assert unit["dashboard_data"]["time_utc"] == row.time
        told = [unit["dashboard_data"].get(measure) for measure in measures]
        assert tuple(told) == row.values


async def test_keys_are_in_netatmos_spelling(caller: Caller) -> None:
    shown = await device(caller)

    assert {"CO2", "AbsolutePressure", "min_temp", "date_max_temp"} <= shown["dashboard_data"].keys()
    assert {"max_wind_str", "GustAngle"} <= shown["modules"][1]["dashboard_data"].keys()
    assert {"Rain", "sum_rain_1", "sum_rain_24"} <= shown["modules"][2]["dashboard_data"].keys()


async def test_the_days_extremes_are_those_of_the_stations_own_day(caller: Caller) -> None:
    """1 700 000 000 is 17:13 in New York, whose day began at 1 699 938 000."""
    shown = await device(caller)

    rows = caller.served.house.rows(shown["_id"], 1_699_938_000, NOW, NOW)
    temperatures = [row.values[0] for row in rows if row.values[0] is not None]
    assert shown["dashboard_data"]["min_temp"] == min(temperatures)
    assert shown["dashboard_data"]["max_temp"] == max(temperatures)


async def test_an_unreachable_module_has_no_dashboard(caller: Caller) -> None:
    office = (await device(caller))["modules"][-1]

    assert office["module_name"] == "Office"
    assert office["reachable"] is False
    assert "dashboard_data" not in office
    assert office["last_seen"] < NOW - 86_000


async def test_a_dead_module_can_go_on_showing_its_last_values(caller: Caller) -> None:
    office = next(unit.id for unit in caller.served.house.modules if unit.name == "Office")
    caller.served.house.change(office, dashboard=True)

    shown = (await device(caller))["modules"][-1]
    assert shown["reachable"] is False
    assert shown["dashboard_data"]["time_utc"] < NOW - 80_000


async def test_what_is_not_known_is_not_there_at_all(caller: Caller) -> None:
    house = caller.served.house
    base, module = house.modules[0], house.modules[1]
    house.change(base.id, name=None, hidden=frozenset({"date_setup", "place", "reachable"}))
    house.change(module.id, name=None, hidden=frozenset({"data_type", "dashboard_data"}))
    house.change_station(base.id, name=None, home_id=None, home_name=None)

    shown = await device(caller)
    gone = {"station_name", "home_id", "home_name", "module_name", "date_setup", "place", "reachable"}
    assert not gone & shown.keys()
    assert not {"module_name", "data_type", "dashboard_data"} & shown["modules"][0].keys()


async def test_a_station_alone_has_no_list_of_modules(caller: Caller) -> None:
    house = caller.served.house
    house.change_station(house.modules[0].id, modules=())

    assert "modules" not in await device(caller)


async def test_ids_can_have_stray_blanks_and_are_understood_without_them(caller: Caller) -> None:
    house = caller.served.house
    base = house.modules[0].id
    house.change_station(base, stray_blanks=True)

    told = (await device(caller))["_id"]
    assert told == "70 :ee: 50:00:00:01"
    assert (await caller.measure(device_id=told, module_id=told)).status == 200
    assert (await caller.measure(device_id=base)).status == 200


async def test_an_unknown_kind_is_shown_as_it_is(caller: Caller) -> None:
    house = caller.served.house
    new = Module(id="09:00:00:00:00:01", kind="NAModule9", set_up=NOW - 3600, measures=("Moonlight",))
    station = house.stations[0]
    house.put(replace(station, modules=(new,)))

    shown = (await device(caller))["modules"][0]
    assert (shown["type"], shown["data_type"]) == ("NAModule9", ["Moonlight"])
    assert "Moonlight" in shown["dashboard_data"]


async def test_the_body_can_be_asked_by_form_and_for_one_station(caller: Caller) -> None:
    second = Module(id="70:ee:50:00:00:77", kind="NAMain", set_up=NOW - 3600)
    caller.served.house.put(Station(base=second, name="Second"))

    url = f"{caller.served.netatmo_url}/api/getstationsdata"
    both = await caller.call("POST", url, headers=caller.netatmo_headers)
    one = await caller.call("POST", url, headers=caller.netatmo_headers, data={"device_id": second.id})
    assert len(both.json["body"]["devices"]) == 2
    assert [shown["station_name"] for shown in one.json["body"]["devices"]] == ["Second"]


async def test_a_favourite_is_shown_only_where_favourites_are_asked_for(caller: Caller) -> None:
    other = Module(id="70:ee:50:00:00:77", kind="NAMain", set_up=NOW - 3600)
    caller.served.house.put(Station(base=other, extra_fields={"favorite": True}))

    own = await caller.api("getstationsdata")
    both = await caller.api("getstationsdata", get_favorites="true")
    assert [shown.get("favorite") for shown in own.json["body"]["devices"]] == [None]
    assert [shown.get("favorite") for shown in both.json["body"]["devices"]] == [None, True]


class TestHomeCoaches:
    """gethomecoachsdata: stations of a kind of their own, with a scope of their own."""

    @pytest.fixture
    def world(self) -> World:
        house = estate(NOW, days=2)
        house.put(home_coach(NOW, days=2))
        return World.of(house, scopes=("read_station", "read_homecoach"))

    async def test_it_is_shown_with_the_health_of_the_air(self, caller: Caller) -> None:
        [shown] = (await caller.api("gethomecoachsdata")).json["body"]["devices"]

        assert (shown["type"], shown["module_name"]) == ("NHC", "Study")
        assert shown["dashboard_data"]["health_idx"] in range(5)
        assert "modules" not in shown

    async def test_it_is_no_weather_station(self, caller: Caller) -> None:
        shown = (await caller.api("getstationsdata")).json["body"]["devices"]

        assert [each["type"] for each in shown] == ["NAMain"]

    async def test_its_rows_can_be_had(self, caller: Caller) -> None:
        [shown] = (await caller.api("gethomecoachsdata")).json["body"]["devices"]
        page = await caller.api(
            "getmeasure", device_id=shown["_id"], scale="max", type="CO2", date_end="last"
        )

        assert page.json["body"][0]["value"] == [[shown["dashboard_data"]["CO2"]]]

    async def test_it_needs_its_scope(self, caller: Caller) -> None:
        caller.served.netatmo.logins.issue("default", ["read_station"])

        answer = await caller.api("gethomecoachsdata")
        assert (answer.status, answer.code) == (403, 13)


async def test_last_status_store_is_the_last_upload_that_can_be_seen(
    caller: Caller, clock: TurnedClock
) -> None:
    house = caller.served.house
    uploads = Uploads(NOW - 86_400)
    house.change_station(house.modules[0].id, uploads=uploads)
    caller.served.netatmo.settings = NetatmoSettings(showing=Showing(derived=False))

    stored = set()
    for _ in range(65):
        clock.time += 20
        shown = await device(caller)
        stored.add(shown["last_status_store"])
        assert shown["dashboard_data"]["time_utc"] <= shown["last_status_store"] <= clock.time
    assert len(stored) in (3, 4)
    assert stored <= {uploads.made(number) for number in range(200)}


async def test_the_dashboard_can_be_a_second_off(caller: Caller) -> None:
    settings = caller.served.netatmo.settings
    caller.served.netatmo.settings = replace(settings, showing=Showing(skew=1, derived=False))

    shown = await device(caller)
    row = caller.served.house.history(shown["_id"]).newest(NOW)
    assert row is not None
    assert shown["dashboard_data"]["time_utc"] == row.time + 1
    assert "min_temp" not in shown["dashboard_data"]


async def test_a_day_without_values_has_no_extremes(caller: Caller) -> None:
    for module in caller.served.house.modules:
        caller.served.house.change(module.id, nulls=1)

    shown = await device(caller)
    dashboards = [unit["dashboard_data"].keys() for unit in (shown, *shown["modules"][:4])]
    assert dashboards[0] == {"time_utc", "pressure_trend"}
    assert dashboards[1:3] == [{"time_utc"}, {"time_utc"}]
    assert dashboards[3] == {"time_utc", "sum_rain_1", "sum_rain_24"}


async def test_a_module_that_has_not_begun_shows_nothing(caller: Caller) -> None:
    house = caller.served.house
    for module in house.modules:
        house.change(module.id, set_up=NOW + 60, gaps=())

    shown = await device(caller)
    assert shown["last_status_store"] == NOW + 60
    assert "dashboard_data" not in shown
    assert {unit["last_seen"] for unit in shown["modules"]} == {0}


def test_a_live_house_goes_on_measuring_and_the_other_stands_still() -> None:
    still, live = demo_house(NOW, days=1), demo_house(NOW, days=1, live=True)
    base = still.modules[0].id
    later = NOW + 3600

    assert still.rows(base, 0, later, later) == still.rows(base, 0, NOW, NOW)
    assert 10 <= len(live.rows(base, NOW, later, later)) <= 12
