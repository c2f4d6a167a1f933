"""Room on the disk: whether what is fetched can be recorded."""

import errno
import os
from pathlib import Path
from typing import Final

from netaflux.state.fresh import made_anew

SPARE_ROOM: Final = 8 << 20
"""Bytes that have to be free: the pages in hand, and what the write-ahead log grows by until it is moved."""
_TRIAL: Final = 1 << 20


def room_lacking(directory: Path, room: int) -> str:
    """In words, where less than so many bytes are free; nothing where there are as many."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return ""  # whoever writes will see
    free = disk.f_bavail * disk.f_frsize
    return f"the disk is nearly full ({free >> 20} MiB left of the {room >> 20} that are needed)" * (
        free < room
    )


def try_room(directory: Path, room: int) -> None:
    """Write more than a page of rows takes, and remove it again. Raises OSError."""
    if few := room_lacking(directory, room):
        raise OSError(errno.ENOSPC, few)
    trial = directory / "room.tmp"
    try:
        with made_anew(trial) as file:
            file.write(bytes(_TRIAL))
            file.flush()
            os.fsync(file.fileno())
    finally:
        trial.unlink(missing_ok=True)
