"""latest, measure and minmax as a person uses them, with the daemon running and without."""

from dataclasses import replace
from typing import Any

import pytest

from netaflux.core.daytime import time_text
from netaflux.simulator import Fault, estate, home_coach
from tests.system.program import Ended, Program, until
from tests.system.world import Outside

HOUR = 3600
PORCH = "02:00:00:00:00:02"
"""What `a_world` calls Room 2."""


def newest(outside: Outside, module: str) -> int:
    row = outside.served.house.history(module).newest(outside.served.clock.now())
    assert row is not None
    return row.time


def sensors(ended: Ended) -> dict[str, Any]:
    return {sensor["name"]: sensor for sensor in ended.json["sensors"]}


async def test_latest_tells_every_module_and_its_time(netaflux: Program, outside: Outside) -> None:
    ended = await netaflux("latest", "--json")

    told = sensors(ended)
    assert (ended.code, ended.err) == (0, "")
    assert {name: sensor["time"] for name, sensor in told.items()} == {
        name: newest(outside, module)
        for name, module in {"Indoor": "70:ee:50:00:00:01", "Room 2": PORCH}.items()
    }
    row = outside.served.house.rows(PORCH, told["Room 2"]["time"], told["Room 2"]["time"] + 1, 2e9)[0]
    assert [told["Room 2"]["values"][name] for name in ("Temperature", "Humidity")] == list(row.values)
    assert ended.json["late"] == 0


async def test_latest_is_a_table_for_people(netaflux: Program) -> None:
    ended = await netaflux("latest", "house 1")

    heading, indoor, room = ended.out.splitlines()
    assert heading.split()[:3] == ["module", "newest", "values"]
    assert indoor.startswith("Indoor ")
    assert " ppm " in indoor
    assert " °C " in room
    assert room.split(" ago")[0].endswith("s")


async def test_what_is_late_is_said_and_decides_the_exit_code(netaflux: Program, outside: Outside) -> None:
    outside.served.house.change(PORCH, reachable=False)
    alone = await netaflux("latest")
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        with_daemon = await netaflux("latest", "--json")

    assert alone.code == with_daemon.code == 75
    assert alone.err == "late, by more than 1 h: Room 2\n"
    assert "never (late)" in alone.out
    assert sensors(with_daemon)["Room 2"]["late"] is True
    assert sensors(with_daemon)["Room 2"]["values"] == {}
    assert sensors(with_daemon)["Indoor"]["late"] is False


async def test_how_old_is_late_can_be_said(netaflux: Program, outside: Outside) -> None:
    ended = await netaflux("latest", "--stale-after", "1s", "--json")
    nonsense = await netaflux("latest", "--stale-after", "soon")

    assert (ended.code, ended.json["late"], ended.json["stale_after"]) == (75, 2, 1)
    assert (nonsense.code, nonsense.out) == (2, "")
    assert "--stale-after" in nonsense.err


async def test_a_home_coach_stands_beside_the_station(netaflux: Program, outside: Outside) -> None:
    study = home_coach(outside.served.clock.now(), days=1)
    outside.served.house.put(replace(study, home_name="House 1"))
    token = outside.served.netatmo.logins.issue("default", ["read_station", "read_homecoach"])
    netaflux.sections["netatmo"]["refresh_token"] = token.refresh

    told = await netaflux("latest", "--json")
    found = sensors(told)
    assert set(found) == {"Indoor", "Room 2", "Study"}
    assert (found["Study"]["kind"], found["Study"]["id"]) == ("NHC", study.base.id)
    assert found["Study"]["health"]["value"] == found["Study"]["values"]["health_idx"]
    assert len({sensor["station"] for sensor in found.values()}) == 2
    rows = await netaflux("measure", "study", "-t", "co2", "--json")
    assert rows.json["types"] == ["CO2"]
    assert len(rows.json["rows"]) > 200


async def test_minmax_tells_the_extremes_and_their_moments(netaflux: Program, outside: Outside) -> None:
    table, as_json = await netaflux("minmax"), await netaflux("minmax", "Room 2", "--json")

    [found] = as_json.json["extremes"]
    rows = outside.served.house.rows(PORCH, found["since"], found["until"], 2e9)
    known = [(row.values[0], row.time) for row in rows if row.values[0] is not None]
    assert (found["coldest"]["value"], found["coldest"]["time"]) == min(known)
    assert found["warmest"]["value"] == max(known)[0]
    assert found["until"] - found["since"] == 24 * HOUR
    assert [line.split()[0] for line in table.out.splitlines()] == ["module", "Indoor", "Room"]


async def test_the_day_is_the_stations_own(netaflux: Program, outside: Outside) -> None:
    outside.served.house.change_station(PORCH, timezone="Asia/Kathmandu")
    ended = await netaflux("minmax", "Room 2", "--day", "--json")

    [found] = ended.json["extremes"]
    assert time_text(found["since"], "Asia/Kathmandu").endswith("_00:00:00")
    assert found["until"] - found["since"] == 24 * HOUR


async def test_measure_tells_the_rows_of_a_span(netaflux: Program, outside: Outside) -> None:
    until = newest(outside, PORCH)
    span = ("--since", str(until - HOUR), "--until", str(until))
    as_json = await netaflux("measure", "room 2", *span, "--json")
    table = await netaflux("measure", PORCH.upper(), "-t", "humidity", *span)

    rows = outside.served.house.rows(PORCH, until - HOUR, until, 2e9)
    assert as_json.json["rows"] == [[row.time, *row.values] for row in rows]
    assert as_json.json["units"] == ["°C", "%"]
    heading, *lines = table.out.splitlines()
    assert heading.split() == ["time", "Humidity", "(%)"]
    assert [line.split()[-1] for line in lines] == [str(row.values[1]) for row in rows]


async def test_measure_pages_through_all_of_a_long_span(netaflux: Program, outside: Outside) -> None:
    begin = int(outside.served.clock.now()) - 10 * 24 * HOUR
    outside.served.house.change(PORCH, set_up=begin)
    ended = await netaflux("measure", "Room 2", "-t", "Temperature", "--since", "setup", "--json")

    rows = outside.served.house.rows(PORCH, 0, 2e9, outside.served.clock.now())
    assert [row[0] for row in ended.json["rows"]] == [row.time for row in rows]
    assert len(rows) > 2048


async def test_measure_at_a_coarser_scale(netaflux: Program, outside: Outside) -> None:
    words = ("-t", "min_temp,MAX_TEMP", "-t", "date_max_temp", "--scale", "1day", "--since", "3d")
    as_json, table = (
        await netaflux("measure", "Room 2", *words, "--json"),
        await netaflux("measure", "Room 2", *words),
    )

    assert as_json.json["types"] == ["min_temp", "max_temp", "date_max_temp"]
    for day, low, high, when in as_json.json["rows"]:
        rows = outside.served.house.rows(PORCH, day, day + 24 * HOUR, 2e9)
        known = [row.values[0] for row in rows if row.values[0] is not None]
        assert (low, high) == (min(known), max(known))
        assert day <= when < day + 24 * HOUR
        assert time_text(day, "Europe/Paris").removesuffix("_00:00:00") in table.out
    assert as_json.json["rows"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("measure", "Rom 2"), "no module `Rom 2`; did you mean `Room 2`?"),
        (("measure", "Room 2", "-t", "humidty"), "did you mean `Humidity`?"),
        (("measure", "Room 2", "-t", "min_temp"), "has no `min_temp` at scale max"),
        (("measure", "Room 2", "--since", "yesteryear"), "--since: must be a date"),
        (("measure", "Room 2", "--since", "1h", "--until", "2h"), "nothing lies between"),
        (("latest", "Nowhere"), "no station `Nowhere`; there is `House 1`"),
        (("minmax", "Indor"), "did you mean `Indoor`?"),
        (("latest", "--account", "nobody"), "no account `nobody`"),
    ],
)
async def test_what_cannot_be_is_told_with_what_may_have_been_meant(
    netaflux: Program, words: tuple[str, ...], said: str
) -> None:
    ended = await netaflux(*words)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


async def test_a_command_that_is_stopped_ends_without_a_word(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.faults.add(Fault.HANG_BEFORE, "/api/getstationsdata")
    async with netaflux.starting(*netaflux.command("latest")) as running:
        await until(lambda: outside.served.netatmo.faults.count(Fault.HANG_BEFORE))
        running.signal()
        ended = await running.ended(within=10)

    assert (ended.code, ended.out, ended.err) == (143, "", "")


async def test_a_mistake_names_the_commands_own_help(netaflux: Program) -> None:
    mistakes = [
        await netaflux("latest", "--stale-after", "soon"),
        await netaflux("measure", "Room 2", "--since", "soon"),
        await netaflux("minmax", "--account", "nobody"),
    ]

    for ended, name in zip(mistakes, ("latest", "measure", "minmax"), strict=True):
        assert f"→ See `netaflux {name} --help`." in ended.err


async def test_an_account_without_a_station_says_so(netaflux: Program, outside: Outside) -> None:
    outside.served.world.accounts[0].house = estate(0, stations=0)
    ended = await netaflux("latest")

    assert (ended.code, ended.out) == (69, "")
    assert "no weather station" in ended.err


async def test_a_missing_scope_is_told(netaflux: Program, outside: Outside) -> None:
    token = outside.served.netatmo.logins.issue("default", ["read_camera"])
    netaflux.sections["netatmo"]["refresh_token"] = token.refresh
    ended = await netaflux("latest")

    assert ended.code == 77
    assert "netaflux authorize --scope" in ended.err


async def test_an_account_that_cannot_be_read_costs_the_others_nothing(netaflux: Program) -> None:
    netaflux.sections["netatmo.accounts.bert"] = {"refresh_token": "bert|spent"}
    latest = await netaflux("latest", "--json")
    unknown = await netaflux("minmax", "Bert's room")
    known = await netaflux("minmax", "Room 2")

    assert latest.code == 77
    assert set(sensors(latest)) == {"Indoor", "Room 2"}
    assert [failed["account"] for failed in latest.json["failed"]] == ["bert"]
    assert "account bert" in latest.err
    assert "Room" in known.out
    # it may well be his: what keeps us from knowing is told, not that there is no such room
    assert unknown.code == 77
    assert "no module" not in unknown.err


async def test_one_account_can_be_asked_alone(netaflux: Program) -> None:
    netaflux.sections["netatmo.accounts.bert"] = {"refresh_token": "bert|spent"}
    ended = await netaflux("latest", "--account", "default")

    assert (ended.code, ended.err) == (0, "")
