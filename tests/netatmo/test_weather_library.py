"""What the old document offers of the weather, in today's words, over real sockets."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from netaflux.core.errors import NoDevice, ScopeDenied, UnknownName
from netaflux.netatmo import Netatmo, time_text
from netaflux.simulator import (
    Change,
    Module,
    Served,
    Span,
    Station,
    World,
    demo_house,
    estate,
    home_coach,
    serve,
)
from tests.fakes import TurnedClock
from tests.netatmo.programs import called, opened

NOW = 1_700_000_000
HOUR, DAY = 3600, 86_400
NEW_YORK = ZoneInfo("America/New_York")
SCOPES = ("read_station", "read_homecoach")


@pytest.fixture
def world() -> World:
    """The demo's house, and a Home Coach in its study."""
    house = demo_house(NOW, days=3, live=True)
    house.put(replace(house.stations[0], uploads=None))
    house.put(home_coach(NOW, days=3))
    return World.of(house, scopes=SCOPES)


@pytest.fixture
async def served(world: World) -> AsyncIterator[Served]:
    async with serve(world, TurnedClock(NOW)) as served:
        yield served


@pytest.fixture
async def netatmo(served: Served) -> AsyncIterator[Netatmo]:
    async with opened(served) as netatmo:
        yield netatmo


def newest(served: Served, name: str) -> int:
    module = next(unit for unit in served.house.modules if unit.name == name)
    row = served.house.history(module.id).newest(NOW)
    assert row is not None
    return row.time


async def test_stations_and_modules_by_name_and_id(netatmo: Netatmo) -> None:
    weather = await netatmo.weather()

    assert weather.default_station.name == "AR Home"
    assert weather.station("ar home (basement)") is weather.station("70:EE:50:00:00:01")
    assert weather.module("Porch", "AR Home") is weather.module(" 02-00-00-00-00-02 ")
    assert weather.module_names() == ("Basement", "Porch", "Roof", "Garden", "Bedroom", "Office")
    with pytest.raises(UnknownName, match="did you mean `Porch`"):
        weather.module("Prch")


async def test_the_latest_values_by_name_each_with_its_own_time(netatmo: Netatmo, served: Served) -> None:
    latest = (await netatmo.weather()).latest()

    assert {name: shown.time for name, shown in latest.items()} == {
        name: newest(served, name) for name in ("Basement", "Porch", "Roof", "Garden", "Bedroom")
    }
    assert {"Temperature", "CO2", "Humidity", "Noise", "Pressure"} <= set(latest["Basement"].values)
    assert {"WindStrength", "GustAngle"} <= set(latest["Roof"].values)
    assert "Rain" in latest["Garden"].values
    assert "CO2" not in latest["Porch"].values


async def test_only_what_is_young_enough(netatmo: Netatmo, served: Served) -> None:
    served.house.change("02:00:00:00:00:02", gaps=(Span(NOW - 2 * HOUR),))

    weather = await netatmo.weather()
    assert "Porch" in weather.latest()
    assert "Porch" not in weather.latest(younger_than=HOUR)
    assert list(weather.late(delay=HOUR)) == ["Porch", "Office"]
    assert list(weather.on_time(delay=HOUR)) == ["Basement", "Roof", "Garden", "Bedroom"]


async def test_battery_radio_and_wifi(netatmo: Netatmo) -> None:
    weather = await netatmo.weather()
    porch, wifi = weather.module("Porch"), weather.sensor().wifi

    assert porch.battery is not None
    assert porch.radio is not None
    assert wifi is not None
    assert porch.battery.word in {"full", "high", "medium", "low", "very low"}
    assert (porch.battery.millivolts, porch.radio.value) == (porch.raw["battery_vp"], porch.raw["rf_status"])
    assert wifi.word in {"good", "average", "bad"}


async def test_favourites_where_they_are_asked_for(netatmo: Netatmo, served: Served) -> None:
    other = Module(id="70:ee:50:00:00:77", kind="NAMain", set_up=NOW - HOUR)
    served.house.put(Station(base=other, extra_fields={"favorite": True}))

    assert len((await netatmo.weather()).stations) == 1
    assert [each.favorite for each in (await netatmo.weather(favorites=True)).stations] == [False, True]


async def test_nobody_has_no_station(served: Served) -> None:
    async with serve(World.of(estate(NOW, stations=0)), TurnedClock(NOW)) as empty, opened(empty) as netatmo:
        with pytest.raises(NoDevice):
            await netatmo.weather()


async def test_a_measure_is_netatmos_own_answer(netatmo: Netatmo, served: Served) -> None:
    porch = (await netatmo.weather()).module("Porch")
    answer = await netatmo.measure(porch, ["Temperature", "Humidity"], begin=NOW - 1000, end=NOW, limit=2)

    rows = served.house.rows(porch.id, NOW - 1000, NOW, NOW)[:2]
    assert answer["body"] == {str(row.time): list(row.values) for row in rows}
    assert answer["status"] == "ok"


async def test_any_scale_and_either_shape(netatmo: Netatmo, served: Served) -> None:
    indoor = (await netatmo.weather()).sensor()
    begin = NOW - NOW % HOUR - 2 * HOUR
    answer = await netatmo.measure(
        indoor, ["min_temp"], "1hour", begin=begin, end=begin + HOUR, optimize=True
    )
    moved = await netatmo.measure(
        indoor, ["min_temp"], "1hour", begin=begin, end=begin + HOUR, real_time=False
    )

    known = [row.values[0] for row in served.house.rows(indoor.id, begin, begin + HOUR, NOW)]
    lowest = min(value for value in known if value is not None)
    assert answer["body"] == [{"beg_time": begin, "value": [[lowest]]}]
    assert moved["body"] == {str(begin + HOUR // 2): [lowest]}


async def test_the_extremes_of_the_last_24_hours(netatmo: Netatmo, served: Served) -> None:
    porch = (await netatmo.weather()).module("Porch")
    found = await netatmo.min_max(porch)

    rows = served.house.rows(porch.id, NOW - DAY + 1, NOW + 1, NOW)
    heat = [(row.values[0], row.time) for row in rows if row.values[0] is not None]
    damp = [row.values[1] for row in rows if row.values[1] is not None]
    assert len(rows) > 280
    assert found.values == (min(heat)[0], max(heat)[0], min(damp), max(damp))
    assert found.coldest is not None
    assert (found.coldest.value, found.coldest.time) == min(heat)


async def test_the_extremes_of_the_stations_own_day(netatmo: Netatmo, served: Served) -> None:
    """Frost half an hour before midnight, and heat half an hour after it, in New York."""
    midnight = int(datetime.fromtimestamp(NOW, NEW_YORK).replace(hour=0, minute=0, second=0).timestamp())
    porch = (await netatmo.weather()).module("Porch")
    before, after = (
        served.house.rows(porch.id, moment, midnight + DAY, NOW)[0].time
        for moment in (midnight - 1800, midnight + 1800)
    )
    served.house.change(
        porch.id, changes=(Change(before, "Temperature", -40), Change(after, "Temperature", 50))
    )

    today, last24 = await netatmo.min_max(porch, "day"), await netatmo.min_max(porch)
    yesterday = await netatmo.min_max(porch, "day", now=midnight - 1)
    assert time_text(today.window.begin, "America/New_York").endswith("_00:00:00")
    assert today.values[0] != -40
    assert (today.values[1], yesterday.values[0]) == (50, -40)
    assert yesterday.values[1] != 50
    assert last24.values[:2] == (-40, 50)


async def test_a_day_in_which_rows_came_on_demand_is_read_to_its_end(
    netatmo: Netatmo, served: Served
) -> None:
    """More than a page of them; the heat came last."""
    extras = tuple(range(NOW - 20 * HOUR, NOW - HOUR, 60))
    porch = (await netatmo.weather()).module("Porch")
    served.house.change(porch.id, extras=extras, changes=(Change(extras[-1], "Temperature", 60),))

    found = await netatmo.min_max(porch)
    assert len(extras) > 1024
    assert found.values[1] == 60


async def test_what_measures_no_temperature_has_no_extremes_and_costs_no_call(
    netatmo: Netatmo, served: Served
) -> None:
    roof = (await netatmo.weather()).module("Roof")
    before = len(called(served))

    assert (await netatmo.min_max(roof)).values == (None, None, None, None)
    assert len(called(served)) == before


async def test_a_silent_module_has_no_extremes(netatmo: Netatmo) -> None:
    office = (await netatmo.weather()).module("Office")

    assert (await netatmo.min_max(office)).values == (None, None, None, None)


async def test_a_home_coach_with_the_health_of_its_air(netatmo: Netatmo, served: Served) -> None:
    coaches = await netatmo.home_coaches()
    study = coaches.sensor("study")

    assert (study.kind, study.is_station) == ("NHC", True)
    assert study.health is not None
    assert study.latest is not None
    assert study.health.value == study.latest["health_idx"]
    found = await netatmo.min_max(study)
    assert found.values[0] is not None
    assert called(served)[-1] == "/api/getmeasure"


async def test_without_its_scope_no_home_coach_is_told(served: Served) -> None:
    served.refresh_tokens["default"] = served.netatmo.logins.issue("default", ["read_station"]).refresh
    async with opened(served) as netatmo:
        with pytest.raises(ScopeDenied):
            await netatmo.home_coaches()
        assert (await netatmo.weather()).stations
