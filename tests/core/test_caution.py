"""What a refusal leads to, step by step."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.budget import BudgetRecord
from netaflux.core.caution import PACE, Caution, closing
from netaflux.core.limits import Limit
from netaflux.core.moment import Moment

HOURLY = Limit(400, 3600)
START = Moment(monotonic=1000.0, wall=1_700_000_000.0, boot="monday")


def at(seconds: float) -> Moment:
    return START.before(-seconds)


def refused(
    seconds: float = 0.0,
    *,
    before: Caution | None = None,
    asked: float | None = None,
    made: int = 100,
    hourly: Limit = HOURLY,
) -> Caution:
    return Caution.after(before, now=at(seconds), asked=asked, made=made, hourly=hourly)


def reopened(caution: Caution, seconds: float) -> Caution:
    return caution.succeeded(at(seconds).monotonic)


@pytest.mark.parametrize(
    ("asked", "before", "seconds"),
    [
        (None, 0, 600),
        (30, 0, 30),
        (0, 0, 10),
        (-5, 0, 10),
        (1e9, 0, 3600),
        (None, 600, 1200),
        (30, 600, 1200),
        (1500, 600, 1500),
        (None, 100, 600),
        (None, 2400, 3600),
        (None, 3600, 3600),
    ],
)
def test_a_closing_lasts_as_netatmo_asks_and_at_least_twice_as_long_as_the_one_before(
    asked: float | None, before: float, seconds: float
) -> None:
    assert closing(asked, before) == seconds


@pytest.mark.parametrize(("made", "per_hour"), [(0, 12), (24, 12), (25, 12), (26, 13), (400, 200)])
def test_half_of_the_calls_before_are_made_after_it_and_twelve_at_least(made: int, per_hour: int) -> None:
    assert refused(made=made).per_hour == per_hour


@pytest.mark.parametrize("permits", [1, 2, 3, 12])
def test_it_grants_no_more_than_is_configured(permits: int) -> None:
    assert refused(made=100, hourly=Limit(permits, 3600)).per_hour == permits


def test_refused_again_before_any_success_it_stays_away_twice_as_long() -> None:
    lengths = []
    caution = refused()
    for _ in range(5):
        lengths.append(caution.length)
        caution = refused(caution.opens - START.monotonic, before=caution)

    assert lengths == [600, 1200, 2400, 3600, 3600]


@pytest.mark.parametrize(("after", "length"), [(3599, 1200), (3600, 600)])
def test_an_hour_after_the_reopening_the_next_refusal_is_like_a_first_one(
    after: float, length: float
) -> None:
    caution = reopened(refused(), 700)

    assert refused(700 + after, before=caution).length == length


def test_another_refusal_never_raises_the_rate() -> None:
    caution = reopened(refused(made=60), 600)

    assert caution.per_hour == 30
    assert refused(700, before=caution, made=200).per_hour == 30
    assert refused(700, before=caution, made=50).per_hour == 25


def test_the_rate_recovers_by_a_tenth_of_the_configured_limit_per_clean_hour() -> None:
    caution = reopened(refused(made=100), 600)
    rates = [caution.rate(at(600 + hour * 3600).monotonic, HOURLY) for hour in range(11)]

    assert rates == [50, 90, 130, 170, 210, 250, 290, 330, 370, 400, 400]
    assert caution.rate(at(600 + 3599).monotonic, HOURLY) == 50
    assert refused(before=caution).rate(at(99999).monotonic, HOURLY) == 50, "no call has succeeded yet"


def test_it_is_over_when_the_configured_limit_is_reached_again() -> None:
    caution = reopened(refused(made=100), 600)

    assert not caution.over(at(600 + 9 * 3600 - 1).monotonic, HOURLY)
    assert caution.over(at(600 + 9 * 3600).monotonic, HOURLY)


def test_it_is_never_over_within_the_first_hour() -> None:
    """A limit of three an hour is at once all there is; whether it is refused again is still to be seen."""
    few = Limit(3, 3600)
    caution = reopened(refused(hourly=few), 600)

    assert not caution.over(at(600 + 3599).monotonic, few)
    assert caution.over(at(600 + 3600).monotonic, few)


def test_the_pace_is_kept_for_ten_minutes() -> None:
    caution = refused(made=100)
    after = reopened(caution, 700)

    assert caution.limits(at(650).monotonic, HOURLY) == (PACE, Limit(50, 3600))
    assert after.limits(at(1299).monotonic, HOURLY) == (PACE, Limit(50, 3600))
    assert after.limits(at(1300).monotonic, HOURLY) == (Limit(50, 3600),)


@given(st.floats(0, 40_000))
def test_the_limits_stay_for_as_long_as_they_say(seconds: float) -> None:
    caution = reopened(refused(made=100), 600)
    now = at(600 + seconds).monotonic
    unchanged = caution.unchanged(now)

    assert 0 < unchanged <= 3600
    assert caution.limits(now, HOURLY) == caution.limits(now + 0.999 * unchanged, HOURLY)


def test_before_any_success_the_limits_do_not_change_by_themselves() -> None:
    assert refused().unchanged(at(9999).monotonic) == math.inf


def test_a_longer_wish_of_another_call_counts_until_the_reopening() -> None:
    caution = refused()

    assert caution.extended(at(5).monotonic, 60) == caution
    assert caution.extended(at(5).monotonic, 900).length == 905
    assert caution.extended(at(5).monotonic, 9e9).length == 3605
    assert reopened(caution, 600).extended(at(605).monotonic, 900) == reopened(caution, 600)


# over restarts


def test_a_restart_within_a_boot_changes_nothing() -> None:
    caution = reopened(refused(), 600)
    later = at(4000)

    assert caution.inherited(replace(later, wall=later.wall + 1e6)).opens == caution.opens


def test_after_a_reboot_the_wall_clock_tells_how_far_it_has_come() -> None:
    caution = reopened(refused(made=100), 600)
    now = Moment(monotonic=20.0, wall=at(600 + 3700).wall, boot="tuesday")

    assert caution.rate(20.0, HOURLY) == 50
    assert caution.inherited(now).rate(20.0, HOURLY) == 90


def test_a_clock_that_was_turned_back_begins_the_closing_anew_and_no_more() -> None:
    now = Moment(monotonic=20.0, wall=0.0, boot="tuesday")

    assert refused().inherited(now).opens == 620.0


def test_it_survives_its_json_beside_what_a_later_version_knows() -> None:
    record = BudgetRecord(reason="code 26", caution=reopened(refused(), 600))
    text = record.to_json()
    text["caution"] = {**text["caution"], "later": 1}  # type: ignore[dict-item]  # JSON objects both
    text["caution"]["refused"]["later"] = 1  # type: ignore[index]  # as above

    assert BudgetRecord.from_json(text) == record


def test_a_record_of_an_earlier_version_knows_of_no_caution() -> None:
    old = {"leases": [], "closed_until": 5.0, "reason": "code 26"}

    assert BudgetRecord.from_json(old) == BudgetRecord(closed_until=5.0, reason="code 26")
