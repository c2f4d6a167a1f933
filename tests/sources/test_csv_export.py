"""Netatmo's CSV export: what is read, and what is said of files that are not what they should be."""

import os
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from netaflux.core.errors import DataRefused
from netaflux.core.model import Row
from netaflux.sources.csv_cells import number, read_header
from netaflux.sources.csv_export import Checked, check
from netaflux.sources.csv_mistakes import Mistakes
from tests.sources.csv_files import FIRST, HEADER, LINES_BEFORE, LOCAL, STEP, lines_of, written

NOW = 1_700_000_000.0
GOOD = (FIRST, 20.3, 51, 429)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "basement.csv"


def checked(path: Path) -> Checked:
    mistakes = Mistakes()
    found = check(path, mistakes, now=NOW)
    mistakes.require_none()
    assert found is not None
    return found


def rows_of(path: Path) -> list[Row]:
    return list(chain.from_iterable(checked(path).pages()))


def said(path: Path) -> list[str]:
    """The mistakes of a file, without its folder."""
    mistakes = Mistakes()
    check(path, mistakes, now=NOW)
    with pytest.raises(DataRefused) as refused:
        mistakes.require_none()
    assert refused.value.exit_code == 65
    return [line.removeprefix(f"{path.parent}/") for line in refused.value.message.splitlines()]


# --- what is read ---


def test_rows_are_read_with_their_unix_time_and_their_measures(path: Path) -> None:
    found = checked(written(path, lines_of([GOOD, (FIRST + STEP, 21, 52, 430)])))

    assert found.measures == ("Temperature", "Humidity", "CO2")
    assert (found.rows, found.first, found.last) == (2, FIRST, FIRST + STEP)
    assert [*found.pages()] == [[Row(FIRST, (20.3, 51, 429)), Row(FIRST + STEP, (21, 52, 430))]]


def test_whole_numbers_stay_whole(path: Path) -> None:
    ((_, values),) = rows_of(written(path, lines_of([(FIRST, "21.0", "51", "-7")])))

    assert list(map(repr, values)) == ["21.0", "51", "-7"]


@pytest.mark.parametrize("before", [LINES_BEFORE, LINES_BEFORE[:2], ('"a ""B""";1', '"x "y"";2', ";;")])
def test_the_header_follows_two_or_three_lines_of_any_kind(path: Path, before: Sequence[str]) -> None:
    assert rows_of(written(path, lines_of([GOOD], before=before))) == [Row(FIRST, (20.3, 51, 429))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_line_ends_and_encodings_make_no_difference(path: Path, end: str, encoding: str) -> None:
    header = HEADER.replace("Temperature", "Temperature (°C)")
    before = ("Name", "Küche", "")
    written(path, [*lines_of([GOOD], header=header, before=before), ""], end=end, encoding=encoding)

    assert rows_of(path) == [Row(FIRST, (20.3, 51, 429))]


def test_a_file_may_end_without_a_line_end(path: Path) -> None:
    path.write_text("\n".join(lines_of([GOOD])))

    assert rows_of(path) == [Row(FIRST, (20.3, 51, 429))]


def test_cells_may_be_quoted_and_hold_decimal_commas(path: Path) -> None:
    assert rows_of(written(path, lines_of([(f'"{FIRST}"', '"20,3"', '" 51 "', "4.29e2")]))) == [
        Row(FIRST, (20.3, 51, 429.0))
    ]


def test_empty_cells_are_missing_values(path: Path) -> None:
    assert rows_of(written(path, lines_of([(FIRST, "", '""', 429), (FIRST + 1, "", "", "")]))) == [
        Row(FIRST, (None, None, 429)),
        Row(FIRST + 1, (None, None, None)),
    ]


def test_blank_lines_and_surplus_separators_are_no_rows_and_no_cells(path: Path) -> None:
    lines = [*lines_of([GOOD]), "", ";;;;", f"{FIRST + 1};{LOCAL};1;2;3;;", ""]

    assert [row.time for row in rows_of(written(path, lines))] == [FIRST, FIRST + 1]


@pytest.mark.parametrize(
    ("columns", "measures"),
    [
        ("CO2;Temperature", ("CO2", "Temperature")),
        ("Rain", ("Rain",)),
        (
            "WindAngle;WindStrength;GustAngle;GustStrength",
            ("WindAngle", "WindStrength", "GustAngle", "GustStrength"),
        ),
        ("Wind Strength (km/h);gust_angle [°];Noise (dB)", ("WindStrength", "GustAngle", "Noise")),
        ("Pressure (hPa);Rain (mm);Humidity (%)", ("Pressure", "Rain", "Humidity")),
        ("health_idx;Humidity;sum_rain", ("Humidity",)),
    ],
)
def test_columns_stand_in_any_order_and_are_of_any_kind_of_module(
    path: Path, columns: str, measures: Sequence[str]
) -> None:
    values = range(1, columns.count(";") + 2)
    header = f"Timestamp;Timezone : Europe/Berlin;{columns}"
    found = checked(written(path, lines_of([(FIRST, *values)], header=header)))
    ((row,),) = found.pages()

    assert found.measures == measures
    assert row.values == tuple(value for value in values if value + 1 in found.header.places)


def test_columns_that_hold_no_measure_are_told(path: Path) -> None:
    found = checked(written(path, lines_of([], header=f"{HEADER};health_idx;x\x1b")))

    assert found.header.unknown == ("health_idx", "x\\x1b")


def test_pages_hold_1024_rows_at_most(path: Path) -> None:
    found = checked(written(path, lines_of((FIRST + n, n, 5, 6) for n in range(2048))))

    assert [len(page) for page in found.pages()] == [1024, 1024]
    assert found.rows == 2048


def test_a_file_without_rows_is_none_to_complain_of(path: Path) -> None:
    assert rows_of(written(path, lines_of([]))) == []


# --- what is refused ---


@pytest.mark.parametrize(
    ("row", "mistake"),
    [
        ((FIRST, "abc", 5, 6), 'column 3 (Temperature): "abc" is not a number'),
        ((FIRST, 1, "nan", 6), 'column 4 (Humidity): "nan" is not a number'),
        ((FIRST, 1, "1e999", 6), 'column 4 (Humidity): "1e999" is not a number'),
        ((FIRST, 1, "1_0", 6), 'column 4 (Humidity): "1_0" is not a number'),
        ((FIRST, 1, "1.013,2", 6), 'column 4 (Humidity): "1.013,2" is not a number'),
        ((FIRST, 1, "٣", 6), 'column 4 (Humidity): "٣" is not a number'),
        ((FIRST, 1, 2, "9" * 60), f'column 5 (CO2): "{"9" * 39}…" is not a number'),
        ((FIRST, 1, 2, "\x1b[2J"), 'column 5 (CO2): "\\u001b[2J" is not a number'),
        (("", 1, 2, 3), "column 1 (Timestamp): there is no timestamp"),
        (("2014/05/17", 1, 2, 3), 'column 1 (Timestamp): "2014/05/17" is no timestamp in whole unix seconds'),
        (
            ("1400348429.5", 1, 2, 3),
            'column 1 (Timestamp): "1400348429.5" is no timestamp in whole unix seconds',
        ),
        ((1_325_375_999, 1, 2, 3), "column 1 (Timestamp): the timestamp 1325375999 is from before 2012"),
        ((int(NOW) + 601, 1, 2, 3), "column 1 (Timestamp): the timestamp 1700000601 lies in the future"),
        ((FIRST * 1000, 1, 2, 3), "column 1 (Timestamp): the timestamp 1400348429000 lies in the future"),
        ((FIRST, 1, 2), "column 5 (CO2): 4 cells where the header has 5"),
        ((FIRST, 1, 2, 3, 4), "column 6: 6 cells where the header has 5"),
    ],
)
def test_a_bad_cell_is_told_with_its_place(path: Path, row: Sequence[object], mistake: str) -> None:
    good = int(NOW) - 600
    written(path, [*lines_of([row]), f"{good};{LOCAL};1;2;3"])

    assert said(path) == [f"basement.csv:5: {mistake}"]


def test_the_bounds_of_time_are_believed(path: Path) -> None:
    rows = [(1_325_376_000, 1, 2, 3), (int(NOW) + 600, 1, 2, 3)]

    assert checked(written(path, lines_of(rows))).rows == 2


def test_times_must_ascend(path: Path) -> None:
    times = [FIRST, FIRST + 2, FIRST + 2, FIRST + 1, FIRST + 3]
    written(path, lines_of((time, 1, 2, 3) for time in times))

    assert said(path) == [
        f"basement.csv:7: column 1 (Timestamp): the timestamp {FIRST + 2} stands in line 6 already",
        f"basement.csv:8: column 1 (Timestamp): the timestamp {FIRST + 1} is earlier than line 6's",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["date,value", "1,2"],
        ["", "", "", HEADER.replace(";", ","), f"{FIRST},x,1,2,3"],
        [*([""] * 8), HEADER],
        ["x" * 20_000, "", "", HEADER],
        ['"' + "x" * 200_000],
    ],
)
def test_another_table_is_refused(path: Path, lines: Sequence[str]) -> None:
    (mistake,) = said(written(path, lines))

    assert mistake.startswith("basement.csv:1: this is no CSV export of Netatmo's")


@pytest.mark.parametrize("zone", ["Timezone", '"Timezone : "', "Local time", "2014/05/17"])
def test_a_header_without_a_time_zone_is_refused(path: Path, zone: str) -> None:
    written(path, lines_of([GOOD], header=f"Timestamp;{zone};Temperature;Humidity;CO2"))

    assert said(path) == [
        "basement.csv:4: column 2: there is no time zone, such as `Timezone : America/New_York`"
    ]


@pytest.mark.parametrize(
    ("columns", "mistake"),
    [
        ("Temperature;Humidity;temperature", "column 5: Temperature stands in column 3 already"),
        ("Temperature (°F);Humidity;CO2", 'column 3: "Temperature (°F)" is not in °C'),
        ("WindStrength (mph);x;y", 'column 3: "WindStrength (mph)" is not in km/h'),
        ("sum_rain;x;y", "column 3: no column holds a measure that netaflux knows"),
        (";;", "column 3: no column holds a measure that netaflux knows"),
    ],
)
def test_a_header_that_is_not_clear_is_refused(path: Path, columns: str, mistake: str) -> None:
    written(path, lines_of([], header=f"Timestamp;Timezone : Europe/Berlin;{columns}"))

    assert said(path) == [f"basement.csv:4: {mistake}"]


def test_a_line_that_cannot_be_split_is_told_and_the_next_one_is_read(path: Path) -> None:
    written(path, [*lines_of([]), f'{FIRST};"x"y;1;2;3', f"{FIRST + 1};{LOCAL};a;2;3"])

    assert said(path) == [
        "basement.csv:5: it cannot be split into cells: ';' expected after '\"'",
        'basement.csv:6: column 3 (Temperature): "a" is not a number',
    ]


def test_a_file_that_ends_inside_a_cell_is_told(path: Path) -> None:
    path.write_text("\n".join([*lines_of([GOOD]), f'{FIRST + 1};"2014/05']))

    assert said(path) == ["basement.csv:6: it cannot be split into cells: unexpected end of data"]


def test_a_line_without_end_is_told_and_not_read(path: Path) -> None:
    written(path, [*lines_of([GOOD]), "1" * 10**6])

    assert said(path) == [
        "basement.csv:6: it cannot be split into cells: the line is longer than 16384 characters"
    ]


def test_all_mistakes_are_counted_and_the_first_20_told(path: Path) -> None:
    found = said(written(path, lines_of((FIRST + n, "a", "b", 6) for n in range(50))))

    assert len(found) == 21
    assert found[0] == 'basement.csv:5: column 3 (Temperature): "a" is not a number'
    assert found[19] == 'basement.csv:14: column 4 (Humidity): "b" is not a number'
    assert found[20] == "… and 80 more"


def test_the_mistakes_of_all_files_stand_together(tmp_path: Path) -> None:
    mistakes = Mistakes()
    paths = [tmp_path / "missing.csv", tmp_path, written(tmp_path / "bad.csv", ["x"]), tmp_path / "\0"]
    os.mkfifo(tmp_path / "pipe")

    for path in (*paths, tmp_path / "pipe"):
        check(path, mistakes, now=NOW)

    assert [mistake.reason.partition(":")[0] for mistake in mistakes.kept] == [
        "it cannot be read",
        "this is no regular file; it has to be read twice",
        "this is no CSV export of Netatmo's",
        "it cannot be read",
        "this is no regular file; it has to be read twice",
    ]


def test_a_name_that_is_no_text_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"K\xfcche\n.csv")

    (mistake,) = said(path)

    assert mistake == "K\N{REPLACEMENT CHARACTER}che\\n.csv: it cannot be read: No such file or directory"


# --- two passes ---


def _append(path: Path) -> None:
    with path.open("a") as file:
        file.write(f"{FIRST + 3000};{LOCAL};1;2;3\n")


def _alter(path: Path) -> None:
    path.write_text(path.read_text().replace(f"{FIRST + 1500};{LOCAL};1", f"{FIRST + 1500};{LOCAL};2"))


def _truncate(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[: 4 + 1024]))


def _spoil(path: Path) -> None:
    path.write_text(path.read_text().replace(f"{FIRST + 1500};{LOCAL};1", f"{FIRST + 1500};{LOCAL};x"))


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("change", "pages", "words"),
    [
        (_append, 1, "was changed after it had been checked"),
        (_alter, 1, "was changed after it had been checked"),
        (_truncate, 1, "was changed after it had been checked"),
        (_spoil, 1, "was changed after it had been checked"),
        (_remove, 0, "cannot be read any more: No such file or directory"),
    ],
)
def test_a_file_that_changes_between_the_passes_is_noticed_before_the_page_that_changed(
    path: Path, change: Callable[[Path], None], pages: int, words: str
) -> None:
    found = checked(written(path, lines_of((FIRST + n, 1, 2, 3) for n in range(2000))))
    change(path)
    seen: list[int] = []

    with pytest.raises(DataRefused, match=words):
        seen.extend(map(len, found.pages()))

    assert seen == [1024] * pages


def test_rows_that_come_after_the_last_full_page_are_noticed(path: Path) -> None:
    found = checked(written(path, lines_of((FIRST + n, 1, 2, 3) for n in range(1024))))
    _append(path)

    with pytest.raises(DataRefused, match="was changed"):
        list(found.pages())


def test_a_file_may_be_sent_twice(path: Path) -> None:
    found = checked(written(path, lines_of((FIRST + n, 1, 2, 3) for n in range(1500))))

    assert [*found.pages()] == [*found.pages()]


# --- whatever comes ---

cells = st.one_of(
    st.sampled_from(["", '"', ";", "\n", "\r", "\0", "1", "1,5", str(FIRST), "Timestamp", "\ufeff", " "]),
    st.text(max_size=4),
    st.integers(FIRST, FIRST + 20).map(str),
)


@given(body=st.lists(cells, max_size=40).map(";".join), headed=st.booleans())
@example(body='"', headed=True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_any_text_gives_mistakes_or_rows_that_ascend(path: Path, body: str, headed: bool) -> None:  # noqa: FBT001 - hypothesis names it
    text = "\n".join([*LINES_BEFORE, HEADER, body]) if headed else body
    path.write_bytes(text.encode(errors="surrogatepass"))
    _hold(path)


@given(body=st.binary(max_size=300), headed=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_any_bytes_give_mistakes_or_rows_that_ascend(path: Path, body: bytes, headed: bool) -> None:  # noqa: FBT001 - hypothesis names it
    before = "\n".join([*LINES_BEFORE, HEADER, ""]).encode() if headed else b""
    path.write_bytes(before + body)
    _hold(path)


def _hold(path: Path) -> None:
    mistakes = Mistakes()
    found = check(path, mistakes, now=NOW)
    for mistake in mistakes.kept:
        assert str(mistake).isprintable()
    if mistakes.count == 0:
        assert found is not None
        rows = list(chain.from_iterable(found.pages()))
        assert [row.time for row in rows] == sorted({row.time for row in rows})
        assert len(rows) == found.rows


@given(st.floats(allow_nan=False, allow_infinity=False, width=64) | st.integers(-(10**15) + 1, 10**15 - 1))
def test_a_number_that_was_written_is_read_again(value: float) -> None:
    comma = str(value).replace(".", ",")

    assert repr(number(str(value))) == repr(number(comma)) == repr(value)


def test_a_header_is_read_whatever_is_in_it() -> None:
    header, flaws = read_header(["Timestamp"])

    assert header.width == 1
    assert [column for column, _ in flaws] == [2, 3]
