"""The table of the commands, and how one of them is performed.

An event is a plain dictionary with the key `event`; the last one is `result` (or `failed`) and carries
`exit_code`. Whoever owns the state performs the command: the command line itself, or the daemon for it.
While calls wait for a budget that is closed, the event `waiting` says so, once (`until`, `reason`).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from importlib import import_module
from typing import Final

import structlog

from netaflux.app import App
from netaflux.commands.waiting import closed
from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError, Overtaken
from netaflux.core.events import ErrorMet
from netaflux.logs import masked, reasons_masked

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 0.2
"""Real seconds between looks at whether a command waits."""
AHEAD: Final = 16
"""Events by which a command may be ahead of whoever reads them, such as pages of rows."""
LAST_WORD: Final = 20.0
"""Real seconds for a change that is on its way when whoever asked for it has gone."""
A_MOMENT: Final = 1.0
"""Seconds by which a closing is told once more when it lasts longer: clocks never agree to the last digit."""
BUG: Final = "Please report it with what the log says; the daemon goes on."
Command = Callable[[App, Json], AsyncGenerator[Json, None]]

COMMANDS: Final = (
    "authorize",
    "cameras",
    "check",
    "devices",
    "doctor",
    "events",
    "homes",
    "import-csv",
    "latest",
    "log-level",
    "measure",
    "minmax",
    "notify",
    "persons",
    "picture",
    "sync",
    "thermostat",
    "verify",
)
"""What can be asked over the socket, by the name of the command line."""


def _command(name: str) -> Command:
    """The command of that name, its module imported now: one process hardly ever needs two of them."""
    word = name.replace("-", "_")
    command: Command = getattr(import_module(f"netaflux.commands.{word}"), word)
    return command


async def perform(
    app: App, name: str, asked: Json, *, ending: asyncio.Event | None = None
) -> AsyncGenerator[Json, None]:
    """The events of a command; its failure is the last of them. It is ended once `ending` is set."""
    if name not in COMMANDS:
        yield {"event": "failed", "message": f'there is no command "{name}"', "remedy": "", "exit_code": 2}
        return
    try:
        async with aclosing(_with_waits(app, _command(name)(app, asked), ending)) as events:
            async for event in events:
                yield event
    except Exception as error:
        if not isinstance(error, NetafluxError):
            log.exception("command.crashed", command=name)
            app.hub.tell(ErrorMet.of(error))
            told = masked(f"a bug: {error!r}")
            yield {"event": "failed", "message": told, "remedy": BUG, "exit_code": 1}
            return
        yield {
            "event": "failed",
            "message": masked(error.message),
            "remedy": error.remedy.replace("COMMAND", name),
            "exit_code": error.exit_code,
        }


async def _with_waits(
    app: App, events: AsyncGenerator[Json, None], ending: asyncio.Event | None
) -> AsyncGenerator[Json, None]:
    """The events, and between them what they wait for. Raises Overtaken."""
    passed: asyncio.Queue[Json | None] = asyncio.Queue()
    room = asyncio.Semaphore(AHEAD)
    # one task runs the whole command: its time-outs and tasks belong to it
    work = asyncio.create_task(_pass(events, passed, room), name="command")
    work.add_done_callback(partial(_over, passed))
    told, writing = 0.0, False
    try:
        while True:
            event: Json | None = {}
            # not wait_for, which in Python 3.11 may take a cancel for an event that comes with it
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    event = await passed.get()
            if event is None:
                work.result()
                return
            writing = writing if not event else event["event"] == "sending"
            # what changes things is not to be broken off: nobody would know what became of it
            if ending is not None and ending.is_set() and not writing:
                raise Overtaken
            if event:
                yield reasons_masked(event)
                room.release()
            elif (waiting := closed(app)) and waiting["until"] > told + A_MOMENT:
                told = waiting["until"]
                yield {"event": "waiting", **waiting}
    finally:
        try:
            if writing and ending is not None:  # nobody listens any more, but the daemon has the time
                await asyncio.wait({work}, timeout=LAST_WORD)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def _over(passed: asyncio.Queue[Json | None], work: asyncio.Task[None]) -> None:
    """Tell whoever reads; where nobody does any more, how it ended is nobody's business."""
    _ = work.cancelled() or work.exception()
    passed.put_nowait(None)


async def _pass(
    events: AsyncGenerator[Json, None], passed: asyncio.Queue[Json | None], room: asyncio.Semaphore
) -> None:
    async with aclosing(events):
        async for event in events:
            await room.acquire()
            passed.put_nowait(event)
