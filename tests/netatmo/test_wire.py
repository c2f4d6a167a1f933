import pytest

from netaflux.netatmo.wire import Fault, faults, module_id, moment, server_time, text, texts, truth, whole

ODDITIES = [
    None,
    True,
    False,
    0,
    -1,
    5,
    5.0,
    5.5,
    "",
    "  ",
    "5",
    " a b ",
    [],
    ["x", 3, "", None],
    {},
    {"x": 1},
]


@pytest.mark.parametrize("value", ODDITIES)
def test_a_text_is_a_string_that_says_something(value: object) -> None:
    assert text(value) == {"5": "5", " a b ": "a b"}.get(value if isinstance(value, str) else "")


@pytest.mark.parametrize("value", ODDITIES)
def test_a_whole_number_is_no_text_and_no_truth(value: object) -> None:
    expected = {0: 0, -1: -1, 5: 5}.get(value) if type(value) in (int, float) else None  # type: ignore[call-overload]

    assert whole(value) == expected
    assert type(whole(value)) in (int, type(None))


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 1e300, -1e17])
def test_what_is_not_finite_or_no_longer_exact_is_not_whole(value: float) -> None:
    assert whole(value) is None


@pytest.mark.parametrize("value", ODDITIES)
def test_a_moment_is_later_than_never(value: object) -> None:
    assert moment(value) == (5 if value in (5, 5.0) else None)


@pytest.mark.parametrize(
    ("value", "read"), [(4_102_444_800, 4_102_444_800), (4_102_444_801, None), (1e300, None)]
)
def test_nothing_is_dated_beyond_2100(value: object, read: int | None) -> None:
    """No calendar of a computer could show it."""
    assert moment(value) == read


@pytest.mark.parametrize("value", ODDITIES)
def test_only_true_and_false_are_truths(value: object) -> None:
    assert truth(value) is (value if isinstance(value, bool) else None)


def test_texts_are_the_strings_of_a_list() -> None:
    assert texts(["x", 3, "", None, " y "]) == ("x", "y")
    assert texts("xy") == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("70:ee:50:00:00:01", "70:ee:50:00:00:01"),
        ("70:EE:50:00:00:01", "70:ee:50:00:00:01"),
        (" 70 :ee: 50:00:00:01\t", "70:ee:50:00:00:01"),
        ("  ", None),
        (70, None),
        (None, None),
    ],
)
def test_an_id_is_a_mac_in_lower_case_without_blanks(value: object, expected: str | None) -> None:
    assert module_id(value) == expected


@pytest.mark.parametrize("value", [None, 0, -5, 12, 1e12, "1763719200", True, 1763719200.5])
def test_a_server_that_tells_no_time_tells_none(value: object) -> None:
    assert server_time({"time_server": value}) is None
    assert server_time({}) is None


def test_the_server_s_time_is_read() -> None:
    assert server_time({"time_server": 1763719200}) == 1763719200


def test_partial_errors_stand_in_two_places() -> None:
    one, two = (
        {"code": 6, "id": "70:EE:50:00:00:01"},
        {"code": "6", "id": "02:00:00:00:00:02", "command": "x"},
    )
    body = {"errors": [one, "odd", {"code": 7}], "home": {"id": "h", "errors": [two]}}

    assert faults({"body": body}) == (Fault("70:ee:50:00:00:01", 6), Fault("02:00:00:00:00:02", None))  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [None, [], {}, {"errors": None}, {"errors": {}}, {"home": []}])
def test_where_nothing_is_wrong_there_are_no_partial_errors(body: object) -> None:
    assert faults({"body": body}) == ()
