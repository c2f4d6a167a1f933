"""The versions of the file: the SQL scripts that lead from each one to the next."""

import sqlite3
from collections.abc import Iterator, Sequence
from importlib.resources import files


def migrations() -> list[str]:
    """The scripts in order; a file's version is the number of those that it has gone through."""
    folder = files("netaflux.state") / "migrations"
    scripts = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return [script.read_text(encoding="utf-8") for script in scripts]


def migrate(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Run the scripts that the file has not gone through yet: all of them, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in scripts[number(connection, "PRAGMA user_version") :]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    # not executescript: it would commit our transaction before it begins
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def number(connection: sqlite3.Connection, query: str) -> int:
    """The whole number that a query answers."""
    (answer,) = connection.execute(query).fetchone()
    return int(answer)
