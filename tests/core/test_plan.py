"""The plan asks for exactly what is lacking, each second once, in few windows, the live end first."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.lookback import LOOK_BACK, PAGE_SPAN, Due
from netaflux.core.model import PAGE_ROWS, Lane, Measure, ModuleId, Page, Row, Why, Window
from netaflux.core.plan import (
    Errand,
    Known,
    errands_asked,
    errands_due,
    errands_past,
    following,
)
from netaflux.core.spans import FOREVER, Spans

PORCH = ModuleId("02:00:00:00:00:01")
T = 1_700_000_000
HOUR, DAY = 3600, 86_400


def known(
    *lacking: tuple[int, int], newest: int | None = None, told: int | None = None, floor: int = 0
) -> Known:
    return Known(module=PORCH, floor=floor, lacking=Spans(*lacking), newest=newest, told=told)


def windows(errands: Sequence[Errand]) -> list[tuple[int, int | None]]:
    return [(errand.window.begin, errand.window.end) for errand in errands]


def asked_for(errands: Sequence[Errand]) -> Spans:
    """All that is asked for."""
    return Spans(*(_closed(errand.window) for errand in errands))


def _closed(window: Window) -> tuple[int, int]:
    return window.begin, FOREVER if window.end is None else window.end - 1


# --- tables ---


def test_a_module_that_is_up_to_date_is_asked_for_its_last_hour() -> None:
    (live,) = errands_due(known((T + 1, FOREVER), newest=T, told=T))

    assert live == Errand(module=PORCH, window=Window(T - HOUR), lane=Lane.LIVE, why=Why.DUE)


def test_the_first_poll_asks_for_the_last_hour_first_and_then_for_the_past() -> None:
    live, past = errands_due(known((T - 100 * DAY, FOREVER), told=T, floor=T - 100 * DAY))

    assert (live.lane, live.window) == (Lane.LIVE, Window(T - HOUR))
    assert (past.lane, past.why) == (Lane.HISTORY, Why.CATCHING_UP)
    assert past.window == Window(T - 100 * DAY, T - HOUR)


@pytest.mark.parametrize(
    ("why", "plan", "expected"),
    [
        (
            "of a module that nobody has heard of for long, all is asked for in one piece",
            known((T - 900 * DAY, FOREVER), floor=T - 900 * DAY),
            [(T - 900 * DAY, None)],
        ),
        ("a short past is one page", known((T - DAY, FOREVER), told=T), [(T - DAY, None)]),
        (
            "a short absence is one page, with the look-back before it",
            known((T + 1, FOREVER), newest=T, told=T + DAY),
            [(T - HOUR, None)],
        ),
        (
            "after a long absence the newest comes first, and the look-back with the past",
            known((T + 1, FOREVER), newest=T, told=T + 30 * DAY),
            [(T + 30 * DAY - HOUR, None), (T - HOUR, T + 30 * DAY - HOUR)],
        ),
        (
            "a hole far back is asked for by itself",
            known((T - 90 * DAY, T - 90 * DAY + 5), (T + 1, FOREVER), newest=T, told=T),
            [(T - HOUR, None), (T - 90 * DAY, T - 90 * DAY + 6)],
        ),
        (
            "holes that fit into a page are asked for together, oldest first",
            known(
                (T - 90 * DAY, T - 90 * DAY),
                (T - 88 * DAY, T - 88 * DAY),
                (T - 60 * DAY, T - 60 * DAY),
                (T + 1, FOREVER),
                newest=T,
            ),
            [
                (T - HOUR, None),
                (T - 90 * DAY, T - 88 * DAY + 1),
                (T - 60 * DAY, T - 60 * DAY + 1),
            ],
        ),
        (
            "a hole of the last days needs no errand of its own, and the hour before it is looked at too",
            known((T - DAY, T - DAY), (T + 1, FOREVER), newest=T),
            [(T - DAY - HOUR, None)],
        ),
        (
            "rows between early ones are asked for with the hour before them",
            known((T - 3300, T - 301), (T - 299, T - 1), (T + 1, FOREVER), newest=T, told=T),
            [(T - 3300 - HOUR, None)],
        ),
        (
            "a stretch that began long ago stays a matter of the past",
            known((T - 50 * DAY, T - HOUR), (T + 1, FOREVER), newest=T),
            [(T - HOUR, None), (T - 50 * DAY, T - HOUR)],
        ),
        (
            "a device that begins now is not asked for what was before",
            known((T, FOREVER), newest=T - 60, floor=T),
            [(T, None)],
        ),
        (
            "a survey that lags behind changes nothing",
            known((T + 1, FOREVER), newest=T, told=T - 9 * DAY),
            [(T - HOUR, None)],
        ),
        (
            "where no destination can be reached there is still the live end",
            known(newest=T, told=T),
            [(T - HOUR, None)],
        ),
    ],
)
def test_polls(why: str, plan: Known, expected: list[tuple[int, int | None]]) -> None:
    assert windows(errands_due(plan)) == expected, why


def test_looking_back_two_days_is_part_of_the_poll() -> None:
    plan = replace(known((T + 1, FOREVER), newest=T), due=Due(2 * DAY))

    assert windows(errands_due(plan)) == [(T - 2 * DAY, None)]


def test_looking_further_back_comes_last_and_leaves_out_what_is_asked_for_anyway() -> None:
    due = Due(2 * DAY, (Window(T - 14 * DAY, T - 2 * DAY), Window(T - 9 * DAY, T - 8 * DAY)))
    plan = replace(known((T - 6 * DAY, T - 5 * DAY - 1), (T + 1, FOREVER), newest=T), due=due)

    _, lacking, first, second = errands_due(plan)

    assert (lacking.why, first.why, second.why) == (Why.CATCHING_UP, Why.LOOKING_BACK, Why.LOOKING_BACK)
    assert windows([first, second]) == [
        (T - 14 * DAY, T - 6 * DAY),
        (T - 5 * DAY, T - 2 * DAY),
    ]


def test_the_past_is_all_that_is_lacking_up_to_the_newest_row() -> None:
    plan = known((T - 50 * DAY, T - 40 * DAY - 1), (T - 600, T - 301), (T + 1, FOREVER), newest=T)

    assert windows(errands_past(plan)) == [(T - 50 * DAY, T - 40 * DAY), (T - 600, T - 300)]
    assert windows(errands_past(plan, lately=False)) == [(T - 50 * DAY, T - 40 * DAY)]


def test_a_span_that_was_asked_for_is_cut_to_what_is_lacking() -> None:
    plan = known((T - 50 * DAY, T - 40 * DAY), (T - 10 * DAY, FOREVER), newest=T)

    errands = errands_asked(plan, Window(T - 45 * DAY, T - 5 * DAY))

    assert windows(errands) == [(T - 45 * DAY, T - 40 * DAY + 1), (T - 10 * DAY, T - 5 * DAY)]
    assert {(errand.lane, errand.why) for errand in errands} == {(Lane.HISTORY, Why.ASKED)}


def test_again_asks_for_the_whole_span() -> None:
    errands = errands_asked(known((T + 1, FOREVER), newest=T), Window(T - DAY, T), again=True)

    assert windows(errands) == [(T - DAY, T)]
    assert errands[0].why is Why.AGAIN


def test_an_open_span_goes_on_for_ever() -> None:
    assert windows(errands_asked(known((T, FOREVER)), Window(T - DAY))) == [(T, None)]


@pytest.mark.parametrize("window", [Window(T - DAY, T - HOUR), Window(T, T), Window(T, T - DAY)])
def test_a_span_of_which_nothing_is_lacking_or_that_is_empty_needs_no_errand(window: Window) -> None:
    plan = known((T + 1, FOREVER), newest=T)

    assert errands_asked(plan, window) == []


def test_nothing_below_the_floor_is_asked_for_though_somebody_names_it() -> None:
    errands = errands_asked(known((T, FOREVER), floor=T), Window(0, T + DAY), again=True)

    assert windows(errands) == [(T, T + DAY)]


# --- what always holds ---

moments = st.integers(0, 60 * DAY)
gaps = st.lists(st.tuples(moments, st.integers(0, 5 * DAY)), max_size=8)


@st.composite
def situations(draw: st.DrawFn) -> Known:
    """Anything that can be known; lacking is open at its end wherever a destination can be reached."""
    floor = draw(st.integers(0, 5 * DAY))
    newest = draw(st.none() | moments)
    told = draw(st.none() | moments)
    lacking = Spans(*((begin, begin + width) for begin, width in draw(gaps)))
    if draw(st.booleans()):
        lacking |= Spans((draw(moments), FOREVER))
    return Known(
        module=PORCH, floor=floor, lacking=lacking & Spans((floor, FOREVER)), newest=newest, told=told
    )


@given(situations())
def test_all_that_is_lacking_is_asked_for(plan: Known) -> None:
    assert not plan.lacking - asked_for(errands_due(plan))


@given(situations())
def test_the_hour_before_the_newest_row_is_always_asked_for(plan: Known) -> None:
    if plan.newest is not None:
        hour = Spans((max(plan.floor, plan.newest - LOOK_BACK), plan.newest))

        assert not hour - asked_for(errands_due(plan))


@given(situations())
def test_no_second_is_asked_for_twice(plan: Known) -> None:
    inner = sorted(_closed(errand.window) for errand in errands_due(plan))

    assert all(begin <= end for begin, end in inner)
    assert all(end < begin for (_, end), (begin, _) in pairwise(inner))


@given(situations())
def test_nothing_below_the_floor_is_asked_for(plan: Known) -> None:
    assert all(errand.window.begin >= plan.floor for errand in errands_due(plan))


@given(situations())
def test_the_past_is_asked_for_oldest_first_up_to_the_live_begin_and_in_its_own_lane(plan: Known) -> None:
    first, *past = errands_due(plan)

    assert first.window.end is None
    assert [errand.window.begin for errand in past] == sorted(errand.window.begin for errand in past)
    assert all(errand.window.end and errand.window.end <= first.window.begin for errand in past)
    assert {errand.lane for errand in past} <= {Lane.HISTORY}


@given(situations())
def test_windows_of_the_past_begin_and_end_with_something_lacking(plan: Known) -> None:
    wanted = plan.lacking
    if plan.newest is not None:
        wanted |= Spans((plan.newest - LOOK_BACK, plan.newest))

    for errand in errands_due(plan)[1:]:
        begin, end = _closed(errand.window)
        assert begin in wanted
        assert end in wanted


@given(situations())
def test_covered_time_is_asked_for_only_within_what_fits_into_a_page(plan: Known) -> None:
    wanted = plan.lacking
    if plan.newest is not None:
        wanted |= Spans((plan.newest - LOOK_BACK, plan.newest))

    for errand in errands_due(plan)[1:]:
        begin, end = _closed(errand.window)
        if Spans((begin, end)) - wanted:
            assert end - begin < PAGE_SPAN


@given(situations())
def test_windows_that_fit_into_one_page_are_never_two(plan: Known) -> None:
    past = [_closed(errand.window) for errand in errands_due(plan)[1:]]

    assert all(end - begin >= PAGE_SPAN for (begin, _), (_, end) in pairwise(past))


@given(plan=situations(), begin=moments, end=moments, again=st.booleans())
def test_what_was_asked_for_is_all_that_is_fetched(plan: Known, begin: int, end: int, *, again: bool) -> None:
    inside = Spans((max(begin, plan.floor), end - 1))
    errands = errands_asked(plan, Window(begin, end), again=again)

    assert not asked_for(errands) - inside
    assert not (inside if again else inside & plan.lacking) - asked_for(errands)


# --- page after page ---


def page(window: Window, *times: int, raw: int | None = None) -> Page:
    rows = [Row(time, (21.5,)) for time in times]
    return Page((Measure("Temperature"),), window, rows, len(rows) if raw is None else raw)


@pytest.mark.parametrize(
    ("why", "fetched", "expected"),
    [
        ("it was not full", page(Window(0, 99), 1, 2), None),
        ("it was empty", page(Window(0, 99)), None),
        ("one row short", page(Window(0, 99), 1, 2, raw=PAGE_ROWS - 1), None),
        ("full", page(Window(0, 99), 1, 2, raw=PAGE_ROWS), Window(3, 99)),
        ("full and open", page(Window(0), 1, 2, raw=PAGE_ROWS), Window(3)),
        ("full, its last row the window's last second", page(Window(0, 3), 1, 2, raw=PAGE_ROWS), None),
        ("full of rows that cannot be", page(Window(0), raw=PAGE_ROWS), None),
    ],
)
def test_a_full_page_is_followed_up_to_the_end_of_its_window(
    why: str, fetched: Page, expected: Window | None
) -> None:
    assert following(fetched) == expected, why
