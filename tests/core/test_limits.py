"""How live polling and history share a limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.limits import Limit, Windows, stretch
from netaflux.core.model import Lane


@pytest.mark.parametrize(
    ("live", "history"),
    [(0, 320), (64, 320), (72, 310), (100, 275), (200, 150), (280, 50), (288, 40), (320, 40), (9999, 40)],
)
def test_what_live_polling_is_expected_to_need_and_a_quarter_more_stays_free_of_history(
    live: float, history: int
) -> None:
    assert Limit(400, 3600).for_history(live) == history


def test_a_short_window_keeps_free_what_the_hour_means_for_it() -> None:
    assert Limit(10, 10).for_history(360 * 2) == 10 - 3
    assert Limit(10, 10).for_history(360) == 10 - 2


@given(st.integers(1, 2000), st.floats(0, 5000))
def test_history_always_has_a_tenth_and_live_polling_a_fifth_where_that_can_be(
    permits: int, live: float
) -> None:
    history = Limit(permits, 3600).for_history(live)

    assert max(1, permits / 10) <= history
    assert permits - history >= (permits // 5 if permits > 1 else 0)


def test_history_yields_when_live_polling_comes_to_need_more() -> None:
    windows = Windows([Limit(10, 3600)])
    for _ in range(4):
        windows.take(0.0, Lane.HISTORY)

    assert windows.wait(0.0, Lane.HISTORY, live_per_hour=4) == 0
    assert windows.wait(0.0, Lane.HISTORY, live_per_hour=5) > 0
    assert windows.wait(0.0, Lane.LIVE, live_per_hour=5) == 0


def test_live_calls_are_told_from_the_others() -> None:
    windows = Windows([Limit(100, 3600)], [10.0] * 5)
    for lane in (Lane.LIVE, Lane.HISTORY, Lane.LIVE):
        windows.take(20.0, lane)
    windows.answered(30.0, Lane.LIVE)

    assert windows.made(100.0, 3600) == 8
    assert windows.made_live(100.0, 3600) == 2
    assert windows.made(3615.0, 3600) == 3
    assert windows.made_live(3635.0, 3600) == 1


@pytest.mark.parametrize(
    ("need", "per_hour", "factor"),
    [(0, 1, 1), (72, 400, 1), (280, 400, 1), (560, 400, 2), (72, 12, 72 / 8.4), (7, 1, 10)],
)
def test_live_polling_becomes_rarer_where_it_would_need_more_than_seven_tenths(
    need: float, per_hour: int, factor: float
) -> None:
    assert stretch(need, per_hour) == pytest.approx(factor)
