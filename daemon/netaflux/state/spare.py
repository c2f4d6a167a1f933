"""A second copy of each account's tokens, in a file of its own.

A database can be damaged as a whole, and Netatmo takes the newest refresh token alone. Where the database
does not take a new record, this copy is the only one. So it counts only where it is whole, as its sum tells.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from netaflux.core.model import AccountName
from netaflux.state.faults import UNREADABLE_JSON
from netaflux.state.fresh import made_anew
from netaflux.state.saved import Saved, is_serial

LARGEST: Final = 1 << 20
"""Bytes of a copy; tokens have some hundreds."""

_log = structlog.get_logger()


def write_spare(directory: Path, account: AccountName, saved: Saved) -> None:
    """Write the account's spare file so that it survives a power cut, whole or not at all. Raises OSError."""
    path = _path(directory, account)
    unfinished = path.with_suffix(".tmp")
    told = {"account": account, "serial": saved.serial, "record": saved.text}
    text = json.dumps({**told, "sum": _sum(account, saved)})
    if len(text) > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))  # it would not be read again
    try:
        _write_synced(unfinished, text)
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    sync_directory(directory)


def read_spares(directory: Path) -> Iterator[tuple[AccountName, Saved]]:
    """All copies that can be read; one that cannot is renamed, so that it is told of once."""
    for path in _paths(directory):
        if read := _read(path):
            yield read
            continue
        _log.warning("spare.set_aside", path=str(path))
        with suppress(OSError):
            path.rename(path.with_suffix(".unreadable"))


def any_spare(directory: Path) -> bool:
    """Whether there is a file that holds tokens of ours."""
    return any(_read(path) is not None for path in _paths(directory))


def _paths(directory: Path) -> list[Path]:
    return sorted(directory.glob("tokens-*.json"))


def _read(path: Path) -> tuple[AccountName, Saved] | None:
    with suppress(OSError, *UNREADABLE_JSON):
        match json.loads(_beginning(path)):
            case {"account": str(name), "serial": int(serial), "record": str(text), "sum": told}:
                account, saved = AccountName(name), Saved(serial, text)
                if is_serial(serial) and told == _sum(account, saved):
                    return account, saved
    return None


def _beginning(path: Path) -> bytes:
    """All of it, if it is of ours; without waiting for anybody at the other end of a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.read(descriptor, LARGEST)
    finally:
        os.close(descriptor)


def _sum(account: AccountName, saved: Saved) -> str:
    told = json.dumps([account, saved.serial, saved.text], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()


def _path(directory: Path, account: AccountName) -> Path:
    # an account's name is any text, a file's is not
    return directory / f"tokens-{hashlib.sha256(account.encode()).hexdigest()[:16]}.json"


def _write_synced(path: Path, text: str) -> None:
    with made_anew(path) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make a rename last: it is the directory that holds the name."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
