"""`netaflux devices`: a list for people, blocks for the configuration."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from netaflux.cli import data
from netaflux.config import load

Captured = pytest.CaptureFixture[str]
Json = dict[str, Any]

ODD = 'Lv/"Kids\' room" \\ #1\n\x7f\x9b\U000e0001[[devices]]'
"""A name as a person can give it, or somebody who means harm."""


def a_module(identity: str, name: str | None, **more: object) -> Json:
    return {
        "event": "module",
        "account": "default",
        "source": "stations",
        "id": identity,
        "station": "70:ee:50:00:00:01",
        "kind": "NAModule1",
        "name": name,
        "titles": [] if name is None else [f"AR Home ({name})/{name}", f"AR Home/{name}"],
        "timezone": "America/New_York",
        "reachable": True,
        "newest": 1400506122,
        "measures": ["Temperature", "Humidity"],
        "channels": ["Temp_F", "RH"],
        "mirrored_by": [],
        **more,
    }


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """What the accounts can see; empty until a test says otherwise."""
    modules: list[Json] = []

    def carry_out(_place: object, _name: str, _asked: Json, take: Any) -> int:
        for event in (*modules, {"event": "result", "failed": [], "exit_code": 0}):
            take(event)
        return 0

    monkeypatch.setattr(data, "carry_out", carry_out)
    return modules


def blocks(told: str) -> Sequence[Json]:
    found: Sequence[Json] = tomllib.loads(told).get("devices", [])
    return found


def test_each_module_becomes_a_block(modules: list[Json], capsys: Captured) -> None:
    modules += [a_module("02:00:00:00:00:01", "Porch"), a_module("02:00:00:00:00:02", "Küche")]

    assert data.devices(toml=True) == 0
    assert blocks(capsys.readouterr().out) == [
        {"name": "Netatmo_Porch", "module": "AR Home/Porch"},
        {"name": "Netatmo_K_che", "module": "AR Home/Küche"},
    ]


def test_two_modules_of_one_name_are_told_apart(modules: list[Json], capsys: Captured) -> None:
    modules += [a_module("02:00:00:00:00:01", "Porch"), a_module("02:00:00:00:00:02", "Porch")]
    data.devices(toml=True)

    one, two = blocks(capsys.readouterr().out)
    assert (one["module"], two["module"]) == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    assert (one["name"], two["name"]) == ("Netatmo_Porch_000001", "Netatmo_Porch_000002")


def test_a_module_without_a_name_goes_by_its_id(modules: list[Json], capsys: Captured) -> None:
    modules += [a_module("02:00:00:00:00:01", None)]
    data.devices(toml=True)

    assert blocks(capsys.readouterr().out) == [
        {"name": "Netatmo_02_00_00_00_00_01", "module": "02:00:00:00:00:01"}
    ]


def test_a_module_of_another_account_says_whose_it_is(modules: list[Json], capsys: Captured) -> None:
    modules += [a_module("02:00:00:00:00:01", "Porch", account="parents")]
    data.devices(toml=True)

    assert blocks(capsys.readouterr().out)[0]["account"] == "parents"


def test_what_is_no_weather_module_says_where_it_is_found(modules: list[Json], capsys: Captured) -> None:
    modules += [
        a_module("1746182631", "Living room", source="rooms", channels=["Temp_C", "Setpoint_C"]),
        a_module("02:00:00:00:00:01", "Living room"),
    ]
    data.devices(toml=True)

    room, module = blocks(capsys.readouterr().out)
    assert (room["source"], room["module"]) == ("rooms", "AR Home/Living room")
    assert (module.get("source"), module["module"]) == (None, "AR Home/Living room")


def test_a_camera_is_recorded_only_where_a_person_asks_for_it(modules: list[Json], capsys: Captured) -> None:
    modules += [a_module("70:ee:50:00:00:0b", "Hall", source="cameras", channels=["Person"])]
    data.devices(toml=True)
    told = capsys.readouterr().out

    assert blocks(told) == []
    uncommented = told.replace("#[[", "[[").replace("\n#", "\n")
    assert blocks(uncommented) == [
        {"name": "Netatmo_Hall", "source": "cameras", "module": "AR Home/Hall"},
    ]


def test_no_name_can_break_out_of_its_block(
    modules: list[Json], capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of the oddest names are a configuration, and mean the modules that they are of."""
    modules += [a_module("02:00:00:00:00:01", ODD), a_module("02:00:00:00:00:02", "!!!")]
    data.devices(toml=True)
    told = capsys.readouterr().out
    assert told.replace("\n", "").isprintable()
    config = tmp_path / "config.toml"
    config.write_text(f'[netatmo]\nclient_id = "1"\nclient_secret = "2"\n{told}')

    settings = load(config, {}).settings
    assert [device.module for device in settings.devices] == [f"AR Home/{ODD}", "AR Home/!!!"]


def test_the_list_tells_what_each_module_is_and_who_mirrors_it(
    modules: list[Json], capsys: Captured, utc: None
) -> None:
    modules += [
        a_module("02:00:00:00:00:01", "Porch", mirrored_by=["Netatmo_Porch"]),
        a_module("02:00:00:00:00:02", None, reachable=None, newest=None, measures=[]),
    ]
    data.devices()

    _, one, two = capsys.readouterr().out.splitlines()
    for words in ("AR Home/Porch", "02:00:00:00:00:01", "2014-05-19 13:28:42", "Netatmo_Porch", "Humidity"):
        assert words in one
    assert two.split()[-2:] == ["nothing", "known"]
    assert "?" in two


def test_a_sync_that_is_stopped_says_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def stopped(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "carry_out", stopped)

    with pytest.raises(KeyboardInterrupt):
        data.sync()
    assert "the next sync goes on from there" in capsys.readouterr().err


def test_an_account_without_a_station_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def nothing(_place: object, _name: str, _asked: Json, take: Any) -> int:
        take({"event": "result", "failed": []})
        return 0

    monkeypatch.setattr(data, "carry_out", nothing)

    assert data.devices() == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing that measures is in these accounts" in told.err


def test_what_could_not_be_looked_for_is_told_without_a_terminal_too(
    modules: list[Json], capsys: Captured
) -> None:
    remedy = "Run `netaflux authorize --scope read_camera`."
    told = {"account": "default", "source": "cameras", "reason": "this needs read_camera", "remedy": remedy}
    modules += [{"event": "unseen", **told}, {"event": "unseen", **told, "source": "rooms"}]

    assert data.devices(json=True) == 0
    assert capsys.readouterr().err.splitlines() == [
        "account default: not looked for cameras: this needs read_camera",
        "account default: not looked for rooms: this needs read_camera",
        f"  → {remedy}",
    ]
