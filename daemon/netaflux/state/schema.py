"""The database file itself: ours or not, sound or mended, and of our version."""

import os
import sqlite3
from pathlib import Path

from netaflux.core.errors import StateDamaged, StateError
from netaflux.state.doubts import require_no_doubt
from netaflux.state.faults import our_errors
from netaflux.state.header import APPLICATION_ID, look_at
from netaflux.state.rescue import rescue, settle
from netaflux.state.soundness import examine
from netaflux.state.versions import migrate, migrations, number


def connected(path: Path) -> sqlite3.Connection:
    """A connection to our database, made, mended or migrated as needed; to be used in this thread alone.

    Raises StateForeign, before anything is written, where the file is another program's or a newer
    netaflux's; StateError where it cannot be read or written.
    """
    try:
        _look_over(path)
    except StateDamaged as damage:
        rescue(path, damage.message)
        _look_over(path)
    with our_errors(path):
        # transactions are our own business: isolation_level None lets sqlite3 open none by itself
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _look_over(path: Path) -> None:
    _secure(path)
    require_no_doubt(path)
    examine(path)


def _secure(path: Path) -> None:
    """See to a file that only we can read; SQLite gives its mode to the -wal and -shm files beside it."""
    try:
        settle(path)
        fresh = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            look_at(path, descriptor, fresh=fresh)
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}") from error


def _set_up(connection: sqlite3.Connection) -> None:
    # before WAL, so that the id stands in the file itself and not in its -wal only
    if number(connection, "PRAGMA application_id") != APPLICATION_ID:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits, a token among them
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection, migrations())
