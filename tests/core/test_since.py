from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from netaflux.core.since import (
    ACCEPTED,
    BEFORE_NETATMO,
    DAY,
    Moment,
    Setup,
    Since,
    Span,
    read_since,
    span_seconds,
    zone_of,
)

NOW = 1_400_506_122.0
NEW_YORK = "America/New_York"

RESOLVED = [
    # what is written, the station's zone, unix seconds
    (date(2014, 5, 18), None, 1400371200),
    (date(2014, 5, 18), NEW_YORK, 1400385600),
    ("2014-05-18", NEW_YORK, 1400385600),
    (datetime(2014, 5, 18, 12, 0), NEW_YORK, 1400428800),  # noqa: DTZ001 - TOML's local date-time
    ("2014-05-18T12:00", NEW_YORK, 1400428800),
    ("2014-05-18 12:00:00", "Europe/Paris", 1400407200),
    ("2014-05-18T12:00:00Z", NEW_YORK, 1400414400),
    (datetime(2014, 5, 18, 12, tzinfo=timezone(timedelta(hours=2))), NEW_YORK, 1400407200),
    ("2014-05-18T12:00:00+02:00", NEW_YORK, 1400407200),
    # between two seconds: the first row that is not before it
    ("2014-05-18T12:00:00.25Z", None, 1400414401),
    # the hour that New York's clocks leave out, and the one that they show twice: the earlier of the two
    ("2014-03-09T02:30", NEW_YORK, 1394350200),
    ("2014-11-02T01:30", NEW_YORK, 1414906200),
    ("90s", None, 1400506032),
    ("3h", NEW_YORK, 1400495322),
    (" 30 D ", None, 1397914122),
    ("2w", None, 1399296522),
    ("999999999w", None, 0),
    ("1400506122", NEW_YORK, 1400506122),
    (1400506122, NEW_YORK, 1400506122),
]


@pytest.mark.parametrize(("written", "zone", "expected"), RESOLVED)
def test_what_is_written_becomes_unix_seconds(written: object, zone: str | None, expected: int) -> None:
    resolved = read_since(written).resolve(NOW, zone, None)

    assert resolved == expected


def test_setup_is_a_day_before_the_station_was_installed() -> None:
    """`date_setup` is stamped in a zone of its own; no row lies before that day."""
    assert read_since("Setup").resolve(NOW, NEW_YORK, 1_400_000_000) == 1_400_000_000 - DAY


def test_setup_of_a_station_that_does_not_say_is_before_every_station() -> None:
    resolved = read_since("setup").resolve(NOW, None, None)

    assert resolved == BEFORE_NETATMO == datetime(2012, 1, 1, tzinfo=UTC).timestamp()


def test_a_fraction_of_now_never_reaches_further_back_than_asked() -> None:
    assert Span(60).resolve(NOW + 0.5) == 1_400_506_063


@pytest.mark.parametrize("name", [None, "", "Nowhere/Atlantis", "America", "../etc/passwd", "\0"])
def test_a_zone_that_nobody_knows_is_utc(name: str | None) -> None:
    assert zone_of(name) is UTC


NOT_ACCEPTED = [
    "",
    "yesterday",
    "10",
    "20140518",  # would be unix seconds of 1970
    "2014",
    "14005061220",  # eleven digits
    "0d",
    "3 months",
    "3y",
    "-3h",
    "1.5h",
    "2014-02-30",
    "2014-05-18T25:00",
    "2014-05-18T12:00+99:00",
    "١٤٠٠٥٠٦١٢٢",  # digits, but not ours
    True,
    1.5,
    None,
    [],
    time(12),
    12,
    10**30,
]


@pytest.mark.parametrize("written", NOT_ACCEPTED)
def test_anything_else_is_answered_by_what_is_accepted(written: object) -> None:
    with pytest.raises(ValueError, match="must be a date") as caught:
        read_since(written)

    assert str(caught.value) == ACCEPTED


@pytest.mark.parametrize(
    "written", ["0214-05-18", "1970-12-31", "9999-12-31T23:59:59-12:00", date(1, 1, 1), date(9999, 12, 31)]
)
def test_a_year_that_cannot_be_meant_is_a_mistake(written: object) -> None:
    with pytest.raises(ValueError, match="must lie between the years 1971 and 2999"):
        read_since(written)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("SETUP", "setup"),
        ("24h", "1d"),
        ("7d", "1w"),
        ("90s", "90s"),
        ("5400s", "90m"),
        (date(2014, 5, 18), "2014-05-18"),
        ("2014-05-18T00:00", "2014-05-18"),
        ("2014-05-18 12:30", "2014-05-18T12:30:00"),
        ("2014-05-18T12:30+02:00", "2014-05-18T10:30:00Z"),
        ("2014-05-18T00:00Z", "2014-05-18T00:00:00Z"),
        (1400506122, "2014-05-19T13:28:42Z"),
    ],
)
def test_the_same_moment_has_the_same_text_however_it_is_written(written: object, canonical: str) -> None:
    """A binding is resolved anew when the text changes, so a matter of taste must not change it."""
    assert read_since(written).text == canonical


def complaint(text: str) -> str:
    """What reading the text fails with; nothing where it does not."""
    try:
        read_since(text)
    except ValueError as error:
        return str(error)
    return ""


SINCES = some.one_of(
    some.just(Setup()),
    some.integers(1, 10**9 - 1).map(Span),
    some.datetimes(datetime(1971, 1, 2), datetime(2999, 12, 30)).map(Moment),  # noqa: DTZ001 - local on purpose
    some.datetimes(datetime(1971, 1, 2), datetime(2999, 12, 30), timezones=some.just(UTC)).map(Moment),  # noqa: DTZ001 - hypothesis wants them so
)


@given(SINCES)
def test_the_text_of_a_since_is_read_as_the_same_since(since: Since) -> None:
    assert read_since(since.text) == since
    assert read_since(since) is since


@given(SINCES, some.sampled_from([None, NEW_YORK, "Europe/Paris", "Asia/Kathmandu"]))
def test_every_since_resolves_everywhere(since: Since, zone: str | None) -> None:
    assert since.resolve(NOW, zone, None) >= 0


@given(some.text())
def test_whatever_the_text_only_our_own_words_come_of_it(text: str) -> None:
    assert complaint(text)[:5] in {"", "must "}


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), (" 1H ", 3600), ("2w", 1_209_600)])
def test_a_span_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert span_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "0m", "1 hour", "1.5h", "-1h", "9999999999s"])
def test_a_span_that_is_none_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match='must be a span such as "90s", "10m" or "1h"'):
        span_seconds(text)
