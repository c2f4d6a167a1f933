"""Names that may have been meant."""

import pytest

from netaflux.core.near import did_you_mean, near_names


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Temp_G", ("Temp_F", "Temp_C")),
        ("rh", ("RH",)),
        ("h2o_ppm", ("H2O_ppm",)),
        ("Sunshine", ()),
        ("", ()),
    ],
)
def test_near_names_are_offered_whatever_their_case(word: str, expected: tuple[str, ...]) -> None:
    assert set(near_names(word, ["Temp_C", "Temp_F", "RH", "H2O_ppm"])) == set(expected)


def test_names_that_differ_by_case_only_are_all_offered() -> None:
    assert near_names("rain", ["RAIN", "Rain"]) == ("RAIN", "Rain")
    assert len(near_names("rain", ["RAIN", "Rain", "raIN", "raiN"])) == 3


def test_the_sentence_ends_with_the_names_or_with_nothing() -> None:
    assert did_you_mean("Tenp", ["Temp", "Temps"]) == "; did you mean `Temp` or `Temps`?"
    assert not did_you_mean("Sunshine", ["Temp"])
