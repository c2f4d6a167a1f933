"""What the configuration says about the status socket and the port of the metrics."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator

from netaflux.core.settings import Part, is_loopback

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


LOOPBACK: Final = "127.0.0.1"
HIGHEST_PORT: Final = 65535

_ADDRESS: Final = re.compile(
    r"(?:(?:(?P<v4>[^:\[\]]+)|\[(?P<v6>[^\[\]]+)\]):)?(?P<port>[0-9]{1,5})", re.ASCII
)
"""A port, or an address and a port; one of IPv6 stands in brackets, as in a URL."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: an address of this machine, and a port of it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return is_loopback(self.host)


def _address(value: object) -> Address:
    """From a port, or an address and a port. Raises ValueError with a sentence."""
    written = str(value) if isinstance(value, str | int) else ""
    found = _ADDRESS.fullmatch(written.strip())
    host = _host(found) if found else None
    if not found or host is None or not 0 < int(found["port"]) <= HIGHEST_PORT:
        raise ValueError(
            'must be a port, such as "9211", or an address of this machine with one, such as '
            '"127.0.0.1:9211" or "[::1]:9211"'
        )
    return Address(host, int(found["port"]))


def _host(found: re.Match[str]) -> str | None:
    """The address; loopback where none is written. None for a name: it may stand for any, or for several."""
    if not found["v6"] and found["v4"] in {None, "localhost"}:
        return LOOPBACK
    try:
        return str(IPv6Address(found["v6"]) if found["v6"] else IPv4Address(found["v4"]))
    except ValueError:
        return None


class StatusSettings(Part):
    """Where the daemon can be asked how it is, and by whom."""

    socket: Annotated[AbsolutePath, AfterValidator(fits_a_socket)] | None = None
    """None: in the runtime directory, else in the state directory."""
    mode: Annotated[SocketMode, BeforeValidator(_mode)] = 0o600
    metrics_listen: Annotated[Address, PlainValidator(_address), PlainSerializer(str)] | None = None
    """Where the metrics can be had beside the socket, by whoever reaches it; None: nowhere."""
