"""By a command: a program and its arguments, never a shell; the facts on its stdin and in its environment."""

import asyncio
import os
import signal
from asyncio.subprocess import STDOUT, Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from typing import BinaryIO, Final

import orjson

from netaflux.core.errors import NotTold
from netaflux.core.masking import printable

TIME_LIMIT: Final = 30.0
"""Real seconds after which it is killed, with all that it has started."""
LEAVE_TO_SAY: Final = 1.0
"""Real seconds in which it is listened to after its end: what it leaves behind may hold its output open."""
LEAVE_TO_DIE: Final = 2.0
"""Real seconds in which what was killed is gone, unless it may not be killed, or hangs in the kernel."""
AT_ONCE: Final = 2**16
"""Bytes of its output that are read at once."""
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
        with ExitStack() as opened:
            try:
                ear = opened.enter_context(_listening())
                process = await self._started(facts, ear.mouth)
            except (OSError, ValueError) as error:
                raise NotTold(f"`command` cannot be run: {type(error).__name__}") from error
            code = await self._ended(process, ear)
        if code != 0:
            raise NotTold(f"`command` ended with {code}{ear.words}")
        return f"it ended with 0{ear.words}"

    async def _started(self, facts: Mapping[str, object], mouth: BinaryIO) -> Process:
        """Start it; what it says goes to `mouth`, which is then closed here. Raises OSError, ValueError."""
        # no pipe of asyncio's: its `wait` is for everybody who holds an end of one
        with mouth, _file_of(orjson.dumps(facts) + b"\n") as given:
            return await asyncio.create_subprocess_exec(
                *self._words,
                stdin=given,
                stdout=mouth,
                stderr=STDOUT,
                env=_environment(facts),
                start_new_session=True,
            )

    async def _ended(self, process: Process, ear: "_Ear") -> int:
        """Wait for the end of it, whatever it leaves behind; answers its code. Raises NotTold."""
        try:
            async with asyncio.timeout(self._time_limit):
                code = await process.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_TO_SAY):
                    await ear.silence.wait()
        except TimeoutError:
            raise NotTold(f"`command` was killed: it took over {self._time_limit:g} seconds") from None
        finally:
            await _killed(process)
        return code


class _Ear:
    """Keeps the beginning of what comes out of a pipe, and makes nobody wait who writes into it."""

    def __init__(self, pipe: FileIO, mouth: BinaryIO) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self.mouth = mouth
        """The end that is written to."""
        self.silence = asyncio.Event()
        """Set when nobody is left who could say anything."""

    def hear(self) -> None:
        """Take what has come."""
        chunk = self._pipe.read(AT_ONCE)
        if chunk:
            self._kept += chunk[: LONGEST_OUTPUT - len(self._kept)]
        elif chunk is not None:  # None is a false alarm
            asyncio.get_running_loop().remove_reader(self._pipe)
            self.silence.set()

    @property
    def words(self) -> str:
        """The beginning of what was said, as it can be shown after a code."""
        words = printable(self._kept.decode("utf-8", "replace").strip())[:LONGEST_WORDS]
        return f": {words}" if words else ""


@contextmanager
def _listening() -> Iterator[_Ear]:
    """Listen while the block runs. Raises OSError."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    loop = asyncio.get_running_loop()
    with FileIO(reading) as pipe, os.fdopen(writing, "wb") as mouth:
        ear = _Ear(pipe, mouth)
        loop.add_reader(pipe, ear.hear)
        try:
            yield ear
        finally:
            loop.remove_reader(pipe)


def _file_of(text: bytes) -> BinaryIO:
    """A file with that text, on no disk: one that is full is what may have to be told. Raises OSError."""
    file = os.fdopen(os.memfd_create("notice"), "w+b")
    file.write(text)
    file.seek(0)
    return file


async def _killed(process: Process) -> None:
    """End what is left of it, and of what it has started."""
    with suppress(ProcessLookupError, PermissionError):  # another user's, by now
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_TO_DIE):
            await process.wait()


def _environment(facts: Mapping[str, object]) -> dict[str, str]:
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed | {f"NOTICE_{name.upper()}": _harmless(str(value)) for name, value in facts.items()}


def _harmless(text: str) -> str:
    """The text with every sign replaced that a shell or a line could take for something else."""
    signs = (sign if sign.isalnum() or sign in HARMLESS else "_" for sign in text[:LONGEST_VALUE])
    return "".join(signs).lstrip("-")
