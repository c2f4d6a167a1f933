"""The README's example for programs, run as it is printed, against `netaflux simulate`."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.system.nursery import Nursery, surroundings
from tests.system.program import Program

README = Path(__file__).resolve().parent.parent.parent / "README.md"
LONGEST = 10
"""Lines with a statement in them."""


def example() -> str:
    [source] = re.findall(r"```python\n(import asyncio, json.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert isinstance(source, str)
    return source


def run_in(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", example()]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=surroundings(), timeout=60
    )


async def test_the_example_prints_the_temperature_inside_and_outside(nursery: Nursery, folder: Path) -> None:
    async with Program(nursery, folder).starting("simulate", "--days", "1") as world:
        await world.line("[destinations.fluxtream]")
        lines = world.out
        given = tomllib.loads("\n".join(lines[: lines.index("[destinations.fluxtream]")]))["netatmo"]
        (folder / "netatmo.json").write_text(json.dumps(given))
        # the second run begins with what the first has saved
        first, second = [await asyncio.to_thread(run_in, folder) for _ in range(2)]

    assert (first.stderr, second.stderr) == ("", "")
    for told in (first.stdout, second.stdout):
        assert re.fullmatch(r"inside -?\d+(\.\d)? °C, outside -?\d+(\.\d)? °C\n", told)


def test_the_example_is_short() -> None:
    said = [line for line in example().splitlines() if line.strip()]

    assert len(said) - 2 <= LONGEST, "two imports, and ten lines"
