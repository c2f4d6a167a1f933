"""By a command: a program and its arguments, never a shell; the facts on its stdin and in its environment."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import orjson

from netaflux.core.errors import NotTold
from netaflux.core.masking import printable

TIME_LIMIT: Final = 30.0
"""Real seconds after which it is killed, with all that it has started."""
LONGEST_OUTPUT: Final = 2048
"""Bytes of its output that are kept; the rest is read and forgotten."""
LONGEST_WORDS: Final = 200
LONGEST_VALUE: Final = 1000
PASSED_ON: Final = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR")
"""What it is given of our environment, which may hold secrets."""
HARMLESS: Final = frozenset(" .,:_-+/%°")
"""Signs, beside letters and digits, that mean nothing to a shell that is handed a value by mistake."""


class Command:
    """A program of the person's own."""

    name = "command"

    def __init__(self, words: Sequence[str], *, time_limit: float = TIME_LIMIT) -> None:
        self._words = words
        self._time_limit = time_limit

    async def tell(self, facts: Mapping[str, object]) -> str:
        """Run it; answers what it said. Raises NotTold where it cannot be run, fails, or takes too long."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=PIPE,
                stdout=PIPE,
                stderr=STDOUT,
                env=_environment(facts),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise NotTold(f"`command` cannot be run: {type(error).__name__}") from error
        try:
            async with asyncio.timeout(self._time_limit):
                said = await _talk(process, orjson.dumps(facts))
                code = await process.wait()
        except TimeoutError:
            raise NotTold(f"`command` was killed: it took over {self._time_limit:g} seconds") from None
        finally:
            await _killed(process)
        if code != 0:
            raise NotTold(f"`command` ended with {code}{said}")
        return f"it ended with 0{said}"


async def _talk(process: Process, facts: bytes) -> str:
    """Hand over the facts, and read all that it says; answers the beginning of that."""
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with suppress(OSError):  # whoever does not read need not
        process.stdin.write(facts + b"\n")
        await process.stdin.drain()
    process.stdin.close()
    said = bytearray()
    assert process.stdout is not None  # noqa: S101 - the same
    while chunk := await process.stdout.read(LONGEST_OUTPUT):
        said += chunk[: LONGEST_OUTPUT - len(said)]
    words = printable(said.decode("utf-8", "replace").strip())[:LONGEST_WORDS]
    return f": {words}" if words else ""


async def _killed(process: Process) -> None:
    """End what is left of it, and of what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()


def _environment(facts: Mapping[str, object]) -> dict[str, str]:
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed | {f"NOTICE_{name.upper()}": _harmless(str(value)) for name, value in facts.items()}


def _harmless(text: str) -> str:
    """The text with every sign replaced that a shell or a line could take for something else."""
    signs = (sign if sign.isalnum() or sign in HARMLESS else "_" for sign in text[:LONGEST_VALUE])
    return "".join(signs).lstrip("-")
