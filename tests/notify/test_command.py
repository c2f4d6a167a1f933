"""A notice by a command: real scripts, and what they are given, may do, and leave behind."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from netaflux.core.errors import NotTold
from netaflux.notify import command
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


def handles() -> set[str]:
    """What this process holds open."""
    return {each.name for each in Path("/proc/self/fd").iterdir()}


async def tell(*words: str, facts: dict[str, object] = FACTS, time_limit: float = 20) -> str:
    """What became of it, within a time that no command can lengthen, and with all of it closed again."""
    before = handles()
    try:
        async with asyncio.timeout(time_limit + 10):
            return await Command(words, time_limit=time_limit).tell(facts)
    finally:
        assert handles() == before


async def run(folder: Path, text: str, *words: str, time_limit: float = 20) -> str:
    return await tell(str(script(folder, text)), *words, time_limit=time_limit)


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
        await tell(*words)


async def test_a_command_that_reads_nothing_is_as_good_as_one_that_does(tmp_path: Path) -> None:
    facts = {**FACTS, "text": "x" * 1_000_000}

    assert await tell(str(script(tmp_path, "exec true")), facts=facts) == "it ended with 0"


@contextmanager
def child_of(folder: Path) -> Iterator[None]:
    """End the child of a script, which has left it behind where nobody can reach it."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(int((folder / "child").read_text()), signal.SIGKILL)


def alive(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    return False


def waits_for_us(pid: int) -> bool:
    """Whether it is there, if only as a zombie."""
    return Path("/proc", str(pid)).exists()


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


ELSEWHERE = "setsid sleep 60 & echo $! > child"
"""A child in a session of its own, which holds the output open and which no signal to the group reaches."""


@pytest.mark.parametrize("text", ["echo $$ > child; exec yes", f"{ELSEWHERE}; sleep 60"])
async def test_a_command_that_takes_too_long_is_not_waited_for_whoever_holds_its_output(
    tmp_path: Path, text: str
) -> None:
    with child_of(tmp_path), pytest.raises(NotTold, match=r"was killed: it took over 0\.5 seconds"):
        await run(tmp_path, f"cd '{tmp_path}'; {text}", time_limit=0.5)


@pytest.mark.parametrize("text", ["sleep 60 & echo $! > child", ELSEWHERE, "yes & echo $! > child"])
async def test_a_command_has_ended_when_it_has_whoever_holds_its_output(tmp_path: Path, text: str) -> None:
    with child_of(tmp_path):
        said = await run(tmp_path, f"cd '{tmp_path}'; echo sent; {text}; exit 0")

    assert said.startswith("it ended with 0: sent")


async def test_what_it_left_behind_in_its_session_is_ended_though_it_holds_the_output(tmp_path: Path) -> None:
    await run(tmp_path, f"cd '{tmp_path}'; sleep 60 & echo $! > child")

    await until_dead(int((tmp_path / "child").read_text()))


async def test_what_comes_out_right_after_its_end_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LEAVE_TO_SAY", 10.0)

    assert await run(tmp_path, "(sleep 0.3; echo sent) & exit 0") == "it ended with 0: sent"


async def test_a_command_that_has_ended_is_no_zombie(tmp_path: Path) -> None:
    await run(tmp_path, f"echo $$ > '{tmp_path}/pid'")

    assert not waits_for_us(int((tmp_path / "pid").read_text()))


async def test_a_command_under_way_ends_though_somebody_else_holds_its_output(tmp_path: Path) -> None:
    telling = asyncio.create_task(run(tmp_path, f"cd '{tmp_path}'; echo $$ > pid; {ELSEWHERE}; sleep 60"))
    async with asyncio.timeout(10):
        while not ((tmp_path / "child").exists() and (tmp_path / "child").read_text()):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.02)

    telling.cancel()
    with child_of(tmp_path), pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await telling

    assert not waits_for_us(int((tmp_path / "pid").read_text()))


async def test_a_command_that_may_not_be_killed_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is another user's by now: `sudo`, say."""

    def refused(_: int, __: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refused)
    monkeypatch.setattr(command, "LEAVE_TO_DIE", 0.1)
    text = f"echo $$ > '{tmp_path}/child'; exec sleep 60"
    with child_of(tmp_path), pytest.raises(NotTold, match="was killed"):
        await run(tmp_path, text, time_limit=0.5)

    pid = int((tmp_path / "child").read_text())
    async with asyncio.timeout(10):
        while waits_for_us(pid):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.02)
