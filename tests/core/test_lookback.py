"""What was delivered is asked for again, less and less often, and never for nothing."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.lookback import (
    AGAIN,
    DAY,
    FORGOTTEN,
    GAP,
    HOUR,
    LOOK_BACK,
    WEEK,
    Due,
    Gap,
    Looks,
    gaps_between,
)
from netaflux.core.model import Window

T = 1_700_000_000
NEW = Looks(day=T, week=T)


def test_nothing_is_due_of_a_module_that_was_never_polled() -> None:
    assert not Looks().due(T)


def test_the_first_poll_is_where_the_days_begin_to_count() -> None:
    assert Looks().looked(T, Window(T - HOUR)) == NEW


@pytest.mark.parametrize(
    ("passed", "due"),
    [
        (DAY - 1, Due()),
        (DAY, Due(2 * DAY)),
        (WEEK - 1, Due(2 * DAY)),
        (WEEK, Due(2 * DAY, (Window(T + WEEK - 14 * DAY, T + WEEK - 2 * DAY),))),
    ],
)
def test_two_days_are_looked_at_daily_and_two_weeks_weekly(passed: int, due: Due) -> None:
    assert NEW.due(T + passed) == due


def test_a_look_is_due_until_it_has_reached_far_enough() -> None:
    tomorrow = T + DAY

    assert NEW.looked(tomorrow, Window(tomorrow - HOUR)) == NEW
    assert NEW.looked(tomorrow, Window(tomorrow - 2 * DAY)) == Looks(day=tomorrow, week=T)
    assert NEW.looked(tomorrow, Window(tomorrow - 14 * DAY, tomorrow - 2 * DAY)) == Looks(
        day=T, week=tomorrow
    )


def test_a_gap_is_looked_at_after_an_hour_six_hours_a_day_and_a_week() -> None:
    looks, seen = Looks(day=T + 8 * DAY, week=T + 8 * DAY, gaps=(Gap(T - 7200, T),)), []
    for newest in range(T, T + 8 * DAY, 600):
        due = looks.due(newest)
        if due.depth > LOOK_BACK:
            assert newest - due.depth == T - 7200
            looks = looks.looked(newest, Window(newest - due.depth))
            seen.append(newest - T)
        for window in due.windows:
            assert window == Window(T - 7200, T + 1)
            looks = looks.looked(newest, window)
            seen.append(newest - T)

    assert seen == pytest.approx(AGAIN, abs=600)
    assert looks.gaps == ()


def test_a_look_that_comes_late_stands_for_those_that_were_missed() -> None:
    looks = Looks(day=T, week=T, gaps=(Gap(T - 7200, T),))

    assert looks.looked(T + 7 * HOUR, Window(T - 7200)).gaps == (Gap(T - 7200, T, looks=2),)


def test_a_gap_that_was_not_reached_is_due_again() -> None:
    looks = Looks(day=T, week=T, gaps=(Gap(T - 7200, T),))

    assert looks.looked(T + HOUR, Window(T - 3600)) == looks


def test_rows_that_come_into_a_gap_leave_less_of_it() -> None:
    looks = Looks(gaps=(Gap(T, T + 9 * HOUR, looks=1),))

    seen = looks.seen([T + 3 * HOUR, T + 3 * HOUR + 300], [T + 3 * HOUR, T + 3 * HOUR + 300], T + 10 * HOUR)

    assert seen.gaps == (Gap(T, T + 3 * HOUR, looks=1), Gap(T + 3 * HOUR + 300, T + 9 * HOUR, looks=1))


def test_a_gap_that_is_filled_is_none() -> None:
    times = list(range(T, T + 2 * HOUR + 1, 300))

    assert Looks(gaps=(Gap(T, T + 2 * HOUR),)).seen(times, times[1:-1], times[-1]).gaps == ()


def test_a_gap_that_could_not_be_looked_at_for_two_weeks_is_forgotten() -> None:
    looks = Looks(gaps=(Gap(T - 7200, T),))

    assert looks.seen([T + FORGOTTEN], [T + FORGOTTEN], T + FORGOTTEN).gaps == ()


def test_gaps_of_more_than_half_an_hour_count_and_those_of_last_year_do_not() -> None:
    times = [T, T + GAP, T + 2 * GAP + 1, T + 2 * GAP + 301]

    assert gaps_between(times, times[-1]) == [Gap(T + GAP, T + 2 * GAP + 1)]
    assert gaps_between(times, times[-1] + WEEK) == []


moments = st.integers(T, T + 20 * DAY)


@given(st.lists(st.lists(moments, min_size=1, unique=True).map(sorted), max_size=6), st.data())
def test_what_is_known_survives_the_disk_and_its_gaps_lie_apart(
    pages: list[list[int]], data: st.DataObject
) -> None:
    looks, newest = NEW, T
    for times in pages:
        newest = max(newest, times[-1])
        news = sorted(data.draw(st.sets(st.sampled_from(times), min_size=1)))
        looks = looks.seen(times, news, newest)
        for gap in looks.gaps:
            assert gap.end - gap.begin > GAP
            assert not any(gap.begin < time < gap.end for time in news)

    assert Looks.from_json(json.loads(json.dumps(looks.to_json()))) == looks


def test_a_look_at_an_old_gap_is_none_at_the_two_weeks() -> None:
    gap = Gap(T - 20 * DAY, T - 8 * DAY, looks=3)
    looks = Looks(day=T, week=T - 3 * DAY, gaps=(gap,))
    (window,) = looks.due(T).windows

    after = looks.looked(T, window)

    assert after.gaps == ()
    assert after.week == T - 3 * DAY
    assert replace(after, week=T - 7 * DAY).looked(T, Window(T - 14 * DAY, T - 2 * DAY)).week == T
