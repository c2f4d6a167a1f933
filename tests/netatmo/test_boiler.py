import pytest

from netaflux.core.errors import UsageError
from netaflux.core.model import Number, Page, Row, Window
from netaflux.netatmo.boiler import BoilerTime, boiler_times, buckets_of

BEGIN = 1763719200
LATER = BEGIN + 10 * 86400
HALF_HOUR = buckets_of("30min")


def page(*cells: tuple[Number | None, Number | None], scale: str = "30min") -> Page:
    rows = tuple(Row(BEGIN + 1800 * number, each) for number, each in enumerate(cells))
    return Page(buckets_of(scale).measures, Window(BEGIN), rows, len(rows))


def times(
    *cells: tuple[Number | None, Number | None], scale: str = "30min", now: float = LATER
) -> list[BoilerTime]:
    return list(boiler_times(page(*cells, scale=scale), buckets_of(scale), now))


@pytest.mark.parametrize("cells", [(600, 1200), (10, 20)])
def test_seconds_and_minutes_are_told_apart_by_the_bucket_s_length(cells: tuple[int, int]) -> None:
    assert times(cells) == [BoilerTime(BEGIN, 600, 1200)]


def test_each_bucket_is_judged_for_itself() -> None:
    assert times((0, 1800), (30, 0)) == [BoilerTime(BEGIN, 0, 1800), BoilerTime(BEGIN + 1800, 1800, 0)]


def test_a_boiler_s_times_are_about_the_bucket_s_length() -> None:
    """On and off together were observed to be some seconds off."""
    assert times((600, 1190)) == [BoilerTime(BEGIN, 600, 1190)]


@pytest.mark.parametrize(
    "cells", [(0, 0), (600, 600), (1800, 1800), (20, 20), (None, 1800), (1800, None), (-1, 1801), (85, 172)]
)
def test_where_neither_unit_fits_there_is_no_row(cells: tuple[int | None, int | None]) -> None:
    assert times(cells, (10, 20)) == [BoilerTime(BEGIN + 1800, 600, 1200)]


def test_a_bucket_is_told_once_it_is_over() -> None:
    assert times((600, 1200), now=BEGIN + 1799) == []
    assert times((600, 1200), now=BEGIN + 1800) == [BoilerTime(BEGIN, 600, 1200)]


@pytest.mark.parametrize(("on", "off"), [(600, 840), (36000, 50400), (36000, 46800), (600, 900)])
def test_a_day_may_have_an_hour_more_or_less(on: int, off: int) -> None:
    assert times((on, off), scale="1day") == [
        BoilerTime(BEGIN, on, off) if on > 1440 else BoilerTime(BEGIN, on * 60, off * 60)
    ]


def test_days_have_measures_of_their_own() -> None:
    assert buckets_of("1day").measures == ("sum_boiler_on", "sum_boiler_off")
    assert HALF_HOUR.measures == ("boileron", "boileroff")


def test_a_scale_that_tells_no_boiler_times_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean `1hour`"):
        buckets_of("1hours")
