"""Rows pass through netaflux; they do not pile up in it."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import pytest

from netaflux.core.errors import NobodyAtSocket
from netaflux.status.client import StatusClient
from tests.e2e.big_world import READY

ROOT = Path(__file__).resolve().parents[2]
MODULES = 5
ROWS_A_DAY = 288
LOOK_EVERY = 0.1
SOCKET = "s"
"""A short name: the path of a Unix socket has room for hundred characters."""


@asynccontextmanager
async def process(*words: str, talks: bool = False) -> AsyncIterator[Process]:
    """A Python process that does not outlive the test."""
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'daemon'}"}
    out = PIPE if talks else DEVNULL
    running = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=out, stderr=DEVNULL, env=environ
    )
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            running.kill()
        await running.wait()


@asynccontextmanager
async def configured(folder: Path, days: float) -> AsyncIterator[Path]:
    """A configuration for a world with that much of a past."""
    async with process("-m", "tests.e2e.big_world", str(days), talks=True) as world:
        assert world.stdout is not None
        text = (await world.stdout.readuntil(READY.encode())).decode()
        yield written(folder, text)


def written(folder: Path, text: str) -> Path:
    """The configuration of a netaflux that lives in that folder."""
    folder.mkdir()
    path = folder / "config.toml"
    path.touch(0o600)
    whole = f'state_dir = "{folder}/state"\n{text}\n[status]\nsocket = "{folder}/{SOCKET}"\n'
    path.write_text(whole)
    return path


async def peak(running: Process, done: Callable[[], Awaitable[bool]]) -> int:
    """The most memory that the process has held by the time it is done, in kilobytes."""
    highest = 0
    while not await done():
        highest = max(highest, high_water(running.pid))
        await asyncio.sleep(LOOK_EVERY)
    return highest


def high_water(pid: int) -> int:
    """The most memory that a process has held so far, in kilobytes; 0 when it has ended."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0


async def of_an_idle_daemon(folder: Path) -> int:
    """What `netaflux run` takes that has nothing to do."""
    client = StatusClient([folder / SOCKET])

    async def ready() -> bool:
        with suppress(NobodyAtSocket):
            code, _ = await asyncio.to_thread(client.get, "/readyz")
            return code == HTTPStatus.OK
        return False

    async with (
        configured(folder, days=0.01) as path,
        process("-m", "netaflux", "run", "--config", str(path)) as daemon,
    ):
        return await peak(daemon, ready)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("days", "most"), [(40, 16 * 1024), pytest.param(700, 40 * 1024, marks=pytest.mark.slow)]
)
async def test_rows_pass_through_and_do_not_pile_up(tmp_path: Path, days: int, most: int) -> None:
    """Kilobytes above an idle daemon: 700 days are a million rows; less shows sooner what piles up."""
    idle = await of_an_idle_daemon(tmp_path / "idle")
    async with (
        configured(tmp_path / "busy", days) as path,
        process("-m", "netaflux", "sync", "--json", "--config", str(path), talks=True) as sync,
    ):
        assert sync.stdout is not None
        result = asyncio.create_task(sync.stdout.read())
        highest = await peak(sync, lambda: _ended(sync))

        rows = sum(line["rows"] for line in json.loads(await result)["devices"])

    # how near the first and the last row are to the ends is chance
    assert rows >= days * MODULES * ROWS_A_DAY - MODULES
    assert highest - idle < most


async def _ended(running: Process) -> bool:
    return running.returncode is not None
