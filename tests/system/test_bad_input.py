"""Bad input: a sentence that names the place and the remedy, the right exit code, and nothing changed."""

import hashlib
import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from netaflux.simulator import Fault
from tests.system.program import Program
from tests.system.world import MEASURE, STATIONS, TOKEN, UPLOAD, Outside

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")

COMMANDS = [("sync",), ("devices",), ("check",), ("run",), ("authorize", "--refresh-token")]
"""All that open the state."""


def fingerprints(folder: Path) -> dict[str, str]:
    """What stands in each file of a folder."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def calls(outside: Outside) -> int:
    """How often anybody was asked for anything."""
    return outside.served.netatmo.ledger.counts.total() + outside.served.fluxtream.ledger.counts.total()


async def the_next_sync_brings_it_all(netaflux: Program, outside: Outside) -> None:
    """Now that nothing is wrong any more."""
    outside.quicken()
    done = await netaflux("sync")

    assert done.code == 0, done.err
    assert outside.differences() == []


# The configuration.


@pytest.mark.parametrize("words", [*COMMANDS, ("status",), ("health",)])
async def test_a_mistake_in_the_configuration_is_told_with_its_place(
    netaflux: Program, outside: Outside, words: tuple[str, ...]
) -> None:
    netaflux.devices = [
        *outside.devices(),
        {"name": "000001", "module": "House 1/Room 2", "channels": ["Temp_G"]},
        {"name": "my device", "module": "House 1/Room 2"},
        {"name": "Zeo", "module": "House 1/Room 2"},
    ]
    netaflux.sections["netatmo"]["client_secert"] = "a secret in a key with a slip"

    ended = await netaflux(*words, stdin="a token\n")

    assert (ended.code, ended.out) == (78, "")
    for line in (
        f"{netaflux.config}: netatmo.client_secert: is no setting; did you mean `client_secret`",
        f"{netaflux.config}: devices[2].name (000001): is the name of devices[0], too",
        "devices[2].channels[0] (000001): there is no channel of this name; did you mean `Temp_F` or",
        f"{netaflux.config}: devices[3].name: may hold only the letters A to Z and a to z, digits and _",
        f"{netaflux.config}: devices[4].name (Zeo): Zeo is one of Fluxtream's own connectors",
    ):
        assert line in ended.err
    assert "→ Mend the configuration" in ended.err
    assert "a secret in a key" not in ended.err
    assert not netaflux.state.exists()
    assert calls(outside) == 0


async def test_a_file_that_is_named_must_exist(netaflux: Program) -> None:
    ended = await netaflux.outcome("check", "--config", str(netaflux.folder / "confg.toml"))

    assert ended.code == 78
    assert f"{netaflux.folder}/confg.toml: there is no such file" in ended.err
    assert "→ Name a file that exists." in ended.err


async def test_without_any_configuration_it_says_where_one_belongs(netaflux: Program) -> None:
    netaflux.environment["XDG_CONFIG_HOME"] = str(netaflux.folder / "none")
    ended = await netaflux.outcome("check")

    assert ended.code == 78
    assert f"no file at {netaflux.folder}/none/netaflux/config.toml or /etc/netaflux/config.toml" in ended.err
    assert "→ Copy config.example.toml there" in ended.err


async def test_what_is_not_toml_is_told_with_its_line(netaflux: Program) -> None:
    netaflux.config.write_text('[netatmo]\nclient_id = "one quote too few\n')
    ended = await netaflux.outcome("check", "--config", str(netaflux.config))

    assert ended.code == 78
    assert f"{netaflux.config}: line 2, column" in ended.err


async def test_a_module_that_is_not_there_is_told_with_its_neighbours(
    netaflux: Program, outside: Outside
) -> None:
    netaflux.devices = [*outside.devices(), {"name": "Lost", "module": "House 1/Rome 2"}]
    check = await netaflux("check")
    sync = await netaflux("sync")

    told = "no module `House 1/Rome 2` in this account; did you mean `House 1/Room 2`"
    assert check.code == 78
    assert told in check.out
    assert "→ Correct `module` in the configuration." in check.out
    assert sync.code == 75
    assert f"left: device Lost: {told}" in sync.err
    assert outside.differences() == []


async def test_a_formula_without_a_finite_value_leaves_gaps_and_harms_no_other(
    netaflux: Program, outside: Outside
) -> None:
    # Not of the temperature alone: at 0 °C, which some hours have, that would be a finite 0.
    netaflux.sections["channels.Endless"] = {"formula": "(Temperature ** 2 + 1) * 1e308 * 1e308"}
    ended = await netaflux("sync")

    endless = [cell for cell in outside.served.fluxtream.store.values if cell.channel == "Endless"]
    assert ended.code == 0
    assert outside.differences() == []
    assert endless == []


# The state.


def a_text(file: Path) -> str:
    file.write_text("Dear diary,\n")
    return f"{file} is not a database"


def a_database_of_others(file: Path) -> str:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE recipe (name)")
        database.commit()
    return f"{file} is another program's database"


def a_newer_version(file: Path) -> str:
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA application_id = {int.from_bytes(b'nafx', 'big')}")
        database.execute("PRAGMA user_version = 999")
        database.execute("CREATE TABLE future (name)")
        database.commit()
    return f"{file} was written by a newer netaflux (its version is 999, ours"


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("foreign", [a_text, a_database_of_others, a_newer_version])
async def test_a_state_file_that_is_not_ours_stays_as_it_is(
    netaflux: Program, outside: Outside, foreign: Callable[[Path], str], words: tuple[str, ...]
) -> None:
    netaflux.state.mkdir()
    told = foreign(netaflux.state / "netaflux.db")
    before = fingerprints(netaflux.state)
    ended = await netaflux(*words, stdin="a token\n")

    after = fingerprints(netaflux.state)
    assert (ended.code, ended.out) == (78, "")
    assert told in ended.err
    assert "→ Point `state_dir` to another directory" in ended.err
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"lock"}
    assert calls(outside) == 0


@as_root
@pytest.mark.parametrize("words", COMMANDS)
async def test_a_state_of_another_user_is_left_alone(
    netaflux: Program, outside: Outside, words: tuple[str, ...]
) -> None:
    netaflux.state.mkdir()
    os.chown(netaflux.state, 54321, 54321)
    ended = await netaflux(*words, stdin="a token\n")

    assert (ended.code, ended.out) == (78, "")
    assert f"The state directory {netaflux.state} belongs to uid 54321, and this is root (uid 0)" in ended.err
    assert "→ Run it as uid 54321" in ended.err
    assert list(netaflux.state.iterdir()) == []
    assert calls(outside) == 0


# The servers.


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.HTML_200, "getstationsdata with HTTP 200 and nothing that can be read"),
        (Fault.TRUNCATED, "/api/getstationsdata gives no answer"),
        (Fault.ERRORS, "answer about stations holds errors and nothing else"),
    ],
)
async def test_stations_that_cannot_be_read_leave_all_as_it_was(
    netaflux: Program, outside: Outside, fault: Fault, told: str
) -> None:
    """A page of a proxy, a body cut in the middle, a 200 that tells of a failure inside."""
    outside.served.netatmo.faults.add(fault, STATIONS)
    ended = await netaflux("sync")

    assert ended.code == 75
    assert told in ended.err
    assert outside.uploads == 0
    assert outside.pages == 0
    await the_next_sync_brings_it_all(netaflux, outside)
    assert outside.token_posts == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.HTML_200, "getmeasure with HTTP 200 and nothing that can be read"),
        (Fault.TRUNCATED, "/api/getmeasure gives no answer"),
    ],
)
async def test_measures_that_cannot_be_read_count_as_nothing(
    netaflux: Program, outside: Outside, fault: Fault, told: str
) -> None:
    outside.served.netatmo.faults.add(fault, MEASURE)
    ended = await netaflux("sync")

    assert ended.code == 75
    assert f"left: 000001, 000002: {told}" in ended.err.replace("Netatmo answers ", "").replace(
        outside.served.netatmo_url, ""
    )
    assert outside.uploads == 0
    await the_next_sync_brings_it_all(netaflux, outside)
    assert outside.written_again == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.HTML_200, "a web page"),
        (Fault.TRUNCATED, "gives no answer"),
        (Fault.KO, "refuses all that it is given"),
        (Fault.ERROR_500, "answers 500 with a web page"),
    ],
)
async def test_an_upload_without_a_yes_did_not_happen(
    netaflux: Program, outside: Outside, fault: Fault, told: str
) -> None:
    """A page of a proxy, a cut answer, a 200 with a failure inside, a crash."""
    outside.served.fluxtream.faults.add(fault, UPLOAD)
    ended = await netaflux("sync")

    assert ended.code == 75
    assert "left: destination fluxtream: " in ended.err
    assert told in ended.err
    await the_next_sync_brings_it_all(netaflux, outside)


async def test_a_row_that_is_refused_for_its_content_holds_up_no_other(
    netaflux: Program, outside: Outside
) -> None:
    module = outside.devices()[0]["module"]
    now = outside.served.clock.now()
    refused = outside.served.house.rows(module, 0, now, now)[100].time
    outside.served.fluxtream.refused_times = {refused}
    first = await netaflux("sync")
    second = await netaflux("sync")
    async with netaflux.daemon() as daemon:
        _, status = await daemon.get("/status")

    assert first.code == 75
    assert "left: 000001 at fluxtream: the row of" in first.err
    assert len(outside.differences()) == 11
    assert all(
        each.endswith(f"1 of 288 missing, such as {refused} and {refused}") for each in outside.differences()
    )
    assert second.code == 0
    assert [(row["device"], row["time"]) for row in status["rows_aside"]] == [("000001", refused)]


async def test_servers_that_are_away_are_told_by_their_place(netaflux: Program, outside: Outside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        away = f"http://127.0.0.1:{listener.getsockname()[1]}"
    here = netaflux.sections["netatmo"]["api_url"]
    netaflux.sections["netatmo"]["api_url"] = away
    no_netatmo = [await netaflux("sync"), await netaflux("devices"), await netaflux("check")]
    netaflux.sections["netatmo"]["api_url"] = here
    netaflux.sections["destinations.fluxtream"]["url"] = away
    no_fluxtream = [await netaflux("sync"), await netaflux("check")]

    assert [each.code for each in (*no_netatmo, *no_fluxtream)] == [75] * 5
    for ended in no_netatmo:
        assert f"{away}{TOKEN} gives no answer" in ended.out + ended.err
    for ended in no_fluxtream:
        assert f"{away}/api/guest gives no answer" in ended.out + ended.err
    assert outside.uploads == 0


async def test_a_wrong_password_is_a_matter_of_the_configuration(netaflux: Program, outside: Outside) -> None:
    netaflux.sections["destinations.fluxtream"]["password"] = "not anne's"
    check, sync = await netaflux("check"), await netaflux("sync")

    assert check.code == 78
    assert "does not accept this user name and password" in check.out
    assert "→ Correct `username` and `password` of the destination" in check.out
    assert sync.code == 75
    assert "does not accept this user name and password" in sync.err
    assert "not anne's" not in check.out + check.err + sync.out + sync.err
    assert outside.uploads == 0


async def test_an_account_that_netatmo_no_longer_lets_in_wants_its_person(
    netaflux: Program, outside: Outside
) -> None:
    netaflux.sections["netatmo"]["refresh_token"] = "somebody's old one"
    check, sync, devices = await netaflux("check"), await netaflux("sync"), await netaflux("devices")

    assert [check.code, sync.code, devices.code] == [77, 77, 77]
    for ended in (check, sync, devices):
        assert "Netatmo refuses the refresh token of the configuration" in ended.out + ended.err
        assert "→ Run `netaflux authorize --account default`." in ended.out + ended.err
    assert outside.token_posts == 1
