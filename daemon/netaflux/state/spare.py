"""A file of its own for an account's tokens that the database could not take."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from netaflux.core.model import AccountName

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Saved:
    """A record as it is written down."""

    serial: int
    """Grows with every save: of two copies, the greater one is the newer."""
    text: str = field(repr=False)


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
    _sync_directory(directory)


def read_spares(directory: Path) -> Iterator[tuple[AccountName, Saved]]:
    """All spare files that can be read; one that cannot is renamed, so that it is told of once."""
    for path in sorted(directory.glob("tokens-*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            yield AccountName(str(data["account"])), Saved(int(data["serial"]), str(data["record"]))
        except (OSError, ValueError, KeyError, TypeError):
            _log.warning("spare.set_aside", path=str(path))
            with suppress(OSError):
                path.rename(path.with_suffix(".unreadable"))


def remove_spare(directory: Path, account: AccountName) -> None:
    """Remove the account's spare file, if there is one; one that stays does no harm, its serial is old."""
    with suppress(OSError):
        _path(directory, account).unlink()


def _path(directory: Path, account: AccountName) -> Path:
    # an account's name is any text, a file's is not
    return directory / f"tokens-{hashlib.sha256(account.encode()).hexdigest()[:16]}.json"


def _write_synced(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """Make a rename last: it is the directory that holds the name."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
