"""Each command says and does the same with the daemon running and without, and never refreshes beside it."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netaflux.state.lock import hold
from tests.system.nursery import Nursery
from tests.system.program import Ended, Program, until
from tests.system.world import Outside, a_world, served

HOUR = 3600


def everything_asked(newest: int) -> dict[str, tuple[str, ...]]:
    """A name for each command line that is compared; `newest` is the time of the house's last rows."""
    some_time = ("--since", str(newest - HOUR), "--until", str(newest))
    return {
        "sync": ("sync",),
        "sync as JSON": ("sync", "--json"),
        "sync of a span, again": ("sync", "--again", *some_time, "--json"),
        "sync of a device": ("sync", "--device", "000002"),
        "sync, only planned": ("sync", "--dry-run", "--again", *some_time),
        "sync, only planned, as JSON": ("sync", "--dry-run", "--again", *some_time, "--json"),
        "sync of an unknown device": ("sync", "--device", "000003"),
        "sync from the future": ("sync", "--since", str(newest + 1000 * HOUR)),
        "sync of nonsense": ("sync", "--since", "yesteryear"),
        "sync from after until": ("sync", "--since", str(newest), "--until", str(newest - 1)),
        "devices": ("devices",),
        "devices as JSON": ("devices", "--json"),
        "devices as TOML": ("devices", "--toml"),
        "measure": ("measure", "Room 2", *some_time),
        "measure as JSON": (
            "measure",
            "House 1/Indoor",
            "--scale",
            "30min",
            "-t",
            "max_temp",
            *some_time,
            "--json",
        ),
        "measure of nobody": ("measure", "Rom 2"),
        "latest of nowhere": ("latest", "Nowhere"),
        "check": ("check",),
        "check as JSON": ("check", "--json"),
    }


ALL = tuple(everything_asked(0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command line, and what came of it outside."""

    ended: Ended
    token_posts: int
    pages: int
    uploads: int


@dataclass(frozen=True, slots=True)
class BothWays:
    """The outcomes by name, without the daemon and with it."""

    alone: dict[str, Outcome]
    with_daemon: dict[str, Outcome]


@pytest.fixture(scope="module")
def both_ways(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothWays]:
    """All of it asked of one state, once all rows have arrived."""
    with served(a_world()) as outside:
        netaflux = Program(nursery, tmp_path_factory.mktemp("n"), outside.sections(), outside.devices())
        yield asyncio.run(_asked(netaflux, outside))


async def _asked(netaflux: Program, outside: Outside) -> BothWays:
    await netaflux("sync")
    assert outside.differences() == []
    newest = int(outside.served.clock.now())
    alone = await _outcomes(netaflux, outside, newest)
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        return BothWays(alone, await _outcomes(netaflux, outside, newest))


async def _outcomes(netaflux: Program, outside: Outside, newest: int) -> dict[str, Outcome]:
    outcomes = {}
    for name, words in everything_asked(newest).items():
        before = outside.token_posts, outside.pages, outside.uploads
        ended = await netaflux(*words)
        after = outside.token_posts, outside.pages, outside.uploads
        outcomes[name] = Outcome(ended, *(b - a for a, b in zip(before, after, strict=True)))
    return outcomes


@pytest.mark.parametrize("name", ALL)
def test_a_command_is_the_same_with_the_daemon_and_without(both_ways: BothWays, name: str) -> None:
    """What it says on either stream, its exit code, and what it asks of the world."""
    assert both_ways.with_daemon[name] == both_ways.alone[name]


@pytest.mark.parametrize("name", ALL)
def test_no_command_refreshes_a_token_that_is_good(both_ways: BothWays, name: str) -> None:
    assert both_ways.alone[name].token_posts == 0
    assert both_ways.with_daemon[name].token_posts == 0


def test_the_outcomes_are_what_was_asked_for(both_ways: BothWays) -> None:
    """Two equal failures would be equal, too."""
    codes = {name: outcome.ended.code for name, outcome in both_ways.alone.items()}
    assert {name for name, code in codes.items() if code != 0} == {
        "sync of an unknown device",
        "sync from the future",
        "sync of nonsense",
        "sync from after until",
        "measure of nobody",
        "latest of nowhere",
    }
    assert {code for code in codes.values() if code} == {2}
    assert both_ways.alone["sync"].uploads == 0
    assert both_ways.alone["sync of a span, again"].uploads > 0
    assert both_ways.alone["sync, only planned"].pages == 0


def test_sync_as_json_tells_what_it_brought(both_ways: BothWays) -> None:
    told = both_ways.alone["sync of a span, again"].ended.json

    assert [line["device"] for line in told["devices"]] == ["000001", "000002"]
    assert {line["rows"] for line in told["devices"]} == {12}
    assert all(line["to"] - line["from"] < HOUR for line in told["devices"])
    assert told["left"] == []
    assert set(told["devices"][1]["newest"]) >= {"time", "Temp_F", "RH", "H2O_ppm"}


def test_a_table_has_a_line_for_each_device_and_no_blanks_at_their_ends(both_ways: BothWays) -> None:
    lines = both_ways.alone["sync"].ended.out.splitlines()

    assert [line.split()[0] for line in lines] == ["device", "000001", "000002"]
    assert [line.rstrip() for line in lines] == lines


def test_devices_as_toml_can_be_pasted(both_ways: BothWays, folder: Path) -> None:
    blocks = both_ways.alone["devices as TOML"].ended.out

    assert blocks.count("[[devices]]") == 2
    assert 'name = "Netatmo_Indoor"' in blocks
    assert 'module = "House 1/Indoor"  # 70:ee:50:00:00:01' in blocks


async def test_the_tokens_are_refreshed_once_however_many_ask(netaflux: Program, outside: Outside) -> None:
    """The access token runs out while the daemon and four commands want it."""
    await netaflux("sync")  # the first pair; a process keeps half a minute between two POSTs of its own
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        outside.served.netatmo.logins.expire("default")
        commands = ("devices", "check", "sync", "devices")
        ended = await asyncio.gather(*(netaflux(command) for command in commands))
        _, status = await daemon.get("/status")

    current = outside.served.netatmo.logins.current("default")
    assert [each.code for each in ended] == [0, 0, 0, 0]
    assert outside.token_posts == 2
    assert current is not None
    assert status["accounts"][0]["state"] == "ok"
    assert abs(status["accounts"][0]["authorized_until"] - status["now"] - 10_800) < 60


async def test_a_pasted_token_is_spent_by_the_owner_alone(netaflux: Program, outside: Outside) -> None:
    logins = outside.served.netatmo.logins
    alone = await netaflux("authorize", "--refresh-token", stdin=logins.issue("default").refresh)
    posts = outside.token_posts
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        with_daemon = await netaflux("authorize", "--refresh-token", stdin=logins.issue("default").refresh)
        check = await netaflux("check")

    assert posts == 1
    assert outside.token_posts == 2
    assert alone == with_daemon
    assert check.code == 0
    assert "Netatmo" not in check.err


@pytest.mark.parametrize(
    "words", [("sync",), ("devices",), ("check",), ("authorize", "--refresh-token"), ("run",)]
)
async def test_a_state_that_is_held_by_nobody_at_the_socket_is_left_alone(
    netaflux: Program, outside: Outside, words: tuple[str, ...]
) -> None:
    """By a second command, or a daemon that starts or stops; we hold it ourselves here."""
    with hold(netaflux.state):
        ended = await netaflux(*words, stdin="a token\n")

    assert (ended.code, ended.out) == (75, "")
    assert f"netaflux already runs here (pid {os.getpid()}): {netaflux.state}" in ended.err
    assert outside.token_posts == 0
    assert sorted(file.name for file in netaflux.state.iterdir()) == ["lock"]


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("health",), ("health", "--ready")])
async def test_without_a_daemon_there_is_nobody_to_ask(
    netaflux: Program, outside: Outside, words: tuple[str, ...]
) -> None:
    ended = await netaflux(*words)

    assert (ended.code, ended.out) == (69, "")
    assert str(netaflux.socket) in ended.err
    assert "→ Start it with `netaflux run`" in ended.err
    assert not netaflux.state.exists()


async def test_status_shows_what_the_socket_tells(netaflux: Program, outside: Outside) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: not outside.differences())
        await daemon.ready()
        table = await netaflux("status")
        as_json = await netaflux("status", "--json")
        _, told = await daemon.get("/status")

    assert (table.code, table.err) == (0, "")
    for words in (
        "default",
        "000001",
        "000002",
        "fluxtream",
        "House 1/Indoor",
        told["destinations"][0]["identity"],
    ):
        assert words in table.out
    assert json.loads(as_json.out).keys() == told.keys()
    assert as_json.json["devices"][0]["destinations"][0]["watermark"] == told["devices"][0]["newest"]
