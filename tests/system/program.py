"""netaflux as a person starts it: the installed program in processes of its own, at one configuration."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from netaflux.clocks import ScaledClock
from tests.system import nursery as nursery_module
from tests.system.nursery import Nursery, surroundings
from tests.system.world import Table

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
"""Seconds that a process may take where nothing is said: many run at a time."""
LOOK_EVERY = 0.02

APART = """
{
    "$@" <&0 &
    echo $! > "$0"
    wait $!
    echo $? >> "$0"
} <&0 &
"""
"""Keeps a process as the nursery does: its pid and its exit code stand in a report."""

T = TypeVar("T")


async def until(look: Callable[[], T], *, within: float = PATIENCE) -> T:
    """What `look` finds, as soon as it finds anything."""

    async def looked() -> T:
        return look()

    return await until_heard(looked, within=within)


async def until_heard(ask: Callable[[], Awaitable[T]], *, within: float = PATIENCE) -> T:
    """The first answer that is anything but nothing."""
    async with asyncio.timeout(within):
        while not (answer := await ask()):  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(LOOK_EVERY)
    return answer


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Running:
    """A process that goes on, and what it has said so far."""

    folder: Path
    """Where its streams and its report are kept."""
    stdin: int
    pid: int = 0

    @property
    def out(self) -> list[str]:
        """The whole lines on its stdout."""
        return _lines(self.folder / "out")

    @property
    def err(self) -> list[str]:
        """The whole lines on its stderr."""
        return _lines(self.folder / "err")

    @property
    def _report(self) -> list[int]:
        return [int(line) for line in _lines(self.folder / "report")]

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended; that of a signal is negative."""
        return next(iter(self._report[1:]), None)

    async def begun(self) -> None:
        """Return once it is known by its pid."""
        (self.pid, *_) = await until(lambda: self._report)

    def events(self, name: str) -> list[Table]:
        """The events of that name in its log."""
        logged = [json.loads(line) for line in self.err if line.startswith("{")]
        return [event for event in logged if event["event"] == name]

    async def told(self, name: str) -> Table:
        """The first event of that name in its log, as soon as it is there."""
        return (await until(lambda: self._while_alive(self.events(name))))[0]

    async def line(self, start: str) -> str:
        """The first line on stdout that begins so, as soon as it is there."""
        return (
            await until(lambda: self._while_alive([each for each in self.out if each.startswith(start)]))
        )[0]

    async def said(self, words: str) -> str:
        """The first line on stderr with these words, as soon as it is there."""
        return (await until(lambda: self._while_alive([each for each in self.err if words in each])))[0]

    def _while_alive(self, found: list[T]) -> list[T]:
        if not found and self.code is not None:
            raise AssertionError(f"it ended with {self.code}: {self.err}")
        return found

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        if self.code is None:
            os.kill(self.pid, number)

    def write(self, text: str) -> None:
        """Type on its stdin."""
        os.write(self.stdin, text.encode())

    def hang_up(self) -> None:
        """Let its stdin end."""
        if self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    async def ended(self, *, within: float = PATIENCE) -> Ended:
        """Its end, which must come by itself."""
        await until(lambda: self.code is not None, within=within)
        out, err = ((self.folder / name).read_text() for name in ("out", "err"))
        assert self.code is not None
        return Ended(self.code, out, err)


def _lines(file: Path) -> list[str]:
    """The lines that are written to their end."""
    text = file.read_text() if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


@dataclass
class Program:
    """One configuration and its state, for as many processes as a test starts."""

    nursery: Nursery
    folder: Path
    sections: dict[str, Table] = field(default_factory=dict)
    devices: Sequence[Table] = ()
    environment: dict[str, str] = field(default_factory=dict)
    around: Sequence[str] = ()
    """A command that starts each process in surroundings which are not those of the nursery."""
    processes: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def socket(self) -> Path:
        return Path(self.sections.get("status", {}).get("socket", self.state / "netaflux.sock"))

    def write_config(self) -> None:
        """Write the configuration as it is now."""
        tables = [(f"[{heading}]", table) for heading, table in self.sections.items()]
        tables += [("[[devices]]", device) for device in self.devices]
        lines = [f"state_dir = {json.dumps(str(self.state))}"]
        for heading, table in tables:
            # what is written here looks the same in JSON and in TOML
            lines += ["", heading, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        text = "\n".join(lines) + "\n"
        tomllib.loads(text)
        fresh = self.config.with_suffix(".fresh")
        fresh.touch(0o600)
        fresh.write_text(text)
        fresh.replace(self.config)  # at once: another process may be reading it

    @asynccontextmanager
    async def starting(
        self,
        *words: str,
        speed: float = 1,
        begun: Sequence[float] = (),
        tampering: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Running]:
        """A process while the block runs; killed at the end, if it still lives."""
        self.processes += 1
        folder = self.folder / f"process {self.processes}"
        folder.mkdir()
        stdin, typing = os.pipe()
        running = Running(folder, typing)
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            start = self._start_apart if self.around else self.nursery.start
            start(
                words,
                speed=speed,
                begun=begun,
                environment=surroundings() | self.environment,
                folder=self.folder,
                streams=(stdin, out.fileno(), err.fileno()),
                report=folder / "report",
                tampering=tampering,
            )
        os.close(stdin)
        try:
            await running.begun()
            yield running
        finally:
            running.signal(signal.SIGKILL)
            await running.ended()
            running.hang_up()

    def _start_apart(
        self,
        words: Sequence[str],
        *,
        speed: float,
        begun: Sequence[float],
        environment: Mapping[str, str],
        folder: Path,
        streams: Sequence[int],
        report: Path,
        tampering: Mapping[str, Any] | None = None,
    ) -> None:
        """The same as in the nursery, with the imports to wait for."""
        arguments = [
            nursery_module.__file__,
            "--alone",
            json.dumps(
                {
                    "words": list(words),
                    "speed": speed,
                    "begun": list(begun),
                    "tampering": tampering or {},
                }
            ),
        ]
        stdin, out, err = streams
        subprocess.run(
            ["/bin/sh", "-c", APART, str(report), *self.around, sys.executable, *arguments],
            env={**environment, "PYTHONPATH": str(ROOT)},
            cwd=folder,
            stdin=stdin,
            stdout=out,
            stderr=err,
            check=True,
        )

    def command(self, *words: str) -> tuple[str, ...]:
        """The command line for these words, at this configuration as it is now."""
        self.write_config()
        return *words, "--config", str(self.config)

    async def __call__(self, *words: str, stdin: str = "") -> Ended:
        """What becomes of a command at this configuration."""
        return await self.outcome(*self.command(*words), stdin=stdin)

    async def outcome(self, *words: str, stdin: str = "") -> Ended:
        """What becomes of a command."""
        async with self.starting(*words) as running:
            running.write(stdin)
            running.hang_up()
            ended = await running.ended()
        assert "Traceback" not in ended.err, ended.err
        return ended

    @asynccontextmanager
    async def daemon(
        self,
        *,
        speed: float = 1,
        clock: ScaledClock | None = None,
        tampering: Mapping[str, Any] | None = None,
    ) -> AsyncIterator["Daemon"]:
        """`netaflux run` while the block runs, listening at its socket; `clock` is one to go by."""
        words, begun = self.command("run"), () if clock is None else (clock._start, clock._epoch)
        speed = speed if clock is None else clock.speed
        words = words if speed == 1 else (str(self.config),)
        async with self.starting(*words, speed=speed, begun=begun, tampering=tampering) as running:
            await running.told("service.started")
            yield Daemon(running, self.socket)
        assert "Traceback" not in "".join(running.err), "".join(running.err)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running daemon."""

    running: Running
    socket: Path

    @property
    def pid(self) -> int:
        return self.running.pid

    async def get(self, route: str) -> tuple[int, Any]:
        """What its socket answers: the status and the JSON."""
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.socket))) as session,
            session.get(f"http://localhost{route}") as response,
        ):
            return response.status, await response.json()

    async def ready(self) -> None:
        """Return once every account's first poll is done."""
        await until_heard(self._is_ready)

    async def _is_ready(self) -> bool:
        return (await self.get("/readyz"))[0] == 200

    async def stopped(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Its end after a signal, which must come within ten seconds."""
        self.running.signal(number)
        return await self.running.ended(within=10)


async def hung_up(daemon: Daemon, event: str) -> Table:
    """What the daemon says of the configuration that it is told to read."""
    told = len(daemon.running.events(event))
    daemon.running.signal(signal.SIGHUP)
    return (await until(lambda: daemon.running.events(event)[told:]))[0]
