"""A database is looked at without a trace."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from netaflux.core.errors import StateError, StateForeign
from netaflux.state.examination import examine
from netaflux.state.schema import connected
from netaflux.state.versions import migrations


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connected(tmp_path / "netaflux.db")) as opened:
        yield opened


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def test_where_there_is_none_none_is_made(tmp_path: Path) -> None:
    assert examine(tmp_path) is None
    assert examine(tmp_path / "nowhere") is None
    assert names(tmp_path) == []


def test_a_path_that_cannot_be_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be looked at: File name too long"):
        examine(tmp_path / ("x" * 300))


def test_one_that_is_closed_is_whole_and_left_alone(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.close()
    before = names(tmp_path)
    found = examine(tmp_path)

    assert found is not None
    assert (found.version, found.ours, found.complaints) == (len(migrations()), len(migrations()), ())
    assert found.size == (tmp_path / "netaflux.db").stat().st_size
    assert names(tmp_path) == before == ["netaflux.db"]


def test_one_that_is_being_written_is_read_as_it_is(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE fresh (x)")
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO fresh VALUES (1)")
    found = examine(tmp_path)

    assert found is not None
    assert found.complaints == ()
    assert found.size > (tmp_path / "netaflux.db").stat().st_size
    database.execute("COMMIT")


def test_what_is_wrong_in_it_is_told(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.close()
    path = tmp_path / "netaflux.db"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 + 64] = b"\xa5" * 64
    path.write_bytes(content)

    try:
        found = examine(tmp_path)
    except StateError as error:
        assert "damaged" in error.message  # noqa: PT017 - SQLite may be unable even to look
    else:
        assert found is not None
        assert found.complaints


def test_a_complaint_is_a_line_that_a_person_can_read(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE fresh (x)")
    database.executemany("INSERT INTO fresh VALUES (?)", [("x" * 3000,)] * 9)
    page = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'fresh'").fetchone()[0]
    database.close()
    with (tmp_path / "netaflux.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    found = examine(tmp_path)

    assert found is not None
    assert found.complaints
    for complaint in found.complaints:
        assert complaint.isprintable()
        assert "***" not in complaint


def test_another_programs_database_is_told_from_ours(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "netaflux.db")) as other:
        other.execute("CREATE TABLE theirs (x)")

    with pytest.raises(StateForeign):
        examine(tmp_path)


def test_what_is_no_database_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "netaflux.db").write_text("letters" * 100)

    with pytest.raises(StateError, match="damaged"):
        examine(tmp_path)
