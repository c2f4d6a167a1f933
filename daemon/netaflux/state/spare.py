"""A second copy of each account's tokens, in a file of its own.

A database can be damaged as a whole, and Netatmo takes the newest refresh token alone. Where the database
does not take a new record, this copy is the only one.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from netaflux.core.model import AccountName
from netaflux.state.saved import Saved

_log = structlog.get_logger()


def write_spare(directory: Path, account: AccountName, saved: Saved) -> None:
    """Write the account's spare file so that it survives a power cut, whole or not at all. Raises OSError."""
    path = _path(directory, account)
    unfinished = path.with_suffix(".tmp")
    text = json.dumps({"account": account, "serial": saved.serial, "record": saved.text})
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
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return AccountName(str(data["account"])), Saved(int(data["serial"]), str(data["record"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(directory: Path, account: AccountName) -> Path:
    # an account's name is any text, a file's is not
    return directory / f"tokens-{hashlib.sha256(account.encode()).hexdigest()[:16]}.json"


def _write_synced(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make a rename last: it is the directory that holds the name."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
