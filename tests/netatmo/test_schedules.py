from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.netatmo.homes import homes_of
from netaflux.netatmo.schedules import WEEK, Schedule, Slot, Turn, Zone, first_shown, schedule_of
from tests.netatmo.world import payload

ZURICH = "Europe/Zurich"
HOUR = 3600
WORKING, HOLIDAYS = homes_of(payload("homes/homesdata"))[0].schedules
COMFORT, NIGHT, ECO = WORKING.zones
LIVING, BATH = "2746182631", "3688132631"


def at(text: str, zone: str = ZURICH) -> int:
    """Unix seconds of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def slot(now: int, schedule: Schedule = WORKING, zone: str | None = ZURICH) -> Slot:
    found = schedule.slot(now, zone)
    assert found is not None
    return found


def turning(*turns: tuple[int, int]) -> Schedule:
    """A schedule of two zones with that timetable."""
    return Schedule(
        id="s",
        zones=(Zone(id=0), Zone(id=1)),
        timetable=tuple(Turn(minutes, zone) for minutes, zone in turns),
    )


# reading


def test_a_schedule_is_read_with_zones_and_timetable() -> None:
    assert (WORKING.name, WORKING.kind, WORKING.selected, WORKING.default) == (
        "Working days",
        "therm",
        True,
        False,
    )
    assert (WORKING.away, WORKING.frost_guard) == (14, 7)
    assert [zone.title for zone in WORKING.zones] == ["Comfort", "Night", "eco"]
    assert WORKING.timetable[:2] == (Turn(0, 1), Turn(360, 0))
    assert (HOLIDAYS.selected, HOLIDAYS.default) == (False, True)


def test_a_zone_has_a_temperature_for_each_room() -> None:
    """In either of the shapes that are observed."""
    assert (COMFORT.temperature_of(LIVING), COMFORT.temperature_of(BATH)) == (21, 22.5)
    assert (ECO.temperature_of(LIVING), ECO.temperature_of(BATH)) == (19, None)


def test_the_old_thermostat_s_program_is_read_too() -> None:
    old = {
        "program_id": "p",
        "name": "Default",
        "selected": True,
        "zones": [{"id": 0, "type": 0, "name": "Comfort", "temp": 20}],
        "timetable": [{"m_offset": 0, "id": 0}],
    }
    program = schedule_of(old)

    assert program is not None
    assert (program.id, program.timetable, program.zones[0].temperature_of("any")) == ("p", (Turn(0, 0),), 20)


def test_a_timetable_is_in_order_whatever_the_answer_s() -> None:
    raw: Any = deepcopy(dict(WORKING.raw))
    raw["timetable"].reverse()
    schedule = schedule_of(raw)

    assert schedule is not None
    assert schedule.timetable == WORKING.timetable


# the slot in force


@pytest.mark.parametrize(
    ("now", "zone", "begin", "end"),
    [
        ("2025-11-17T00:00", NIGHT, "2025-11-17T00:00", "2025-11-17T06:00"),  # a Monday
        ("2025-11-17T05:59:59", NIGHT, "2025-11-17T00:00", "2025-11-17T06:00"),
        ("2025-11-17T06:00", COMFORT, "2025-11-17T06:00", "2025-11-17T07:00"),
        ("2025-11-21T11:00", NIGHT, "2025-11-17T22:00", "2025-11-22T06:00"),
        ("2025-11-23T23:59", NIGHT, "2025-11-23T22:00", "2025-11-24T00:00"),
    ],
)
def test_the_slot_is_that_of_the_home_s_own_clock(now: str, zone: Zone, begin: str, end: str) -> None:
    assert slot(at(now)) == Slot(zone, zone.id, at(begin), at(end))


def test_another_zone_has_another_slot_at_the_same_moment() -> None:
    monday = at("2025-11-17T06:30")

    assert slot(monday).zone == COMFORT
    assert slot(monday, zone="America/New_York").zone == NIGHT


def test_a_slot_ends_where_the_next_begins_even_if_the_zone_stays() -> None:
    week = turning((0, 1))

    assert slot(at("2025-11-19T12:00"), week) == Slot(
        Zone(id=1), 1, at("2025-11-17T00:00"), at("2025-11-24T00:00")
    )


def test_a_timetable_may_begin_after_monday_s_midnight() -> None:
    """Until then last week's last slot goes on."""
    week = turning((600, 0), (6000, 1))

    assert slot(at("2025-11-17T08:00"), week).zone_id == 1


def test_without_a_timetable_there_is_no_slot() -> None:
    assert turning().slot(at("2025-11-17T08:00"), ZURICH) is None


def test_a_zone_that_is_missing_costs_its_name_only() -> None:
    found = slot(at("2025-11-17T08:00"), turning((0, 9)))

    assert (found.zone, found.zone_id) == (None, 9)


SUNDAY = 6 * 24 * 60
NIGHTLY = turning((0, 0), (SUNDAY + 150, 1), (SUNDAY + 360, 0))
"""A slot that begins on Sundays at 2:30."""


def test_a_slot_whose_time_is_skipped_begins_when_the_clocks_jump() -> None:
    """On 30 March 2025 two o'clock was three o'clock."""
    jump = utc("2025-03-30T01:00")

    assert slot(jump - 1, NIGHTLY).zone_id == 0
    assert slot(jump, NIGHTLY) == Slot(Zone(id=1), 1, jump, at("2025-03-30T06:00"))
    assert slot(jump - 1, NIGHTLY).end == jump


def test_a_slot_whose_time_comes_twice_begins_once() -> None:
    """On 26 October 2025 three o'clock was two o'clock again."""
    first = utc("2025-10-26T00:30")

    assert slot(first - 1, NIGHTLY).end == first
    for later in (0, 1800, 3600, 5400):
        assert slot(first + later, NIGHTLY).begin == first
    assert slot(first, NIGHTLY).end == at("2025-10-26T06:00")
    assert slot(first, NIGHTLY).end - first == 4 * HOUR + 1800


@given(
    st.lists(st.integers(0, WEEK - 1), min_size=1, max_size=12, unique=True),
    st.integers(utc("2025-01-01T00:00"), utc("2026-01-01T00:00")),
    st.sampled_from([ZURICH, "America/New_York", "Australia/Lord_Howe", "UTC", "no zone", None]),
)
def test_there_is_always_one_slot_and_it_holds_the_moment(
    minutes: list[int], now: int, zone: str | None
) -> None:
    schedule = turning(*((minute, number % 2) for number, minute in enumerate(sorted(minutes))))
    found = slot(now, schedule, zone)

    assert found.begin <= now < found.end
    assert slot(found.begin, schedule, zone) == slot(found.end - 1, schedule, zone) == found
    assert slot(found.end, schedule, zone).begin == found.end


@given(st.integers(utc("2025-01-01T00:00"), utc("2026-01-01T00:00")))
def test_a_moment_is_found_by_what_its_clocks_show(now: int) -> None:
    zone = ZoneInfo(ZURICH)
    wall = datetime.fromtimestamp(now, UTC).astimezone(zone)
    expected = now - HOUR if wall.fold else now

    assert first_shown(wall.replace(tzinfo=None, fold=0), zone) == expected
