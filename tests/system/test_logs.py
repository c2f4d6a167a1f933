"""The log of the real process: its three forms, and levels that change while it runs."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netaflux.simulator import Fault
from tests.system.nursery import surroundings
from tests.system.program import Daemon, Program, until
from tests.system.world import Outside


@contextmanager
def running(netaflux: Program, stderr: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon with a stderr of the test's own."""
    words = [sys.executable, "-m", "netaflux", *netaflux.command("run")]
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stderr=stderr, env=surroundings() | environment, cwd=netaflux.folder
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()


async def test_every_line_for_journald_has_the_priority_of_its_level(
    netaflux: Program, outside: Outside, folder: Path
) -> None:
    outside.served.fluxtream.faults.add(Fault.RESET_BEFORE)
    log = folder / "journal"
    with log.open("wb") as stream:
        there = os.fstat(stream.fileno())
        with running(netaflux, stream.fileno(), JOURNAL_STREAM=f"{there.st_dev}:{there.st_ino}"):
            await until(lambda: "destination.failed" in log.read_text())
    lines = [re.fullmatch(r"<(\d)>(\{.*\})", line) for line in log.read_text().splitlines()]
    told = {(json.loads(line[2])["level"], line[1]) for line in lines if line}

    assert all(lines)
    assert told == {("info", "6"), ("warning", "4")}


async def test_a_stream_that_is_not_journalds_gets_no_priorities(netaflux: Program, folder: Path) -> None:
    """The variable is inherited by everything below a service."""
    log = folder / "file"
    with log.open("wb") as stream, running(netaflux, stream.fileno(), JOURNAL_STREAM="8:1"):
        await until(lambda: "service.started" in log.read_text())

    assert {json.loads(line)["event"] for line in log.read_text().splitlines()} >= {"service.started"}


@pytest.mark.parametrize(("plain", "painted"), [({}, True), ({"NO_COLOR": "1"}, False)])
async def test_a_person_at_a_terminal_reads_lines(
    netaflux: Program, plain: dict[str, str], *, painted: bool
) -> None:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    told = bytearray()

    def heard() -> bool:
        try:
            told.extend(os.read(ours, 65536))
        except BlockingIOError:
            return False
        return b"service.started" in told

    try:
        with running(netaflux, theirs, **plain):
            await until(heard)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (b"\x1b[" in told) is painted
    assert b"{" not in told


async def test_each_failure_is_told_once_however_often_it_is_met(netaflux: Program, outside: Outside) -> None:
    """Then its recovery, with their count."""
    fluxtream = outside.served.fluxtream
    away = fluxtream.faults.add(Fault.RESET_BEFORE)
    netaflux.sections["poll"] = {"interval": "1m"}
    async with netaflux.daemon(speed=60) as daemon:
        await until(lambda: away.struck > 3)
        fluxtream.faults.clear()
        recovered = await daemon.running.told("destination.recovered")
        told = daemon.running.events("destination.failed")

    assert len(told) == 1
    assert recovered["failures"] > 1


async def levels(daemon: Daemon) -> list[tuple[str, str]]:
    return [(event["was"], event["to"]) for event in daemon.running.events("log_level.changed")]


async def test_the_level_changes_while_it_runs(netaflux: Program, outside: Outside) -> None:
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        quiet = daemon.running.events("page.fetched")
        said = await netaflux("log-level", "debug")
        await netaflux("sync", "--again")
        loud = await daemon.running.told("page.fetched")
        asked = await netaflux("log-level")
        back = await netaflux("log-level", "reset")
        told = len(daemon.running.events("page.fetched"))
        await netaflux("sync", "--again")
        after = len(daemon.running.events("page.fetched"))
        changes = await levels(daemon)

    assert (quiet, loud["level"]) == ([], "debug")
    assert (said.code, said.out) == (0, "log level: debug, was info\n")
    assert asked.out == "log level: debug\n"
    assert back.out == "log level: info, was debug\n"
    assert after == told
    assert changes == [("info", "debug"), ("debug", "info")]


async def test_a_signal_turns_debugging_on_and_off(netaflux: Program) -> None:
    async with netaflux.daemon() as daemon:
        daemon.running.signal(signal.SIGUSR1)
        await until(lambda: len(daemon.running.events("log_level.changed")) == 1)
        daemon.running.signal(signal.SIGUSR1)
        await until(lambda: len(daemon.running.events("log_level.changed")) == 2)

        assert await levels(daemon) == [("info", "debug"), ("debug", "info")]
        assert (await daemon.stopped()).code == 0


async def test_a_reload_brings_the_configured_level_back(netaflux: Program) -> None:
    async with netaflux.daemon() as daemon:
        await netaflux("log-level", "error")
        daemon.running.signal(signal.SIGHUP)
        await daemon.running.told("configuration.reread")

        assert (await netaflux("log-level")).out == "log level: info\n"


async def test_without_a_daemon_no_log_changes(netaflux: Program) -> None:
    ended = await netaflux("log-level", "debug")

    assert (ended.code, ended.out) == (69, "")
    assert "→ Start it with `netaflux run`" in ended.err


async def test_a_level_that_is_none_changes_nothing(netaflux: Program) -> None:
    async with netaflux.daemon() as daemon:
        ended = await netaflux("log-level", "loud")

        assert ended.code == 2
        assert daemon.running.events("log_level.changed") == []


async def test_a_doubt_about_the_configuration_is_told_once(netaflux: Program) -> None:
    netaflux.environment["NETAFLUX_LOGG__LEVEL"] = "debug"
    async with netaflux.daemon() as daemon:
        await daemon.ready()

        assert len(daemon.running.events("configuration.doubted")) == 1
