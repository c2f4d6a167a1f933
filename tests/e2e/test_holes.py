"""Whatever is missing in Netatmo's answers: `sync` ends well, and no number arrives that was not there."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from netaflux.simulator import Row, Span, World, measures
from tests.e2e.household import NOW, household, roomy
from tests.e2e.houses import BASE, PORCH, house_of, module_of, module_with, silent

ROWS = 400


def moment(seconds: int) -> str:
    """A moment as `since` takes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


async def test_cells_that_are_null_are_gaps_in_their_own_channels_alone(tmp_path: Path) -> None:
    house = house_of(module_of(ROWS, NOW, nulls=0.3))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])
        cells = [len(values) for values in home.served.fluxtream.store.values.values()]
        assert all(0.3 * ROWS < count < 0.9 * ROWS for count in cells)


async def test_rows_may_be_shorter_than_the_list_of_types(tmp_path: Path) -> None:
    house = house_of(module_of(ROWS, NOW, ragged=0.4, nulls=0.1))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])


async def test_a_row_without_any_value_is_covered_and_not_asked_for_again(tmp_path: Path) -> None:
    house = house_of(module_of(ROWS, NOW, nulls=1.0))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all()
        await home.sync()
        calls = home.calls()

        result = await home.sync()

        assert result["exit_code"] == 0
        assert home.calls() == calls + 1
        assert not home.served.fluxtream.uploads


@pytest.mark.parametrize("jitter", [0, 6])
async def test_segments_without_a_step_time_lose_no_row_and_make_up_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jitter: int
) -> None:
    segments = measures._segments

    def stepless(rows: Any, gap: int) -> list[dict[str, Any]]:
        return [
            {key: told for key, told in each.items() if key != "step_time"} for each in segments(rows, gap)
        ]

    monkeypatch.setattr(measures, "_segments", stepless)
    house = house_of(module_of(1100, NOW, jitter=jitter))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])
        assert [line["rows"] for line in result["devices"]] == [1100]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null"])
async def test_a_body_may_be_empty_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """The module has rows, and yet Netatmo answers as if it had none."""
    monkeypatch.setattr("netaflux.simulator.netatmo.page_body", lambda asked, *_: (body, asked.end))
    async with household(World.of(house_of(module_of(ROWS, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert (result["exit_code"], result["left"]) == (0, [])
        assert not home.served.fluxtream.uploads

        monkeypatch.undo()
        await home.sync()

        assert home.differences() == []


@pytest.mark.parametrize(
    "hidden",
    [
        {"module_name"},
        {"dashboard_data"},
        {"date_setup", "last_setup"},
        {"reachable", "last_status_store", "place", "data_type", "firmware", "wifi_status"},
        {"module_name", "dashboard_data", "date_setup", "reachable", "place", "data_type", "read_only"},
    ],
    ids=lambda hidden: "+".join(sorted(hidden)),
)
async def test_keys_may_be_missing_in_the_list_of_stations(tmp_path: Path, hidden: set[str]) -> None:
    house = house_of(
        module_of(ROWS, NOW, hidden=frozenset(hidden)),
        module_of(ROWS, NOW, kind="NAModule1", hidden=frozenset(hidden)),
        name=None,
        home_id=None,
        home_name=None,
    )
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])


async def test_no_humidity_at_all_is_a_gap_in_what_needs_its_logarithm(tmp_path: Path) -> None:
    dry, damp = Row(NOW - 900, (21.5, 0)), Row(NOW - 600, (21.5, 57))
    house = house_of(silent(NOW), module_with(dry, damp))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.devices = [{"name": "Netatmo_Porch", "module": PORCH}]

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])
        stored = {cell.channel: [*values] for cell, values in home.served.fluxtream.store.values.items()}
        assert stored["RH"] == stored["Temp_F"] == [dry.time, damp.time]
        assert stored["Dew_C"] == stored["H2O_ppm"] == [damp.time]


async def test_a_module_that_is_dead_gets_nothing_of_its_station(tmp_path: Path) -> None:
    """Its place in the list of stations has no values of its own, but its neighbour's beside it."""
    dead = module_of(ROWS, NOW, kind="NAModule1", reachable=False, gaps=(Span(NOW - 86400),))
    async with household(World.of(house_of(module_of(ROWS, NOW), dead), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])
        last = {line["module"]: line["to"] for line in result["devices"]}
        assert last[PORCH] < NOW - 86400 < last[BASE]


@pytest.mark.parametrize("year", [2036, 2603])
@pytest.mark.parametrize("many", [1, 1100])
async def test_stamps_from_the_future_are_left_out_and_stop_nothing(
    tmp_path: Path, year: int, many: int
) -> None:
    """A device whose clock was wrong: its rows stand at the end of everything, for years."""
    late = round((year - 1970) * 31_556_952)
    mad = tuple(range(late, late + many * 300, 300))
    house = house_of(module_of(ROWS, NOW, extras=mad, gaps=(), late=((mad[0], mad[-1] + 1, 0),)))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])
        true = [mirror._replace(end=late) for mirror in home.mirrors]

        first = await home.sync()

        assert (first["exit_code"], home.differences(true)) == (0, [])

        home.clock.time += 3600
        second = await home.sync()

        assert (second["exit_code"], home.differences(true)) == (0, [])
        assert [line["rows"] for line in second["devices"]] == [12]
        assert {event.name for event in home.listener.events} >= {"rows.put_aside"}


async def test_a_page_may_be_cut_in_the_middle(tmp_path: Path) -> None:
    async with household(World.of(house_of(module_of(ROWS, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()
        home.served.netatmo.faults.add("truncated", "/api/getmeasure", times=2)

        result = await home.sync()

        assert (result["exit_code"], home.differences()) == (0, [])


@pytest.mark.parametrize("fault", ["200 html", "403 html", "503", "body.errors"])
async def test_a_server_that_lies_for_a_while_costs_no_row(tmp_path: Path, fault: str) -> None:
    async with household(World.of(house_of(module_of(ROWS, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()
        home.served.netatmo.faults.add(fault, "/api/getmeasure")

        first = await home.sync()

        assert first["exit_code"] in {0, 75}
        assert not home.served.fluxtream.uploads

        home.served.netatmo.faults.clear()
        home.clock.time += 3600  # whatever it has made us stay away for is over
        second = await home.sync()

        assert (second["exit_code"], home.differences()) == (0, [])


@pytest.mark.parametrize("fault", ["body.errors", "body.home.errors"])
async def test_errors_instead_of_rows_are_not_taken_for_a_day_of_silence(tmp_path: Path, fault: str) -> None:
    async with household(World.of(house_of(module_of(ROWS, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all(since=moment(NOW - 3600))
        await home.sync()
        home.mirror_all()  # from now on the day before is wanted, too: a window with an end
        told = home.served.netatmo.faults.add(fault, "/api/getmeasure", after=1, times=1)

        first = await home.sync()
        second = await home.sync()

        assert told.spent
        assert (first["exit_code"], second["exit_code"]) == (75, 0)
        assert home.differences() == []


async def test_a_value_of_another_kind_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, lists, true: what is no number is no value."""
    odd: list[Any] = ["21.5", True, [21], {"a": 1}, None, 21.5]
    times = range(NOW - 3600, NOW - 3600 + len(odd) * 300, 300)
    body = orjson.dumps({str(time): [cell, 50] for time, cell in zip(times, odd, strict=True)})
    monkeypatch.setattr("netaflux.simulator.netatmo.page_body", lambda asked, *_: (body, asked.end))
    house = house_of(silent(NOW), module_of(1, NOW, kind="NAModule1"))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.devices = [{"name": "Netatmo_Porch", "module": PORCH, "channels": ["Temp_C", "RH"]}]

        result = await home.sync()

        assert result["exit_code"] == 0
        stored = {cell.channel: values for cell, values in home.served.fluxtream.store.values.items()}
        assert stored == {"Temp_C": {times[-1]: 21.5}, "RH": dict.fromkeys(times, 50)}
