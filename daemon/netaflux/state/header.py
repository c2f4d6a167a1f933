"""What the bytes of a file tell before SQLite opens it: whose it is, and whether SQLite left it so.

SQLite may tidy up a file (journal, write-ahead log) as soon as it opens it, and what it does not take for a
log it throws away. So both are looked at first.
"""

import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

from netaflux.core.errors import StateDamaged, StateForeign
from netaflux.state.spare import any_spare

APPLICATION_ID = int.from_bytes(b"nafx", "big")
"""Stands in the file's header, so that nobody's database is taken for ours."""
HEADER_BYTES = 100
OURS = b"CREATE UNIQUE INDEX binding_in_force ON bindings"
"""Stands in every database of ours, near the header and in the first log; nobody else's has it."""

_MAGIC = b"SQLite format 3\x00"
_APPLICATION_ID_AT = slice(68, 72)  # big-endian, as all of it: https://sqlite.org/fileformat2.html
_LOG_MAGIC = 0x377F0682
_LOG_VERSION = 3007000
_LOG_HEADER = struct.Struct(">8I")
_FRAME_HEADER_BYTES = 24


def log_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def look_at(path: Path, descriptor: int, *, fresh: bool) -> None:
    """Look at the open file, which is `fresh` where there was none until now.

    Raises StateForeign where it was never ours, StateDamaged where it was and cannot be whole any more.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise StateForeign(f"{path} is not a regular file")
    header = os.pread(descriptor, HEADER_BYTES, 0)
    if not header:
        _look_at_empty(path, fresh=fresh)
    elif _application_id(header) != APPLICATION_ID or not is_sound(header):
        _refuse_unless_ours(path, header)
        raise StateDamaged(f"{path} is damaged: its header is not what it was")
    if log := _ailing_log(log_of(path)):
        raise StateDamaged(log)


def is_sound(header: bytes) -> bool:
    """Whether it is the header of a database as SQLite makes them for us, of whatever content."""
    return (
        len(header) == HEADER_BYTES
        and header.startswith(_MAGIC)
        and header[16:18] in {(1 << power).to_bytes(2, "big") for power in (*range(9, 16), 0)}  # bytes a page
        and set(header[18:20]) <= {1, 2}  # written with a journal, or with a write-ahead log
        and header[20:24] == bytes((0, 64, 32, 32))
        and header[44:48] in {bytes((0, 0, 0, version)) for version in range(5)}  # how the schema is written
        and header[56:60] in {bytes(4), bytes((0, 0, 0, 1))}  # UTF-8
        and header[72:92] == bytes(20)
    )


def _application_id(header: bytes) -> int:
    return int.from_bytes(header[_APPLICATION_ID_AT], "big")


def _look_at_empty(path: Path, *, fresh: bool) -> None:
    """A file without a byte is nobody's: the very first start may leave it; or all that was in it is lost.

    Whether it was in ours is told by what lies beside it, in whatever condition that is.
    """
    ours = _is_our_place(path)
    if _bytes_of(log_of(path)) or (ours and not fresh):
        if not ours:
            _refuse_unless_ours(path, b"")
        raise StateDamaged(f"{path} is damaged: it is empty")


def _is_our_place(path: Path) -> bool:
    """Whether something lies there that only we call so: a copy of tokens, or a database set aside."""
    return any(any(path.parent.glob(names)) for names in ("tokens-*", f"{path.name}.damaged-*"))


def _refuse_unless_ours(path: Path, header: bytes) -> None:
    """Raise StateForeign where it is not certain that the file was ours.

    It is where the number stands that marks ours, or the definition of a table. Tokens of ours beside a file
    that is no database (any more) tell the same: this is our directory.
    """
    if _application_id(header) == APPLICATION_ID or _has_our_tables(path):
        return
    theirs = is_sound(header)
    if theirs or not any_spare(path.parent):
        raise StateForeign(f"{path} is another program's database" if theirs else f"{path} is not a database")


def _has_our_tables(path: Path) -> bool:
    return any(OURS in _bytes_of(file) for file in (path, log_of(path)))


def _bytes_of(file: Path) -> bytes:
    with suppress(OSError):
        return file.read_bytes()
    return b""


def _ailing_log(log: Path) -> str | None:
    """Why SQLite would pay no heed to a log that has something in it; None where it would."""
    try:
        with log.open("rb") as file:
            header, size = file.read(_LOG_HEADER.size), os.fstat(file.fileno()).st_size
    except OSError:
        return None  # there is none; or SQLite will say what is wrong with it
    if size <= _LOG_HEADER.size + _FRAME_HEADER_BYTES:
        return None  # nothing was ever committed to it
    magic, version, page, *_, first, second = _LOG_HEADER.unpack(header)
    order = ">" if magic & 1 else "<"
    sound = (
        magic & ~1 == _LOG_MAGIC
        and version == _LOG_VERSION
        and page in {1 << power for power in range(9, 17)}
        and _checksum(struct.unpack(f"{order}6I", header[:24])) == (first, second)
    )
    return None if sound else f"{log} is damaged: its header is not what it was"


def _checksum(words: tuple[int, ...]) -> tuple[int, int]:
    """As the file format defines it."""
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
