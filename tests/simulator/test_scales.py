"""getmeasure at scales other than max: what is told of a stretch of time is what its rows say."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from netaflux.simulator import Change, Module, Row, Served, Station, World, estate
from tests.simulator.conftest import NOW, Caller

HOUR, DAY = 3600, 86_400
PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def world() -> World:
    """Five days in Paris."""
    return World.of(estate(NOW, days=5))


def rows(served: Served, begin: float, end: float) -> Sequence[Row]:
    return served.house.rows(served.house.stations[0].base.id, begin, end, NOW)


async def told(caller: Caller, scale: str, **params: Any) -> dict[int, list[float | None]]:
    answer = await caller.measure(scale=scale, optimize="false", **params)
    body = answer.json["body"]
    return {int(time): cells for time, cells in body.items()} if body else {}


async def test_an_hour_is_the_mean_the_least_and_the_most_of_its_rows(caller: Caller) -> None:
    begin = NOW - NOW % HOUR - 3 * HOUR
    page = await told(
        caller,
        "1hour",
        type="temperature,min_temp,max_temp,max_hum",
        date_begin=begin,
        date_end=begin + 2 * HOUR,
        real_time="true",
    )

    assert list(page) == [begin, begin + HOUR]
    for hour, cells in page.items():
        within = rows(caller.served, hour, hour + HOUR)
        temperatures = [row.values[0] for row in within if row.values[0] is not None]
        humidities = [row.values[2] for row in within if row.values[2] is not None]
        assert cells == [
            pytest.approx(sum(temperatures) / len(temperatures), abs=0.051),
            min(temperatures),
            max(temperatures),
            max(humidities),
        ]


@pytest.mark.parametrize(
    ("scale", "half"), [("30min", 900), ("1hour", 1800), ("3hours", 5400), ("1day", 43_200)]
)
async def test_without_real_time_a_stretch_is_told_by_its_middle(
    caller: Caller, scale: str, half: int
) -> None:
    begin = NOW - 3 * DAY
    exact = await told(caller, scale, date_begin=begin, real_time="true")
    moved = await told(caller, scale, date_begin=begin)

    assert exact != {}
    assert moved == {time + half: cells for time, cells in exact.items()}


async def test_a_day_is_that_of_the_stations_own_calendar(caller: Caller) -> None:
    page = await told(
        caller, "1day", type="min_temp,date_min_temp", date_begin=NOW - 4 * DAY, real_time="true"
    )

    days = [datetime.fromtimestamp(time, PARIS) for time in page]
    assert [(day.hour, day.minute) for day in days] == [(0, 0)] * 4
    for day, (coldest, when) in page.items():
        within = [row for row in rows(caller.served, day, day + DAY) if row.values[0] is not None]
        assert (coldest, when) == min((row.values[0], row.time) for row in within)


async def test_half_an_hour_after_midnight_belongs_to_the_new_day(caller: Caller) -> None:
    """In Paris, that is: in UTC the old day is still on."""
    midnight = int(datetime(2023, 11, 13, tzinfo=PARIS).timestamp())
    base = caller.served.house.stations[0].base.id
    frost = next(row.time for row in rows(caller.served, midnight + 1800, midnight + 3000))
    caller.served.house.change(base, changes=(Change(frost, "Temperature", -40),))

    page = await told(caller, "1day", type="date_min_temp", date_begin=midnight - DAY, real_time="true")
    assert page[midnight] == [frost]
    assert page[midnight - DAY] != [frost]


@pytest.mark.parametrize(("scale", "first"), [("1week", (0, None)), ("1month", (None, 1))])
async def test_weeks_and_months_begin_where_the_calendar_says(
    caller: Caller, scale: str, first: tuple[int | None, int | None]
) -> None:
    page = await told(caller, scale, date_begin=NOW - 40 * DAY, real_time="true")

    [day, *_] = [datetime.fromtimestamp(time, PARIS) for time in page]
    weekday, of_month = first
    assert weekday in {None, day.weekday()}
    assert of_month in {None, day.day}
    assert (day.hour, day.minute) == (0, 0)


async def test_a_stretch_belongs_to_what_was_asked_by_its_begin(caller: Caller) -> None:
    """It is told with all of its rows, whatever the end that was asked for."""
    begin = NOW - NOW % HOUR - 5 * HOUR

    cut = await told(caller, "1hour", date_begin=begin - 60, date_end=begin + 60, real_time="true")
    whole = await told(caller, "1hour", date_begin=begin, date_end=begin + HOUR, real_time="true")
    assert cut == whole
    assert list(whole) == [begin]


async def test_a_limit_keeps_the_oldest_and_last_is_the_newest(caller: Caller) -> None:
    begin = NOW - NOW % HOUR - 5 * HOUR

    oldest = await told(caller, "1hour", date_begin=begin, limit=2, real_time="true")
    newest = await told(caller, "1hour", date_end="last", real_time="true")
    assert list(oldest) == [begin, begin + HOUR]
    assert list(newest) == [NOW - NOW % HOUR]


async def test_rain_is_added_up(caller: Caller) -> None:
    gauge = Module(id="05:00:00:00:00:99", kind="NAModule3", set_up=NOW - 5 * DAY)
    station = Station(base=Module(id="70:ee:50:00:00:99", kind="NAMain", set_up=NOW), modules=(gauge,))
    caller.served.house.put(station)
    answer = await caller.api(
        "getmeasure",
        device_id=station.base.id,
        module_id=gauge.id,
        scale="1day",
        type="sum_rain",
        date_begin=NOW - 4 * DAY,
        date_end=NOW - 2 * DAY,
        optimize="false",
        real_time="true",
    )

    for day, [total] in answer.json["body"].items():
        fallen = caller.served.house.rows(gauge.id, int(day), int(day) + DAY, NOW)
        assert total == pytest.approx(sum(row.values[0] or 0 for row in fallen))
    assert len(answer.json["body"]) == 2


@pytest.mark.parametrize("odd", ["sum_rain", "date_min_temp", "max_nonsense", "sum_rain_24"])
async def test_what_a_module_or_a_scale_has_not_is_null(caller: Caller, odd: str) -> None:
    page = await told(caller, "1hour", type=f"Temperature,{odd}", date_begin=NOW - 2 * HOUR)

    assert page != {}
    assert {cells[1] for cells in page.values()} == {None}
