"""Spans are sets of whole seconds: every operation is held against Python's own sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.spans import FOREVER, Spans

WIDEST = 60
"""Small, so that spans touch, overlap and swallow one another all the time."""

moments = st.integers(-5, WIDEST + 5)
pairs = st.lists(st.tuples(st.integers(0, WIDEST), st.integers(0, WIDEST)), max_size=8)
spans = pairs.map(lambda some: Spans(*some))


def seconds(held: Spans) -> set[int]:
    """The model: every second, one by one."""
    return {time for begin, end in held for time in range(begin, end + 1)}


def in_normal_form(held: Spans) -> bool:
    """Ascending, none empty, and a second at least that is not held between two of them."""
    ends = [end for _, end in held.pairs]
    begins = [begin for begin, _ in held.pairs]
    return all(begin <= end for begin, end in held) and all(
        begin > end + 1 for end, begin in zip(ends, begins[1:], strict=False)
    )


@given(pairs)
def test_spans_hold_the_seconds_of_all_their_pairs(some: list[tuple[int, int]]) -> None:
    held = Spans(*some)

    assert seconds(held) == {time for begin, end in some for time in range(begin, end + 1)}
    assert in_normal_form(held)


@given(spans, spans)
def test_union_intersection_and_difference_are_those_of_sets(one: Spans, other: Spans) -> None:
    for combined, model in (
        (one | other, seconds(one) | seconds(other)),
        (one & other, seconds(one) & seconds(other)),
        (one - other, seconds(one) - seconds(other)),
    ):
        assert seconds(combined) == model
        assert in_normal_form(combined)


@given(spans, spans)
def test_equal_sets_are_equal_however_they_came_about(one: Spans, other: Spans) -> None:
    assert (one | other) == (other | one)
    assert (one - other) | (one & other) == one
    assert hash((one - other) | (one & other)) == hash(one)
    assert ((one | other) == one) is (seconds(other) <= seconds(one))


@given(spans, moments)
def test_a_moment_is_held_with_the_whole_span_around_it(held: Spans, time: int) -> None:
    around = held.around(time)

    assert (time in held) is (time in seconds(held)) is (around is not None)
    if around is not None:
        begin, end = around
        assert begin <= time <= end
        assert begin - 1 not in held
        assert end + 1 not in held


@given(spans)
def test_a_span_is_found_by_its_first_and_its_last_second(held: Spans) -> None:
    for begin, end in held:
        assert held.around(begin) == held.around(end) == (begin, end)


@given(st.lists(st.integers(0, WIDEST)))
def test_moments_become_spans(times: list[int]) -> None:
    assert seconds(Spans.at(times)) == set(times)


@given(spans)
def test_a_span_without_end_is_cut_and_mended_like_any_other(held: Spans) -> None:
    open_ended = Spans((WIDEST // 2, FOREVER))

    lacking = open_ended - held

    assert lacking.pairs[-1][1] == FOREVER
    assert (lacking | held) & open_ended == open_ended
    assert not lacking & held


@pytest.mark.parametrize(
    ("made", "pairs"),
    [
        (Spans(), ()),
        (Spans((5, 4)), ()),
        (Spans((4, 4)), ((4, 4),)),
        (Spans((1, 4), (5, 9)), ((1, 9),)),
        (Spans((1, 4), (6, 9)), ((1, 4), (6, 9))),
        (Spans((6, 9), (1, 4)), ((1, 4), (6, 9))),
        (Spans((1, 9), (3, 4)), ((1, 9),)),
        (Spans((1, 9)) - Spans.at([1, 5, 9]), ((2, 4), (6, 8))),
        (Spans((1, 9)) - Spans((-5, 0), (10, 20)), ((1, 9),)),
        (Spans((1, 9)) - Spans((0, 10)), ()),
        (Spans((1, 3), (5, 7), (9, 11)) - Spans((2, 10)), ((1, 1), (11, 11))),
    ],
)
def test_table(made: Spans, pairs: tuple[tuple[int, int], ...]) -> None:
    assert made.pairs == pairs


def test_only_spans_that_hold_something_are_true() -> None:
    assert Spans((0, 0))
    assert not Spans()
    assert not Spans((3, 3)) - Spans((3, 3))


def test_nothing_but_whole_seconds_is_ever_held() -> None:
    assert "1" not in Spans((1, 4))
    assert 1.5 not in Spans((1, 4))


def test_spans_do_not_change() -> None:
    held = Spans((1, 4))

    with pytest.raises(AttributeError):
        held.pairs = ()  # type: ignore[misc]  # that it cannot is the test


@given(spans, st.lists(moments, unique=True).map(sorted))
def test_of_ascending_moments_those_are_held_that_are_in_a_span(held: Spans, times: list[int]) -> None:
    assert held.held(times) == [time for time in times if time in held]
