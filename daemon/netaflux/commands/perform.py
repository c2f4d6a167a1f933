"""The table of the commands, and how one of them is performed.

An event is a plain dictionary with the key `event`; the last one is `result` (or `failed`) and carries
`exit_code`. Whoever owns the state performs the command: the command line itself, or the daemon for it.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import structlog

from netaflux.app import App
from netaflux.commands.authorize import authorize
from netaflux.commands.check import check
from netaflux.commands.devices import devices
from netaflux.commands.import_csv import import_csv
from netaflux.commands.sync import sync
from netaflux.commands.verify import verify
from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError

log = structlog.get_logger(__name__)

BUG: Final = "Please report it with what the log says; the daemon goes on."
Command = Callable[[App, Json], AsyncGenerator[Json, None]]

COMMANDS: Final[dict[str, Command]] = {
    "authorize": authorize,
    "check": check,
    "devices": devices,
    "import-csv": import_csv,
    "sync": sync,
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
        async with aclosing(command(app, asked)) as events:
            async for event in events:
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
