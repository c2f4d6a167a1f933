import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from netaflux.core.errors import StateError, StateForeign
from netaflux.state.header import APPLICATION_ID
from netaflux.state.schema import connected
from netaflux.state.versions import migrate, migrations
from tests.state.samples import largest_file, mode, modes

TABLES = {
    "accounts",
    "bindings",
    "budgets",
    "coverage",
    "destinations",
    "looks",
    "modules",
    "notices",
    "probe",
    "rescues",
    "rows_aside",
    "source_rows",
}


ROLLING_BACK = """
CREATE TABLE a (x);
CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT RAISE(ROLLBACK, 'undone'); END;
INSERT INTO a VALUES (1);
"""


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def refused(path: Path) -> StateError:
    """The error, after a look that nothing has changed in or beside the file."""
    before = path.read_bytes(), mode(path)
    with pytest.raises(StateError) as told:
        connected(path)

    assert (path.read_bytes(), mode(path)) == before
    assert list(path.parent.iterdir()) == [path]
    return told.value


def test_a_new_file_is_ours_and_of_the_newest_version(path: Path) -> None:
    with closing(connected(path)) as connection:
        assert tables(connection) == TABLES
        assert pragma(connection, "application_id") == APPLICATION_ID
        assert pragma(connection, "user_version") == len(migrations())


def test_a_commit_survives_a_power_cut_by_its_settings(path: Path) -> None:
    with closing(connected(path)) as connection:
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "synchronous") == 2
        assert pragma(connection, "foreign_keys") == 1


def test_a_file_of_an_older_version_goes_on_from_there(path: Path) -> None:
    """Version 0 of ours is what a power cut in the very first second leaves."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    with closing(connected(path)) as connection:
        assert tables(connection) == TABLES


def test_an_empty_file_is_taken(path: Path) -> None:
    path.touch()

    with closing(connected(path)) as connection:
        assert tables(connection) == TABLES


def test_our_file_is_opened_again_with_what_it_holds(path: Path) -> None:
    with closing(connected(path)) as connection:
        connection.execute("INSERT INTO budgets VALUES ('app', '{}')")

    with closing(connected(path)) as connection:
        assert connection.execute("SELECT * FROM budgets").fetchall() == [("app", "{}")]


def test_scripts_run_once_and_in_order() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, ["CREATE TABLE a (x);\n"])
        migrate(connection, ["CREATE TABLE a (x);\n", "ALTER TABLE a RENAME TO b;\nCREATE TABLE a (y);\n"])

        assert tables(connection) == {"a", "b"}
        assert pragma(connection, "user_version") == 2


def test_a_migration_happens_as_a_whole_or_not_at_all() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, ["CREATE TABLE a (x);\n"])
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, ["", "CREATE TABLE b (x);\n", "CREATE TABLE a (x);\n"])

        assert tables(connection) == {"a"}
        assert pragma(connection, "user_version") == 1
        assert not connection.in_transaction


def test_a_transaction_that_sqlite_has_undone_itself_is_not_undone_again(path: Path) -> None:
    """The first error is the one to tell, not that of a second ROLLBACK."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.Error, match="undone"):
            migrate(connection, [ROLLING_BACK])

        assert tables(connection) == set()


def test_a_newer_version_is_left_alone(path: Path) -> None:
    connected(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    told = refused(path)

    assert isinstance(told, StateForeign)
    assert told.exit_code == 78
    assert "newer netaflux (its version is 99" in told.message


@pytest.mark.parametrize("content", [b"Dear diary,\n", b"\0" * 4096, b"SQLite format 3\0"])
def test_a_file_that_is_not_a_database_of_ours_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o644)

    assert isinstance(refused(path), StateForeign)


@pytest.mark.parametrize("application", [0, 0x0F055112])
def test_another_programs_database_is_left_alone(path: Path, application: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {application}")
        connection.execute("CREATE TABLE checkout (x)")

    assert "another program" in refused(path).message


def test_another_programs_unfinished_transaction_is_left_alone(path: Path) -> None:
    """SQLite would move a -wal file into the database as soon as it opens and closes it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE theirs (x)")
        content, log = path.read_bytes(), path.with_name("netaflux.db-wal").read_bytes()
        with pytest.raises(StateForeign):
            connected(path)

        assert path.read_bytes() == content
        assert path.with_name("netaflux.db-wal").read_bytes() == log


def test_something_that_is_no_file_is_left_alone(path: Path) -> None:
    os.mkfifo(path)

    with pytest.raises(StateForeign, match="not a regular file"):
        connected(path)


def test_a_directory_in_its_place_is_told(path: Path) -> None:
    path.mkdir()

    with pytest.raises(StateError, match="cannot be opened: Is a directory"):
        connected(path)


def test_a_disk_that_takes_no_byte_is_told(path: Path) -> None:
    with largest_file(0), pytest.raises(StateError, match="input/output error"):
        connected(path)


@pytest.mark.usefixtures("open_umask")
def test_only_its_user_can_read_any_of_its_files(path: Path) -> None:
    with closing(connected(path)) as connection:
        connection.execute("INSERT INTO budgets VALUES ('app', '{}')")

        assert modes(path.parent) == {
            "netaflux.db": 0o600,
            "netaflux.db-wal": 0o600,
            "netaflux.db-shm": 0o600,
        }


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    connected(path).close()
    path.chmod(0o644)

    connected(path).close()

    assert mode(path) == 0o600
