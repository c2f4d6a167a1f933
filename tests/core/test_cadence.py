"""Failures space the tries, up to the rhythm of a station."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.cadence import LONGEST_BACK_OFF, SHORTEST_BACK_OFF, backed_off


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 600), (7, 600)]
)
def test_each_failure_doubles_the_wait_up_to_ten_minutes(failures: int, seconds: float) -> None:
    assert backed_off(failures) == seconds


@given(st.integers(0, 10**9))
def test_no_number_of_failures_leaves_the_bounds_or_shortens_the_wait(failures: int) -> None:
    assert backed_off(failures) <= backed_off(failures + 1) <= LONGEST_BACK_OFF
    assert backed_off(max(1, failures)) >= SHORTEST_BACK_OFF
