"""Every row of an errand is asked for, whatever the order of the answers, with hardly a call too many."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netaflux.core.lookback import PAGE_SPAN
from netaflux.core.model import PAGE_ROWS, Measure, Page, Row, Window
from netaflux.core.spans import FOREVER, Spans
from netaflux.core.windows import Course

T = 1_700_000_000
STEP, DAY, YEAR = 300, 86_400, 365 * 86_400
PLACES = 16
TEMPERATURE = (Measure("Temperature"),)


def any_chance(seed: int) -> Random:
    """The same chance again for the same seed."""
    return Random(seed)  # noqa: S311 - nothing secret hangs on it


@dataclass
class Netatmo:
    """Rows at these times, told in pages; answers come in any order, and some may be lies."""

    times: Sequence[int]
    page_rows: int = PAGE_ROWS
    including_end: bool = False
    places: int = PLACES
    lies: set[int] = field(default_factory=set)
    """Numbers of the calls whose answers are empty though there are rows."""
    seed: int = 1
    most_calls: int = 100_000
    windows: list[Window] = field(default_factory=list)
    got: set[int] = field(default_factory=set)
    complete: Spans = field(default_factory=Spans)

    def page(self, window: Window) -> Page:
        """What Netatmo answers."""
        self.windows.append(window)
        end = FOREVER if window.end is None else window.end + self.including_end
        first = bisect_left(self.times, window.begin)
        raw = self.times[first : min(bisect_left(self.times, end), first + self.page_rows)]
        if len(self.windows) - 1 in self.lies:
            raw = []
        rows = [Row(time, (21.5,)) for time in raw if time in window]
        return Page(TEMPERATURE, window, rows, PAGE_ROWS if len(raw) == self.page_rows else len(raw))

    def run(self, whole: Window, *, expected: int | None = None, newest: int | None = None) -> int:
        """Carry an errand to its end; how many calls it took."""
        course, before = Course(whole, expected=expected), len(self.windows)
        under_way: list[Window] = []
        chance = any_chance(self.seed)
        while not course.ended:
            while len(under_way) < self.places and (window := course.ask()):
                under_way.append(window)
            page = self.page(under_way.pop(chance.randrange(len(under_way))))
            self.got.update(row.time for row in page.rows)
            newest = max((time for time in (newest, page.last) if time is not None), default=None)
            complete = course.answered(page, newest)
            self.complete |= complete
            assert len(self.windows) <= before + self.most_calls, "it must come to an end"
            assert self.inside(complete) <= self.got, "nothing is complete whose rows did not come"
        return len(self.windows) - before

    @property
    def held(self) -> set[int]:
        """The rows that lie in what is said to be complete."""
        return self.inside(self.complete)

    def inside(self, spans: Spans) -> set[int]:
        """The rows that lie in these spans."""
        found: set[int] = set()
        for begin, end in spans:
            found.update(self.times[bisect_left(self.times, begin) : bisect_left(self.times, end + 1)])
        return found


def rows(count: int, *, begin: int = T, step: float = STEP, jitter: int = 0, seed: int = 1) -> list[int]:
    chance = any_chance(seed)
    return [begin + int(number * step) + chance.randint(-jitter, jitter) for number in range(count)]


def pages(count: int) -> int:
    return ceil(count / PAGE_ROWS)


# --- how many calls ---


@pytest.mark.parametrize("including_end", [False, True])
@pytest.mark.parametrize("jitter", [0, 6, 60])
@pytest.mark.parametrize("step", [300, 300.37])
def test_a_year_costs_hardly_more_calls_than_it_has_pages(
    step: float, jitter: int, *, including_end: bool
) -> None:
    times = rows(105_120, step=step, jitter=jitter)
    netatmo = Netatmo(times, including_end=including_end)

    calls = netatmo.run(Window(T - 100, times[-1] + 1))

    assert netatmo.got == set(times)
    assert calls <= pages(105_120) + 1 + (jitter > 6)


@pytest.mark.parametrize("count", [0, 1, 1022, 1023, 1024, 1025, 2047, 2048, 2049])
@pytest.mark.parametrize("including_end", [False, True])
@pytest.mark.parametrize("end", [None, 1, 4000])
def test_pages_end_where_they_do(count: int, end: int | None, *, including_end: bool) -> None:
    times = rows(count)
    last = times[-1] if times else T
    netatmo = Netatmo(times, including_end=including_end)

    calls = netatmo.run(Window(T, end and last + end), expected=last)

    assert netatmo.got == set(times)
    assert calls <= max(1, pages(count)) + 1
    assert netatmo.held == set(times)


def test_what_fits_into_one_page_is_one_call() -> None:
    times = rows(900)

    assert Netatmo(times).run(Window(T, times[-1] + 1)) == 1


def test_windows_go_side_by_side_as_soon_as_one_page_has_shown_how_dense_rows_are() -> None:
    times = rows(20 * 1024)
    course, netatmo = Course(Window(T, times[-1] + 1)), Netatmo(times)

    first = course.ask()
    assert course.ask() is None
    assert first == Window(T, times[-1] + 1)
    course.answered(netatmo.page(first), times[-1])
    asked = [window for _ in range(PLACES) if (window := course.ask())]

    assert len(asked) == PLACES
    # each begins where the one before ends, half a step after a row
    begins = [times[1023] + 1, *(times[1023 + 1023 * number] + STEP // 2 for number in range(1, PLACES))]
    assert [window.begin for window in asked] == begins
    assert [window.end for window in asked[:-1]] == begins[1:]


def test_two_years_of_silence_cost_one_call_and_those_under_way() -> None:
    before, after = rows(2 * 105_120, step=299.7), rows(105_120, begin=T + 4 * YEAR, jitter=6)
    netatmo = Netatmo([*before, *after])

    calls = netatmo.run(Window(T, after[-1] + 1))

    assert netatmo.got == {*before, *after}
    assert calls <= pages(3 * 105_120) + 18
    assert netatmo.complete == Spans((T, after[-1]))


@pytest.mark.parametrize("end", [None, 1])
def test_rows_that_begin_years_later_cost_no_call_more(end: int | None) -> None:
    times = rows(20_000, begin=T + 5 * YEAR)
    netatmo = Netatmo(times)

    calls = netatmo.run(Window(T, end and times[-1] + end), expected=times[-1])

    assert netatmo.got == set(times)
    assert calls <= pages(20_000) + 1


def test_a_silence_of_a_week_is_told_twice_and_believed() -> None:
    """Windows behind it are on their way already, so nothing has to be crossed."""
    before, after = rows(5000), rows(50_000, begin=T + 5000 * STEP + 7 * DAY)
    netatmo = Netatmo([*before, *after])

    calls = netatmo.run(Window(T, after[-1] + 1))

    assert netatmo.complete == Spans((T, after[-1]))
    assert calls <= pages(55_000) + 5


def test_where_nothing_is_expected_nothing_is_speculated_about() -> None:
    """A module that fell silent long ago, and an errand up to now."""
    times = rows(5000)
    netatmo = Netatmo(times)

    calls = netatmo.run(Window(T, T + 3 * YEAR), expected=times[-1], newest=times[-1])

    assert netatmo.got == set(times)
    assert calls == pages(5000)


def test_an_open_errand_without_a_hint_goes_page_by_page() -> None:
    times = rows(5000)
    netatmo = Netatmo(times)

    assert netatmo.run(Window(T)) == pages(5000)
    assert netatmo.complete == Spans((T, times[-1]))


def test_rows_on_demand_overfill_a_window_and_are_followed_to_its_end() -> None:
    usual = rows(30_000)
    crowd = [T + 40 * DAY + second for second in range(5000)]
    times = sorted({*usual, *crowd})
    netatmo = Netatmo(times)

    calls = netatmo.run(Window(T, times[-1] + 1))

    assert netatmo.got == set(times)
    assert calls <= pages(len(times)) + PLACES


def test_a_first_page_of_one_row_a_second_does_not_cut_years_into_minutes() -> None:
    crowd = [T - 2000 + second for second in range(2000)]
    times = [*crowd, *rows(105_120)]
    netatmo = Netatmo(times)

    calls = netatmo.run(Window(T - 2000, times[-1] + 1))

    assert netatmo.got == set(times)
    assert calls <= pages(len(times)) + PLACES + 2


def test_rows_that_become_rarer_widen_the_windows() -> None:
    times = [*rows(20_000), *rows(50_000, begin=T + 20_000 * STEP, step=600)]
    netatmo = Netatmo(times)

    calls = netatmo.run(Window(T, times[-1] + 1))

    assert netatmo.got == set(times)
    assert calls <= pages(70_000) + PLACES


# --- silences and the newest row ---


def test_an_end_without_rows_is_complete_as_soon_as_a_later_row_was_seen() -> None:
    """No sliver is left between two windows, whichever is answered first."""
    for seed in range(20):
        times = rows(10 * 1024, jitter=30, seed=seed)
        netatmo = Netatmo(times, seed=seed)

        netatmo.run(Window(times[0], times[-1] + 1), newest=None)

        assert netatmo.complete == Spans((times[0], times[-1]))


def test_nothing_is_complete_behind_the_newest_row_ever_seen() -> None:
    times = rows(100)
    netatmo = Netatmo(times)

    netatmo.run(Window(T, times[-1] + DAY))

    assert netatmo.complete == Spans((T, times[-1]))


def test_a_bounded_window_is_complete_to_its_end_where_later_rows_are_known() -> None:
    times = rows(100)
    netatmo = Netatmo(times)

    netatmo.run(Window(T, times[-1] + DAY), newest=times[-1] + 9 * DAY)

    assert netatmo.complete == Spans((T, times[-1] + DAY - 1))


@pytest.mark.parametrize(
    ("why", "silence", "calls"),
    [
        ("no longer than what a page could hold", PAGE_SPAN, 1),
        ("longer", PAGE_SPAN + STEP, 2),
        ("for years", 3 * YEAR, 2),
    ],
)
def test_a_long_silence_at_the_end_is_asked_for_twice(why: str, silence: int, calls: int) -> None:
    times = rows(100)
    newest = times[-1] + silence + 2 * DAY
    netatmo = Netatmo(times)

    assert netatmo.run(Window(T, times[-1] + silence + 2), newest=newest) == calls, why
    assert netatmo.complete == Spans((T, times[-1] + silence + 1))


def test_an_empty_window_is_asked_for_twice_and_then_believed() -> None:
    netatmo = Netatmo([])

    assert netatmo.run(Window(T, T + YEAR), newest=T + 2 * YEAR) == 2
    assert netatmo.complete == Spans((T, T + YEAR - 1))


@pytest.mark.parametrize("lie", range(12))
def test_no_single_empty_answer_about_a_page_or_more_costs_a_row(lie: int) -> None:
    times = rows(1024 + 7 * 1023)
    netatmo = Netatmo(times, lies={lie})

    netatmo.run(Window(T, times[-1] + 1), newest=times[-1])

    assert netatmo.got == set(times)


@pytest.mark.parametrize("lie", [*range(2, 60, 5)])
def test_nor_does_one_beside_a_silence(lie: int) -> None:
    times = [*rows(20 * 1024), *rows(20 * 1024, begin=T + YEAR)]
    netatmo = Netatmo(times, lies={lie})

    netatmo.run(Window(T, times[-1] + 1), newest=times[-1])

    assert netatmo.got == set(times)


def test_an_answer_that_was_wrong_once_is_no_witness_for_another_silence() -> None:
    times = rows(100, begin=T + YEAR)
    netatmo = Netatmo(times, lies={0})

    assert netatmo.run(Window(T, T + 3 * YEAR), newest=T + 5 * YEAR) == 3
    assert netatmo.got == set(times)


# --- what must always hold ---


@st.composite
def histories(draw: st.DrawFn) -> list[int]:
    """Stretches of rows of some steps, with silences and crowds between them."""
    at, times = T, set[int]()
    for _ in range(draw(st.integers(0, 5))):
        at += draw(st.sampled_from([0, 50, 3 * DAY, 4 * DAY, 30 * DAY, 2 * YEAR]))
        step, jitter = draw(st.sampled_from([(1, 0), (6 * 3600, 0), (6 * 3600, 900), (12 * 3600, 60)]))
        some = rows(
            draw(st.integers(1, 120)), begin=at, step=step, jitter=jitter, seed=draw(st.integers(0, 9))
        )
        times.update(some)
        at = max(some) + draw(st.integers(1, 6 * 3600))
    return sorted(times)


@settings(max_examples=300, deadline=None)
@given(
    times=histories(),
    bounds=st.tuples(st.integers(-DAY, YEAR), st.none() | st.integers(1, 3 * YEAR)),
    page_rows=st.sampled_from([2, 3, 7, 16, 40]),
    places=st.integers(1, 16),
    including_end=st.booleans(),
    hint=st.none() | st.integers(-YEAR, 6 * YEAR),
    newest=st.none() | st.integers(0, 6 * YEAR),
    seed=st.integers(0, 99),
)
def test_every_row_comes_and_nothing_else_is_complete(
    times: list[int],
    bounds: tuple[int, int | None],
    page_rows: int,
    places: int,
    hint: int | None,
    newest: int | None,
    seed: int,
    *,
    including_end: bool,
) -> None:
    whole = Window(T + bounds[0], bounds[1] and T + bounds[0] + bounds[1])
    netatmo = Netatmo(times, page_rows, including_end, places, seed=seed, most_calls=5000)

    calls = netatmo.run(whole, expected=hint and T + hint, newest=newest and T + newest)

    inside = [time for time in times if time in whole]
    assert netatmo.got == set(inside) == netatmo.held
    if inside:
        assert not Spans((whole.begin, inside[-1])) - netatmo.complete
    assert not netatmo.complete - Spans((whole.begin, FOREVER if whole.end is None else whole.end - 1))
    # what follows the last row is a silence, too: all windows that are under way may be about nothing
    silences = len(_silences(inside)) + 1
    assert calls <= 2 + 4 * len(inside) + 20 * silences


def _silences(times: Iterable[int]) -> list[int]:
    return [later for time, later in pairwise(times) if later - time > DAY]
