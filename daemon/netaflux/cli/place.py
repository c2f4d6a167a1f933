"""Which configuration a command works with."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from netaflux.cli.show import say
from netaflux.config import Loaded, load, salvage, socket_candidates, state_dir
from netaflux.core.errors import ConfigError, NobodyAtSocket
from netaflux.state.lock import name_of
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


def daemon_of(loaded: Loaded) -> StatusClient:
    """The way to the daemon that owns the state of this configuration."""
    state = name_of(state_dir(loaded.settings, os.environ))
    return StatusClient(socket_candidates(loaded.settings, os.environ), state=state)


def answer_of_daemon(place: Place, route: str) -> tuple[int, dict[str, Any]]:
    """HTTP status and body of a route of the daemon, which lives on while its file is being edited.

    Raises ConfigError where that has a mistake and nobody answers, NobodyAtSocket.
    """
    try:
        loaded = place.load()
    except ConfigError as mistake:
        with suppress(NobodyAtSocket):
            answer = _daemon_of_before(place).get(route)
            say(f"netaflux: note: the daemon goes on as it is, but has a mistake ahead: {mistake.message}")
            return answer
        raise
    return daemon_of(loaded).get(route)


def _daemon_of_before(place: Place) -> StatusClient:
    """The way to the daemon as far as it can be read of a mistaken configuration."""
    settings = salvage(place.config, os.environ).settings
    state = None
    with suppress(ConfigError):
        state = name_of(state_dir(settings, os.environ))
    return StatusClient(socket_candidates(settings, os.environ), state=state)
