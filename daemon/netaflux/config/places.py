"""Where netaflux keeps its state and can be spoken to; pure, from the settings and the environment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from netaflux.config.settings import Settings
from netaflux.core.errors import ConfigError
from netaflux.status.settings import fits_a_socket

SOCKET: Final = "netaflux.sock"
SERVICE_RUNTIME: Final = Path("/run/netaflux")
"""The runtime directory of the system's service, whose environment a person's shell does not share."""


def state_dir(settings: Settings | None, environ: Mapping[str, str]) -> Path:
    """The directory of what must survive. Raises ConfigError where nothing says which."""
    if settings and settings.state_dir:
        return _at_home(settings.state_dir, environ)
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    home = [Path(environ["HOME"], ".local/state")] if environ.get("HOME") else []
    for base in (*_absolute(environ, "XDG_STATE_HOME"), *home):
        return base / "netaflux"
    raise ConfigError(
        "nothing says where the state is kept", advice="Set `state_dir` in the configuration, or $HOME."
    )


def socket_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Where the daemon listens. Raises ConfigError where no socket can be."""
    path = next(_sockets(settings, environ))
    try:
        return fits_a_socket(path)
    except ValueError as error:
        raise ConfigError(
            f"the status socket {path} {error}", advice="Set `socket` under [status] to a shorter path."
        ) from error


def socket_candidates(settings: Settings | None, environ: Mapping[str, str]) -> Sequence[Path]:
    """Where a daemon may listen, the likeliest first; without settings where they cannot be read."""
    ours: list[Path] = []
    with suppress(ConfigError):  # a place that cannot be told is one less to look at
        ours.extend(_sockets(settings, environ))
    return tuple(dict.fromkeys((*ours[:1], SERVICE_RUNTIME / SOCKET, *ours[1:])))


def _sockets(settings: Settings | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where the daemon's socket may be, of which it takes the first."""
    if settings and settings.status.socket:
        yield _at_home(settings.status.socket, environ)
    if given := environ.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        yield Path(given, SOCKET)
    yield from (base / SOCKET for base in _absolute(environ, "XDG_RUNTIME_DIR"))
    yield state_dir(settings, environ) / SOCKET


def _at_home(path: Path, environ: Mapping[str, str]) -> Path:
    if path.parts[0] != "~":
        return path
    if not environ.get("HOME"):
        raise ConfigError(f"{path} needs $HOME, which is not set", advice="Write the path out.")
    return Path(environ["HOME"], *path.parts[1:])


def _absolute(environ: Mapping[str, str], name: str) -> Iterator[Path]:
    """The directory that a variable names; the XDG specification ignores relative ones."""
    if (path := Path(environ.get(name, ""))).is_absolute():
        yield path
