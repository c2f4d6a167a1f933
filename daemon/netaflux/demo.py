"""`netaflux demo`: the real service against the simulator, and a look at whether nothing is missing.

Everything is as in earnest, on loopback: a configuration file, a state directory, tokens that rotate, pages,
uploads. Afterwards what Netatmo had is compared with what Fluxtream holds, cell by cell.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from netaflux.app import App, open_app
from netaflux.clocks import RealClock, ScaledClock
from netaflux.commands.words import Json
from netaflux.config import load
from netaflux.core.events import BatchDelivered, Event
from netaflux.service.rounds import Rounds
from netaflux.service.signals import stop_on_signals
from netaflux.simulator import (
    ALL_SCOPES,
    ChannelReport,
    Limits,
    NetatmoSettings,
    Served,
    World,
    demo_house,
    serve,
)

DAYS = 30
SPEED = 60.0
"""How fast the clock of `demo --live` runs: ten minutes of a station pass in ten seconds."""
LOOK_EVERY = 0.1
"""Real seconds between looks at how far it is."""
TRIES = 5
"""Comparisons until they must be equal: a row may appear between the last poll and the look."""

# Netatmo's own limits would make a month last half a minute
LIMITS = Limits(user_per_10_seconds=400, user_per_hour=4000, app_per_10_seconds=400, app_per_hour=4000)
CONFIGURED_LIMITS = """
[netatmo.limits]
per_10_seconds = 400
per_hour = 4000
app_per_10_seconds = 400
app_per_hour = 4000
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that takes part."""

    served: Served
    app: App
    rounds: Rounds
    enough: asyncio.Event
    """Set when the person has seen enough."""


@dataclass(slots=True)
class Watch:
    """An observer that counts what arrives."""

    rows: int = 0
    newest: dict[str, BatchDelivered] | None = None

    def tell(self, event: Event) -> None:
        """Count."""
        if isinstance(event, BatchDelivered):
            self.rows += len(event.channels) * event.rows
            if self.newest is not None:
                self.newest[event.device] = event


async def demo(*, live: bool = False, days: float = DAYS) -> AsyncGenerator[Json, None]:
    """Run it; events: `stage`, `progress`, `arrived` (live), then `result` with a line per device."""
    async with _staged(days, live=live) as stage:
        watch = Watch()
        yield _opening(stage, days)
        with stage.app.hub.listening(watch), stop_on_signals(stage.enough):
            stop = asyncio.Event()
            work = asyncio.create_task(stage.rounds.run(stop))
            try:
                async for event in _played(stage, watch, live=live):
                    yield event
            finally:
                stop.set()
                await work
        yield _result(stage)


async def _played(stage: Stage, watch: Watch, *, live: bool) -> AsyncIterator[Json]:
    async for event in _catching_up(stage, watch):
        yield event
    if live and not stage.enough.is_set():
        yield _result(stage)
        async for event in _live(stage, watch):
            yield event
        # what was measured since the last poll is no difference
        stage.enough.clear()
        stage.rounds.ring_all()
        async for event in _catching_up(stage, watch):
            yield event


@asynccontextmanager
async def _staged(days: float, *, live: bool) -> AsyncIterator[Stage]:
    clock = ScaledClock(SPEED) if live else RealClock()
    speed = SPEED if live else 1.0
    house = demo_house(clock.now(), days, live=live)
    world = World.of(house, netatmo=NetatmoSettings(limits=LIMITS), scopes=ALL_SCOPES)
    with tempfile.TemporaryDirectory(prefix="netaflux-demo-") as folder:
        async with serve(world, clock) as served:
            text = served.configuration(f"{folder}/state") + CONFIGURED_LIMITS
            loaded = load(_written(Path(folder, "config.toml"), text), {})
            async with open_app(loaded, clock=clock) as app:
                rounds = Rounds(app, interval=loaded.settings.poll.interval, speed=speed)
                yield Stage(served, app, rounds, asyncio.Event())


def _written(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path


def _opening(stage: Stage, days: float) -> Json:
    return {
        "event": "stage",
        "netatmo": stage.served.netatmo_url,
        "fluxtream": stage.served.fluxtream_url,
        "modules": len(stage.served.mirrors()),
        "days": days,
    }


async def _catching_up(stage: Stage, watch: Watch) -> AsyncIterator[Json]:
    """Until all that Netatmo holds has arrived."""
    for _ in range(TRIES):
        while not stage.rounds.caught_up() and not stage.enough.is_set():
            await asyncio.sleep(LOOK_EVERY)
            yield {"event": "progress", "cells": watch.rows, "calls": stage.app.record.learnt.calls}
        if stage.enough.is_set() or all(report.equal for report in stage.served.compare()):
            return
        stage.rounds.ring_all()


async def _live(stage: Stage, watch: Watch) -> AsyncIterator[Json]:
    """What arrives from now on, until somebody has seen enough."""
    watch.newest = {}
    while not stage.enough.is_set():
        await asyncio.sleep(LOOK_EVERY)
        arrived, watch.newest = watch.newest, {}
        for event in arrived.values():
            values = dict(zip(event.channels, event.values, strict=True))
            yield {"event": "arrived", "device": event.device, "time": event.last, "values": values}


def _result(stage: Stage) -> Json:
    reports = stage.served.compare()
    devices = sorted({report.device for report in reports})
    lines = [_line(device, [each for each in reports if each.device == device]) for device in devices]
    equal = bool(reports) and all(report.equal for report in reports)
    return {
        "event": "result",
        "devices": lines,
        "calls": stage.app.record.learnt.calls,
        "equal": equal,
        "exit_code": 0 if equal else 75,
    }


def _line(device: str, reports: Sequence[ChannelReport]) -> Json:
    return {
        "device": device,
        "channels": len(reports),
        "cells": sum(report.expected for report in reports),
        "missing": sum(len(report.missing) for report in reports),
        "different": sum(len(report.different) for report in reports),
        "extra": sum(len(report.extra) for report in reports),
    }
