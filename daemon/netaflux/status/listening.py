"""Sockets to listen at: nothing that stands in the way is destroyed, and nobody else's place is taken."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EADDRINUSE
from pathlib import Path
from typing import Final

from netaflux.core.errors import ConfigError, NetafluxError, StateError
from netaflux.status.settings import Address

ADVICE = "Set `socket` under [status] to a path of its own, in a directory that this user may write to."
ADDRESS_ADVICE = "Set `metrics_listen` under [status] to a free port and an address of this machine."
LASTING: Final = {EADDRINUSE: "another program listens there", EACCES: "this user may not listen there"}
"""What does not pass by itself, and how we call it; an address may well appear a moment after our start."""
PATIENCE = 2.0
"""Real seconds for somebody who may be listening there to take a connection."""


@contextmanager
def listening(path: Path, mode: int) -> Iterator[socket.socket]:
    """A bound socket, removed in the end. One that a dead process left behind is replaced.

    Raises ConfigError where something else stands there or somebody listens, StateError where it cannot
    be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made = _bound(listener, path, mode)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise StateError(f"the status socket {path} cannot be made: {reason}", advice=ADVICE) from error
    except ConfigError:
        listener.close()
        raise
    try:
        yield listener
    finally:
        listener.close()
        with suppress(OSError):
            # by now it may be the socket of another process, which must stay
            if _identity(path) == made:
                path.unlink()


@contextmanager
def listening_at(address: Address) -> Iterator[socket.socket]:
    """A socket that listens at a port.

    Raises ConfigError where the port is taken, or forbidden, StateError where it cannot be had just now.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        # connections of a process before, which are coming to their end, leave the port free
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host, address.port))
            listener.listen()
        except OSError as error:
            raise _unavailable(address, error) from error
        yield listener


def _unavailable(address: Address, error: OSError) -> NetafluxError:
    reason = LASTING.get(error.errno or 0)
    kind = ConfigError if reason else StateError
    said = reason or error.strerror or error
    return kind(f"the metrics cannot be served at {address}: {said}", advice=ADDRESS_ADVICE)


def _bound(listener: socket.socket, path: Path, mode: int) -> tuple[int, int]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_room(path)
    before = os.umask(0o777 & ~mode)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return _identity(path)


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _make_room(path: Path) -> None:
    """Remove a socket that nobody listens at any more."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError(f"{path} exists and is no socket; it is left as it is", advice=ADVICE)
    if _somebody_listens(path):
        raise ConfigError(f"another program listens at {path}", advice=ADVICE)
    path.unlink()


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PATIENCE)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except TimeoutError:
            return True
    return True
