"""Looks that hang or crash keep nobody waiting."""

import threading
from collections.abc import Iterator

import pytest

from netaflux.core.errors import StateError
from netaflux.core.findings import Finding, well
from netaflux.doctor.bounded import all_of


def fine() -> Iterator[Finding]:
    yield well("fine", "it is")


def test_one_that_hangs_is_given_up_and_what_it_found_counts() -> None:
    ever = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield well("hangs", "so far")
        ever.wait(60)

    try:
        found = all_of([("hangs", hangs), ("fine", fine), ("hangs, too", hangs), ("last", fine)], longest=0.2)
    finally:
        ever.set()

    assert [(each.what, each.grade) for each in found] == [
        ("hangs", "ok"),
        ("hangs", "problem"),
        ("fine", "ok"),
        ("hangs", "ok"),
        ("hangs, too", "problem"),
        ("fine", "ok"),
    ]
    assert {each.code for each in found} == {0, 75}


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (StateError("it is damaged"), "it is damaged", 75),
        (PermissionError(13, "Permission denied", "/x"), "cannot be looked at: /x: Permission denied", 75),
        (ZeroDivisionError("oh"), "could not be looked at, for a bug: ZeroDivisionError('oh')", 1),
    ],
)
def test_one_that_fails_is_a_finding(error: Exception, words: str, code: int) -> None:
    def fails() -> Iterator[Finding]:
        yield well("fails", "so far")
        raise error

    first, second, third = all_of([("fails", fails), ("fine", fine)])

    assert (first.grade, second.what, second.text, second.code) == ("ok", "fails", words, code)
    assert third.what == "fine"
