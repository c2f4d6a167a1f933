"""getmeasure: pages, both shapes, and what the documentation leaves open."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from netaflux.simulator import Late, NetatmoSettings, Reading, Served, Span
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Answer, Caller

ALL = "Temperature,CO2,Humidity,Noise,Pressure"

Rows = list[tuple[int, tuple[Any, ...]]]


def unpacked(answer: Answer) -> Rows:
    """The rows of either shape."""
    body = answer.json["body"]
    if isinstance(body, dict):
        return [(int(time), tuple(cells)) for time, cells in body.items()]
    return list(_of_segments(body))


def _of_segments(segments: list[dict[str, Any]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    for segment in segments:
        assert ("step_time" in segment) == (len(segment["value"]) > 1)
        for number, cells in enumerate(segment["value"]):
            yield segment["beg_time"] + number * segment.get("step_time", 0), tuple(cells)


def base(served: Served) -> str:
    return served.house.stations[0].base.id


def truth(served: Served, begin: float = 0, end: float = float("inf")) -> Rows:
    return [(row.time, row.values) for row in served.house.rows(base(served), begin, end, NOW)]


async def test_the_envelope_tells_status_and_the_servers_time(caller: Caller) -> None:
    answer = await caller.measure(date_begin=NOW - 3600)

    assert answer.status == 200
    assert answer.json["status"] == "ok"
    assert answer.json["time_server"] == NOW
    assert answer.json["time_exec"] > 0


async def test_pages_one_after_the_other_are_the_whole_truth(caller: Caller, served: Served) -> None:
    first = unpacked(await caller.measure(type=ALL, date_begin=0))
    second = unpacked(await caller.measure(type=ALL, date_begin=first[-1][0] + 1))

    assert [len(first), len(second)] == [1024, 5 * 288 - 1024]
    assert first + second == truth(served)


@pytest.mark.parametrize("wanted", [1023, 1024, 1025])
async def test_what_is_beyond_1024_rows_is_cut_and_the_oldest_kept(
    caller: Caller, served: Served, wanted: int
) -> None:
    whole = truth(served)[:wanted]

    page = unpacked(await caller.measure(type=ALL, date_begin=0, date_end=whole[-1][0] + 1))
    assert page == whole[:1024]
    assert len(page) == min(wanted, 1024)


async def test_both_shapes_hold_the_same(caller: Caller, served: Served) -> None:
    served.house.change(base(served), nulls=0.05, gaps=(Span(NOW - 90_000, NOW - 80_000),))

    packed = await caller.measure(type=ALL, date_begin=NOW - 172_800)
    plain = await caller.measure(type=ALL, date_begin=NOW - 172_800, optimize="false")
    assert isinstance(plain.json["body"], dict)
    assert unpacked(packed) == unpacked(plain) == truth(served, NOW - 172_800)


async def test_an_even_rhythm_makes_long_segments_and_a_gap_a_new_one(caller: Caller, served: Served) -> None:
    served.house.change(base(served), jitter=0, gaps=(Span(NOW - 50_000, NOW - 49_000),))

    segments = (await caller.measure(date_begin=NOW - 86_400)).json["body"]
    assert [segment["step_time"] for segment in segments] == [300, 300]


async def test_a_row_between_two_gaps_has_no_step(caller: Caller, served: Served) -> None:
    gaps = (Span(NOW - 20_000, NOW - 10_000), Span(NOW - 9_700, NOW - 5_000))
    served.house.change(base(served), gaps=gaps)

    segments = (await caller.measure(date_begin=NOW - 20_000, date_end=NOW - 5_000)).json["body"]
    assert len(segments) == 1
    assert "step_time" not in segments[0]


@pytest.mark.parametrize("optimize", ["true", "false"])
async def test_nothing_is_an_empty_list_in_both_shapes(caller: Caller, optimize: str) -> None:
    answer = await caller.measure(date_begin=NOW + 1, optimize=optimize)

    assert answer.json["body"] == []


@pytest.mark.parametrize("meaning", ["included", "excluded"])
async def test_date_end_means_what_was_asked_for(caller: Caller, served: Served, meaning: Any) -> None:
    served.netatmo.settings = NetatmoSettings(reading=Reading(date_end=meaning))
    first, second, third = truth(served)[:3]

    page = unpacked(await caller.measure(type=ALL, date_begin=first[0], date_end=third[0]))
    assert page == ([first, second, third] if meaning == "included" else [first, second])


async def test_types_are_columns_in_the_order_asked_in_any_case(caller: Caller, served: Served) -> None:
    page = unpacked(await caller.measure(type="humidity,TEMPERATURE,co2", date_begin=NOW - 3600))

    assert page == [(t, (hum, temp, co2)) for t, (temp, co2, hum, _, _) in truth(served, NOW - 3600)]


async def test_a_type_of_another_module_is_a_column_of_nulls(caller: Caller, served: Served) -> None:
    porch = served.house.modules[1].id

    page = unpacked(await caller.measure(porch, type="CO2,Temperature", date_begin=NOW - 3600))
    assert len(page) == 12
    assert all(co2 is None and temperature is not None for _, (co2, temperature) in page)


async def test_a_type_of_another_module_can_be_refused(caller: Caller, served: Served) -> None:
    served.netatmo.settings = NetatmoSettings(reading=Reading(foreign_types="refused"))

    answer = await caller.measure(type="Temperature,sum_rain_1")
    assert (answer.status, answer.code) == (400, 21)


async def test_ragged_rows_end_early(caller: Caller, served: Served) -> None:
    served.house.change(base(served), ragged=0.2)

    page = unpacked(await caller.measure(type=ALL, date_begin=NOW - 86_400))
    padded = [(time, (*cells, *[None] * (5 - len(cells)))) for time, cells in page]
    assert {len(cells) for _, cells in page} == {1, 5}
    assert padded == truth(served, NOW - 86_400)


async def test_a_limit_counts_rows(caller: Caller, served: Served) -> None:
    page = unpacked(await caller.measure(type=ALL, date_begin=0, limit=7))

    assert page == truth(served)[:7]


async def test_a_limit_of_more_than_a_page_is_a_page(caller: Caller) -> None:
    assert len(unpacked(await caller.measure(date_begin=0, limit=5000))) == 1024


async def test_last_is_the_newest_row(caller: Caller, served: Served) -> None:
    page = unpacked(await caller.measure(type=ALL, date_end="last"))
    rest = unpacked(await caller.measure(type=ALL, date_begin=NOW - 3600, date_end="last"))

    assert page == truth(served)[-1:]
    assert rest == truth(served, NOW - 3600)


async def test_a_form_is_as_good_as_a_query(caller: Caller, served: Served) -> None:
    form = {"device_id": base(served), "scale": "max", "type": "Temperature", "date_begin": str(NOW - 900)}
    url = f"{served.netatmo_url}/api/getmeasure"

    posted = await caller.call("POST", url, headers=caller.netatmo_headers, data=form)
    assert posted.json["body"] == (await caller.measure(date_begin=NOW - 900)).json["body"] != []


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"device_id": ""}, 400, 10),
        ({"scale": ""}, 400, 10),
        ({"type": ""}, 400, 10),
        ({"scale": "5min"}, 400, 21),
        ({"date_begin": "yesterday"}, 400, 21),
        ({"date_begin": "²"}, 400, 21),
        ({"date_begin": "10", "date_end": "9"}, 400, 25),
        ({"limit": "0"}, 400, 21),
        ({"optimize": "maybe"}, 400, 21),
        ({"real_time": "maybe"}, 400, 21),
        ({"device_id": "Basement", "module_id": ""}, 404, 9),
        ({"module_id": "02:00:00:ff:ff:ff"}, 404, 9),
        ({"device_id": "02:00:00:00:00:02", "module_id": "02:00:00:00:00:02"}, 404, 9),
    ],
)
async def test_what_makes_no_sense_is_refused_by_status_and_code(
    caller: Caller, changed: dict[str, str], status: int, code: int
) -> None:
    answer = await caller.measure(**changed)

    assert (answer.status, answer.code) == (status, code)


async def test_a_method_that_does_not_exist_is_not_found(caller: Caller) -> None:
    answer = await caller.api("devicelist")

    assert (answer.status, answer.code) == (404, 404)


async def test_a_late_row_comes_into_a_page_that_was_asked_before(
    caller: Caller, served: Served, clock: TurnedClock
) -> None:
    """Also where the page would have been kept."""
    late = truth(served)[100][0]
    served.house.change(base(served), late=(Late(late, late + 1, NOW + 60),))

    before = unpacked(await caller.measure(date_begin=0))
    clock.time += 60
    after = unpacked(await caller.measure(date_begin=0))
    assert {time for time, _ in after} - {time for time, _ in before} == {late}


async def test_kept_pages_follow_the_house(caller: Caller, served: Served) -> None:
    async def asked() -> Any:
        return (await caller.measure(date_begin=0, date_end=NOW - 86_400)).json["body"]

    before = await asked()
    assert await asked() == before != []

    served.house.change(base(served), gaps=(Span(0, NOW - 86_400),))
    assert await asked() == []


async def test_pages_can_be_prepared_from_an_earlier_ledger(caller: Caller, served: Served) -> None:
    first = await caller.measure(type=ALL, date_begin=0)
    asked = [call.params for call in served.netatmo.ledger.of("/api/getmeasure")]
    served.house.change(base(served), name="Cellar")
    served.netatmo.prepare("default", asked)

    assert (await caller.measure(type=ALL, date_begin=0)).json["body"] == first.json["body"]


async def test_only_so_many_pages_are_kept(
    caller: Caller, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netaflux.simulator.netatmo.PAGES_KEPT", 2)
    asked = range(NOW - 90_000, NOW - 86_400, 600)
    first, second = [
        [unpacked(await caller.measure(date_begin=begin, date_end=NOW - 86_400)) for begin in asked]
        for _ in range(2)
    ]

    assert first == second
    assert len(served.netatmo._pages) == 2  # the one place where it can be seen


async def test_the_servers_clock_can_be_wrong(caller: Caller, served: Served) -> None:
    served.netatmo.settings = replace(served.netatmo.settings, clock_skew=-3600)

    assert (await caller.measure()).json["time_server"] == NOW - 3600
