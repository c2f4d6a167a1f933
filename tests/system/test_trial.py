"""What a person tries first: help, demo, a simulated world of one's own; and pipes that close early."""

import json
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from netaflux import __version__
from tests.system.nursery import Nursery, surroundings
from tests.system.program import Program

HEAVY = ("aiohttp", "apscheduler", "sqlite3", "structlog", "tenacity", "orjson", "prometheus_client")
"""What a health check, every half a minute on a small machine, has no use for."""


@pytest.fixture
def bare(nursery: Nursery, folder: Path) -> Program:
    """Netaflux without a configuration that fits anything."""
    return Program(nursery, folder)


def run(command: Sequence[str], netaflux: Program) -> subprocess.CompletedProcess[str]:
    # where coverage is measured, it imports a good deal itself
    environment = {name: text for name, text in surroundings().items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=netaflux.folder, env=environment
    )


async def test_the_demo_carries_all_of_it(bare: Program) -> None:
    ended = await bare.outcome("demo", "--days", "2")

    assert ended.code == 0
    assert "are at Fluxtream, and right" in ended.out
    assert "A simulated Netatmo is at http://127.0.0.1:" in ended.err
    assert "netaflux carries 2 days of 12 modules" in ended.err


async def test_the_demo_tells_its_result_as_json(bare: Program) -> None:
    ended = await bare.outcome("demo", "--days", "1", "--json")

    assert ended.code == 0
    assert ended.json["equal"] is True
    assert len(ended.json["devices"]) == 12
    assert {(line["missing"], line["different"], line["extra"]) for line in ended.json["devices"]} == {
        (0, 0, 0)
    }
    assert {file.name for file in bare.folder.iterdir()} == {"process 1"}


@pytest.mark.parametrize("days", ["0", "-1", "nan", "10000"])
async def test_a_demo_of_no_days_is_refused(bare: Program, days: str) -> None:
    ended = await bare.outcome("demo", f"--days={days}")

    assert (ended.code, ended.out) == (2, "")
    assert "--days takes a number above 0" in ended.err


async def test_the_live_demo_goes_on_until_it_is_told_to_end(bare: Program) -> None:
    async with bare.starting("demo", "--live", "--days", "1") as running:
        await running.line("All ")
        running.signal(signal.SIGINT)
        ended = await running.ended(within=10)

    assert ended.code == 0
    assert ended.out.count("are at Fluxtream, and right") == 2
    assert "Traceback" not in ended.err


async def test_a_simulated_world_prints_a_configuration_that_works_as_it_is(bare: Program) -> None:
    async with bare.starting("simulate", "--days", "1") as world:
        await world.line('name = "Netatmo_Office"')
        bare.config.write_text("\n".join(world.out))
        bare.environment["XDG_STATE_HOME"] = str(bare.folder / "home")
        first = await bare.outcome("sync", "--config", str(bare.config), "--json")
        second = await bare.outcome("sync", "--config", str(bare.config), "--json")
        world.signal(signal.SIGINT)
        ended = await world.ended(within=10)

    assert (first.code, second.code) == (0, 0)
    assert len(first.json["devices"]) == 12
    assert min(line["rows"] for line in first.json["devices"]) > 0
    assert max(line["rows"] for line in first.json["devices"]) > 100
    assert max(line["rows"] for line in second.json["devices"]) < 3
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert (bare.folder / "home/netaflux/netaflux.db").exists()


async def test_two_simulated_worlds_cannot_share_a_port(bare: Program) -> None:
    async with bare.starting("simulate", "--days", "1") as world:
        url = await world.said("A simulated Netatmo is at")
        port = url.rstrip(",").rpartition(":")[2]
        ended = await bare.outcome("simulate", "--days", "1", "--netatmo-port", port)

    assert (ended.code, ended.out) == (2, "")
    assert "cannot serve there" in ended.err


@pytest.mark.parametrize("option", ["--netatmo-port", "--fluxtream-port"])
@pytest.mark.parametrize("port", ["99999", "-5", "65536"])
async def test_a_port_that_there_cannot_be_is_refused(bare: Program, option: str, port: str) -> None:
    ended = await bare.outcome("simulate", f"{option}={port}")

    assert (ended.code, ended.out) == (2, "")
    assert f"{option} takes a port from 1 to 65535, or 0 for any that is free" in ended.err


# The command line itself.


@pytest.mark.parametrize(
    "command", ["", "run", "status", "health", "sync", "devices", "authorize", "check", "demo", "simulate"]
)
async def test_every_command_explains_itself(bare: Program, command: str) -> None:
    ended = await bare.outcome(*filter(None, [command]), "--help")

    assert (ended.code, ended.err) == (0, "")
    assert f"netaflux {command}".rstrip() in ended.out


async def test_help_tells_the_exit_codes(bare: Program) -> None:
    ended = await bare.outcome("--help")

    for code in (
        "65 data refused",
        "69 no daemon",
        "75 not all done",
        "77 authorize first",
        "78 configuration",
    ):
        assert code in " ".join(ended.out.replace("│", " ").split())


@pytest.mark.parametrize(
    "words", [("snyc",), ("sync", "--sinse", "3h"), ("health", "--days", "3"), ("demo", "--days", "x")]
)
async def test_what_makes_no_sense_is_refused_as_usage(bare: Program, words: tuple[str, ...]) -> None:
    ended = await bare.outcome(*words)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err != ""


async def test_completion_prints_a_script_that_bash_can_read(bare: Program) -> None:
    ended = await bare.outcome("completion", "bash")
    (bare.folder / "completion.bash").write_text(ended.out)
    read = run(["bash", "-n", "completion.bash"], bare)

    assert ended.code == 0
    assert (read.returncode, read.stderr) == (0, "")
    assert "netaflux" in ended.out
    assert "devices" in ended.out


# Not from the nursery: the installed program, started as its users start it.


def test_the_installed_command_is_the_module(bare: Program) -> None:
    command = Path(sysconfig.get_path("scripts"), "netaflux")
    for line in ([str(command)], [sys.executable, "-m", "netaflux"]):
        told = run([*line, "--version"], bare)

        assert (told.stdout, told.stderr) == (f"{__version__}\n", "")


@pytest.mark.parametrize("words", ["--help", "completion bash", "latest", "check --json"])
def test_a_reader_that_has_enough_is_not_scolded(netaflux: Program, words: str) -> None:
    """Neither while much is written nor at the end, where the little that was held back cannot be."""
    place = "" if words in {"--help", "completion bash"} else " ".join(netaflux.command())
    pipe = f"{sys.executable} -m netaflux {words} {place} | true; exit ${{PIPESTATUS[0]}}"
    told = run(["bash", "-c", pipe], netaflux)

    assert told.stderr == ""
    assert told.returncode in {1, 141}  # rich, which prints the help, leaves with 1


def imported(told: subprocess.CompletedProcess[str]) -> set[str]:
    """The packages that a process with `-X importtime` has imported."""
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in told.stderr.splitlines()}


async def test_health_leaves_alone_what_takes_long_to_import(netaflux: Program) -> None:
    async with netaflux.daemon():
        command = [sys.executable, "-X", "importtime", "-m", "netaflux", *netaflux.command("health")]
        told = run(command, netaflux)

    assert told.returncode == 0, told.stderr
    assert "netaflux" in imported(told)
    assert imported(told).isdisjoint(HEAVY)


def test_a_sync_leaves_alone_what_only_the_daemon_needs(netaflux: Program) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "netaflux", *netaflux.command("sync")]
    told = run(command, netaflux)

    assert told.returncode == 0, told.stderr
    assert "aiohttp" in imported(told)
    assert imported(told).isdisjoint({"apscheduler", "prometheus_client"})


def test_a_daemon_of_the_installed_program_ends_on_a_signal(netaflux: Program) -> None:
    """All other tests of signals are about processes of the nursery."""
    command = [sys.executable, "-m", "netaflux", *netaflux.command("run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=netaflux.folder) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=10)

    assert json.loads(line)["event"] == "service.started"
    assert code == 0
    assert time.monotonic() - begun < 10
