"""A survey's newest row is believed once getmeasure has confirmed three, and never again after a mistake."""

from netaflux.core.early import MATCHES, REMEMBERED, Shown, early_row
from netaflux.core.measures import CO2, HUMIDITY, TEMPERATURE
from netaflux.core.model import Measure, Number, Page, Row, Window

T = 1_700_000_000
BOTH = (TEMPERATURE, HUMIDITY)
MILD = {TEMPERATURE: 21.5, HUMIDITY: 57}


def page(*rows: tuple[int, Number | None, Number | None], begin: int = T) -> Page:
    return Page(BOTH, Window(begin), [Row(time, tuple(cells)) for time, *cells in rows], len(rows))


def confirmed(times: int) -> Shown:
    """Rows that were shown, and found in getmeasure just so."""
    shown = Shown()
    for number in range(times):
        shown.show(T + 300 * number, MILD)
        assert shown.compare(page((T + 300 * number, 21.5, 57))) is None
    return shown


def test_three_rows_must_be_found_again_before_one_is_believed() -> None:
    assert [confirmed(times).believed for times in (0, MATCHES - 1, MATCHES)] == [False, False, True]


def test_one_page_may_confirm_several() -> None:
    shown = Shown()
    for number in range(3):
        shown.show(T + number, MILD)

    assert shown.compare(page(*((T + number, 21.5, 57) for number in range(3)))) is None
    assert shown.believed


def test_one_other_value_ends_it_for_good_and_is_told_once() -> None:
    shown = confirmed(MATCHES)
    shown.show(T + 3000, MILD)
    told = shown.compare(page((T + 3000, 21.6, 57)))

    assert told == "Temperature was shown as 21.5, and getmeasure says 21.6"
    shown.show(T + 3300, MILD)
    assert shown.compare(page((T + 3300, 21.7, 57))) is None
    assert not shown.believed


def test_a_row_that_getmeasure_has_a_second_later_is_a_mistake() -> None:
    shown = confirmed(MATCHES)
    shown.show(T + 3000, MILD)

    assert shown.compare(page((T + 3001, 21.5, 57))) == "getmeasure has no row of that time"
    assert not shown.believed


def test_a_row_that_getmeasure_does_not_have_yet_goes_on_waiting() -> None:
    shown = confirmed(MATCHES - 1)
    shown.show(T + 3000, MILD)

    assert shown.compare(page((T + 2700, 20, 50))) is None
    assert not shown.believed
    assert shown.compare(page((T + 3000, 21.5, 57))) is None
    assert shown.believed


def test_pages_of_other_times_say_nothing() -> None:
    shown = confirmed(MATCHES)
    shown.show(T + 3000, MILD)

    assert shown.compare(page((T + 9000, 20, 50), begin=T + 6000)) is None
    assert shown.compare(page()) is None
    assert shown.believed


def test_a_value_that_is_not_shown_must_be_missing_in_getmeasure_too() -> None:
    shown = Shown()
    shown.show(T, {TEMPERATURE: 21.5})
    assert shown.compare(page((T, 21.5, None))) is None

    shown.show(T + 300, {TEMPERATURE: 21.5})
    assert shown.compare(page((T + 300, 21.5, 57))) is not None


def test_a_module_that_shows_nothing_is_never_believed() -> None:
    shown = Shown()
    for number in range(9):
        shown.show(T + number, {})
        shown.compare(page((T + number, None, None)))

    assert not shown.believed


def test_rows_that_are_never_asked_for_do_not_pile_up() -> None:
    shown = Shown()
    for number in range(3 * REMEMBERED):
        shown.show(T + number, MILD)
    shown.compare(page(*((T + number, 21.5, 57) for number in range(3 * REMEMBERED))))

    assert shown.matches == REMEMBERED


def test_a_row_is_taken_whole_or_not_at_all() -> None:
    assert early_row(T, MILD, BOTH) == Row(T, (21.5, 57))
    assert early_row(T, MILD, (TEMPERATURE, CO2)) is None
    assert early_row(T, {}, ()) is None
    assert early_row(T, {Measure("Rain"): 0}, (Measure("Rain"),)) == Row(T, (0,))
