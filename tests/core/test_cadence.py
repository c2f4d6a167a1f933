"""Failures space the tries; polls follow a station's uploads; modules without news are left alone."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.cadence import (
    DAY,
    HOUR,
    LONGEST_BACK_OFF,
    MONTH,
    PERIOD,
    RETRIES,
    RETRY_AFTER,
    SHORTEST_BACK_OFF,
    VISIBLE_AFTER,
    Need,
    Rhythm,
    Sign,
    Thrift,
    backed_off,
    still_behind,
    thrift,
    worth_asking,
)

T = 1_700_000_000


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 600), (7, 600)]
)
def test_each_failure_doubles_the_wait_up_to_ten_minutes(failures: int, seconds: float) -> None:
    assert backed_off(failures) == seconds


@given(st.integers(0, 10**9))
def test_no_number_of_failures_leaves_the_bounds_or_shortens_the_wait(failures: int) -> None:
    assert backed_off(failures) <= backed_off(failures + 1) <= LONGEST_BACK_OFF
    assert backed_off(max(1, failures)) >= SHORTEST_BACK_OFF


# --- a station's rhythm ---


class Station:
    """Uploads every `period` seconds, give or take; each can be had some seconds later."""

    def __init__(self, *, period: float = 605, lags: tuple[float, ...] = (0,), jitter: float = 0) -> None:
        random = Random(7)  # noqa: S311 - a repeatable one
        self.uploads = [round(number * period + random.uniform(-jitter, jitter)) for number in range(1, 900)]
        self.lags = [random.choice(lags) for _ in self.uploads]

    def stored(self, at: float) -> int:
        """The newest upload that can be had."""
        seen = [up for up, lag in zip(self.uploads, self.lags, strict=True) if up + lag <= at]
        return max(seen, default=0)


def polls(
    rhythm: Rhythm, station: Station, *, start: float = 700, count: int = 100
) -> Iterator[tuple[float, bool]]:
    """When the station was surveyed, and whether that showed an upload."""
    at = start
    for _ in range(count):
        stored = station.stored(at)
        yield at, rhythm.surveyed(T + stored, at - stored, at)
        at = rhythm.next_at()


def test_the_first_poll_after_an_upload_comes_605_seconds_and_some_later() -> None:
    rhythm = Rhythm(600)

    assert rhythm.surveyed(T, age=100, at=1000)
    assert rhythm.next_at() == 1000 - 100 + PERIOD + VISIBLE_AFTER


def test_an_upload_that_is_not_there_yet_is_asked_for_three_times_more_ten_seconds_apart() -> None:
    rhythm = Rhythm(600)
    silent = Station(lags=(10_000,))
    times = [at for at, _ in polls(rhythm, silent, count=8)]

    gaps = [after - before for before, after in itertools.pairwise(times[1:])]

    assert gaps[:RETRIES] == [RETRY_AFTER] * RETRIES
    assert gaps[RETRIES] == PERIOD - RETRIES * RETRY_AFTER
    assert gaps[RETRIES + 1 :] == [PERIOD] * (len(gaps) - RETRIES - 1)


def test_what_is_learnt_is_when_85_of_100_uploads_can_be_had() -> None:
    lags = tuple(range(61))
    rhythm = Rhythm(600)
    shown = list(polls(rhythm, Station(lags=lags), count=700))

    first_looks = [news for (before, _), (at, news) in itertools.pairwise(shown) if at - before > 60]
    late = first_looks[len(first_looks) // 3 :]

    assert 0.78 < sum(late) / len(late) < 0.92
    assert 40 < rhythm.visible_after < 62


def test_one_early_upload_makes_no_poll_earlier() -> None:
    rhythm, station = Rhythm(600), Station()
    shown = polls(rhythm, station)

    next(shown)
    next(shown)
    assert rhythm.visible_after == VISIBLE_AFTER
    next(shown)
    assert rhythm.visible_after < VISIBLE_AFTER


def test_a_station_that_is_always_prompt_is_polled_promptly_after_a_day() -> None:
    rhythm = Rhythm(600)

    list(polls(rhythm, Station(), count=200))

    assert rhythm.visible_after < 2


def test_an_upload_shown_by_a_survey_that_others_wanted_teaches_nothing() -> None:
    rhythm = Rhythm(600)
    for number in range(50):
        rhythm.surveyed(T + number * 605, age=30, at=number * 605 + 30)

    # every one was seen 2 s after it was due, at the first look
    assert rhythm.visible_after < VISIBLE_AFTER
    early = Rhythm(600)
    for number in range(50):
        early.surveyed(T + number * 605, age=5, at=number * 605 + 5)
    assert early.visible_after == VISIBLE_AFTER


@pytest.mark.parametrize("period", [595, 605, 607, 615])
def test_a_station_s_own_period_is_learnt(period: float) -> None:
    rhythm = Rhythm(600)

    list(polls(rhythm, Station(period=period, jitter=5, lags=tuple(range(31))), count=100))

    assert rhythm.period == pytest.approx(period, abs=2)


def test_a_station_that_speaks_all_the_time_is_polled_about_every_ten_minutes_for_ever() -> None:
    rhythm, at, times = Rhythm(600), 0.0, []
    for _ in range(300):
        rhythm.surveyed(T + int(at), age=0, at=at)
        times.append(at)
        at = rhythm.next_at()

    assert times[-1] - times[-2] <= 620 + VISIBLE_AFTER


def test_after_a_power_cut_nothing_is_learnt_of_the_pause() -> None:
    rhythm, station = Rhythm(600), Station()
    list(polls(rhythm, station, count=20))
    before = rhythm.visible_after
    del station.uploads[25:400], station.lags[25:400]

    list(polls(rhythm, station, start=rhythm.next_at(), count=30))

    assert rhythm.visible_after <= before


@pytest.mark.parametrize(
    ("interval", "every"), [(600, 605), (750, 1210), (1200, 1210), (3600, 3630), (86_400, 86_515)]
)
def test_who_wants_fewer_polls_gets_every_so_many_uploads(interval: float, every: float) -> None:
    rhythm = Rhythm(interval)
    times = [at for at, news in polls(rhythm, Station(lags=(20,)), count=5) if news]

    assert [after - before for before, after in itertools.pairwise(times[1:])] == pytest.approx(
        [every] * 3, abs=2
    )


@pytest.mark.parametrize("stored", [None, T])
def test_who_wants_many_more_polls_gets_them_evenly(stored: int | None) -> None:
    rhythm = Rhythm(60)
    rhythm.surveyed(stored, age=10, at=1000)

    assert 1050 < rhythm.next_at() <= 1060


@pytest.mark.parametrize("interval", [60, 180, 300])
def test_who_wants_more_polls_gets_no_row_later_than_who_does_not(interval: float) -> None:
    rhythm = Rhythm(interval)
    shown = list(polls(rhythm, Station(lags=(20,)), count=2000))
    plain = list(polls(Rhythm(600), Station(lags=(20,)), count=300))

    assert _freshness(shown) <= _freshness(plain) + 1
    assert max(after - before for (before, _), (after, _) in itertools.pairwise(shown)) <= 1.1 * interval


def _freshness(shown: list[tuple[float, bool]]) -> float:
    """Seconds from an upload until a survey shows it, in the mean of the later half."""
    hits = [at for at, news in shown if news][-50:]
    return sum(at % 605 for at in hits) / len(hits)


def test_a_station_that_does_not_tell_of_uploads_is_polled_evenly() -> None:
    rhythm = Rhythm(600)
    rhythm.surveyed(None, age=0, at=1000)

    assert rhythm.next_at() == 1600


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 5000), st.floats(0, 900), st.floats(0, 5000)), min_size=1),
    st.sampled_from([60.0, 600.0, 3600.0]),
)
def test_whatever_surveys_show_the_next_poll_is_later_and_not_for_ever(
    surveys: list[tuple[int | None, float, float]], interval: float
) -> None:
    rhythm, at = Rhythm(interval), 0.0
    for stored, age, passed in surveys:
        at += passed
        rhythm.surveyed(stored, age, at)
        assert at + 1 <= rhythm.next_at() <= at + 2 * max(interval, 620) + 300


# --- which modules are asked ---

FRESH = Sign(told=T, newest=T - 600, lacking=False, now=T + 30, asked_for=T - 600, since_asked=600)


@pytest.mark.parametrize(
    ("why", "sign", "asked"),
    [
        ("it has a new row", FRESH, True),
        ("it has none", replace(FRESH, newest=T), False),
        ("it has none, but rows that were not delivered", replace(FRESH, newest=T, lacking=True), True),
        ("getmeasure tells the same row a second earlier", replace(FRESH, newest=T - 1, asked_for=T), False),
        ("getmeasure tells the same row a second later", replace(FRESH, newest=T + 1), False),
        ("the survey does not tell its newest row", replace(FRESH, told=None), True),
        ("nothing is known of it, but that it has a row", replace(FRESH, newest=None), True),
        (
            "its newest row lies before all that is wanted",
            replace(FRESH, newest=None, told=T - int(2 * DAY), asked_for=T - int(2 * DAY)),
            False,
        ),
        (
            "its newest row lies before all that is wanted, hourly",
            replace(FRESH, newest=None, told=T - int(2 * DAY), asked_for=T - int(2 * DAY), since_asked=HOUR),
            True,
        ),
        ("it has never had a row", replace(FRESH, newest=None, told=None), False),
        (
            "it has none yet, and an hour is over",
            replace(FRESH, newest=None, told=None, since_asked=HOUR),
            True,
        ),
        ("silent for a day", replace(FRESH, told=None, newest=T - int(2 * DAY)), False),
        (
            "silent for a day, hourly",
            replace(FRESH, told=None, newest=T - int(2 * DAY), since_asked=HOUR),
            True,
        ),
        ("silent for a month", replace(FRESH, told=None, newest=T - int(2 * MONTH), since_asked=HOUR), False),
        (
            "silent for a month, daily",
            replace(FRESH, told=None, newest=T - int(2 * MONTH), since_asked=DAY),
            True,
        ),
        ("it was silent for a month, and shows life", replace(FRESH, newest=T - int(2 * MONTH)), True),
        (
            "it goes on telling its last row for months",
            replace(FRESH, told=T - int(DAY) * 40, newest=T - int(DAY) * 40, since_asked=HOUR),
            False,
        ),
    ],
)
def test_a_module_is_asked_when(why: str, sign: Sign, asked: bool) -> None:  # noqa: FBT001 - a table
    assert worth_asking(sign) is asked, why


@pytest.mark.parametrize(("since", "asked"), [(600, False), (3500, False), (3550, True)])
def test_a_thrifty_account_asks_a_module_once_an_hour_at_most(since: float, asked: bool) -> None:  # noqa: FBT001
    assert worth_asking(replace(FRESH, since_asked=since), hours=1) is asked
    assert not worth_asking(replace(FRESH, since_asked=since), hours=2)


@pytest.mark.parametrize(
    ("told", "newest", "behind"),
    [(T, T - 300, True), (T, T - 1, False), (T, T, False), (None, T, False), (T, None, False)],
)
def test_a_row_that_the_survey_tells_and_getmeasure_does_not_is_on_its_way(
    told: int | None,
    newest: int | None,
    behind: bool,  # noqa: FBT001
) -> None:
    assert still_behind(replace(FRESH, told=told, newest=newest)) is behind


# --- thrift ---

TWELVE = Need(stations=1, modules=12, interval=605)


def test_a_station_of_twelve_modules_needs_about_eighty_calls_an_hour() -> None:
    assert TWELVE.calls == pytest.approx(79, abs=1)


def test_nothing_is_saved_where_nothing_is_short() -> None:
    assert thrift(TWELVE, 1) == Thrift(hours=0, stretch=1)


@pytest.mark.parametrize(("factor", "hours"), [(1.1, 1), (4, 1), (5, 2), (8, 8), (10, 64)])
def test_modules_are_asked_just_so_rarely_that_it_suffices(factor: float, hours: int) -> None:
    assert thrift(TWELVE, factor).hours == hours


@given(st.integers(1, 20), st.integers(1, 200), st.sampled_from([605.0, 3600.0]), st.floats(1, 1000))
def test_what_is_left_of_the_need_fits_into_what_is_allowed(
    stations: int, modules: int, interval: float, factor: float
) -> None:
    need = Need(stations, modules, interval)
    saved = thrift(need, factor)
    calls = need.thrifty(saved.hours) if saved.hours else need.calls

    assert calls / saved.stretch <= need.calls / factor * 1.001
    assert saved.stretch == 1 or saved.hours == 64
