import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.budget import (
    LEASE,
    BudgetRecord,
    Lease,
    lease_size,
)
from netaflux.core.limits import Limit, Windows, limits
from netaflux.core.model import Lane
from netaflux.core.moment import Moment

FIVE_IN_TEN = (Limit(5, 10),)
AT_START = Moment(monotonic=1000.0, wall=1_700_000_000.0, boot="monday")


def later(seconds: float, *, boot: str = "monday", monotonic: float | None = None) -> Moment:
    """The moment so many seconds of the world later, maybe on the monotonic clock of another boot."""
    return Moment(
        AT_START.monotonic + seconds if monotonic is None else monotonic, AT_START.wall + seconds, boot
    )


def spent(windows: Windows, *calls: tuple[float, float], lane: Lane = Lane.LIVE) -> None:
    """Make calls that are sent and answered at the moments given."""
    for sent, answered in calls:
        windows.take(sent, lane)
        windows.answered(answered, lane)


# windows


@pytest.mark.parametrize("permits", [1, 2, 3, 40])
def test_as_many_permits_as_the_limit_says_are_had_at_once(permits: int) -> None:
    windows = Windows([Limit(permits, 10)])
    for _ in range(permits):
        windows.take(0.0, Lane.LIVE)

    assert windows.wait(0.0, Lane.LIVE) == math.inf
    assert [use.left for use in windows.uses(0.0)] == [0]


def test_a_permit_is_free_again_a_window_after_the_answer_not_after_the_sending() -> None:
    windows = Windows([Limit(1, 10)])
    spent(windows, (0.0, 7.0))

    assert windows.wait(7.0, Lane.LIVE) == pytest.approx(10, rel=0.01)
    assert windows.wait(16.9, Lane.LIVE) > 0
    assert windows.wait(17.1, Lane.LIVE) == 0


def test_a_permit_in_flight_is_used_however_long_it_takes() -> None:
    windows = Windows([Limit(1, 10)])
    windows.take(0.0, Lane.LIVE)

    assert windows.wait(500.0, Lane.LIVE) == math.inf


def test_the_narrowest_window_decides() -> None:
    windows = Windows([Limit(2, 10), Limit(3, 3600)])
    spent(windows, (0, 0), (0, 0), (20, 20))

    assert windows.wait(20.0, Lane.LIVE) == pytest.approx(3580, rel=0.01)
    assert [use.used for use in windows.uses(20.0)] == [1, 3]


def test_a_wait_that_was_waited_is_over_but_for_rounding() -> None:
    windows = Windows([Limit(1, 10)])
    now = 0.1
    for _ in range(1000):
        spent(windows, (now, now + 1 / 3))
        now += 1 / 3
        now += windows.wait(now, Lane.LIVE)
        assert windows.wait(now, Lane.LIVE) < 1e-9
        now += 1e-9


def test_nobody_takes_what_is_not_there() -> None:
    windows = Windows([Limit(1, 10)])
    windows.take(0.0, Lane.LIVE)

    with pytest.raises(ValueError, match="no permit"):
        windows.take(0.0, Lane.LIVE)


def test_a_permit_that_was_never_used_leaves_no_trace() -> None:
    windows = Windows([Limit(1, 10)])
    windows.take(0.0, Lane.HISTORY)
    windows.untake(Lane.HISTORY)

    assert windows.wait(0.0, Lane.HISTORY) == 0


@pytest.mark.parametrize(
    ("permits", "history"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (40, 32), (400, 320)]
)
def test_a_fifth_is_kept_free_of_history(permits: int, history: int) -> None:
    windows = Windows([Limit(permits, 10)])
    for _ in range(history):
        windows.take(0.0, Lane.HISTORY)

    assert windows.wait(0.0, Lane.HISTORY) == math.inf
    assert [use.left for use in windows.uses(0.0)] == [permits - history]


def test_live_calls_do_not_eat_the_share_of_history() -> None:
    windows = Windows(FIVE_IN_TEN)
    windows.take(0.0, Lane.LIVE)

    for _ in range(4):
        windows.take(0.0, Lane.HISTORY)
    assert windows.wait(0.0, Lane.LIVE) == math.inf


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="never let one pass"):
        Limit(0, 10)


@dataclass(frozen=True)
class Call:
    """A call that waits `gap` after the one before, takes `latency`, and arrives somewhere in between."""

    gap: float
    latency: float
    arrives: float
    lane: Lane


def calls() -> st.SearchStrategy[list[Call]]:
    seconds = st.one_of(st.just(0.0), st.floats(0, 60), st.floats(0, 4000))
    return st.lists(
        st.builds(Call, seconds, st.floats(0, 60), st.floats(0, 1), st.sampled_from(Lane)), max_size=40
    )


class Caller:
    """Somebody who never waits longer than he must, and what of his calls is still in flight."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.now = 0.0
        self.flying: list[tuple[float, Lane]] = []
        self.at_the_door: list[float] = []

    def until(self, moment: float) -> None:
        """Let time pass, and the answers come that are due."""
        for answer, lane in sorted(self.flying, key=lambda pair: pair[0]):
            if answer <= moment:
                self.flying.remove((answer, lane))
                self.windows.answered(answer, lane)
        self.now = moment

    def make(self, call: Call) -> None:
        self.until(self.now + call.gap)
        while (wait := self.windows.wait(self.now, call.lane)) > 0:
            wait = max(wait, 0.001)  # what rounding leaves over would not move a clock
            self.until(min([self.now + wait, *(answer for answer, _ in self.flying)]))
        self.windows.take(self.now, call.lane)
        self.flying.append((self.now + call.latency, call.lane))
        self.at_the_door.append(self.now + call.latency * call.arrives)


def fullest(arrived: Sequence[float], seconds: float) -> int:
    """The most calls that any window of so many seconds holds, both its ends included."""
    return max((sum(begin <= time <= begin + seconds for time in arrived) for begin in arrived), default=0)


@given(calls(), st.integers(1, 6), st.integers(1, 12))
def test_no_window_at_the_door_ever_holds_more_than_the_limit(
    asked: list[Call], per_10_seconds: int, per_hour: int
) -> None:
    caller = Caller(Windows(limits(per_10_seconds, per_hour)))
    for call in asked:
        caller.make(call)

    assert fullest(caller.at_the_door, 10) <= per_10_seconds
    assert fullest(caller.at_the_door, 3600) <= per_hour


# leases


@pytest.mark.parametrize(
    ("per_hour", "size"), [(1, 1), (4, 1), (8, 2), (39, 9), (40, 10), (400, 10), (1000, 10), (50_000, 500)]
)
def test_a_lease_is_never_more_than_a_quarter_of_an_hour_s_calls(per_hour: int, size: int) -> None:
    assert lease_size(limits(1, per_hour)) == size


def record_of(*leases: Lease) -> BudgetRecord:
    return BudgetRecord(leases=leases)


def a_lease(permits: int = 10, *, taken: float = 0.0, closed: float | None = None) -> Lease:
    """Taken so many seconds after the start, and closed so many after it."""
    at = later(taken)
    until = None if closed is None else later(closed).monotonic
    return Lease(permits, at.monotonic, at.boot, at.wall, until)


def test_a_new_lease_closes_the_one_before() -> None:
    record = record_of().leased(10, later(0), limits(40, 400)).leased(10, later(90), limits(40, 400))

    assert record.leases == (a_lease(closed=90), a_lease(taken=90))


def test_an_open_lease_counts_whole_from_the_start_of_the_next_process() -> None:
    """Nobody saw the crash: all of it may have been sent a moment before."""
    record = record_of(a_lease(3)).inherited(later(2000), limits(40, 400))

    assert record.answers() == [later(2000).monotonic] * 3


def test_a_closed_lease_counts_from_the_latest_answer_it_can_have_had() -> None:
    record = record_of(a_lease(2, closed=100)).inherited(later(2000), limits(40, 400))

    assert record.answers() == [later(160).monotonic] * 2


def test_no_answer_counts_as_later_than_now() -> None:
    """It would hold a permit for longer than a window."""
    record = record_of(a_lease(1, closed=100)).inherited(later(130), limits(40, 400))

    assert record.answers() == [later(130).monotonic]


def test_after_another_boot_the_wall_clock_tells_the_age() -> None:
    now = later(500, boot="tuesday", monotonic=20.0)
    record = record_of(a_lease(1, closed=100)).inherited(now, limits(40, 400))

    assert record.answers() == [20.0 - (500 - 160)]


def test_a_wall_clock_that_was_turned_back_tells_no_age() -> None:
    now = later(-9999, boot="tuesday", monotonic=20.0)
    record = record_of(a_lease(1, closed=100)).inherited(now, limits(40, 400))

    assert record.answers() == [20.0]


def test_what_was_inherited_stays_as_old_as_it_is_over_the_next_restart() -> None:
    first = record_of(a_lease(2)).inherited(later(100), limits(40, 400))
    second = first.inherited(later(500, boot="tuesday", monotonic=20.0), limits(40, 400))

    assert first.answers() == [later(100).monotonic] * 2
    assert second.answers() == pytest.approx([20.0 - 400] * 2)


def test_leases_are_forgotten_after_the_longest_window() -> None:
    record = record_of(a_lease(closed=100), a_lease(7, taken=100, closed=1000))
    kept = record.inherited(later(100 + 60 + 3605), limits(40, 400))

    assert [lease.permits for lease in kept.leases] == [7]


def test_a_fast_run_does_not_make_the_record_long() -> None:
    """A hundred leases a minute, for an hour: as many permits are remembered, in about one entry a minute."""
    record = record_of()
    for number in range(3000):
        record = record.leased(LEASE, later(number * 0.6), limits(40, 400))

    assert sum(lease.permits for lease in record.leases) == 3000 * LEASE
    assert len(record.leases) < 40


def test_joined_leases_count_from_the_last_of_them() -> None:
    record = record_of()
    for seconds in (0, 20, 40, 70):
        record = record.leased(1, later(seconds), limits(40, 400))
    record = record.inherited(later(3000), limits(40, 400))

    assert record.answers() == [later(40 + 60).monotonic] * 2 + [
        later(70 + 60).monotonic,
        later(3000).monotonic,
    ]


def test_what_is_given_back_was_never_leased() -> None:
    record = record_of(a_lease(closed=5), a_lease(10, taken=5)).given_back(6, later(9))

    assert record.leases == (a_lease(closed=5), a_lease(4, taken=5, closed=9))


def test_a_lease_given_back_whole_is_gone() -> None:
    assert record_of(a_lease(10)).given_back(10, later(9)).leases == ()


def test_a_record_survives_its_json() -> None:
    record = replace(record_of(a_lease(closed=5), a_lease(taken=5)), closed_until=7.5, reason="code 26")

    assert BudgetRecord.from_json({**record.to_json(), "later": 1}) == record


def test_permits_of_an_earlier_process_count_as_history_s() -> None:
    """So that live polling keeps its share after a crash in a backfill."""
    windows = Windows(FIVE_IN_TEN, [100.0] * 4)

    assert windows.wait(100.0, Lane.HISTORY) > 0
    assert windows.wait(100.0, Lane.LIVE) == 0


def test_more_permits_than_the_limit_has_are_waited_for_one_after_the_other() -> None:
    """The limit may have been lowered, or a crash forfeited a whole lease."""
    windows = Windows([Limit(2, 10)], [1.0, 2.0, 3.0])

    assert windows.wait(5.0, Lane.LIVE) == pytest.approx(7, rel=0.01)
