from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import NotFound, UpstreamFault
from netaflux.core.events import HomeSkipped
from netaflux.core.model import ModuleId
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.homes import Home, HomeModule, Room, homes_of, with_status
from netaflux.netatmo.housing import Housing
from tests.netatmo.world import ANNE, payload, serving, wired

DATA, STATUS = payload("homes/homesdata"), payload("homes/homestatus")
HOME_ID, WEATHER_ID = "5d0000000000000000000001", "5d0000000000000000000002"
RELAY, THERMOSTAT = ModuleId("70:ee:50:00:00:0f"), ModuleId("04:00:00:00:00:02")
VALVE, LOST_VALVE = ModuleId("09:00:00:00:00:03"), ModuleId("09:00:00:00:00:04")
CAMERA, INDOOR, OVEN = (
    ModuleId("70:ee:50:00:00:c1"),
    ModuleId("70:ee:50:00:00:01"),
    ModuleId("13:37:00:00:00:01"),
)


def home(data: Envelope = DATA, status: Envelope = STATUS) -> Home:
    return with_status(homes_of(data)[0], status)


def module(unit: str, of: Home | None = None) -> HomeModule:
    return next(each for each in (of or home()).modules if each.id == unit)


def room(name: str, of: Home | None = None) -> Room:
    return next(each for each in (of or home()).rooms if each.title == name)


def status_of(**fields: object) -> Envelope:
    return {"status": "ok", "body": {"home": {"id": HOME_ID, **fields}}}


# what there is


def test_a_home_is_read_with_everything_in_it() -> None:
    seen = home()

    assert (seen.id, seen.name, seen.timezone, seen.mode) == (HOME_ID, "AR Home", "Europe/Zurich", "schedule")
    assert [each.title for each in seen.rooms] == ["Living room", "Bath", "Hall", "4040404040"]
    assert [each.id for each in seen.modules] == [
        RELAY,
        THERMOSTAT,
        VALVE,
        LOST_VALVE,
        CAMERA,
        INDOOR,
        OVEN,
    ]
    assert [each.title for each in seen.schedules] == ["Working days", "Holidays"]
    assert (seen.manual_minutes, seen.known_status) == (120, True)


def test_a_home_of_which_next_to_nothing_is_told_is_one_too() -> None:
    bare = homes_of(DATA)[1]

    assert (bare.id, bare.title, bare.rooms, bare.schedules) == (WEATHER_ID, "home", (), ())
    assert (bare.known_status, bare.modules[0].reachable) == (False, None)


def test_a_kind_that_nobody_knows_is_kept() -> None:
    assert (module(OVEN).kind, module(OVEN).name) == ("NAOven", "Oven")


def test_the_wiring_of_the_modules_is_told() -> None:
    assert module(RELAY).bridged == (THERMOSTAT, VALVE, LOST_VALVE)
    assert (module(VALVE).bridge, module(VALVE).room) == (RELAY, "3688132631")
    assert room("Bath").modules == (VALVE, LOST_VALVE)


def test_what_was_read_is_kept_as_it_came() -> None:
    camera = module(CAMERA)

    assert camera.raw["setup_date"] == 1494963357
    assert (camera.raw_status["sd_status"], camera.raw_status["alim_status"]) == (4, 2)
    assert room("Bath").raw_status["humidity"] == 61


# how it is


def test_a_room_shows_what_its_heating_does() -> None:
    living = room("Living room")

    assert (living.measured, living.setpoint, living.mode) == (19.8, 21, "manual")
    assert (living.since, living.until, living.heating_demand) == (1763715600, 1763722800, 0)
    assert (room("Bath").heating_demand, room("Bath").open_window, room("Bath").until) == (64, True, None)


def test_a_room_that_is_unreachable_has_no_values() -> None:
    hall = room("Hall")

    assert (hall.reachable, hall.measured, hall.setpoint, hall.mode) == (False, None, None, None)


def test_a_room_without_modules_can_be_neither_reached_nor_not() -> None:
    assert room("4040404040").reachable is None


def test_a_thermostat_tells_of_its_boiler_and_its_battery() -> None:
    thermostat = module(THERMOSTAT)

    assert (thermostat.boiler, thermostat.battery, thermostat.battery_state) == (True, 3793, "high")
    assert (thermostat.radio, thermostat.firmware, thermostat.reachable) == (58, 65, True)
    assert module(VALVE).battery_state == "very low"


def test_what_does_not_say_whether_it_can_be_reached_can_be() -> None:
    assert module(RELAY).reachable is True


@pytest.mark.parametrize("unit", [LOST_VALVE, OVEN])
def test_a_module_of_which_the_status_knows_nothing_is_unreachable(unit: ModuleId) -> None:
    assert module(unit).reachable is False


def test_the_silence_of_the_status_says_nothing_of_weather_modules() -> None:
    assert module(INDOOR).reachable is None

    status = {"status": "ok", "body": {"errors": [{"code": 6, "id": INDOOR}], "home": {"id": HOME_ID}}}
    assert module(INDOOR, home(status=status)).reachable is False


def test_an_error_about_a_module_is_kept_with_it() -> None:
    assert module(LOST_VALVE).fault == 6
    assert module(OVEN).fault is None


@pytest.mark.parametrize("place", ["body", "home"])
def test_errors_are_found_in_both_places(place: str) -> None:
    """And count for more than what is told beside them."""
    status: Any = deepcopy(STATUS)
    errors = [{"code": 6, "id": THERMOSTAT.upper()}]
    (status["body"] if place == "body" else status["body"]["home"])["errors"] = errors
    thermostat = module(THERMOSTAT, home(status=status))

    assert (thermostat.reachable, thermostat.fault, thermostat.boiler) == (False, 6, None)


def test_a_home_that_answers_with_errors_alone_has_nothing_that_can_be_reached() -> None:
    status = {"status": "ok", "body": {"errors": [{"code": 6, "id": RELAY}], "home": {"id": HOME_ID}}}
    seen = home(status=status)

    assert seen.unreachable == tuple(each for each in seen.modules if each.id != INDOOR)
    assert {each.reachable for each in seen.rooms} == {False, None}
    assert len(seen.modules) == 7


def test_the_status_of_another_home_is_none() -> None:
    other = status_of(id="5d0000000000000000000009", rooms=[{"id": "2746182631"}], therm_mode="away")

    assert home(status=other) == homes_of(DATA)[0]
    assert home(status=status_of(id=f" {HOME_ID.upper()}")).known_status
    assert home(status=status_of(id=None)).known_status


def test_what_only_the_status_knows_is_added() -> None:
    new = {"id": "09:00:00:00:00:05", "type": "NRV", "battery_state": "full"}
    seen = home(status=status_of(modules=[new], rooms=[{"id": 77, "therm_measured_temperature": 18}]))

    added = module("09:00:00:00:00:05", seen)
    assert (added.kind, added.reachable, added.battery_state) == ("NRV", True, "full")
    assert (room("77", seen).measured, room("77", seen).raw) == (18, {})


@pytest.mark.parametrize(
    ("told", "expected"), [(True, True), (1, True), ("on", True), (False, False), (0, False), ("off", False)]
)
def test_states_are_read_as_words_and_as_numbers(told: object, expected: bool) -> None:  # noqa: FBT001 - a state
    seen = home(status=status_of(modules=[{"id": THERMOSTAT, "boiler_status": told}]))

    assert module(THERMOSTAT, seen).boiler is expected


def test_the_odd_spellings_of_the_documents_are_read() -> None:
    seen = home(status=status_of(modules=[{"id": RELAY, "wifi_strenght": 42, "rf_strenght": 107}]))

    assert (module(RELAY, seen).wifi, module(RELAY, seen).radio) == (42, 107)


def test_persons_have_the_fields_of_both_answers() -> None:
    anne, unknown, new = home().persons

    assert (anne["pseudo"], anne["out_of_sight"], anne["last_seen"]) == ("Anne", False, 1763718000)
    assert ("pseudo" in unknown, "last_seen" in unknown) == (False, False)
    assert new["out_of_sight"] is True


def test_ids_are_the_same_in_any_case_and_spacing() -> None:
    data: Any = deepcopy(DATA)
    data["body"]["homes"][0]["modules"][1]["id"] = " 04:00:00 :00:00:02".upper()

    assert module(THERMOSTAT, home(data)).boiler is True


# an account without homes


@pytest.mark.parametrize("body", [{}, [], None, {"homes": []}, {"homes": None}])
def test_an_account_without_homes_has_none(body: object) -> None:
    assert homes_of({"status": "ok", "body": body}) == ()


@pytest.mark.parametrize(
    "body", [7, "odd", {"errors": [{"code": 6}]}, {"homes": [], "errors": [{}]}, {"homes": {}}]
)
def test_an_answer_about_something_else_is_an_error(body: object) -> None:
    with pytest.raises(UpstreamFault):
        homes_of({"status": "ok", "body": body})


# a field that is wrong

WRONG: list[Any] = [None, True, 7, -7.5, 10**20, "", "odd", [], ["odd"], {}, {"odd": 1}, [[]], [{}]]
Path = tuple[str | int, ...]


def paths_in(value: object, path: Path = ()) -> Iterator[Path]:
    inner = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, each in inner:
        yield (*path, key)
        yield from paths_in(each, (*path, key))


def spoilt(envelope: Envelope, path: Path, wrong: object) -> Envelope:
    whole: Any = deepcopy(dict(envelope))
    place = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    spoilt: Envelope = whole
    return spoilt


FIELDS = [
    (which, path)
    for which, envelope in (("data", DATA), ("status", STATUS))
    for path in paths_in(envelope)
    if path not in {("body",), ("body", "homes"), ("body", "homes", 0)}
]
Facts = dict[tuple[str, ...], object]


def facts(seen: Home) -> Facts:
    """Every fact of a home, without what it was read from."""
    found: Facts = {
        ("home", name): getattr(seen, name)
        for name in Home.__dataclass_fields__
        if name not in {"raw", "raw_status", "rooms", "modules", "schedules", "persons"}
    }
    for kind, things in (("room", seen.rooms), ("module", seen.modules), ("schedule", seen.schedules)):
        for thing in things:
            for name in thing.__dataclass_fields__:
                if name not in {"raw", "raw_status", "zones"}:
                    found[kind, str(thing.id), name] = getattr(thing, name)
    for schedule in seen.schedules:
        for zone in schedule.zones:
            for name in ("name", "kind", "temperature", "rooms"):
                found["zone", schedule.id, str(zone.id), name] = getattr(zone, name)
    return found


@given(st.sampled_from(FIELDS), st.sampled_from(WRONG))
def test_a_field_that_is_wrong_costs_that_field_only(field: tuple[str, Path], wrong: object) -> None:
    which, path = field
    seen = homes_of(spoilt(DATA, path, wrong)) if which == "data" else homes_of(DATA)
    if which == "data" and len(path) >= 4 and path[:3] == ("body", "homes", 0) and path[3] == "id":
        return  # a home without an id is none, and another id makes it another
    merged = with_status(seen[0], spoilt(STATUS, path, wrong) if which == "status" else STATUS)
    before, after = facts(home()), facts(merged)
    lost = {key for key in before if after.get(key, "gone") != before[key]}

    assert len({key[:2] for key in lost}) <= _may_cost(path)
    if _is_a_leaf(which, path):
        assert len(lost) <= 4


def _is_a_leaf(which: str, path: Path) -> bool:
    place: Any = DATA if which == "data" else STATUS
    for key in path:
        place = place[key]
    return not isinstance(place, dict | list) and path[-1] not in {"id", "zone_id", "m_offset"}


def _may_cost(path: Path) -> int:
    """How many things a field may be about: a whole list of them, or the one that it belongs to."""
    depth = len(path)
    return 100 if depth <= 4 else 2


# over real sockets


class Server:
    """Homesdata, and homestatus for the homes that have one."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def homesdata(self, request: web.Request) -> web.Response:
        self.asked.append(("homesdata", ""))
        return web.json_response(DATA)

    async def homestatus(self, request: web.Request) -> web.Response:
        home_id = request.query["home_id"]
        self.asked.append(("homestatus", home_id))
        if home_id == HOME_ID:
            return web.json_response(STATUS)
        code, text = (21, "Invalid home_id") if home_id == WEATHER_ID else (9, "Device not found")
        return web.json_response({"error": {"code": code, "message": text}}, status=400)


async def test_a_home_without_a_status_is_skipped_for_good_and_told_once() -> None:
    server = Server()
    handlers = {"homesdata": server.homesdata, "homestatus": server.homestatus}
    async with serving(handlers) as url, wired(url) as world:
        housing = Housing(world.client)
        first, second = await housing.homes(), await housing.homes()

    assert [each.known_status for each in first] == [True, False]
    assert first == second
    assert server.asked.count(("homestatus", WEATHER_ID)) == 1
    assert server.asked.count(("homestatus", HOME_ID)) == 2
    told = [event for event in world.listener.events if isinstance(event, HomeSkipped)]
    assert [(event.account, event.home) for event in told] == [(ANNE, WEATHER_ID)]
    assert "Invalid home_id" in told[0].reason
    assert housing.skipped == {WEATHER_ID}


async def test_another_refusal_of_a_home_is_an_error() -> None:
    server = Server()
    handlers = {"homesdata": server.homesdata, "homestatus": server.homestatus}
    async with serving(handlers) as url, wired(url) as world:
        with pytest.raises(NotFound, match="Device not found"):
            await Housing(world.client).now(Home(id="other"))
