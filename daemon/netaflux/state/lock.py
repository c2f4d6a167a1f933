"""One process per state directory: the directory made and looked at, then its lock held."""

import fcntl
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netaflux.core.errors import StateError, StateForeign, StateLocked

_LOCK = "lock"
_HOW = os.O_CLOEXEC | os.O_NOFOLLOW  # what is written to it is not to land elsewhere
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


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
    StateError where it cannot be written, or where others may write to it for good.
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
        descriptor = os.open(directory / _LOCK, _HOW | os.O_RDONLY)
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
        found = directory.stat()
    if found.st_uid != os.geteuid():
        _refuse_as_foreign(directory, found.st_uid)
    if found.st_mode & _OTHERS_WRITE:
        _close_to_others(directory, stat.S_IMODE(found.st_mode))


def _close_to_others(directory: Path, mode: int) -> None:
    """Let nobody else make files in it: they could lay a database or tokens of theirs there."""
    import structlog  # noqa: PLC0415 - a health check asks for the lock's name alone

    with suppress(OSError):
        directory.chmod(mode & ~_OTHERS_WRITE)
    if directory.stat().st_mode & _OTHERS_WRITE:
        raise StateError(
            f"Others may write to the state directory {directory} ({mode:04o}), which cannot be changed",
            advice="Point `state_dir` to a directory on a disk with permissions, of mode 0700.",
        )
    structlog.get_logger().warning("state.closed_to_others", directory=str(directory), mode=f"{mode:04o}")


def _refuse_as_foreign(directory: Path, owner: int) -> None:
    """Raise StateLocked while its user's own process holds it, for that can be asked; else StateForeign."""
    with suppress(OSError):
        descriptor = os.open(directory / _LOCK, _HOW | os.O_RDONLY)
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
        if lock.is_symlink():
            raise StateError(f"{lock} is a symbolic link, which we lay nowhere", advice="Remove it.")
        return os.open(lock, _HOW | os.O_RDWR | os.O_CREAT, 0o600)


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
