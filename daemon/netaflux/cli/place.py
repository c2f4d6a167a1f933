"""Which configuration a command works with."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netaflux.config import Loaded, load, socket_candidates, state_dir
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
