"""People are told by the real program: by a URL and a command, over restarts and reloads, with no secret."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from tests.notify.receiver import SECRET, receiving
from tests.system.program import Program, until
from tests.system.world import Outside

FASTER = 30.0
"""A look every two seconds."""


def teller(folder: Path) -> tuple[str, Path]:
    """A command of a person's own, and where it writes down what it was told."""
    script, told = folder / "tell me", folder / "told"
    script.write_text(f"#!/bin/sh\ncat >> '{told}'; echo \"$NOTICE_EVENT\" is passed on\n")
    script.chmod(0o700)
    return str(script), told


def noted(told: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []


async def test_an_account_that_is_lost_is_told_once_over_restart_and_reload_and_once_that_it_is_not(
    netaflux: Program, outside: Outside, folder: Path
) -> None:
    script, told = teller(folder)
    right = netaflux.sections["netatmo"].pop("refresh_token")
    netaflux.sections["log"] = {"level": "debug"}
    async with receiving() as person:
        netaflux.sections["notify"] = {"url": person.hook, "command": [script], "heartbeat_url": person.ping}
        async with netaflux.daemon(speed=FASTER) as daemon:
            await until(lambda: person.notices and noted(told))
            shown = await netaflux("notify")
            (told_by_status,) = (await daemon.get("/status"))[1]["notices"]
            daemon.running.signal(signal.SIGHUP)
            await daemon.running.told("configuration.reread")
            killed = await daemon.stopped(signal.SIGKILL)
        async with netaflux.daemon(speed=FASTER) as daemon:
            await asyncio.sleep(3 * 60 / FASTER)  # three looks, at which nothing is news
            assert person.beats == 0
            assert (await netaflux("authorize", "--refresh-token", stdin=f"{right}\n")).code == 0
            await until(lambda: len(person.notices) > 1 and len(noted(told)) > 1 and person.beats)
            ended = await daemon.stopped()

    expected = [("opened", "authorization", "default"), ("over", "authorization", "default")]
    assert person.told() == expected
    assert [(each["event"], each["kind"], each["subject"]) for each in noted(told)] == expected
    assert "Account default must be authorized again" in shown.out
    assert (told_by_status["kind"], told_by_status["subject"]) == ("authorization", "default")
    answers = [
        each["answer"] for each in daemon.running.events("notice.told") if each["channel"] == "command"
    ]
    assert answers == ["it ended with 0: over is passed on"]
    for said in (killed.err, ended.err, told.read_text(), json.dumps(person.notices)):
        for secret in (SECRET, "4c1d7e", str(right), str(netaflux.sections["netatmo"]["client_secret"])):
            assert secret not in said


async def test_a_test_notice_goes_out_alike_with_a_daemon_and_without(
    netaflux: Program, folder: Path
) -> None:
    script, told = teller(folder)
    async with receiving() as person:
        netaflux.sections["notify"] = {"url": person.hook, "command": [script], "heartbeat_url": person.ping}
        alone = await netaflux("notify", "--test")
        beats = person.beats
        async with netaflux.daemon() as daemon:
            through = await netaflux("notify", "--test")
            await daemon.stopped()

    assert (alone.code, alone.err) == (0, "")
    assert alone.out.splitlines() == [
        "ok      url: HTTP 200: thanks",
        "ok      command: it ended with 0: test is passed on",
        "ok      heartbeat_url: HTTP 200: thanks",
    ]
    assert (through.code, through.out) == (0, alone.out)
    assert person.told() == [("test", "test", "netaflux")] * 2
    assert [each["event"] for each in noted(told)] == ["test", "test"]
    assert beats == 1


async def test_a_test_that_fails_says_what_came_back(netaflux: Program) -> None:
    async with receiving() as person:
        person.status, person.said = 404, f"no channel /{SECRET}/hook"
        netaflux.sections["notify"] = {"url": person.hook, "command": ["/nowhere/tell-me"]}
        ended = await netaflux("notify", "--test")
        as_json = await netaflux("notify", "--test", "--json")

    assert ended.code == 75
    assert "FAILED  url: the server of `url` refuses: HTTP 404: no channel ***" in ended.out
    assert "FAILED  command: `command` cannot be run: FileNotFoundError" in ended.out
    assert [each["ok"] for each in as_json.json["told"]] == [False, False]
    assert as_json.json["exit_code"] == 75
    assert "4c1d7e" not in ended.out + ended.err + as_json.out


async def test_without_anybody_to_tell_a_test_says_so(netaflux: Program) -> None:
    test, shown = await netaflux("notify", "--test"), await netaflux("notify")

    assert test.code == 78
    assert "Add [notify] with" in test.err
    assert (shown.code, shown.out) == (0, "nobody is needed\n")


async def test_a_command_that_takes_long_holds_up_no_stop(netaflux: Program, outside: Outside) -> None:
    """It would be killed after thirty seconds; a service that is told to stop has ten."""
    netaflux.sections["notify"] = {"command": ["/bin/sleep", "60"]}
    netaflux.sections["netatmo"].pop("refresh_token")
    async with netaflux.daemon(speed=FASTER) as daemon:
        await daemon.running.told("notice.opened")
        ended = await daemon.stopped()

    assert ended.code == 0
