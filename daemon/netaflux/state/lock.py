"""One process per state directory: the directory made and looked at, then its lock held."""

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netaflux.core.errors import StateError, StateForeign, StateLocked

_LOCK = "lock"


def name_of(directory: Path) -> str | None:
    """What tells this state from every other on the machine; None where that cannot be looked at."""
    try:
        found = (directory / _LOCK).stat()
    except OSError:
        return None
    return f"{found.st_dev}:{found.st_ino}"


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Own the state directory, made if it is missing, until the context ends or the process dies.

    Raises StateLocked where another process owns it, StateForeign where it belongs to another user,
    StateError where it cannot be written.
    """
    _prepare(directory)
    descriptor = _opened(directory / _LOCK)
    try:
        _take(descriptor, directory)
        # a full disk must not keep the daemon from starting: without the pid, the lock still holds
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # the file stays: who unlinks a lock file can make two owners
        os.close(descriptor)


def holder(directory: Path) -> StateLocked | None:
    """Who owns the state directory, as the error that everybody else gets; None where nobody does."""
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        _take(descriptor, directory)
    except StateLocked as locked:
        return locked
    finally:
        os.close(descriptor)
    return None


def _prepare(directory: Path) -> None:
    with _our_errors(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = directory.stat().st_uid
    if owner != os.geteuid():
        _refuse_as_foreign(directory, owner)


def _refuse_as_foreign(directory: Path, owner: int) -> None:
    """Raise StateLocked while its user's own process holds it, for that can be asked; else StateForeign."""
    with suppress(OSError):
        descriptor = os.open(directory / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _take(descriptor, directory)
        finally:
            os.close(descriptor)
    raise StateForeign(
        f"The state directory {directory} belongs to {_user(owner)}, and this is {_user(os.geteuid())}",
        advice=f"Run it as {_user(owner)}, who could not write the files that you would leave there,"
        " or point `state_dir` to a directory of your own.",
    )


def _opened(lock: Path) -> int:
    with _our_errors(lock.parent):
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(descriptor: int, directory: Path) -> None:
    try:
        with _our_errors(directory):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        text = os.pread(descriptor, 32, 0).strip()
        pid = int(text) if text.isdigit() else None
        holder = f" (pid {pid})" if pid else ""
        raise StateLocked(f"netaflux already runs here{holder}: {directory}", pid=pid) from error


@contextmanager
def _our_errors(directory: Path) -> Iterator[None]:
    """All but BlockingIOError, by which flock says that somebody else holds it."""
    try:
        yield
    except BlockingIOError:
        raise
    except FileExistsError as error:
        raise StateError(f"The state directory {directory} is not a directory") from error
    except OSError as error:
        raise StateError(f"The state directory {directory} cannot be used: {error.strerror}") from error


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"  # a user made for a service while it runs, or another container's
