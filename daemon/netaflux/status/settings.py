"""What the configuration says about the status socket."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator

from netaflux.core.settings import Part

LONGEST_SOCKET: Final = 107
"""Bytes of a Unix socket's path; the kernel's field of 108 holds a zero, too (unix(7))."""

SocketMode = Literal[0o600, 0o660]
MODES: Final[dict[object, SocketMode]] = {
    # 600 and 660 are what a person means who forgets TOML's 0o
    **dict.fromkeys(("0600", "600", "0o600", 0o600, 600), 0o600),
    **dict.fromkeys(("0660", "660", "0o660", 0o660, 660), 0o660),
}


def absolute(path: Path) -> Path:
    """The path, if it means the same place from everywhere. Raises ValueError with a sentence."""
    if not str(path).isprintable():
        raise ValueError("must not hold control characters")
    if not path.is_absolute() and path.parts[:1] != ("~",):
        raise ValueError("must be an absolute path, or begin with ~/")
    return path


AbsolutePath = Annotated[Path, AfterValidator(absolute)]


def fits_a_socket(path: Path) -> Path:
    """The path, if a Unix socket can have it. Raises ValueError with a sentence."""
    if len(bytes(path)) > LONGEST_SOCKET:
        raise ValueError(f"is too long: a socket's path has at most {LONGEST_SOCKET} bytes")
    return path


def _mode(value: object) -> SocketMode:
    mode = MODES.get(value) if isinstance(value, str | int) else None
    if mode is None:
        raise ValueError('must be "0600" (only this user) or "0660" (the group may read, too)')
    return mode


class StatusSettings(Part):
    """Where the daemon can be asked how it is, and by whom."""

    socket: Annotated[AbsolutePath, AfterValidator(fits_a_socket)] | None = None
    """None: in the runtime directory, else in the state directory."""
    mode: Annotated[SocketMode, BeforeValidator(_mode)] = 0o600
