"""`sync` moves every row, each once, none wrong, with as few calls as there are pages."""

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Literal

import pytest

from netaflux.simulator import House, Reading, Row, Span, World, estate
from tests.e2e.household import NOW, Household, household, roomy
from tests.e2e.houses import BASE, PORCH, STEP, house_of, module_of, module_with, silent

DateEnd = Literal["included", "excluded"]


def rows_of(home: Household, module: str) -> int:
    return len(home.served.house.rows(module, 0, NOW + 1, NOW))


async def test_every_row_of_five_modules_and_thirty_days_arrives_once_and_then_no_more(
    tmp_path: Path,
) -> None:
    async with household(World.of(estate(NOW, days=30), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        first = await home.sync()

        assert (first["exit_code"], first["left"]) == (0, [])
        assert home.differences() == []
        for line in first["devices"]:
            assert line["rows"] == rows_of(home, line["module"])
            assert home.calls(line["module"]) <= ceil(line["rows"] / 1024) + 1

        uploads, calls = len(home.served.fluxtream.uploads), home.calls()
        second = await home.sync()

        assert (second["exit_code"], second["left"]) == (0, [])
        assert [line["rows"] for line in second["devices"]] == [0] * 5
        assert len(home.served.fluxtream.uploads) == uploads
        assert home.calls() <= calls + 5


async def test_two_homes_with_a_module_of_every_kind_each_arrive_whole(tmp_path: Path) -> None:
    house = estate(NOW, stations=2, days=2)
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])
        homes = {module.kind: 0 for module in house.modules}
        for line in result["devices"]:
            homes[house.module(line["module"]).kind] += line["rows"] > 570
        assert homes == dict.fromkeys(homes, 2)
        assert len(homes) == 5


async def test_setup_is_when_the_station_was_set_up_first(tmp_path: Path) -> None:
    """Netatmo's `last_setup` is that of the newest wireless network, and hides the years before."""
    rows = 20 * 288
    house = house_of(
        module_of(rows, NOW),
        module_of(rows, NOW, kind="NAModule1"),
        extra_fields={"last_setup": NOW - 86400},
    )
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"], since="setup")

        result = await home.sync()

        assert [line["rows"] for line in result["devices"]] == [rows, rows]
        assert home.differences() == []


async def test_a_reading_that_is_polled_again_and_again_is_one_row_of_its_own_time(tmp_path: Path) -> None:
    reading = Row(NOW - 250, (21.5, 57))
    house = house_of(silent(NOW), module_with(reading, dashboard=True))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.devices = [{"name": "Netatmo_Porch", "module": PORCH, "channels": ["Temp_C", "RH"]}]
        for _ in range(4):
            await home.sync()
            home.clock.time += 90

        stored = {cell.channel: values for cell, values in home.served.fluxtream.store.values.items()}
        assert stored == {"Temp_C": {reading.time: 21.5}, "RH": {reading.time: 57}}
        assert home.uploaded_rows == 1


# A survey that tells the newest row lets the live end begin an hour before it, which is 13 rows; the pages of
# the past then hold the others. Without it all pages are of one piece.
@pytest.mark.parametrize("date_end", ["included", "excluded"])
@pytest.mark.parametrize(("told", "apart"), [(True, 13), (False, 0)])
@pytest.mark.parametrize("paged", [1023, 1024, 1025, 2048])
async def test_no_row_is_lost_where_pages_end(
    tmp_path: Path, paged: int, apart: int, date_end: DateEnd, *, told: bool
) -> None:
    rows = paged + apart
    world = World.of(
        house_of(module_of(rows, NOW, dashboard=told)), netatmo=roomy(reading=Reading(date_end=date_end))
    )
    async with household(world, tmp_path) as home:
        home.mirror_all(channels=["Temp_C", "RH"])

        result = await home.sync()

        assert result["exit_code"] == 0
        assert home.differences() == []
        assert [line["rows"] for line in result["devices"]] == [rows]
        assert home.calls() <= ceil(rows / 1024) + 1


@pytest.mark.parametrize("date_end", ["included", "excluded"])
@pytest.mark.parametrize("back", [1200, 7 * 86400], ids=["now", "in the past"])
async def test_rows_on_demand_may_overfill_any_window(tmp_path: Path, back: int, date_end: DateEnd) -> None:
    """One a second for twenty minutes, beside the usual ones: as long as a person keeps asking."""
    crowd = tuple(range(NOW - back, NOW - back + 1200))
    world = World.of(
        house_of(module_of(10 * 288, NOW, extras=crowd)), netatmo=roomy(reading=Reading(date_end=date_end))
    )
    async with household(world, tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])

        await home.sync()

        assert home.differences() == []


@pytest.mark.parametrize("date_end", ["included", "excluded"])
async def test_a_gap_of_weeks_costs_one_call_more(tmp_path: Path, date_end: DateEnd) -> None:
    """An hour of rows, a month of silence, an hour of rows; the silence is not believed at once."""
    hour = tuple(range(NOW - 30 * 86400, NOW - 30 * 86400 + 3600, STEP))
    house = house_of(silent(NOW), module_of(12, NOW, kind="NAModule1", set_up=NOW - 3700, extras=hour))
    async with household(
        World.of(house, netatmo=roomy(reading=Reading(date_end=date_end))), tmp_path
    ) as home:
        home.devices = [{"name": "Netatmo_Porch", "module": PORCH, "since": "60d"}]

        await home.sync()

        assert home.differences() == []
        assert home.calls(PORCH) <= 3


async def test_a_year_costs_hardly_more_calls_than_it_has_pages(tmp_path: Path) -> None:
    rows = 365 * 288
    world = World.of(house_of(module_of(rows, NOW, jitter=6)), netatmo=roomy())
    async with household(world, tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])

        result = await home.sync()

        assert [line["rows"] for line in result["devices"]] == [rows]
        assert not home.served.fluxtream.store.again
        assert home.calls() <= ceil(rows / 1024) * 1.03
        calls = home.calls()
        await home.sync()
        assert home.calls() == calls + 1


@pytest.mark.slow
async def test_two_years_of_silence_in_five_cost_hardly_a_call(tmp_path: Path) -> None:
    year = 365 * 86400
    gap = Span(NOW - 3 * year, NOW - year)
    base = replace(module_of(5 * 365 * 288, NOW), gaps=(gap, Span(NOW)), jitter=6)
    async with household(World.of(house_of(base), netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])

        result = await home.sync()

        rows = rows_of(home, BASE)
        assert (result["left"], [line["rows"] for line in result["devices"]]) == ([], [rows])
        assert not home.served.fluxtream.store.again
        assert 3 * 365 * 288 - 3 < rows < 3 * 365 * 288 + 3
        assert home.calls() <= ceil(rows / 1024) + 20
        calls = home.calls()
        await home.sync()
        assert home.calls() == calls + 1


async def test_data_that_begin_years_after_the_setup_cost_no_call_more(tmp_path: Path) -> None:
    rows = 30 * 288
    years = module_of(5 * 365 * 288, NOW)
    base = replace(years, gaps=(Span(years.set_up - 1, NOW - 30 * 86400), Span(NOW)), dashboard=True)
    async with household(World.of(house_of(base), netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"], since="setup")

        result = await home.sync()

        assert result["left"] == []
        assert abs(rows_of(home, BASE) - rows) < 3
        assert home.differences() == []
        assert home.calls() <= ceil(rows / 1024) + 2


async def test_both_shapes_of_answers_bring_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, some answers come by time and not in segments."""
    monkeypatch.setattr(
        "netaflux.simulator.measures._segments",
        lambda cells, _gap: {str(time): values for time, values in cells},
    )
    async with household(World.of(house_of(module_of(1500, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert home.differences() == []
        assert [line["rows"] for line in result["devices"]] == [1500]


@pytest.mark.parametrize(
    ("house", "code"), [(House(), 75), (house_of(silent(NOW)), 0)], ids=["no station", "no row yet"]
)
async def test_where_there_is_nothing_nothing_arrives(tmp_path: Path, house: House, code: int) -> None:
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.devices = [{"name": "Netatmo_Basement", "module": BASE}]

        result = await home.sync()

        assert result["exit_code"] == code
        assert not home.served.fluxtream.uploads
