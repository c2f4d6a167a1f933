"""The map for developers names tests, and all that it names are there."""

import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
MAP = TESTS.parent / "daemon" / "README.md"
DEFECTS = 20

ROW = re.compile(r"\| (D\d+)? +\|.*\|(.*)\|")
CLAIM = re.compile(r"`([\w/]*\.py)?(?:::(\w+))?`")


def rows() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Of each defect its number, and the tests as file and name; the number stands in its first row only."""
    number = ""
    for row in map(ROW.fullmatch, MAP.read_text().splitlines()):
        if row:
            number = row[1] or number
            yield number, [(file, name) for file, name in CLAIM.findall(row[2]) if file or name]


def missing(claims: list[tuple[str, str]]) -> Iterator[str]:
    """The tests that are not where they are said to be; a name without a file is in the file before it."""
    text = named = ""
    for file, name in claims:
        if file:
            named, place = file, TESTS / file
            text = place.read_text() if place.exists() else ""
        if not text or (name and f"def {name}(" not in text):
            yield f"{named}::{name}"


def test_every_defect_of_others_has_tests_and_they_are_there() -> None:
    told = [*rows()]

    assert {number for number, _ in told} == {f"D{number}" for number in range(1, DEFECTS + 1)}
    assert [number for number, claims in told if not claims] == []
    assert [each for _, claims in told for each in missing(claims)] == []


def test_a_test_that_is_not_there_is_found() -> None:
    here, this = "test_map.py", "test_a_test_that_is_not_there_is_found"

    assert [*missing([(here, this), ("", "test_no"), ("core/no.py", ""), ("", this)])] == [
        f"{here}::test_no",
        "core/no.py::",
        f"core/no.py::{this}",
    ]
