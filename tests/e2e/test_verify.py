"""`netaflux verify` from the configuration to the servers: what was planted is found, just that is mended."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any, Literal

import aiohttp
import pytest

from netaflux.cli import verify as command_line
from netaflux.commands.words import Json
from netaflux.simulator import Cell, Fault, FluxtreamSettings, Limits, NetatmoSettings, Span, World, estate
from tests.e2e.household import MANY, NOW, Household, household, performed, roomy
from tests.e2e.houses import PORCH, house_of, module_of, silent

MODULES = {"modules_done": 2, "modules": 2}
NO_WAIT = {"waiting_until": None, "reason": ""}
EXPORT = "*/exportCSV/*"
COUNTS = ("missing", "different", "unknown", "repaired")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Household]:
    """Two modules, four days of history with some nulls, all of it delivered."""
    async with synced(tmp_path) as home:
        yield home


@asynccontextmanager
async def synced(folder: Path, *, api: Literal["legacy", "v1"] = "legacy") -> AsyncIterator[Household]:
    house = estate(NOW, modules=2, days=4, nulls=0.01)
    world = World.of(house, netatmo=roomy(), fluxtream=FluxtreamSettings(apis=api))
    async with household(world, folder) as home:
        home.mirror_all(channels=["Temp_C", "RH", "H2O_ppm"])
        assert (await home.sync())["exit_code"] == 0
        yield home


def counted(result: Json, *counts: str) -> dict[str, int]:
    """The sums over all channels."""
    channels = [channel for line in result["devices"] for channel in line["channels"]]
    return {count: sum(channel[count] for channel in channels) for count in counts or COUNTS}


async def verified(home: Household, **asked: Any) -> Json:
    return (await home.command("verify", **asked))[-1]


async def plant(home: Household, cell: Cell, time: int, value: float | None) -> None:
    """Over the simulator's own socket, as another process would."""
    told = {"device": cell.device, "channel": cell.channel, "time": time, "value": value}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{home.served.fluxtream_url}/_sim/cells", json=told) as answer,
    ):
        assert answer.status == 200


def uploaded_since(home: Household, number: int) -> set[tuple[str, str, float]]:
    """The cells of all uploads after so many."""
    return {
        (upload.device, channel, time)
        for upload in list(home.served.fluxtream.uploads)[number:]
        for channel in upload.channels
        for time in upload.times
    }


@pytest.mark.parametrize("api", ["legacy", "v1"])
async def test_ten_deleted_and_five_altered_cells_are_found_and_exactly_they_are_mended(
    tmp_path: Path, api: Literal["legacy", "v1"]
) -> None:
    async with synced(tmp_path, api=api) as home:
        values = home.served.fluxtream.store.values
        chosen = Random(3).sample(  # noqa: S311 - a test wants the same chance again
            [(cell, time) for cell in values for time in values[cell]], 15
        )
        for number, (cell, time) in enumerate(chosen):
            await plant(home, cell, int(time), None if number < 10 else values[cell][time] + 0.5)
        uploads = len(home.served.fluxtream.uploads)

        found = await verified(home)

        assert (found["exit_code"], found["complete"], found["left"]) == (75, False, [])
        assert counted(found) == {"missing": 10, "different": 5, "unknown": 0, "repaired": 0}
        assert {
            (line["device"], channel["channel"], flaw["time"])
            for line in found["devices"]
            for channel in line["channels"]
            for flaw in channel["examples"]
        } == {(cell.device, cell.channel, time) for cell, time in chosen}
        assert len(home.served.fluxtream.uploads) == uploads

        mended = await verified(home, repair=True)

        assert (mended["exit_code"], mended["complete"]) == (0, True)
        assert counted(mended) == {"missing": 10, "different": 5, "unknown": 0, "repaired": 15}
        assert uploaded_since(home, uploads) == {(cell.device, cell.channel, time) for cell, time in chosen}
        assert (
            home.served.fluxtream.store.again.total() == 5
        )  # the altered ones; nothing else was written twice
        home.served.fluxtream.store.again.clear()
        assert home.differences() == []
        assert counted(await verified(home)) == dict.fromkeys(COUNTS, 0)


async def test_what_is_complete_is_so_to_the_last_row(home: Household) -> None:
    rows = sum(len(home.served.house.rows(each["module"], 0, NOW + 1, NOW)) for each in home.devices)
    cells = sum(len(values) for values in home.served.fluxtream.store.values.values())
    calls = home.calls()

    *progress, result = await home.command("verify")

    assert (result["exit_code"], result["complete"]) == (0, True)
    assert counted(result, "rows", *COUNTS) == {"rows": cells, **dict.fromkeys(COUNTS, 0)}
    assert result["calls"] == home.calls() - calls == 4
    assert progress[-1] == {"event": "progress", "rows": rows, "calls": 4, **MODULES, **NO_WAIT}


async def test_verify_writes_nothing_down(home: Household) -> None:
    before = state_of(home)

    await home.command("verify")

    assert state_of(home) == before


def state_of(home: Household) -> str:
    """What the database knows of rows and devices."""
    with closing(sqlite3.connect(home.folder / "state" / "netaflux.db")) as connection:
        names = ("destinations", "bindings", "coverage", "modules", "source_rows", "rows_aside")
        told = [sorted(connection.execute(f"SELECT * FROM {name}")) for name in names]  # noqa: S608
    return json.dumps(told)


async def test_uploads_that_were_acknowledged_and_not_stored_are_found(tmp_path: Path) -> None:
    world = World.of(estate(NOW, modules=2, days=3), netatmo=roomy())
    async with household(world, tmp_path) as home:
        home.mirror_all()
        home.served.fluxtream.faults.add(Fault.SWALLOWED, "*/upload", times=1)
        assert (await home.sync())["exit_code"] == 0
        lost = next(upload for upload in home.served.fluxtream.uploads if upload.outcome == "swallowed")

        found = await verified(home)
        mended = await verified(home, repair=True)

        cells = len(lost.times) * len(lost.channels)
        assert (found["exit_code"], counted(found, "missing")) == (75, {"missing": cells})
        assert (mended["exit_code"], counted(mended, "repaired")) == (0, {"repaired": cells})
        assert home.differences() == []


async def test_values_unknown_to_netatmo_are_told_and_kept(home: Household) -> None:
    cell = next(iter(home.served.fluxtream.store.values))
    time = int(sorted(home.served.fluxtream.store.values[cell])[50])
    await plant(home, cell, time + 1, 12.5)
    uploads = len(home.served.fluxtream.uploads)

    result = await verified(home, repair=True)

    assert (result["exit_code"], counted(result)["unknown"]) == (0, 1)
    assert len(home.served.fluxtream.uploads) == uploads
    assert home.served.fluxtream.store.values[cell][time + 1] == 12.5


async def test_a_wrong_value_beside_the_right_one_is_told_and_stays(home: Household) -> None:
    """Two rows of one time in one upload stay for ever; no repair of ours can take one away."""
    store = home.served.fluxtream.store
    cell = next(iter(store.values))
    time = next(iter(store.values[cell]))
    store.twins[cell][time].append(99)

    result = await verified(home, repair=True)

    assert (result["exit_code"], counted(result)) == (
        75,
        {"missing": 0, "different": 1, "unknown": 0, "repaired": 0},
    )


async def test_rows_that_came_after_the_last_sync_are_no_defect(tmp_path: Path) -> None:
    async with household(World.of(estate(NOW, modules=1, days=2), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()
        await home.sync()
        home.clock.time += 3600

        result = await verified(home)

        assert (result["exit_code"], counted(result)["missing"]) == (0, 0)


async def test_before_the_first_sync_all_is_missing_and_repair_leaves_it_to_sync(tmp_path: Path) -> None:
    async with household(World.of(estate(NOW, modules=1, days=2), netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])

        result = await verified(home, repair=True)

        assert (result["exit_code"], counted(result)["missing"]) == (75, 576)
        assert result["left"] == [
            {
                "what": "Netatmo_0 at fluxtream",
                "reason": "nothing was delivered yet of Temp_C",
                "remedy": "Run `netaflux sync`.",
            }
        ]
        assert json.loads(state_of(home)) == [[]] * 6
        assert not home.served.fluxtream.uploads


async def test_an_earlier_modules_rows_are_not_compared_with_its_successors(tmp_path: Path) -> None:
    """Not even where a span is named that holds them."""
    world = World.of(estate(NOW, modules=2, days=2), netatmo=roomy())
    async with household(world, tmp_path) as home:
        base, porch = (module.id for module in home.served.house.modules)
        home.devices = [{"name": "Netatmo_Room", "module": base, "channels": ["Temp_C"]}]
        await home.sync()
        home.clock.time += 3600
        home.devices[0]["module"] = porch
        await home.sync()

        result = await verified(home, since="setup", repair=True)

        assert (result["exit_code"], counted(result)) == (0, dict.fromkeys(COUNTS, 0))
        last = home.served.house.rows(base, 0, NOW + 1, NOW)[-1].time
        theirs = home.served.house.rows(porch, last + 1, NOW + 3601, NOW + 3600)
        assert counted(result, "rows") == {"rows": len(theirs)}


async def test_where_the_state_was_lost_what_is_there_is_found_to_be(home: Household) -> None:
    for file in (home.folder / "state").iterdir():
        file.unlink()
    login = home.served.netatmo.logins.issue("default")
    home.sections["netatmo"]["refresh_token"] = login.refresh

    result = await verified(home)

    assert (result["exit_code"], result["left"], counted(result)["missing"]) == (0, [], 0)
    assert counted(result, "rows")["rows"] > 6000


async def test_the_gaps_of_netatmos_own_history_are_told(tmp_path: Path) -> None:
    off = NOW - 5 * 86400
    porch = module_of(10 * 288, NOW, kind="NAModule1", gaps=(Span(off, off + 2 * 86400), Span(NOW)))
    async with household(World.of(house_of(silent(NOW), porch), netatmo=roomy()), tmp_path) as home:
        home.devices = [{"name": "Netatmo_Porch", "module": PORCH, "since": "30d"}]
        await home.sync()

        result = await verified(home)

        (line,) = result["devices"]
        ((before, after),) = line["gaps"]["listed"]
        assert (result["exit_code"], line["gaps"]["count"]) == (0, 1)
        assert before < off < off + 2 * 86400 <= after
        assert line["gaps"]["seconds"] == after - before


async def test_devices_and_a_span_can_be_chosen(home: Household) -> None:
    day = NOW - 2 * 86400
    calls = home.calls()

    result = await verified(home, devices=["Netatmo_1"], since=str(day), until=str(day + 86400))

    assert [line["device"] for line in result["devices"]] == ["Netatmo_1"]
    rows = home.served.house.rows(home.devices[1]["module"], day, day + 86400, NOW)
    cells = sum(row.values[0] is not None for row in rows)
    assert result["devices"][0]["channels"][0]["rows"] == cells
    assert home.calls() - calls == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"devices": ["Netatmo_O"]}, "no device `Netatmo_O`"),
        ({"since": "yesteryear"}, "--since: must be a date"),
        ({"until": "soon"}, "--until: must be a date"),
        ({"since": str(NOW + 86400)}, "lies in the future"),
        ({"since": "2d", "until": "3d"}, "is not after --since"),
        ({"since": "2d", "until": "2d"}, "is not after --since"),
        ({"repair": "perhaps"}, "verify was asked badly"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    home: Household, asked: Json, words: str
) -> None:
    before = home.calls(), len(home.served.fluxtream.uploads)

    failed = await verified(home, **asked)

    assert (failed["event"], failed["exit_code"]) == ("failed", 2)
    assert words in failed["message"]
    assert (home.calls(), len(home.served.fluxtream.uploads)) == before


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault.ERROR_500, 78, "cannot be read back: it answers 500"),
        (Fault.HTML_200, 78, "cannot be read back: it answers with a web page"),
        (Fault.ERROR_503, 75, "answers 503"),
    ],
)
async def test_a_destination_that_cannot_be_read_back_is_told_and_gets_nothing(
    home: Household, fault: Fault, code: int, words: str
) -> None:
    cell = next(iter(home.served.fluxtream.store.values))
    await plant(home, cell, int(min(home.served.fluxtream.store.values[cell])), None)
    uploads = len(home.served.fluxtream.uploads)
    home.served.fluxtream.faults.add(fault, EXPORT)

    result = await verified(home, repair=True)

    assert (result["exit_code"], result["complete"]) == (code, False)
    ((what, reason),) = [(left["what"], left["reason"]) for left in result["left"]]
    assert what == "destination fluxtream"
    assert words in reason
    assert result["left"][0]["remedy"]
    assert len(home.served.fluxtream.uploads) == uploads


async def test_a_destination_that_is_away_is_left(home: Household) -> None:
    home.served.fluxtream.faults.add(Fault.ERROR_503)
    calls = home.calls()

    result = await verified(home)

    assert (result["exit_code"], [left["what"] for left in result["left"]]) == (75, ["destination fluxtream"])
    assert home.calls() == calls


async def test_a_module_that_cannot_be_asked_is_left_and_the_others_are_compared(home: Household) -> None:
    home.served.netatmo.faults.add(Fault.ERROR_500, "/api/getmeasure", holding=home.devices[1]["module"])
    home.clock.time += 1

    result = await verified(home)

    assert result["exit_code"] == 75
    assert [left["what"] for left in result["left"]] == ["Netatmo_1"]
    rows = {line["device"]: sum(each["rows"] for each in line["channels"]) for line in result["devices"]}
    assert rows["Netatmo_0"] > 3000
    assert rows["Netatmo_1"] == 0


async def test_verify_keeps_to_the_budget(tmp_path: Path) -> None:
    limits = Limits(user_per_10_seconds=5, user_per_hour=MANY, app_per_10_seconds=MANY, app_per_hour=MANY)
    world = World.of(estate(NOW, modules=3, days=20), netatmo=NetatmoSettings(limits=limits))
    async with household(world, tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])
        home.sections["netatmo.limits"]["per_10_seconds"] = 5
        await home.sync()

        result = await verified(home)

        assert (result["exit_code"], result["calls"]) == (0, 12)
        assert home.served.netatmo.ledger.busiest(10) <= 5


async def test_two_commands_of_one_process_find_the_same(home: Household) -> None:
    async with home.app() as app:
        first = (await performed(app, "verify"))[-1]

        assert (await performed(app, "verify"))[-1] == first


def told_of(missing: int, *, repaired: int = 0, left: bool = False) -> Json:
    """A result as the command line gets it."""
    channel = {"channel": "Temp_C", "rows": 10, "missing": missing, "different": 1, "unknown": 2}
    examples = [{"time": NOW, "netatmo": 20.1, "held": None}, {"time": NOW, "netatmo": None, "held": 3}]
    line = {
        "device": "Netatmo_Porch",
        "destination": "home",
        "module": PORCH,
        "gaps": {"count": 1, "seconds": 7200, "listed": [[NOW, NOW + 7200]]},
        "channels": [{**channel, "repaired": repaired, "examples": examples}],
    }
    why = [{"what": "destination other", "reason": "it is away", "remedy": "Wait."}] if left else []
    return {
        "event": "result",
        "devices": [line],
        "left": why,
        "calls": 1,
        "complete": missing + 1 == repaired and not left,
        "exit_code": 0,
    }


@pytest.mark.parametrize(
    ("result", "repair", "verdict"),
    [
        (
            told_of(3),
            False,
            "Not complete: 4 missing or different, 10 there. To send them: `netaflux verify --repair`",
        ),
        (
            told_of(3, repaired=1),
            True,
            "Not complete: 3 missing or different, 11 there. Repaired: 1.",
        ),
        (
            told_of(3, repaired=4),
            True,
            "Complete: all values that Netatmo has are there (14). Repaired: 4.",
        ),
        (
            told_of(3, repaired=4, left=True),
            True,
            "Not all could be looked at. Values that are there: 14. Repaired: 4.",
        ),
    ],
)
def test_people_get_a_table_the_flaws_and_a_verdict(
    capsys: pytest.CaptureFixture[str], result: Json, *, repair: bool, verdict: str
) -> None:
    command_line._show(result, repair=repair)  # what is asked of whom is tested above

    said = capsys.readouterr()
    headings, row, *_, last = said.out.splitlines()
    assert headings.split()[:6] == ["device", "channel", "rows", "missing", "different", "unknown"]
    assert row.split()[:6] == ["Netatmo_Porch", "Temp_C", "10", "3", "1", "2"]
    assert row.endswith("1 (2 h)")
    assert last == verdict
    assert "Netatmo_Porch Temp_C at home: nothing, where Netatmo has 20.1" in said.err
    assert "Netatmo_Porch Temp_C at home: 3, where Netatmo has nothing" in said.err
    assert f"… and {result['devices'][0]['channels'][0]['missing'] + 1} more" in said.err.splitlines()
    assert ("before the repair:" in said.err.splitlines()) == repair
    assert ("left: destination other: it is away" in said.err) == bool(result["left"])


def test_a_span_without_values_is_not_called_complete(capsys: pytest.CaptureFixture[str]) -> None:
    command_line._show({"devices": [], "left": [], "complete": True}, repair=False)

    assert capsys.readouterr().out == "There is nothing to compare: Netatmo has no values there.\n"
