"""`cameras`, `events`, `picture` and `persons` as a person starts them, with the daemon and without."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator

import pytest

from netaflux.cli import security
from netaflux.cli.main import main
from netaflux.cli.show import own_zone
from netaflux.simulator import Fault
from netaflux.simulator.accounts import ALL_SCOPES
from netaflux.simulator.guard import Guard
from netaflux.simulator.picture import jpeg
from tests.simulator.guarded import ANNE, DRIVE, HALL, HOME, guard
from tests.system.program import Program, until
from tests.system.world import Outside, a_world, served


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A house with a station and two cameras; what they see goes on."""
    world = a_world(modules=1)
    world.accounts[0].house.guards[HOME] = guard(time.time())
    world.accounts[0].scopes = ALL_SCOPES
    with served(world) as outside:
        yield outside


def guards(outside: Outside) -> Guard:
    return outside.served.house.guards[HOME]


ASKED = {
    "cameras": ("cameras",),
    "cameras as JSON": ("cameras", "--json"),
    "a camera's address": ("cameras", "hall", "--url", "local"),
    "a camera without local access": ("cameras", "drive", "--url", "local"),
    "a camera that there is not": ("cameras", "Hal"),
    "events as JSON": ("events", "--json", "--since", "2d", "--camera", "drive"),
    "persons": ("persons",),
    "persons as JSON": ("persons", "--json"),
    "a face": ("picture", "anne", "--output", "anne.jpg"),
    "nobody's face": ("picture", "Tom", "--output", "tom.jpg"),
    "a change that nobody agrees to": ("persons", "away"),
}


async def test_each_command_is_the_same_with_the_daemon_and_without(
    netaflux: Program, outside: Outside
) -> None:
    alone = {name: await netaflux(*words) for name, words in ASKED.items()}
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        with_daemon = {name: await netaflux(*words) for name, words in ASKED.items()}

    assert with_daemon == alone
    assert {name: ended.code for name, ended in alone.items() if ended.code} == {
        "a camera without local access": 75,
        "a camera that there is not": 2,
        "nobody's face": 2,
        "a change that nobody agrees to": 2,
    }
    assert (netaflux.folder / "anne.jpg").read_bytes() == jpeg(f"face-{ANNE}")
    assert not (netaflux.folder / "tom.jpg").exists()
    assert not guards(outside).faces[ANNE].away


async def test_cameras_are_a_table_for_people_and_a_document_for_programs(netaflux: Program) -> None:
    table, document = await netaflux("cameras"), await netaflux("cameras", "--json")

    (heading, hall, drive) = table.out.splitlines()
    assert heading.split() == ["home", "camera", "type", "state", "live", "id"]
    assert "Hall" in hall
    assert "indoor camera (Welcome)" in hall
    assert DRIVE in drive
    assert [one["id"] for one in document.json["cameras"]] == [HALL, DRIVE]
    assert document.json["exit_code"] == 0


async def test_where_there_is_nothing_that_is_said(netaflux: Program, outside: Outside) -> None:
    outside.served.house.guards["5d02"] = Guard([], [])
    nothing = [
        await netaflux("cameras", "--home", "5d02"),
        await netaflux("persons", "--home", "5d02"),
        await netaflux("events", "--person", "anne", "--since", "1s"),
    ]
    events = await netaflux("events", "--home", "5d02")

    assert [(ended.code, ended.out, ended.err) for ended in nothing] == [
        (0, "", "netaflux: there is no camera\n"),
        (0, "", "netaflux: there is no person that a camera knows\n"),
        (0, "", "netaflux: there is no such event\n"),
    ]
    assert (events.code, "there is no camera in AR Home" in events.err) == (69, True)


async def test_times_have_a_zone(netaflux: Program) -> None:
    events, persons = await netaflux("events"), await netaflux("persons")

    assert events.out.startswith(f"time ({own_zone()})")
    assert f"last seen ({own_zone()})" in persons.out.splitlines()[0]


async def test_an_events_picture_goes_where_it_is_asked_to(netaflux: Program, outside: Outside) -> None:
    events = (await netaflux("events", "--since", "2d", "--json")).json["events"]
    event = next(one["id"] for one in events if one["kind"] == "person")

    await netaflux("picture", event, "--output", "seen.jpg")

    assert (netaflux.folder / "seen.jpg").read_bytes() == jpeg(event)


async def test_a_picture_that_has_expired_writes_nothing(netaflux: Program, outside: Outside) -> None:
    before = netaflux.folder / "anne.jpg"
    before.write_text("the one of last year")
    outside.served.netatmo.faults.add(Fault.HTML_403, "/pictures/*")

    ended = await netaflux("picture", "anne", "--output", "anne.jpg")

    assert (ended.code, "expired" in ended.err) == (75, True)
    assert before.read_text() == "the one of last year"
    assert not list(netaflux.folder.glob(".anne*"))


async def test_a_place_that_cannot_be_written_is_told(netaflux: Program) -> None:
    ended = await netaflux("picture", "anne", "--output", "nowhere/anne.jpg")

    assert (ended.code, "nowhere/anne.jpg cannot be written" in ended.err) == (75, True)


async def test_a_pipe_takes_the_bytes_and_stays_a_pipe(netaflux: Program) -> None:
    pipe = netaflux.folder / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ended = await netaflux("picture", "anne", "--output", str(pipe))
        content = os.read(reading, 10_000)
    finally:
        os.close(reading)

    assert (ended.code, content, pipe.is_fifo()) == (0, jpeg(f"face-{ANNE}"), True)


async def test_the_home_and_the_account_narrow_what_is_asked(netaflux: Program) -> None:
    named = await netaflux("persons", "--home", "ar home", "--account", "default", "--json")
    wrong = await netaflux("persons", "--home", "Nowhere")
    stranger = await netaflux("persons", "--account", "bert")

    assert [one["name"] for one in named.json["persons"]] == ["Anne", None]
    assert (wrong.code, stranger.code) == (2, 2)


async def test_a_change_says_what_it_does_and_is_shown_then(netaflux: Program, outside: Outside) -> None:
    done = await netaflux("persons", "away", "anne", "-y")
    shown = await netaflux("persons", "--json")

    assert (done.code, done.out) == (0, "done: mark Anne as away (AR Home)\n")
    assert "This is going to mark Anne as away (AR Home)." in done.err
    assert {one["name"]: one["at_home"] for one in shown.json["persons"]} == {"Anne": False, None: True}


async def test_a_change_of_unknown_outcome_says_how_to_look(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.faults.add(Fault.RESET_AFTER, "/api/setpersonsaway")

    ended = await netaflux("persons", "away", "anne", "--yes")

    assert (ended.code, "not known" in ended.err or "unknown" in ended.err) == (75, True)
    assert "netaflux persons" in ended.err
    assert outside.served.netatmo.ledger.counts["/api/setpersonsaway"] == 1


async def test_followed_events_come_line_by_line_until_stopped(netaflux: Program, outside: Outside) -> None:
    async with netaflux.starting(*netaflux.command("events", "--follow", "--json", "--most", "3")) as running:
        await until(lambda: len(running.out) == 3)
        running.signal()
        await running.ended()

    assert [json.loads(line)["event"] for line in running.out] == ["seen"] * 3
    assert "Traceback" not in "".join(running.err)


async def test_nobody_is_asked_for_a_follower_who_has_gone(netaflux: Program, outside: Outside) -> None:
    """The daemon notices that the command line is no more, though there is nothing to tell."""
    counts = outside.served.netatmo.ledger.counts
    guards(outside).footage.eyes = ()
    async with netaflux.daemon(speed=60):
        words = netaflux.command("events", "--follow", "--every", "30")
        async with netaflux.starting(*words) as running:
            await until(lambda: counts["/api/getevents"] >= 3)
            running.signal()
            await running.ended()
        await asyncio.sleep(1.2)  # two looks: the one on its way, and the one that notices
        looks = counts["/api/getevents"]
        await asyncio.sleep(2)

    assert counts["/api/getevents"] == looks


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("Yes\n", True), ("\n", False), ("no\n", False)]
)
def test_a_person_at_a_terminal_is_asked(typed: str, agreed: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a case
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal, "r") as stdin, os.fdopen(keyboard, "wb", buffering=0) as keys:
        monkeypatch.setattr(sys, "stdin", stdin)
        keys.write(typed.encode())

        assert security._agreed() is agreed


def test_who_does_not_agree_has_changed_nothing_and_that_is_no_mistake(
    netaflux: Program, outside: Outside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    netaflux.write_config()
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal, "r") as stdin, os.fdopen(keyboard, "wb", buffering=0) as keys:
        monkeypatch.setattr(sys, "stdin", stdin)
        keys.write(b"n\n")

        assert main(["persons", "away", "anne", "--config", str(netaflux.config)]) == 0
    assert "Nothing was changed." in capsys.readouterr().err
    assert not guards(outside).faces[ANNE].away
