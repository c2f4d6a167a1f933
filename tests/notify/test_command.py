"""A notice by a command: real scripts, and what they are given, may do, and leave behind."""

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from netaflux.core.errors import NotTold
from netaflux.notify.command import LONGEST_WORDS, Command

FACTS: dict[str, object] = {
    "event": "opened",
    "kind": "module_silent",
    "subject": "Küche/`reboot` $(id) \"'\\;|&<>\n-x",
    "text": "The module is silent.",
    "since": 1_700_000_000,
}


def script(folder: Path, text: str) -> Path:
    file = folder / "tell me"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    return file


async def run(folder: Path, text: str, *words: str, time_limit: float = 20) -> str:
    return await Command([str(script(folder, text)), *words], time_limit=time_limit).tell(FACTS)


async def test_the_facts_come_on_stdin_as_they_are(tmp_path: Path) -> None:
    said = await run(tmp_path, f"cat > '{tmp_path}/facts'; echo ' sent  it '")

    assert json.loads((tmp_path / "facts").read_text()) == FACTS
    assert said == "it ended with 0: sent  it"


async def test_values_in_the_environment_mean_nothing_to_a_shell(tmp_path: Path) -> None:
    await run(tmp_path, f"env > '{tmp_path}/env'")

    given = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert given["NOTICE_KIND"] == "module_silent"
    assert given["NOTICE_TEXT"] == "The module is silent."
    assert given["NOTICE_SINCE"] == "1700000000"
    assert given["NOTICE_SUBJECT"] == "Küche/_reboot_ __id_ _________-x"


async def test_nothing_else_of_our_environment_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETAFLUX_NETATMO__CLIENT_SECRET", "canary")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/canary")
    await run(tmp_path, f"env > '{tmp_path}/env'")

    assert "canary" not in (tmp_path / "env").read_text()


async def test_arguments_are_passed_as_they_are_and_never_to_a_shell(tmp_path: Path) -> None:
    words = ("two words", "$(touch hacked)", ";touch hacked")
    await run(tmp_path, f"printf '%s\\n' \"$@\" > '{tmp_path}/words'", *words)

    assert (tmp_path / "words").read_text().splitlines() == list(words)


async def test_a_failure_is_told_with_what_the_command_said_shortened_and_escaped(tmp_path: Path) -> None:
    with pytest.raises(NotTold, match="`command` ended with 3") as caught:
        await run(tmp_path, r"printf '\033[2Jno route\n'; yes x | head -c 100000 >&2; exit 3")

    assert r": \x1b[2Jno route\n" in caught.value.message
    assert len(caught.value.message) < LONGEST_WORDS + 60


@pytest.mark.parametrize("words", [["/nowhere/at-all"], ["/"]])
async def test_a_command_that_is_not_there_is_told(words: list[str]) -> None:
    with pytest.raises(NotTold, match="`command` cannot be run"):
        await Command(words).tell(FACTS)


async def test_a_command_that_reads_nothing_is_as_good_as_one_that_does(tmp_path: Path) -> None:
    facts = {**FACTS, "text": "x" * 1_000_000}

    assert await Command([str(script(tmp_path, "exec true"))]).tell(facts) == "it ended with 0"


def alive(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    return False


async def until_dead(*pids: int) -> None:
    async with asyncio.timeout(10):
        while any(map(alive, pids)):  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "text", ["sleep 60 & echo $! > child; wait", "trap '' TERM INT; sleep 60 & echo $! > child; wait"]
)
async def test_a_command_that_takes_too_long_is_killed_with_all_that_it_started(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(NotTold, match=r"it took over 0\.5 seconds"):
        await run(tmp_path, f"cd '{tmp_path}'; {text}", time_limit=0.5)

    await until_dead(int((tmp_path / "child").read_text()))


async def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    """Output that somebody else holds open would be waited for until the time is over."""
    said = await run(tmp_path, f"cd '{tmp_path}'; sleep 60 >/dev/null 2>&1 & echo $! > '{tmp_path}/child'")

    assert said == "it ended with 0"
    await until_dead(int((tmp_path / "child").read_text()))


async def test_a_command_under_way_ends_with_whoever_waits_for_it(tmp_path: Path) -> None:
    telling = asyncio.create_task(
        run(tmp_path, f"echo $$ > '{tmp_path}/pid.'; mv '{tmp_path}/pid.' '{tmp_path}/pid'; sleep 60")
    )
    async with asyncio.timeout(10):
        while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.02)
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)

    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling

    await until_dead(pid)
