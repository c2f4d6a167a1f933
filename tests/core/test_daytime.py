"""Moments and days by the clock on a wall, through both changes of the clocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.daytime import day_of, last_24_hours, moment_of, time_text

HOUR = 3600
MOMENTS = st.integers(min_value=0, max_value=4_000_000_000)
ZONES = ["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]


def test_a_moment_is_written_as_the_zone_sees_it() -> None:
    assert time_text(1_700_000_000, "Europe/Paris") == "2023-11-14_23:13:20"
    assert time_text(1_700_000_000, "America/New_York") == "2023-11-14_17:13:20"
    assert time_text(1_700_000_000) == time_text(1_700_000_000, "Middle/Earth") == "2023-11-14_22:13:20"


def test_a_text_is_the_moment_that_it_was_written_for() -> None:
    assert moment_of(" 2023-11-14_23:13:20 ", "Europe/Paris") == 1_700_000_000


def test_of_two_equal_times_the_earlier_is_meant() -> None:
    """At three o'clock of 29 October 2023 the clocks of Paris were turned back to two."""
    assert moment_of("2023-10-29_02:30:00", "Europe/Paris") == moment_of("2023-10-29_00:30:00")


@pytest.mark.parametrize("text", ["", "2023-11-14", "2023-11-14T23:13:20", "2023-02-30_00:00:00"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"match|day"):
        moment_of(text)


@given(MOMENTS, st.sampled_from(ZONES))
def test_reading_what_was_written_loses_at_most_the_hour_that_comes_twice(moment: int, zone: str) -> None:
    assert moment - moment_of(time_text(moment, zone), zone) in {0, 1800, HOUR}


@pytest.mark.parametrize(
    ("noon", "hours"),
    [("2023-06-01_12:00:00", 24), ("2023-03-26_12:00:00", 23), ("2023-10-29_12:00:00", 25)],
)
def test_a_day_lasts_as_long_as_the_clocks_let_it(noon: str, hours: int) -> None:
    begin, end = day_of(moment_of(noon, "Europe/Paris"), "Europe/Paris")

    assert end is not None
    assert end - begin == hours * HOUR
    assert time_text(begin, "Europe/Paris") == noon[:10] + "_00:00:00"


def test_a_day_without_a_midnight_begins_when_the_clocks_leap() -> None:
    """In São Paulo the night of 4 November 2018 went from 23:59:59 to one o'clock."""
    begin, _ = day_of(moment_of("2018-11-04_12:00:00", "America/Sao_Paulo"), "America/Sao_Paulo")

    assert time_text(begin, "America/Sao_Paulo") == "2018-11-04_01:00:00"
    assert time_text(begin - 1, "America/Sao_Paulo") == "2018-11-03_23:59:59"


@given(MOMENTS, st.sampled_from(ZONES))
def test_days_lie_edge_to_edge(moment: int, zone: str) -> None:
    today = day_of(moment, zone)

    assert moment in today
    assert today.end is not None
    assert day_of(today.end, zone).begin == today.end
    assert day_of(today.begin, zone) == today
    assert day_of(today.end - 1, zone) == today


def test_the_last_24_hours_end_now() -> None:
    window = last_24_hours(1_700_000_000.7)

    assert 1_700_000_000 in window
    assert 1_700_000_000 - 24 * HOUR not in window
    assert 1_700_000_001 - 24 * HOUR in window
