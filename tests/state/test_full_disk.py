"""A disk that is really full: a small one in memory, mounted where only the test's own process sees it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.state.samples import at_work_elsewhere

SCRIPT = """
import asyncio, json, os, sys
from pathlib import Path
from netaflux.core.errors import StateError
from netaflux.core.model import AccountName
from netaflux.core.spans import Spans
from netaflux.core.tokens import TokenRecord
from netaflux.state.open import open_state
from tests.state.samples import BASEMENT, MODULE, StillClock, page, series

ANNE, TEMP, DISK = AccountName("default"), series("Temp_C"), Path(sys.argv[1])
heard = {}

def fill_up():
    with open(DISK / "ballast", "wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError as error:
            heard["filled"] = error.strerror

async def told(doing):
    try:
        await doing
    except StateError as error:
        return error.message.partition(": ")[2]
    return "it was taken"

async def live():
    async with open_state(DISK / "state", StillClock()) as state:
        await state.tokens.save(ANNE, TokenRecord(lost="before"))
        await state.coverage.grow({TEMP: Spans((1, 4))})
        fill_up()
        large = TokenRecord(lost="x" * 200_000)
        heard["probe"] = [await told(state.database.probe()) for _ in range(100)][-1]
        heard["grow"] = await told(state.coverage.grow({TEMP: Spans((5, 9))}))
        heard["admit"] = await told(state.coverage.admit(MODULE, page({2: [1.0]}), [BASEMENT]))
        heard["save"] = await told(state.tokens.save(ANNE, large))
        heard["record"] = (await state.tokens.load(ANNE)).lost
        heard["covered"] = state.coverage.covered(TEMP).pairs
        (DISK / "ballast").unlink()
        heard["afterwards"] = await told(state.coverage.grow({TEMP: Spans((5, 9))}))
        await state.tokens.save(ANNE, TokenRecord(lost="after"))

async def look_again():
    async with open_state(DISK / "state", StillClock()) as state:
        heard["reopened"] = state.coverage.covered(TEMP).pairs
        heard["kept"] = (await state.tokens.load(ANNE)).lost

asyncio.run(live())
asyncio.run(look_again())
print(json.dumps(heard))
"""

MOUNT = 'mount -t tmpfs -o size=1m,mode=700 none "$1" && shift && exec "$@"'


def mountable(place: Path) -> bool:
    """Whether this machine lets us mount something for ourselves."""
    if shutil.which("unshare") is None:
        return False
    return not subprocess.run(
        in_a_mount_of_its_own(place, "true"), check=False, capture_output=True
    ).returncode


def in_a_mount_of_its_own(place: Path, *command: str) -> list[str]:
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT, "sh", str(place), *command]


def test_a_full_disk_loses_nothing_and_is_got_over(tmp_path: Path) -> None:
    if not mountable(tmp_path):
        pytest.skip("this machine lets us mount nothing")

    command = in_a_mount_of_its_own(tmp_path, sys.executable, "-c", SCRIPT, str(tmp_path))
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=at_work_elsewhere())

    heard = json.loads(done.stdout)
    assert heard["filled"] == "No space left on device"
    assert {heard[what].partition(" (")[0] for what in ("grow", "admit", "probe")} == {"the disk is full"}
    assert heard["save"].endswith("No space left on device")
    assert heard["record"] == "before"
    assert heard["covered"] == [[1, 4]]
    assert heard["afterwards"] == "it was taken"
    assert heard["reopened"] == [[1, 9]]
    assert heard["kept"] == "after"
