"""No secret is ever told: not by log, error, status, metric or command line, whatever goes wrong.

The servers answer by repeating what they were sent; bugs raise what they were given. The simulator knows
every token that it gave out, so the set of canaries is complete.
"""

import asyncio
import json
import re
import signal
import sys
import tarfile
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus
from uuid import uuid4

import aiohttp
import pytest

from netaflux.clocks import ScaledClock
from netaflux.simulator import App, User
from tests.notify.receiver import SECRET, Receiver, receiving
from tests.system import crashing
from tests.system.canary import of_pairs, singing
from tests.system.nursery import Nursery, surroundings
from tests.system.parrot import BROKEN, SAYINGS, Parrot
from tests.system.parrot import parrot as opened_parrot
from tests.system.program import PATIENCE, Daemon, Program, Running, until
from tests.system.world import Outside, a_world, served

CLIENT_SECRET = "kl1ent Geheimnis/+&=%41"
ANNE = User(username="anne", password='Passw0rt "ä"/+&=\\%41 von Anne', guest=7)
BERT = User(username="bert", password="b3rt's 0wn <pass>|word", guest=8)
NOT_ACCEPTED = "0123456789abcdef01234567|fedcba9876543210fedcba9876543210"
"""A refresh token that a person pastes, and that is nobody's."""
ALL = (*SAYINGS, BROKEN)
FAST = 20
"""The daemon keeps 30 s between token requests, and backs off; nobody needs to wait that long."""


@pytest.fixture
def outside() -> Iterator[Outside]:
    """The usual world, with secrets that are hard to spell."""
    world = a_world()
    world = replace(
        world,
        users=[ANNE, BERT],
        netatmo=replace(world.netatmo, app=App(client_secret=CLIENT_SECRET)),
    )
    with served(world, speed=FAST) as outside:
        yield outside


@pytest.fixture
def parrot(outside: Outside) -> Iterator[Parrot]:
    with opened_parrot(outside) as bird:
        yield bird


@pytest.fixture
async def person() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        receiver.said = f"{receiver.hook} {receiver.ping}"
        yield receiver


@pytest.fixture
def netaflux(nursery: Nursery, folder: Path, outside: Outside, parrot: Parrot, person: Receiver) -> Program:
    """Its secrets stand in a credentials file, in the environment and in the configuration."""
    program = Program(nursery, folder, outside.sections(), outside.devices())
    del program.sections["netatmo"]["client_secret"]
    program.sections["netatmo"]["api_url"] = parrot.netatmo
    program.sections["destinations.fluxtream"] = {
        "type": "fluxtream",
        "url": parrot.fluxtream,
        "username": ANNE.username,
    }
    program.sections["destinations.second"] = outside.fluxtream(BERT) | {"url": parrot.fluxtream}
    script = folder / "tell"
    script.write_text(f"#!/bin/sh\n(cat; env) >> '{folder}/told'\n")
    script.chmod(0o700)
    program.sections["notify"] = {
        "url": person.hook,
        "command": [str(script)],
        "heartbeat_url": person.ping,
        "silent_after": "1m",
    }
    (folder / "credentials").mkdir()
    (folder / "credentials" / "netatmo__client_secret").write_text(CLIENT_SECRET)
    program.environment = {
        "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
        "NETAFLUX_DESTINATIONS__FLUXTREAM__PASSWORD": ANNE.password,
    }
    return program


def canaries(outside: Outside) -> set[str]:
    """Every secret that there is by now."""
    pairs = outside.served.netatmo.logins.issued["default"]
    return {
        CLIENT_SECRET,
        ANNE.password,
        BERT.password,
        *of_pairs(pairs),
        NOT_ACCEPTED.partition("|")[2],
        SECRET,
    }


# What tells anything: whoever adds an output adds a line.

Producer = Callable[[Program, Daemon], Awaitable[str]]


def command(*words: str, stdin: str = "") -> Producer:
    """All that a command says, on both streams."""

    async def said(netaflux: Program, _: Daemon) -> str:
        ended = await netaflux.outcome(*words, "--config", str(netaflux.config), stdin=stdin)
        return ended.out + ended.err

    return said


def route(path: str) -> Producer:
    """What the socket answers, headers and all."""

    async def answered(_: Program, daemon: Daemon) -> str:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(daemon.socket))) as session,
            session.get(f"http://localhost{path}") as response,
        ):
            return f"{response.headers} {await response.text()}"

    return answered


async def bundle(netaflux: Program, daemon: Daemon) -> str:
    """All that `doctor` packs for others to see, and what it says meanwhile."""
    packed = netaflux.folder / f"{uuid4()}.tar.gz"
    said = await command("doctor", "--bundle", str(packed))(netaflux, daemon)
    return said + await asyncio.to_thread(unpacked, packed)


def unpacked(packed: Path) -> str:
    with tarfile.open(packed) as archive:
        files = [archive.extractfile(member) for member in archive]
        return "\n".join(file.read().decode() for file in files if file)


async def notices(netaflux: Program, _: Daemon) -> str:
    """What a person's command has got so far, on its stdin and in its environment."""
    told = netaflux.folder / "told"
    return await asyncio.to_thread(told.read_text) if told.exists() else ""


def noted(text: str) -> set[str]:
    """The events that a person's command was told."""
    return set(re.findall(r"^NOTICE_EVENT=(.*)$", text, re.MULTILINE))


async def processes(_: Program, daemon: Daemon) -> str:
    """The daemon's title, and title and environment of all that it has started."""
    return await asyncio.to_thread(titles, Path("/proc", str(daemon.pid)))


def titles(own: Path) -> str:
    children = (own / "task" / own.name / "children").read_text().split()
    seen = [own / "cmdline", own / "comm"]
    seen += [Path("/proc", pid, name) for pid in children for name in ("cmdline", "environ")]
    return "".join(file.read_bytes().decode(errors="replace") for file in seen)


PRODUCERS: dict[str, Producer] = {
    "/livez": route("/livez"),
    "/readyz": route("/readyz"),
    "/status": route("/status"),
    "/metrics": route("/metrics"),
    "/nowhere": route("/nowhere?token=x"),
    "processes": processes,
    "status": command("status"),
    "status --json": command("status", "--json"),
    "health": command("health"),
    "check": command("check"),
    "check --json": command("check", "--json"),
    "doctor": bundle,
    "doctor --json": command("doctor", "--json"),
    "notify": command("notify", "--json"),
    "notify --test": command("notify", "--test"),
    "notices": notices,
    "devices": command("devices", "--json"),
    "latest": command("latest"),
    "sync": command("sync"),
    "verify": command("verify", "--json"),
    "authorize": command("authorize", "--refresh-token", stdin=f"{NOT_ACCEPTED}\n"),
    "a mistake": command("sync", "--device", "nowhere"),
}


async def told(netaflux: Program, daemon: Daemon) -> dict[str, str]:
    """What each of them tells, all of them at a time."""
    texts = await asyncio.gather(*(producer(netaflux, daemon) for producer in PRODUCERS.values()))
    return dict(zip(PRODUCERS, texts, strict=True))


def sung(texts: Sequence[tuple[str, str]], outside: Outside) -> list[tuple[str, set[str]]]:
    """Which of the texts hold which secrets."""
    secrets = canaries(outside)
    found = [(name, singing(text, secrets)) for name, text in texts]
    return [(name, heard) for name, heard in found if heard]


def started(netaflux: Program, outside: Outside) -> AbstractAsyncContextManager[Running]:
    """A daemon of the configuration as it is, that lives as fast as the world does."""
    netaflux.write_config()
    clock = outside.served.clock
    assert isinstance(clock, ScaledClock)
    return netaflux.starting(str(netaflux.config), speed=FAST, begun=(clock._start, clock._epoch))


COMBINATIONS = [("debug", "json"), ("debug", "console"), ("info", "console"), ("warning", "json")]
OTHERS = [("info", "json"), ("warning", "console"), ("error", "json"), ("error", "console")]


@pytest.mark.parametrize(
    ("level", "form"),
    [*COMBINATIONS, *(pytest.param(*other, marks=pytest.mark.slow) for other in OTHERS)],
)
async def test_no_secret_is_told_when_all_is_well_or_servers_repeat_what_they_were_sent(
    netaflux: Program, outside: Outside, parrot: Parrot, person: Receiver, level: str, form: str
) -> None:
    netaflux.sections["log"] = {"level": level, "format": form}
    async with started(netaflux, outside) as running:
        daemon = Daemon(running, netaflux.socket)
        await until(lambda: not outside.differences(ANNE) and not outside.differences(BERT))
        outside.served.netatmo.logins.expire("default")
        well = await told(netaflux, daemon)
        parrot.sayings = ALL
        ill = await told(netaflux, daemon)
        outside.served.netatmo.logins.expire("default")
        worse = await told(netaflux, daemon)
        running.signal(signal.SIGTERM)
        log = await running.ended()

    texts = [("log", log.out + log.err), ("the posted", json.dumps(person.notices))]
    texts += [pair for phase in (well, ill, worse) for pair in phase.items()]
    assert sung(texts, outside) == []
    assert {saying for saying, _ in parrot.said} == set(ALL)
    assert {path.split("/")[1] for _, path in parrot.said} == {"netatmo", "fluxtream"}
    assert any(path.endswith("/token") for _, path in parrot.said)
    assert len(outside.served.netatmo.logins.issued["default"]) > 2
    assert {"opened", "test"} <= {event for event, _, _ in person.told()} & noted(worse["notices"])
    assert person.beats


@pytest.mark.parametrize("form", ["json", "console"])
async def test_no_secret_is_told_by_a_bug_or_a_dump(netaflux: Program, outside: Outside, form: str) -> None:
    """The daemon's rounds and the commands crash with an error that holds all; then it is told to abort."""
    netaflux.sections["log"] = {"level": "debug", "format": form}
    netaflux.write_config()
    (netaflux.folder / "crash").touch()
    first = await crashed(netaflux, "sync")
    (netaflux.folder / "crash").unlink()
    async with buggy(netaflux, "run") as (process, log):
        await until(lambda: outside.cells(ANNE) and outside.cells(BERT) and netaflux.socket.exists())
        (netaflux.folder / "crash").touch()
        daemon = Daemon(Running(netaflux.folder, -1, process.pid), netaflux.socket)
        texts = list((await told(netaflux, daemon)).items())
        process.send_signal(signal.SIGABRT)
        await asyncio.wait_for(process.wait(), PATIENCE)

    texts += [("log", log.read_text()), ("a command of its own", first)]
    assert sung(texts, outside) == []
    assert any("a bug: RuntimeError" in text for _, text in texts)
    assert "command.crashed" in dict(texts)["log"]
    assert "Fatal Python error: Aborted" in dict(texts)["log"]


@asynccontextmanager
async def buggy(netaflux: Program, *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """A process of the program with a bug, and where its streams go."""
    log = netaflux.folder / f"log of {words[0]}"
    environment = surroundings() | netaflux.environment | {"PYTHONFAULTHANDLER": "1"}
    with log.open("w") as streams:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(crashing.__file__)),
            *words,
            "--config",
            str(netaflux.config),
            cwd=netaflux.folder,
            env=environment,
            stdout=streams,
            stderr=streams,
        )
    try:
        yield process, log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def crashed(netaflux: Program, *words: str) -> str:
    """What a command says that meets the bug."""
    async with buggy(netaflux, *words) as (process, log):
        await asyncio.wait_for(process.wait(), PATIENCE)
    return log.read_text()


# The search itself.


@pytest.mark.parametrize("secret", [CLIENT_SECRET, ANNE.password, BERT.password, NOT_ACCEPTED])
def test_a_canary_is_heard_however_it_is_spelled(secret: str) -> None:
    spellings = [
        secret,
        quote(secret),
        quote_plus(secret),
        json.dumps(secret),
        repr(secret),
        b64encode(f"anne:{secret}".encode()).decode(),
        b64encode(f"a:{secret}!".encode()).decode(),
        secret.encode().hex(),
        secret[2:16],
        escape(secret),
        "\x1b[1m".join(secret),
        "\n  ".join((secret[:7], secret[7:])),
    ]

    for spelling in spellings:
        assert singing(f"some {spelling} words", [secret]) == {secret}, spelling
    assert singing("some words that hold nothing but *** and what else a log holds", [secret]) == set()
