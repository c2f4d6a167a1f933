from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest

from netaflux.core.errors import UsageError
from netaflux.netatmo.homes import Home, HomeModule, homes_of, with_status
from netaflux.netatmo.orders import (
    WholeSchedule,
    as_state,
    home_mode,
    needs_state,
    setpoint,
    synchronised,
)
from netaflux.netatmo.schedules import Turn, schedule_of
from tests.netatmo.world import payload

NOW = 1763719200
HOME = with_status(homes_of(payload("homes/homesdata"))[0], payload("homes/homestatus"))
LIVING = HOME.rooms[0]
WORKING = HOME.schedules[0]
WHOLE = WholeSchedule.like(WORKING)


def room(
    mode: str = "manual", temperature: float | None = None, until: float | None = None
) -> dict[str, str]:
    return setpoint(HOME, LIVING, mode=mode, temperature=temperature, until=until, now=NOW)


def whole(mode: str, until: float | None = None, home: Home = HOME) -> dict[str, str]:
    return home_mode(home, mode=mode, until=until, now=NOW)


def test_a_room_is_set_by_hand() -> None:
    expected = {"home_id": HOME.id, "room_id": LIVING.id, "mode": "manual", "temp": "21.5"}

    assert room(temperature=21.5) == expected
    assert room(temperature=21.5, until=NOW + 60) == expected | {"endtime": str(NOW + 60)}


@pytest.mark.parametrize("temperature", [7, 30, 7.0])
def test_the_bounds_themselves_are_setpoints(temperature: float) -> None:
    assert room(temperature=temperature)["temp"] == f"{temperature:g}"


@pytest.mark.parametrize("temperature", [6.99, 30.01, -20, nan, inf, 212])
def test_a_setpoint_beyond_its_bounds_is_refused(temperature: float) -> None:
    with pytest.raises(UsageError, match="between 7 and 30 °C"):
        room(temperature=temperature)


@pytest.mark.parametrize("until", [NOW, NOW - 1, 0])
def test_an_end_in_the_past_is_refused(until: float) -> None:
    with pytest.raises(UsageError, match="in the past"):
        room(temperature=20, until=until)
    with pytest.raises(UsageError, match="in the past"):
        whole("away", until)


@pytest.mark.parametrize(
    ("word", "mode"), [("max", "max"), ("HG", "hg"), ("frost guard", "hg"), ("boost", "max")]
)
def test_modes_are_known_by_the_words_of_people(word: str, mode: str) -> None:
    assert room(word)["mode"] == mode


def test_a_mode_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match="no mode `manuel` of a room; did you mean `manual`"):
        room("manuel")
    with pytest.raises(UsageError, match="no mode `off` of a home; there is schedule, away, hg"):
        whole("off")


def test_what_makes_no_sense_together_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a temperature"):
        room("manual")
    with pytest.raises(UsageError, match="takes no temperature"):
        room("max", 20)
    with pytest.raises(UsageError, match="has no end"):
        room("home", until=NOW + 60)
    with pytest.raises(UsageError, match="has no end"):
        whole("schedule", NOW + 60)
    with pytest.raises(UsageError, match="follows no schedule"):
        home_mode(HOME, mode="away", until=None, now=NOW, schedule=WORKING)


def test_a_home_follows_a_schedule_or_is_away() -> None:
    assert whole("away", NOW + 60) == {"home_id": HOME.id, "mode": "away", "endtime": str(NOW + 60)}
    assert home_mode(HOME, mode="program", until=None, now=NOW, schedule=WORKING) == {
        "home_id": HOME.id,
        "mode": "schedule",
        "schedule_id": WORKING.id,
    }


def test_some_devices_take_setpoints_as_states_only() -> None:
    modulating = HomeModule(id=HOME.modules[1].id, kind="OTM", room=LIVING.id)
    params = room(temperature=21, until=NOW + 60)

    assert not needs_state(HOME, LIVING)
    assert needs_state(replace(HOME, modules=(modulating,)), LIVING)
    assert as_state(params) == {
        "home": {
            "id": HOME.id,
            "rooms": [
                {
                    "id": LIVING.id,
                    "therm_setpoint_mode": "manual",
                    "therm_setpoint_temperature": 21,
                    "therm_setpoint_end_time": NOW + 60,
                }
            ],
        }
    }


# whole schedules


def test_a_schedule_is_synchronised_as_a_whole() -> None:
    params, body = synchronised(HOME, WORKING, replace(WHOLE, name="Lazy days", away=15))

    assert params == {"home_id": HOME.id, "schedule_id": WORKING.id}
    assert (body["name"], body["away_temp"], body["hg_temp"]) == ("Lazy days", 15, 7)
    assert body["timetable"] == WORKING.raw["timetable"]
    zones = body["zones"]
    assert isinstance(zones, list)
    assert zones[1] == {
        "id": 1,
        "type": 1,
        "name": "Night",
        "rooms": [
            {"id": "2746182631", "therm_setpoint_temperature": 17},
            {"id": "3688132631", "therm_setpoint_temperature": 17},
        ],
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timetable": ()}, "begins at Monday's midnight"),
        ({"timetable": (Turn(10, 0),)}, "begins at Monday's midnight"),
        ({"timetable": (Turn(0, 0), Turn(0, 1))}, "ascend"),
        ({"timetable": (Turn(0, 0), Turn(20, 1), Turn(10, 0))}, "ascend"),
        ({"timetable": (Turn(0, 0), Turn(10080, 1))}, "ascend"),
        ({"timetable": (Turn(0, 9),)}, "names zone 9"),
        ({"zones": (*WHOLE.zones, WHOLE.zones[0])}, "have one id"),
        ({"zones": (replace(WHOLE.zones[0], rooms={"1": 20}),)}, "no room 1"),
        ({"zones": (replace(WHOLE.zones[0], rooms={LIVING.id: 31}),)}, "between 7 and 30"),
        ({"away": 5}, "between 7 and 30"),
        ({"frost_guard": nan}, "between 7 and 30"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        synchronised(HOME, WORKING, replace(WHOLE, **change))


def test_a_schedule_that_does_not_tell_all_of_itself_is_no_beginning() -> None:
    with pytest.raises(UsageError, match="away and frost guard"):
        WholeSchedule.like(replace(WORKING, away=None))


def _room_as_text(raw: Any) -> None:
    for key, value in (("rooms", "therm_setpoint_temperature"), ("rooms_temp", "temp")):
        for told in raw["zones"][0].get(key, [])[:1]:
            told[value] = "19.5"


def _turn_as_text(raw: Any) -> None:
    raw["timetable"][1]["m_offset"] = "1320"


def _zone_without_id(raw: Any) -> None:
    del raw["zones"][1]["id"]


@pytest.mark.parametrize("damage", [_room_as_text, _turn_as_text, _zone_without_id])
def test_a_schedule_that_is_not_understood_whole_is_not_written_back(damage: Callable[[Any], None]) -> None:
    raw = deepcopy(dict(WORKING.raw))
    damage(raw)
    damaged = schedule_of(raw)

    assert damaged is not None
    with pytest.raises(UsageError, match="holds what is not understood"):
        WholeSchedule.like(damaged)
