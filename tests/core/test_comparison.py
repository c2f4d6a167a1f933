"""What equal means, and what is counted where it is not."""

import math
from collections.abc import Mapping

import hypothesis.strategies as st
import pytest
from hypothesis import given

from netaflux.core.comparison import EXAMPLES, LISTED_GAPS, Compared, Findings, Flaw, Gaps, compare
from netaflux.core.model import Number

T = 1_700_000_000

Cells = list[tuple[Number, Number]]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (20.1, 20.1),
        (57, 57.0),
        (0, -0.0),
        (10036.675812664322, 10036.6758126643),
        (0.1 + 0.2, 0.3),
        (1 / 3, 1 / 3),
        (1 / 3, 0.3333333333333334),
        (123_456_789_012_345_678, 1.23456789012346e17),
    ],
)
def test_values_are_equal_at_15_digits(value: Number, found: Number) -> None:
    assert compare({T: value}, [(T, found)]) == Compared(rows=1)


@pytest.mark.parametrize(
    ("value", "found"),
    [(20.1, 20.2), (20.1, 20.1000000000001), (10036.675812664322, 10036.6758126644), (5, math.inf)],
)
def test_values_differ_at_15_digits(value: Number, found: Number) -> None:
    assert compare({T: value}, [(T, found)]) == Compared(rows=0, different=(Flaw(T, value, found),))


def test_what_is_no_number_is_different() -> None:
    compared = compare({T: 5}, [(T, math.nan)])

    assert [flaw.time for flaw in compared.different] == [T]
    assert compared.rows == 0


CASES: list[tuple[str, dict[Number, Number], Cells, Compared]] = [
    ("nothing and nothing", {}, [], Compared(rows=0)),
    ("all missing", {T: 1, T + 1: 2}, [], Compared(0, missing=(Flaw(T, 1, None), Flaw(T + 1, 2, None)))),
    ("unknown", {}, [(T, 1)], Compared(0, unknown=(Flaw(T, None, 1),))),
    (
        "unknown between seconds",
        {T: 1},
        [(T, 1), (T + 0.5, 1)],
        Compared(1, unknown=(Flaw(T + 0.5, None, 1),)),
    ),
    ("a time as a float", {T: 1}, [(float(T), 1)], Compared(1)),
    ("equal twins", {T: 1}, [(T, 1), (T, 1)], Compared(1)),
    ("a wrong twin after", {T: 1}, [(T, 1), (T, 2)], Compared(0, different=(Flaw(T, 1, 2),))),
    ("a wrong twin before", {T: 1}, [(T, 2), (T, 1)], Compared(0, different=(Flaw(T, 1, 2),))),
    ("two wrong twins", {T: 1}, [(T, 2), (T, 3)], Compared(0, different=(Flaw(T, 1, 2),))),
    ("unknown twins", {}, [(T, 2), (T, 3)], Compared(0, unknown=(Flaw(T, None, 2),))),
]


@pytest.mark.parametrize(
    ("expected", "held", "compared"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_found_is_told(expected: Mapping[Number, Number], held: Cells, compared: Compared) -> None:
    assert compare(expected, held) == compared


def test_what_is_missing_or_different_can_be_mended() -> None:
    compared = compare({T: 1, T + 1: 2, T + 2: 3}, [(T + 1, 9), (T + 2, 3), (T + 3, 4)])

    assert compared.mendable == [T, T + 1]
    assert {type(time) for time in compared.mendable} == {int}


# the very largest number would be rounded up to infinity
values = st.floats(-1e300, 1e300) | st.integers(-(2**53), 2**53)
times = st.integers(T, T + 40)


@given(st.dictionaries(times, values))
def test_what_is_given_back_with_15_digits_is_complete(expected: dict[Number, Number]) -> None:
    exported = [(time, float(format(value, ".15g"))) for time, value in expected.items()]

    assert compare(expected, exported) == Compared(rows=len(expected))


@given(st.dictionaries(times, values), st.lists(st.tuples(times, values)))
def test_every_moment_is_counted_once(expected: dict[Number, Number], held: Cells) -> None:
    compared = compare(expected, held)

    flaws = [*compared.missing, *compared.different, *compared.unknown]
    known = [flaw.time for flaw in (*compared.missing, *compared.different)]
    assert compared.rows + len(known) == len(expected)
    assert len({flaw.time for flaw in flaws}) == len(flaws)
    assert {flaw.time for flaw in compared.unknown} == {time for time, _ in held} - expected.keys()
    assert {flaw.time for flaw in compared.missing} == expected.keys() - {time for time, _ in held}


@given(st.dictionaries(times, values), st.lists(st.tuples(times, values)))
def test_sending_what_can_be_mended_leaves_only_the_unknown(
    expected: dict[Number, Number], held: Cells
) -> None:
    """Where the destination overwrites, and nothing stands twice."""
    holds = dict(held)
    unknown = len(holds.keys() - expected.keys())

    holds |= {time: expected[time] for time in compare(expected, holds.items()).mendable}

    after = compare(expected, holds.items())
    assert (after.missing, after.different, len(after.unknown)) == ((), (), unknown)


def test_findings_are_summed_up() -> None:
    findings = Findings()
    findings.add(compare({T: 1, T + 1: 2}, [(T, 1), (T + 2, 3)]))
    findings.add(compare({T + 10: 1}, [(T + 10, 2)]))
    findings.repaired += 1

    counts = (findings.rows, findings.missing, findings.different, findings.unknown, findings.left)
    assert counts == (1, 1, 1, 1, 1)
    assert findings.examples == [Flaw(T + 1, 2, None), Flaw(T + 2, None, 3), Flaw(T + 10, 1, 2)]


def test_unknown_values_leave_a_channel_complete() -> None:
    findings = Findings()
    findings.add(compare({}, [(T, 1)]))

    assert (findings.unknown, findings.left) == (1, 0)


def test_only_some_flaws_are_kept() -> None:
    findings = Findings()
    for stretch in range(3):
        findings.add(compare({T + stretch * 100 + n: n for n in range(15)}, []))

    assert findings.missing == 45
    assert [flaw.time for flaw in findings.examples] == [
        *range(T, T + 15),
        *range(T + 100, T + 100 + EXAMPLES - 15),
    ]


def test_a_gap_is_longer_than_half_an_hour() -> None:
    gaps = Gaps()
    gaps.add([T, T + 300, T + 2100])
    gaps.add([])
    gaps.add([T + 2100 + 1801, T + 9000])

    assert gaps.listed == [(T + 2100, T + 3901), (T + 3901, T + 9000)]
    assert (gaps.count, gaps.seconds) == (2, 1801 + 9000 - 3901)


def test_what_lies_before_the_first_row_is_no_gap() -> None:
    gaps = Gaps()
    gaps.add([T])

    assert gaps.count == 0


def test_only_some_gaps_are_listed() -> None:
    gaps = Gaps()
    gaps.add(range(T, T + 3600 * (LISTED_GAPS + 6), 3600))

    assert (gaps.count, len(gaps.listed)) == (LISTED_GAPS + 5, LISTED_GAPS)
