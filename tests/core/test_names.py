"""What people call things: ids in any spelling, names but for case and blanks, and no label twice."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import AmbiguousName, UnknownName
from netaflux.core.names import folded, labels, named, the_one


@dataclass(frozen=True)
class Thing:
    id: str
    names: tuple[str, ...] = ()


PORCH = Thing("02:00:00:00:00:01", ("Porch", "Home/Porch"))
DOUBLE = Thing("02:00:00:00:00:02", ("Porch", "Cabin/Porch"))
BLANK = Thing("")


@pytest.mark.parametrize(
    "text", ["02:00:00:00:00:01", " 02-00-00-00-00-01 ", "02:00:00:00: 00:01", "Home/Porch", " home/PORCH  "]
)
def test_a_thing_is_found(text: str) -> None:
    assert the_one(text, [PORCH, DOUBLE, BLANK], "module") is PORCH


def test_an_exact_name_goes_before_one_that_is_alike() -> None:
    small, large = Thing("1", ("attic",)), Thing("2", ("ATTIC",))

    assert the_one("ATTIC", [small, large], "module") is large
    assert named("Attic", [small, large]) == [small, large]


def test_a_name_of_several_is_told_with_their_ids() -> None:
    with pytest.raises(AmbiguousName, match=f"more than one module: {PORCH.id} and {DOUBLE.id}"):
        the_one("porch", [PORCH, DOUBLE], "module")


def test_a_name_of_nobody_is_told_with_near_ones() -> None:
    with pytest.raises(UnknownName, match="no module `Proch`; did you mean `Porch`"):
        the_one("Proch", [PORCH], "module")


def test_where_no_name_is_near_all_are_told_unless_they_are_many() -> None:
    with pytest.raises(UnknownName, match=r"; there is `Porch`, `7`$"):
        the_one("Xyz", [PORCH, Thing("7")], "module")
    with pytest.raises(UnknownName, match=r"no module `Xyz`$"):
        the_one("Xyz", [Thing(str(number)) for number in range(9)], "module")


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_said_finds_nothing(text: str) -> None:
    with pytest.raises(UnknownName):
        the_one(text, [BLANK], "module")


def test_a_label_is_the_first_name_that_is_nobody_elses() -> None:
    assert labels([PORCH, DOUBLE]) == ("Home/Porch", "Cabin/Porch")


def test_names_that_do_not_tell_apart_get_their_ids() -> None:
    plain = [Thing("1", ("Porch",)), Thing("2", ("porch",)), Thing("3"), Thing("4", ("Attic",))]

    assert labels(plain) == ("Porch (1)", "porch (2)", "3", "Attic")


def test_names_may_be_chosen() -> None:
    assert labels([PORCH, DOUBLE], lambda thing: thing.names[1:]) == ("Home/Porch", "Cabin/Porch")
    assert labels([PORCH], lambda _: ()) == (PORCH.id,)


WORDS = st.sampled_from(["a", "A", "b", "b (1)", "1", "2", "nameless", ""])
THINGS = st.lists(st.builds(Thing, WORDS, st.lists(WORDS.filter(bool), max_size=2).map(tuple)), max_size=6)


@given(THINGS)
def test_no_two_things_are_labelled_alike(things: list[Thing]) -> None:
    told = labels(things)

    assert len(told) == len(things)
    assert len({folded(label) for label in told}) == len(things)
    assert all(told)
