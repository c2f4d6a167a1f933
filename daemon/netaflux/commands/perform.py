"""The table of the commands, and how one of them is performed.

An event is a plain dictionary with the key `event`; the last one is `result` (or `failed`) and carries
`exit_code`. Whoever owns the state performs the command: the command line itself, or the daemon for it.
While calls wait for a budget that is closed, the event `waiting` says so, once (`until`, `reason`).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import structlog

from netaflux.app import App
from netaflux.commands.authorize import authorize
from netaflux.commands.cameras import cameras
from netaflux.commands.check import check
from netaflux.commands.devices import devices
from netaflux.commands.events import events
from netaflux.commands.homes import homes
from netaflux.commands.import_csv import import_csv
from netaflux.commands.latest import latest
from netaflux.commands.measure import measure
from netaflux.commands.minmax import minmax
from netaflux.commands.persons import persons
from netaflux.commands.picture import picture
from netaflux.commands.sync import sync
from netaflux.commands.thermostat import thermostat
from netaflux.commands.verify import verify
from netaflux.commands.waiting import closed
from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 0.2
"""Real seconds between looks at whether a command waits."""
A_MOMENT: Final = 1.0
"""Seconds by which a closing is told once more when it lasts longer: clocks never agree to the last digit."""
BUG: Final = "Please report it with what the log says; the daemon goes on."
Command = Callable[[App, Json], AsyncGenerator[Json, None]]

COMMANDS: Final[dict[str, Command]] = {
    "authorize": authorize,
    "cameras": cameras,
    "check": check,
    "devices": devices,
    "events": events,
    "homes": homes,
    "import-csv": import_csv,
    "latest": latest,
    "measure": measure,
    "minmax": minmax,
    "persons": persons,
    "picture": picture,
    "sync": sync,
    "thermostat": thermostat,
    "verify": verify,
}
"""What can be asked over the socket, by the name of the command line."""


async def perform(app: App, name: str, asked: Json) -> AsyncGenerator[Json, None]:
    """The events of a command; its failure is the last of them."""
    command = COMMANDS.get(name)
    if command is None:
        yield {"event": "failed", "message": f'there is no command "{name}"', "remedy": "", "exit_code": 2}
        return
    try:
        async with aclosing(_with_waits(app, command(app, asked))) as told:
            async for event in told:
                yield event
    except Exception as error:
        if not isinstance(error, NetafluxError):
            log.exception("command.crashed", command=name)
            yield {"event": "failed", "message": f"a bug: {error!r}", "remedy": BUG, "exit_code": 1}
            return
        yield {
            "event": "failed",
            "message": error.message,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }


async def _with_waits(app: App, events: AsyncGenerator[Json, None]) -> AsyncGenerator[Json, None]:
    """The events, and between them what they wait for."""
    passed: asyncio.Queue[Json | None] = asyncio.Queue()
    # one task runs the whole command: its time-outs and tasks belong to it
    work = asyncio.create_task(_pass(events, passed), name="command")
    work.add_done_callback(lambda _: passed.put_nowait(None))
    told = 0.0
    try:
        while True:
            try:
                event = await asyncio.wait_for(passed.get(), LOOK_EVERY)
            except TimeoutError:
                event = {}
            if event is None:
                work.result()
                return
            if event:
                yield event
            elif (waiting := closed(app)) and waiting["until"] > told + A_MOMENT:
                told = waiting["until"]
                yield {"event": "waiting", **waiting}
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _pass(events: AsyncGenerator[Json, None], passed: asyncio.Queue[Json | None]) -> None:
    async with aclosing(events):
        async for event in events:
            passed.put_nowait(event)
