"""`netaflux latest`, `measure` and `minmax`: how odd answers look."""

from typing import Any

import pytest

from netaflux.cli import weather

Captured = pytest.CaptureFixture[str]
Json = dict[str, Any]


def a_sensor(name: str = "Porch", **more: object) -> Json:
    return {
        "event": "sensor",
        "account": "default",
        "station": "AR Home",
        "station_id": "70:ee:50:00:00:01",
        "name": name,
        "id": "02:00:00:00:00:01",
        "kind": "NAModule1",
        "time": 1_700_000_000,
        "age": 90,
        "values": {"Humidity": 81, "Temperature": 3.5},
        "reachable": True,
        "battery": {"word": "high", "percent": 70, "millivolts": 5200},
        "radio": {"value": 70, "word": "medium"},
        "wifi": None,
        "health": None,
        "late": False,
        **more,
    }


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """What the command tells; its last event decides the exit code."""
    events: list[Json] = []

    def carry_out(_place: object, _name: str, _asked: Json, take: Any) -> int:
        for event in events:
            take(event)
        code: int = events[-1]["exit_code"]
        return code

    monkeypatch.setattr(weather, "carry_out", carry_out)
    return events


def result(code: int = 0, **more: object) -> Json:
    told = {"event": "result", "late": 0, "stale_after": 3600, "failed": [], "left": [], "exit_code": code}
    return {**told, **more}


def line(captured: Captured) -> str:
    _, told = captured.readouterr().out.splitlines()
    return " ".join(told.split())


def test_values_are_said_with_their_units_in_one_order(events: list[Json], capsys: Captured) -> None:
    events += [a_sensor(), result()]

    assert weather.latest() == 0
    assert line(capsys) == "Porch 3.5 °C 81 % 1 min 30 s ago high (70 %) medium"


def test_a_value_that_nobody_knows_is_said_by_its_name(events: list[Json], capsys: Captured) -> None:
    events += [a_sensor(values={"Moonlight": 7, "Rain": 0.1, "AbsolutePressure": 990}), result()]
    weather.latest()

    assert line(capsys).startswith("Porch 0.1 mm Moonlight 7 1 min")


def test_the_air_of_a_home_coach_is_said_in_a_word(events: list[Json], capsys: Captured) -> None:
    coach = a_sensor(values={"CO2": 900, "health_idx": 2}, health={"value": 2, "word": "fair"})
    events += [coach, result()]
    weather.latest()

    assert line(capsys).startswith("Porch 900 ppm fair 1 min")


def test_nothing_at_all_is_said_plainly(events: list[Json], capsys: Captured) -> None:
    nothing: Json = {"values": {}, "time": None, "age": None, "battery": None, "radio": None, "late": True}
    events += [a_sensor(**nothing), result(75)]

    assert weather.latest() == 75
    assert line(capsys) == "Porch – never (late) – –"


def test_values_without_a_time_are_late(events: list[Json], capsys: Captured) -> None:
    events += [a_sensor(time=None, age=None, late=True), result(75)]
    weather.latest()

    assert "nobody knows when (late)" in line(capsys)


def test_a_name_that_means_harm_steers_no_terminal(events: list[Json], capsys: Captured) -> None:
    events += [a_sensor("\x1b[2J[bold]", late=True), result(75)]
    weather.latest()

    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "[bold]" in told.out


def test_stations_are_told_apart_where_there_are_several(events: list[Json], capsys: Captured) -> None:
    events += [a_sensor(), a_sensor(station="Cabin", station_id="70:ee:50:00:00:02"), result()]
    weather.latest()

    assert [told.split()[0] for told in capsys.readouterr().out.splitlines()] == ["station", "AR", "Cabin"]


def test_an_account_that_cannot_be_read_is_told_beside_the_others(
    events: list[Json], capsys: Captured
) -> None:
    failed = {"account": "bert", "reason": "no leave", "remedy": "Ask Bert."}
    events += [a_sensor(), result(77, failed=[failed])]

    assert weather.latest() == 77
    told = capsys.readouterr()
    assert told.err == "netaflux: account bert: no leave\n  → Ask Bert.\n"
    assert "Porch" in told.out


def test_an_extreme_that_is_none_is_a_dash(events: list[Json], capsys: Captured, utc: None) -> None:
    found = {"event": "extremes", "station": "AR Home", "name": "Porch", "driest": None, "dampest": None}
    cold, warm = {"value": -3.5, "time": 1_700_000_000}, {"value": 4, "time": 1_700_003_600}
    events += [{**found, "coldest": cold, "warmest": warm}, result()]

    assert weather.minmax() == 0
    assert line(capsys) == "Porch -3.5 °C, 11-14 22:13 4 °C, 11-14 23:13 – –"


@pytest.mark.parametrize(
    ("zones", "told"),
    [
        (("Asia/Kathmandu", "Asia/Kathmandu"), "times are Asia/Kathmandu\n"),
        (("Asia/Kathmandu", None), "times are Asia/Kathmandu (AR Home), UTC (Cabin)\n"),
    ],
)
def test_the_extremes_of_a_day_have_the_times_of_the_stations(
    events: list[Json], capsys: Captured, utc: None, zones: tuple[str, str | None], told: str
) -> None:
    nothing = {"event": "extremes", "name": "Porch", "driest": None, "dampest": None, "warmest": None}
    cold = {"value": -3.5, "time": 1_700_000_000}
    stations = zip(("AR Home", "Cabin"), zones, strict=True)
    events += [{**nothing, "station": name, "timezone": zone, "coldest": cold} for name, zone in stations]
    events.append(result())

    assert weather.minmax(day=True) == 0
    shown = capsys.readouterr()
    assert "-3.5 °C, 11-15 03:58" in shown.out.splitlines()[1]
    assert shown.err == told


@pytest.mark.parametrize("odd", [1e15, -1, "x", 1_700_000_000.5])
def test_what_cannot_be_a_moment_is_a_dash(events: list[Json], capsys: Captured, odd: object) -> None:
    asked = {"types": ["date_min_temp"], "units": [""], "timezone": "Asia/Kathmandu"}
    events += [
        {"event": "module", "name": "Porch", "id": "02:00:00:00:00:01", "scale": "1day", **asked},
        {"event": "rows", "rows": [[1_700_000_000, odd]]},
        result(),
    ]

    assert weather.measure("Porch") == 0
    assert line(capsys) == "2023-11-15 –"


@pytest.mark.parametrize(
    ("scale", "begin"),
    [("max", "2023-11-14 22:13:20"), ("3hours", "2023-11-14 22:13:20"), ("1day", "2023-11-15")],
)
def test_a_day_is_told_as_the_stations_own(
    events: list[Json], capsys: Captured, utc: None, scale: str, begin: str
) -> None:
    asked = {"types": ["max_temp", "date_max_temp"], "units": ["°C", ""], "timezone": "Asia/Kathmandu"}
    events += [
        {"event": "module", "name": "Porch", "id": "02:00:00:00:00:01", "scale": scale, **asked},
        {"event": "rows", "rows": [[1_700_000_000, 4, None]]},
        result(),
    ]

    assert weather.measure("Porch") == 0
    assert line(capsys) == f"{begin} 4 –"
