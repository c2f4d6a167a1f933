"""`homes` and `thermostat` as a person starts them, with the daemon and without."""

import os
import pty
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from netaflux.cli.main import main
from netaflux.simulator import Fault, energy_home
from netaflux.simulator.accounts import ALL_SCOPES
from tests.system.program import Program, until
from tests.system.world import Outside, a_world, served

SHOW, SET = ("thermostat", "show"), ("thermostat", "set", "bath")


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A house with a station and a home that is heated."""
    world = a_world(modules=1)
    world.accounts[0].house.homes.append(energy_home())
    world.accounts[0].scopes = ALL_SCOPES
    with served(world) as outside:
        yield outside


def writes(outside: Outside) -> list[str]:
    calls = outside.served.netatmo.ledger.calls
    return [call.endpoint for call in calls if call.endpoint.startswith("/api/s") and call.method == "POST"]


ASKED = {
    "homes": ("homes",),
    "homes as JSON": ("homes", "--json"),
    "schedules": ("thermostat", "schedule"),
    "schedules as JSON": ("thermostat", "schedule", "--json"),
    "a setpoint too high": (*SET, "31", "--yes"),
    "an end in the past": (*SET, "20", "--until", "2020-01-01", "--yes"),
    "no such room": ("thermostat", "set", "bahth", "20", "--yes"),
    "no such mode": ("thermostat", "mode", "holiday", "--yes"),
    "no such schedule": ("thermostat", "schedule", "holiday", "--yes"),
    "no such home": (*SHOW, "--home", "AR Hom"),
    "nothing to set": (*SET, "--yes"),
    "nobody to ask": (*SET, "20"),
}


async def test_each_command_is_the_same_with_the_daemon_and_without(
    netaflux: Program, outside: Outside
) -> None:
    alone = {name: await netaflux(*words) for name, words in ASKED.items()}
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        with_daemon = {name: await netaflux(*words) for name, words in ASKED.items()}

    assert with_daemon == alone
    good = {"homes", "homes as JSON", "schedules", "schedules as JSON"}
    assert {name: ended.code for name, ended in alone.items() if ended.code} == dict.fromkeys(
        ASKED.keys() - good, 2
    )
    assert writes(outside) == []
    assert "did you mean `Bath`" in alone["no such room"].err
    assert "Add --yes" in alone["nobody to ask"].err
    assert "did you mean `Holidays`" in alone["no such schedule"].err


async def test_what_is_set_is_then_shown(netaflux: Program, outside: Outside) -> None:
    done = await netaflux(*SET, "23.5", "--until", "2h", "--yes")
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        table, document = await netaflux(*SHOW), await netaflux(*SHOW, "--json")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("done: set Bath (AR Home) to 23.5 °C until ")
    assert table.out.splitlines()[0].endswith("; times are Europe/Paris")
    line = next(line for line in table.out.splitlines() if line.startswith("Bath"))
    assert line.split()[3:5] == ["23.5", "manual"]
    (home,) = document.json["homes"]
    bath = next(room for room in home["rooms"] if room["name"] == "Bath")
    assert (bath["setpoint_c"], bath["mode"]) == (23.5, "manual")
    assert writes(outside) == ["/api/setroomthermpoint"]


async def test_the_daemon_carries_an_order_out(netaflux: Program, outside: Outside) -> None:
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        done = await netaflux("thermostat", "mode", "away", "--yes", "--json")
        again = await netaflux("thermostat", "schedule", "Working days", "--yes")

    assert done.json == {"order": "set AR Home to away", "changed": True, "exit_code": 0}
    assert again.out == "it was so already: let AR Home follow the schedule Working days\n"
    assert outside.served.house.homes[0].modes[-1].mode == "away"


async def test_an_order_without_an_answer_says_how_to_look(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.faults.add(Fault.RESET_AFTER, "/api/setthermmode")
    ended = await netaflux("thermostat", "mode", "hg", "--yes")

    assert (ended.code, ended.out) == (75, "")
    assert "whether Netatmo has done it is unknown" in ended.err
    assert "`netaflux thermostat show` shows how things are" in ended.err
    assert writes(outside) == ["/api/setthermmode"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """A person at a terminal, who types an answer."""
    master, terminal = pty.openpty()
    with os.fdopen(terminal, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)

        def type_it(words: str) -> None:
            os.write(master, f"{words}\n".encode())

        yield type_it
    os.close(master)


@pytest.mark.parametrize(
    ("answer", "written", "told"),
    [("y", 1, "done: set Bath"), ("Yes", 1, "done: set Bath"), ("", 0, ""), ("n", 0, "")],
)
def test_at_a_terminal_a_person_is_asked(
    netaflux: Program,
    outside: Outside,
    typed: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    answer: str,
    written: int,
    told: str,
) -> None:
    netaflux.write_config()
    typed(answer)

    assert main([*SET, "23", "--config", str(netaflux.config)]) == 0
    said = capsys.readouterr()
    assert "This will set Bath (AR Home) to 23 °C, for 180 minutes. Go on? [y/N]" in said.err
    assert ("Nothing was changed." in said.err) is not bool(written)
    assert said.out.startswith(told)
    assert len(writes(outside)) == written


async def test_an_account_that_fails_is_not_one_without_a_home(netaflux: Program, outside: Outside) -> None:
    token = outside.served.netatmo.logins.issue("default", ["read_station"])
    netaflux.sections["netatmo"]["refresh_token"] = token.refresh
    ended = await netaflux("homes")

    assert (ended.code, ended.out) == (77, "")
    assert "this needs" in ended.err


def test_the_help_of_every_thermostat_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("show", "set", "mode", "schedule"):
        assert main(["thermostat", command, "--help"]) == 0
        assert f"netaflux thermostat {command}" in capsys.readouterr().out


# a write that is broken off


LOOK = "It is not tried again by itself. `netaflux thermostat show` shows how things are."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_command_that_ends_during_a_write_says_that_its_outcome_is_unknown(
    netaflux: Program, outside: Outside, number: signal.Signals
) -> None:
    hanging = outside.served.netatmo.faults.add(Fault.HANG_AFTER, "/api/setroomthermpoint")
    async with netaflux.starting(*netaflux.command(*SET, "20", "--yes")) as command:
        await until(lambda: hanging.struck)
        command.signal(number)
        ended = await command.ended(within=10)

    assert ended.code == 128 + number
    assert "whether it is done is unknown" in ended.err
    assert LOOK in ended.err
    assert writes(outside) == ["/api/setroomthermpoint"]


async def test_a_daemon_that_ends_during_a_write_leaves_its_outcome_unknown_too(
    netaflux: Program, outside: Outside
) -> None:
    hanging = outside.served.netatmo.faults.add(Fault.HANG_AFTER, "/api/setroomthermpoint")
    async with (
        netaflux.daemon() as daemon,
        netaflux.starting(*netaflux.command(*SET, "20", "--yes")) as command,
    ):
        await until(lambda: hanging.struck)
        await daemon.stopped()
        ended = await command.ended(within=10)

    assert ended.code == 75
    assert LOOK in ended.err
    assert "Try again" not in ended.err


async def test_a_command_that_only_reads_may_be_tried_again(netaflux: Program, outside: Outside) -> None:
    hanging = outside.served.netatmo.faults.add(Fault.HANG_AFTER, "/api/homestatus")
    async with (
        netaflux.daemon() as daemon,
        netaflux.starting(*netaflux.command(*SHOW)) as command,
    ):
        await until(lambda: hanging.struck)
        await daemon.stopped()
        ended = await command.ended(within=10)

    assert ended.code == 75
    assert "Try again." in ended.err
    assert "unknown" not in ended.err


async def test_an_end_is_reckoned_by_netatmo_s_clock(netaflux: Program, outside: Outside) -> None:
    """Ours may be wrong, and it is Netatmo that ends a setpoint."""
    ahead = 5 * 3600
    outside.served.netatmo.settings = replace(outside.served.netatmo.settings, clock_skew=ahead)
    ended = await netaflux(*SET, "20", "--until", "2h", "--yes")
    (call,) = outside.served.netatmo.ledger.of("/api/setroomthermpoint")

    assert ended.code == 0, ended.err
    assert int(call.params["endtime"]) - time.time() == pytest.approx(ahead + 7200, abs=60)
