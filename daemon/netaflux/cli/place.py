"""Which configuration a command works with, and who performs it: this process, or the daemon."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netaflux.commands.words import Json
from netaflux.config import Loaded, load, secret_texts, socket_candidates
from netaflux.core.errors import NobodyAtSocket, StateLocked
from netaflux.logs import configure_for_command
from netaflux.status.client import StatusClient


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Place:
    """What every command takes."""

    config: Annotated[Path | None, Parameter(name=("--config", "-c"))] = None
    """The configuration file; by default the first of $NETAFLUX_CONFIG,
    $XDG_CONFIG_HOME/netaflux/config.toml and /etc/netaflux/config.toml that exists."""

    def load(self) -> Loaded:
        """Read the configuration. Raises ConfigError."""
        return load(self.config, os.environ)


Take = Callable[[Json], None]
"""What is done with each event of a command."""


def carry_out(place: Place, name: str, asked: Json, take: Take) -> int:
    """Perform a command here, or have the daemon perform it; the exit code of its last event.

    Whoever holds the state's lock owns the tokens and the budget, so there is never a second one.
    """
    loaded = place.load()
    configure_for_command(loaded.settings.log.level, secrets=secret_texts(loaded.settings))
    for warning in loaded.warnings:
        print(f"netaflux: note: {warning}", file=sys.stderr)
    try:
        return asyncio.run(_here(loaded, name, asked, take))
    except StateLocked as locked:
        return _by_the_daemon(loaded, name, asked, take, locked)


async def _here(loaded: Loaded, name: str, asked: Json, take: Take) -> int:
    from netaflux.app import open_app  # noqa: PLC0415 - what a command over the socket does not need
    from netaflux.commands import perform  # noqa: PLC0415 - the same

    code = 1
    async with open_app(loaded) as app, aclosing(perform(app, name, asked)) as events:
        async for event in events:
            take(event)
            code = event.get("exit_code", code)
    return code


def _by_the_daemon(loaded: Loaded, name: str, asked: Json, take: Take, locked: StateLocked) -> int:
    client = StatusClient(socket_candidates(loaded.settings, os.environ))
    code: int | None = None
    try:
        for event in client.command(name, asked):
            take(event)
            code = event.get("exit_code", code)
    except NobodyAtSocket as nobody:
        # something owns the state but does not talk: another command, or a daemon that starts or stops
        raise locked from nobody
    if code is None:
        raise StateLocked("the daemon ended before the command did", pid=locked.pid)
    return code
