"""What benchmarks measure is whole processes; the world that they talk to is one more."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'daemon'}"}
# an installed program is compiled already
ENVIRON.pop("PYTHONDONTWRITEBYTECODE", None)
TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Outside:
    """The servers, in a process of their own, which answers a wish a line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def wish(self, *words: object) -> dict[str, Any]:
        """Ask for something, and get the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has taken."""
        return cpu_of(self._process.pid)


@contextmanager
def outside(module: str, *words: object) -> Iterator[Outside]:
    """The world that a module of ours serves."""
    with started(module, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Outside(process)


@contextmanager
def started(module: str, *words: object, **streams: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs a module; killed at the end, if it still lives."""
    command: Sequence[str] = [sys.executable, "-m", module, *map(str, words)]
    with subprocess.Popen(command, text=True, env=ENVIRON, cwd=ROOT, **streams) as process:
        try:
            yield process
        finally:
            process.kill()
