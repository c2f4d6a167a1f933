from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import UpstreamFault
from netaflux.core.measures import measures_of
from netaflux.core.model import PAGE_ROWS, Measure, Number, Page, Row, Window
from netaflux.netatmo.rows import TimesUntold, page_of
from tests.netatmo.world import payload

BEGIN = 1763700000
NOW = BEGIN + 100_000
ALL = Window(BEGIN)
TWO = (Measure("Temperature"), Measure("Humidity"))

Rows = Sequence[tuple[int, tuple[Number | None, ...]]]


def page(body: object, window: Window = ALL, measures: Sequence[Measure] = TWO, **options: bool) -> Page:
    """The page of a body that has come over the wire."""
    envelope = orjson.loads(orjson.dumps({"body": body, "status": "ok", "time_server": NOW}))
    return page_of(envelope, measures, window, 0, **options)


def segment(begin: int, *values: object, step: object = 300) -> dict[str, object]:
    """A stretch of rows in the shape of optimize=true."""
    return {"beg_time": begin, "step_time": step, "value": list(values)}


def rows(*cells: tuple[int, Number | None, Number | None]) -> tuple[Row, ...]:
    """Rows by their distance to the beginning."""
    return tuple(Row(BEGIN + at, (temperature, humidity)) for at, temperature, humidity in cells)


# shapes


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "NAMain",
            [
                (1763700000, (15.9, 612, 57, 1017.3, 38)),
                (1763700300, (15.9, 615, 57, 1017.3, 38)),
                (1763700600, (15.8, 620, 57, 1017.4, 40)),
                (1763700905, (15.8, 622, 57, 1017.4, 39)),
                (1763701507, (15.8, None, 57, 1017.4, 39)),
                (1763701808, (15.7, 628, 58, 1017.5, 38)),
            ],
        ),
        ("NAModule1", [(1763700000, (3.1, 91)), (1763700301, (3, 91)), (1763700602, (2.9, 92))]),
        ("NAModule2", [(1763700010, (11, 225, 23, 231)), (1763700310, (0, -1, 2, 90))]),
        ("NAModule3", [(1763700020, (0,)), (1763700320, (0.101,)), (1763700620, (0.303,))]),
        ("NAModule4", [(1763700030, (18.8, 844, 53)), (1763700630, (18.9, 850, 53))]),
        ("NHC", [(1763700040, (21.6, 702, 45, 1017.2, 35)), (1763700340, (21.6, 705, 45, 1017.2, 36))]),
    ],
)
def test_segments_are_read_for_every_kind(kind: str, expected: Rows) -> None:
    measures = measures_of(kind)
    found = page_of(payload(f"measures/{kind}"), measures, ALL, 0)

    assert found.rows == tuple(Row(time, values) for time, values in expected)
    assert (found.measures, found.window, found.raw_rows, found.aside) == (measures, ALL, len(expected), 0)


def test_rows_under_their_times_are_read() -> None:
    """Irregular, ragged, with a hole, and one without any value: it was there all the same."""
    found = page_of(payload("measures/by_time"), TWO, ALL, 0)

    assert found.rows == rows(
        (0, 15.9, 57), (16, 16, 57), (316, None, 57), (620, 15.8, None), (921, None, None)
    )
    assert (found.raw_rows, found.aside) == (5, 0)


@pytest.mark.parametrize("body", [[], {}, None, [segment(BEGIN)], {"errors": []}, {"home": {}}])
def test_an_empty_answer_is_an_empty_page(body: object) -> None:
    found = page(body)

    assert (found.rows, found.raw_rows, found.aside, found.full, found.last) == ((), 0, 0, False, None)


@pytest.mark.parametrize("body", [{"errors": [{"code": 6}]}, {"home": {"errors": [{"code": 6, "id": "a"}]}}])
def test_errors_instead_of_rows_are_no_silence(body: object) -> None:
    with pytest.raises(UpstreamFault, match="code 6"):
        page(body)


def test_errors_beside_rows_cost_nothing() -> None:
    found = page({str(BEGIN): [15.9, 57], "errors": [{"code": 6}]})

    assert (found.rows, found.aside) == (rows((0, 15.9, 57)), 0)


def test_an_answer_without_a_body_is_an_empty_page() -> None:
    assert page_of({"status": "ok"}, TWO, ALL, NOW).rows == ()


@pytest.mark.parametrize("body", ["rows", 7, True])
def test_an_answer_about_something_else_is_a_fault(body: object) -> None:
    with pytest.raises(UpstreamFault, match="neither segments nor rows"):
        page(body)


def test_whole_numbers_stay_whole() -> None:
    (row,) = page([segment(BEGIN, [3, 3.0])]).rows

    assert [type(value) for value in row.values] == [int, float]


# cells


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1, 2, 3, 4], (1, 2)),
        ([1], (1, None)),
        ([], (None, None)),
        ([None, 2], (None, 2)),
        ([True, False], (None, None)),
        (["1", 2], (None, 2)),
        ([[1], {"2": 2}], (None, None)),
        ([0, -0.5], (0, -0.5)),
    ],
)
@pytest.mark.parametrize("others", [[], [[5, 6]]])
def test_a_cell_is_a_number_or_nothing(
    cells: list[object], expected: tuple[object, ...], others: list[object]
) -> None:
    assert page([segment(BEGIN, cells, *others)]).rows[0].values == expected


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_a_cell_that_is_not_finite_is_nothing(odd: float) -> None:
    """JSON has none; should a parser make one all the same, it stops here."""
    envelope = {"body": [segment(BEGIN, [odd, 2], [3, 4])]}

    assert [row.values for row in page_of(envelope, TWO, ALL, NOW).rows] == [(None, 2), (3, 4)]


@pytest.mark.parametrize("odd", [None, 7, "12", True, {"0": 1}])
def test_a_row_that_cannot_be_read_is_left_out_and_counted(odd: object) -> None:
    for body in (
        [segment(BEGIN, [1, 2], odd, [3, 4])],
        {str(BEGIN): [1, 2], "1763700300": odd, "1763700600": [3, 4]},
    ):
        found = page(body)

        assert found.rows == rows((0, 1, 2), (600, 3, 4))
        assert (found.raw_rows, found.aside) == (3, 1)


# times


@pytest.mark.parametrize("step", [None, 0, -300, "300", 0.5, True])
def test_several_rows_without_a_step_have_no_times(step: object) -> None:
    with pytest.raises(TimesUntold):
        page([segment(BEGIN, [1, 2], [3, 4], step=step)])


@pytest.mark.parametrize("step", [None, 0, -300, "300"])
def test_a_single_row_needs_no_step(step: object) -> None:
    assert page([segment(BEGIN, [1, 2], step=step)]).rows == rows((0, 1, 2))


def test_rows_that_nobody_can_time_are_put_aside_where_that_is_wanted() -> None:
    """The first one's time is known, and no other is invented."""
    found = page(
        [segment(BEGIN, [1, 2], [3, 4], [5, 6], step=None), segment(BEGIN + 900, [7, 8])], untold_aside=True
    )

    assert found.rows == rows((0, 1, 2), (900, 7, 8))
    assert (found.raw_rows, found.aside) == (4, 2)


def test_a_whole_float_is_a_time() -> None:
    assert page([segment(float(BEGIN), [1, 2], [3, 4], step=300.0)]).rows == rows((0, 1, 2), (300, 3, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [], {}, {"beg_time": "1763700000"}, {"beg_time": BEGIN, "value": 7}]
)
def test_a_segment_that_cannot_be_read_is_left_out_and_counted(odd: object) -> None:
    found = page([odd, segment(BEGIN, [1, 2])])

    assert found.rows == rows((0, 1, 2))
    assert (found.raw_rows, found.aside) == (2, 1)


def test_a_segment_without_a_time_counts_for_all_its_rows() -> None:
    """They may have made the answer full."""
    found = page([{"beg_time": None, "step_time": 300, "value": [[1, 2]] * PAGE_ROWS}])

    assert (found.rows, found.raw_rows, found.aside, found.full) == ((), PAGE_ROWS, PAGE_ROWS, True)


@pytest.mark.parametrize("key", ["", "x", "-5", "1.5", "1763700000 ", "１７６３７０００００", "9" * 5000])  # noqa: RUF001 - wide digits
def test_a_time_that_is_none_is_left_out_and_counted(key: str) -> None:
    found = page({key: [1, 2], str(BEGIN): [3, 4]})

    assert found.rows == rows((0, 3, 4))
    assert (found.raw_rows, found.aside) == (2, 1)


def test_rows_come_in_order_whatever_order_they_were_sent_in() -> None:
    body = [segment(BEGIN + 900, [5, 6]), segment(BEGIN, [1, 2], [3, 4])]

    assert page(body).rows == rows((0, 1, 2), (300, 3, 4), (900, 5, 6))


def test_of_two_rows_of_one_time_the_later_one_s_values_count() -> None:
    body = [segment(BEGIN, [1, None]), segment(BEGIN, [None, 4]), segment(BEGIN, [5, None])]
    found = page(body)

    assert found.rows == rows((0, 5, 4))
    assert (found.raw_rows, found.aside) == (3, 0)


# windows

ODD_ONES = [segment(BEGIN + at, [at, 0]) for at in (-1, 0, 299, 300, 301)]


def test_the_begin_belongs_to_a_window_and_its_end_does_not() -> None:
    """Whether Netatmo sends the row at date_end or not makes no difference, and is no fault."""
    found = page(ODD_ONES, Window(BEGIN, BEGIN + 300))

    assert found.rows == rows((0, 0, 0), (299, 299, 0))
    assert (found.raw_rows, found.aside) == (5, 1)


def test_an_open_window_has_no_end() -> None:
    assert page(ODD_ONES).rows == rows((0, 0, 0), (299, 299, 0), (300, 300, 0), (301, 301, 0))


def test_a_row_from_the_future_is_put_aside() -> None:
    body = [segment(NOW + at, [1, 2]) for at in (-300, 600, 601, 300_000_000)]
    found = page(body)

    assert [row.time for row in found.rows] == [NOW - 300, NOW + 600]
    assert (found.raw_rows, found.aside) == (4, 2)


@pytest.mark.parametrize("told", [None, 0, "now", 12, True])
def test_where_netatmo_tells_no_time_the_given_one_counts(told: object) -> None:
    envelope = {"body": [segment(NOW + 601, [1, 2])], "time_server": told}

    assert page_of(envelope, TWO, ALL, NOW).aside == 1
    assert page_of(envelope, TWO, ALL, NOW + 1.5).aside == 0


@pytest.mark.parametrize(("sent", "full"), [(PAGE_ROWS - 1, False), (PAGE_ROWS, True), (PAGE_ROWS + 1, True)])
def test_a_page_is_full_by_what_was_sent_not_by_what_was_kept(sent: int, full: bool) -> None:  # noqa: FBT001 - a table
    found = page([segment(BEGIN - 3000, *([[1, 2]] * sent), step=60)])

    assert (found.full, found.raw_rows, found.aside) == (full, sent, 50)


# anything at all

cells = st.lists(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    max_size=4,
)
odd_values: st.SearchStrategy[object] = st.sampled_from([None, True, False, -5, 0, 5, "", "odd", "7", [], {}])
times = st.integers(BEGIN - 900, BEGIN + 3000) | st.integers(-(2**60), 2**60)
steps = st.integers(-5, 700) | odd_values
value_lists = st.lists(cells | odd_values, max_size=5) | odd_values
segments = st.fixed_dictionaries(
    {}, optional={"beg_time": times | odd_values, "step_time": steps, "value": value_lists}
)
bodies = (
    st.lists(segments | odd_values, max_size=5)
    | st.dictionaries(times.map(str) | st.text(max_size=12), cells | odd_values, max_size=8)
    | odd_values
)
windows = st.builds(
    lambda begin, width: Window(begin, None if width is None else begin + width),
    st.integers(BEGIN - 600, BEGIN + 600),
    st.none() | st.integers(1, 2000),
)


def numbers_in(value: object) -> set[Number]:
    """Every number that stands somewhere in a JSON value."""
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, int | float):
        return {value}
    inner: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(numbers_in(each) for each in inner))


@given(bodies, windows)
def test_whatever_comes_a_page_is_in_order_in_its_window_and_invents_nothing(
    body: object, window: Window
) -> None:
    try:
        found = page(body, window, untold_aside=True)
    except UpstreamFault:
        assert not isinstance(body, list | dict)
        return

    found_times = [row.time for row in found.rows]
    assert found_times == sorted(set(found_times))
    assert all(time in window and time <= NOW + 600 for time in found_times)
    assert all(len(row.values) == len(TWO) for row in found.rows)
    values = {value for row in found.rows for value in row.values if value is not None}
    assert values <= numbers_in(orjson.loads(orjson.dumps(body)))
    assert not any(isinstance(value, bool) for value in values)
    assert found.raw_rows >= found.aside + len(found.rows) >= 0


@given(st.lists(cells, min_size=2, max_size=20))
def test_a_value_is_the_number_that_stood_in_its_own_cell_or_none(sent: list[list[object]]) -> None:
    """Above all no 0 where nothing was, and nothing of the row before."""
    found = page([segment(BEGIN, *sent, step=300)])

    padded = [[*each, None, None][: len(TWO)] for each in sent]
    numbers = [tuple(each if type(each) in (int, float) else None for each in row) for row in padded]
    assert [row.values for row in found.rows] == numbers


@given(
    st.lists(st.tuples(st.integers(1, 700), cells.filter(lambda row: len(row) <= len(TWO))), max_size=20),
)
def test_both_shapes_of_the_same_rows_are_the_same_page(steps: list[tuple[int, list[object]]]) -> None:
    time, sent = BEGIN, []
    for step, values in steps:
        time += step
        sent.append((time, values))

    by_time = page({str(time): values for time, values in sent})
    by_segment = page([segment(time, values, step=None) for time, values in sent])

    assert by_time == by_segment
    assert [row.time for row in by_time.rows] == [time for time, _ in sent]
