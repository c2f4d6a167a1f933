"""What an answer about stations says of the weather: pure views, tested without a network."""

import copy
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import AmbiguousName, NetafluxError, NoDevice, UnknownName, UpstreamFault
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.sensors import Sensor
from netaflux.netatmo.weather_home import WeatherHome, weather_of
from tests.netatmo.world import payload

NOW = 1_763_719_200
Json = Any


def home(*devices: Json, **body: Json) -> WeatherHome:
    return weather_of(envelope(*devices, **body), NOW)


def envelope(*devices: Json, **body: Json) -> Envelope:
    return {"status": "ok", "body": {"devices": list(devices), **body}, "time_server": NOW}


def station(number: int = 1, modules: Json = (), **fields: Json) -> Json:
    return {
        "_id": f"70:ee:50:00:00:{number:02x}",
        "type": "NAMain",
        "module_name": "Indoor",
        "station_name": "Cabin (Indoor)",
        "home_name": "Cabin",
        "place": {"timezone": "Europe/Paris"},
        "dashboard_data": {"time_utc": NOW - 60, "Temperature": 20.5, "CO2": 600},
        "modules": list(modules),
        **fields,
    }


def module(number: int, name: str | None = "Porch", *, age: int | None = 120, **fields: Json) -> Json:
    shown = {} if age is None else {"dashboard_data": {"time_utc": NOW - age, "Temperature": number}}
    named = {} if name is None else {"module_name": name}
    return {"_id": f"02:00:00:00:00:{number:02x}", "type": "NAModule1", **named, **shown, **fields}


# Stations and modules, by name and by id


def test_a_station_has_two_roles() -> None:
    weather = home(station(modules=[module(2)]))
    place = weather.station("Cabin")

    assert place is weather.default_station
    assert (place.name, place.sensor.name, place.sensor.is_station) == ("Cabin", "Indoor", True)
    assert [each.name for each in place.sensors] == ["Indoor", "Porch"]
    with pytest.raises(UnknownName):
        weather.module("Indoor")
    assert weather.sensor("Indoor") is weather.sensor() is place.sensor


@pytest.mark.parametrize("text", ["Cabin", " cabin  (INDOOR)", "70:EE:50:00:00:01", " 70-ee-50-00-00-01 "])
def test_a_station_is_found(text: str) -> None:
    assert home(station(2, home_name="Other", station_name=None), station()).station(text).id.endswith(":01")


@pytest.mark.parametrize(
    "text", ["Porch", " PORCH ", "Cabin/Porch", "cabin (indoor)/porch", "02:00:00:00:00:02"]
)
def test_a_module_is_found(text: str) -> None:
    assert home(station(modules=[module(2), module(3, "Roof")])).module(text).id == "02:00:00:00:00:02"


def test_the_same_name_in_two_stations_is_told_apart_by_the_station() -> None:
    weather = home(
        station(1, [module(2)]), station(7, [module(8)], home_name="Town", station_name="Town (Indoor)")
    )

    with pytest.raises(AmbiguousName, match="02:00:00:00:00:02 and 02:00:00:00:00:08"):
        weather.module("Porch")
    assert weather.module("Porch", "Town").id == weather.sensor("town/porch").id == "02:00:00:00:00:08"
    with pytest.raises(UnknownName):
        weather.module("02:00:00:00:00:02", "Town")


def test_a_station_without_names_is_called_by_what_there_is() -> None:
    bare: dict[str, Json] = {"home_name": None, "station_name": 5}

    assert home(station(**bare)).default_station.name == "Indoor"
    assert home(station(**bare, module_name=" ")).default_station.name == "70:ee:50:00:00:01"


def test_module_names_are_told_once_each_whatever_the_modules_are_called() -> None:
    weather = home(station(modules=[module(2), module(3, "Porch"), module(4, None), module(5, "Roof")]))

    names = ("Indoor", "Porch (02:00:00:00:00:02)", "Porch (02:00:00:00:00:03)", "02:00:00:00:00:04", "Roof")
    assert weather.module_names() == names
    assert [shown["Temperature"] for shown in weather.latest().values()] == [20.5, 2, 3, 4, 5]


def test_the_indoor_name_may_stand_in_the_stations_only() -> None:
    assert home(station(module_name=None, station_name="Cabin (Hall)")).module_names() == ("Hall",)


@pytest.mark.parametrize("body", [{}, [], None, {"devices": []}, {"devices": None}])
def test_no_station_is_an_error_of_its_own(body: Json) -> None:
    with pytest.raises(NoDevice, match="no weather station"):
        weather_of({"status": "ok", "body": body}, NOW)


def test_an_answer_about_something_else_is_a_fault() -> None:
    with pytest.raises(UpstreamFault):
        weather_of({"body": {"devices": "none"}}, NOW)


def test_an_unknown_kind_is_kept() -> None:
    weather = weather_of(payload("stations/unknown_kind"), NOW)

    assert any(sensor.kind.startswith("NA") and sensor.latest for sensor in weather.sensors)
    assert {sensor.kind for sensor in weather.sensors} - {"NAMain"}


def test_what_was_sent_is_kept() -> None:
    sent = station(modules=[module(2, rf_status=70)])
    weather = home(sent)

    assert weather.raw["body"] == {"devices": [sent]}
    assert weather.default_station.raw is sent
    assert weather.module("Porch").raw["rf_status"] == 70
    assert weather.latest()["Porch"].raw["time_utc"] == NOW - 120


# What is new, and what is late


def test_values_have_the_time_of_their_own_sensor() -> None:
    shown = home(station(modules=[module(2, age=500)])).latest()

    assert shown["Indoor"].time == NOW - 60
    assert dict(shown["Indoor"].values) == {"Temperature": 20.5, "CO2": 600}
    assert (shown["Porch"].time, shown["Porch"]["Temperature"]) == (NOW - 500, 2)
    assert shown["Porch"].get("CO2") is None
    assert shown["Porch"].age(NOW) == 500


def test_the_days_extremes_are_not_told_as_if_they_were_new() -> None:
    [indoor] = weather_of(payload("stations/NAMain"), NOW).latest().values()

    assert "AbsolutePressure" in indoor.values
    assert not {"min_temp", "max_temp", "date_min_temp", "time_utc"} & set(indoor.values)


def test_a_lost_module_has_no_latest_values_and_is_late() -> None:
    weather = home(station(modules=[module(2, age=None), module(3, "Roof", age=4000), module(4, "Attic")]))

    assert list(weather.latest()) == ["Indoor", "Roof", "Attic"]
    assert list(weather.latest(younger_than=3600)) == ["Indoor", "Attic"]
    assert list(weather.late()) == ["Porch", "Roof"]
    assert list(weather.on_time()) == ["Indoor", "Attic"]
    assert list(weather.late(delay=5000)) == ["Porch"]


def test_the_station_itself_is_late_when_it_is_lost() -> None:
    weather = home(station(dashboard_data=None, modules=[module(2)]))

    assert list(weather.late()) == ["Indoor"]
    assert weather.late()["Indoor"].is_station


def test_an_answer_grows_old() -> None:
    weather = home(station())

    assert list(weather.late()) == []
    assert list(weather.late(now=NOW + 3600)) == ["Indoor"]
    assert list(weather.latest(younger_than=3600, now=NOW + 3600)) == []


@pytest.mark.parametrize("time", [None, 0, "now", NOW + 86_400])
def test_values_of_no_known_time_are_never_called_new(time: Json) -> None:
    weather = home(station(dashboard_data={"time_utc": time, "Temperature": 20}))

    assert weather.latest()["Indoor"].time is None
    assert weather.latest()["Indoor"]["Temperature"] == 20
    assert list(weather.latest(younger_than=10**9)) == []
    assert list(weather.late()) == ["Indoor"]


def test_a_module_that_netatmo_cannot_reach_says_so() -> None:
    weather = home(station(modules=[module(2)]), errors=[{"code": 6, "id": "02:00:00:00:00:02"}])

    assert weather.module("Porch").reachable is False


def test_a_module_that_is_listed_twice_counts_once() -> None:
    weather = home(station(modules=[module(2), module(2, "Again")]), station())

    assert weather.module_names() == ("Indoor", "Porch")
    assert len(weather.stations) == 1


# In words


@pytest.mark.parametrize(
    ("kind", "millivolts", "percent", "word"),
    [
        ("NAModule1", 5500, 100, "full"),
        ("NAModule1", 5460, 67, "high"),
        ("NAModule1", 3999, 0, "very low"),
        ("NAModule2", 4500, None, "low"),
        ("NAModule4", 4920, None, "medium"),
        ("NAModule9", 1, 41, "medium"),
        ("NAModule1", None, 100, "full"),
    ],
)
def test_a_battery_in_words(kind: str, millivolts: Json, percent: Json, word: str) -> None:
    shown = module(2, type=kind, battery_vp=millivolts, battery_percent=percent)
    battery = home(station(modules=[shown])).module("Porch").battery

    assert battery is not None
    assert (battery.word, battery.millivolts, battery.percent) == (word, millivolts, percent)


@pytest.mark.parametrize(
    ("rf", "wifi", "words"),
    [
        (60, 56, ("high", "good")),
        (75, 71, ("medium", "average")),
        (90, 86, ("low", "bad")),
        (40, 120, ("high", "bad")),
    ],
)
def test_radio_and_wifi_in_words(rf: int, wifi: int, words: tuple[str, str]) -> None:
    weather = home(station(wifi_status=wifi, modules=[module(2, rf_status=rf)]))
    radio, own = weather.module("Porch").radio, weather.sensor().wifi

    assert radio is not None
    assert own is not None
    assert ((radio.value, own.value), (radio.word, own.word)) == ((rf, wifi), words)


def test_the_figures_of_a_lost_module_are_none() -> None:
    lost = weather_of(payload("stations/lost"), NOW).module("02:00:00:00:00:0b")

    assert (lost.battery, lost.radio, lost.latest, lost.last_seen) == (None, None, None, None)


@pytest.mark.parametrize(
    ("index", "word"), [(0, "healthy"), (1, "fine"), (2, "fair"), (3, "poor"), (4, "unhealthy")]
)
def test_the_health_of_the_air_in_words(index: int, word: str) -> None:
    coach = home(station(type="NHC", dashboard_data={"time_utc": NOW, "health_idx": index})).sensor()

    assert coach.health is not None
    assert (coach.health.value, coach.health.word) == (index, word)


def test_a_home_coach_may_have_nothing_to_say() -> None:
    coach = weather_of(payload("stations/NHC"), NOW).sensor("nursery")

    assert (coach.kind, coach.health, coach.latest) == ("NHC", None, None)


# A field that is not what it should be costs itself, and nothing else


def whole() -> Json:
    """Two stations with modules; every unit has a mark that tells it whatever is lost."""
    names: dict[str, Json] = {
        "rf_status": 70,
        "battery_vp": 5100,
        "battery_percent": 70,
        "data_type": ["Temperature"],
    }
    one = station(1, [module(2, **names), module(3, "Roof", **names)], wifi_status=60, reachable=True)
    two = station(7, [module(8, "Attic", **names)], home_name="Town", station_name="Town (Indoor)")
    told: Json = {"body": {"devices": [one, two], "errors": [{"code": 6, "id": "02:00:00:00:00:03"}]}}
    for device in told["body"]["devices"]:
        for unit in (device, *device["modules"]):
            unit["mark"] = unit["_id"]
    return {"status": "ok", "time_server": NOW, **told}


def facts(weather: WeatherHome) -> dict[tuple[str, str], object]:
    """All that is told of every unit, by the unit's mark."""
    told: dict[tuple[str, str], object] = {}
    for place in weather.stations:
        told[str(place.raw["mark"]), "names"] = place.names
        for sensor in place.sensors:
            told |= {(str(sensor.raw["mark"]), name): fact for name, fact in _of_sensor(sensor)}
    return told


def _of_sensor(sensor: Sensor) -> Iterator[tuple[str, object]]:
    for name in ("id", "station", "kind", "name", "timezone", "reachable", "battery", "radio", "wifi"):
        yield name, getattr(sensor, name)
    yield "measures", sensor.measures
    if sensor.latest is not None:
        yield "time", sensor.latest.time
        yield from sensor.latest.values.items()


NEEDS: Mapping[str, tuple[str, ...]] = {
    "id": ("_id",),
    "kind": ("type",),
    "name": ("module_name",),
    "battery": ("type", "battery_vp", "battery_percent"),
    "radio": ("rf_status",),
    "wifi": ("wifi_status",),
    "measures": ("type", "data_type"),
    "time": ("dashboard_data.time_utc",),
    "reachable": ("reachable", "_id"),
    "names": (),
    "timezone": (),
    "station": (),
}
"""The fields of the unit itself that a fact needs; by default that of the dashboard."""
OF_STATION = {"names": ("home_name", "station_name"), "timezone": ("place.timezone",), "station": ("_id",)}


def needed(mark: str, fact: str) -> Iterator[str]:
    """The paths that a fact of a unit needs."""
    for number, device in enumerate(whole()["body"]["devices"]):
        for place, unit in enumerate((device, *device["modules"]), -1):
            if unit["mark"] == mark:
                base = f"body.devices.{number}."
                own = base if place < 0 else f"{base}modules.{place}."
                yield own.removesuffix(".")
                yield from (own + field for field in NEEDS.get(fact, (f"dashboard_data.{fact}",)))
                yield from (base + field for field in OF_STATION.get(fact, ()))
                if fact == "name" and place < 0:
                    yield from (base + "home_name", base + "station_name")
                if fact == "reachable":
                    yield "body.errors.0.id"


def paths(tree: Json, at: str = "") -> Iterator[str]:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        if key != "mark":
            yield f"{at}{key}"
            yield from paths(value, f"{at}{key}.")


OUTER = {"body", "body.devices"}
EVERY = sorted(set(paths(whole())) - OUTER)
WRONG: list[Json] = [None, True, 7, -1.5, "odd", "", [], ["odd"], [[]], {}, {"odd": 1}]
GONE = object()


def kind(value: Json) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else type(value).__name__


def held(tree: Json, key: str) -> Json:
    """What stands under a key or a number; None where there is nothing."""
    if isinstance(tree, list):
        return tree[int(key)] if key.isdigit() and int(key) < len(tree) else None
    return tree.get(key) if isinstance(tree, dict) else None


def damage(tree: Json, path: str, wrong: Json) -> None:
    """Put something wrong there, unless it is of the right type, or what holds it has gone already."""
    *above, last = path.split(".")
    holder = reduce(held, above, tree)
    before = held(holder, last)
    if before is None or (wrong is not GONE and kind(before) == kind(wrong)):
        return
    if isinstance(holder, list):
        holder[int(last)] = None if wrong is GONE else wrong
    elif wrong is GONE:
        del holder[last]
    else:
        holder[last] = wrong


def hurt(wrongs: list[tuple[str, Json]]) -> Json:
    """The answer with all of these fields wrong, the deepest first, so that every path leads somewhere."""
    sent = copy.deepcopy(whole())
    for path, wrong in sorted(wrongs, key=lambda each: -each[0].count(".")):
        damage(sent, path, wrong)
    return sent


def assert_the_rest_is_there(wrongs: list[tuple[str, Json]]) -> None:
    hit = {path for path, _ in wrongs}
    try:
        after = facts(weather_of(hurt(wrongs), NOW))
    except NoDevice:
        assert {"body.devices.0", "body.devices.1"} <= hit
        return
    for (mark, fact), value in BEFORE.items():
        if not any(f"{path}.".startswith(f"{each}.") for path in needed(mark, fact) for each in hit):
            assert after[mark, fact] == value, (mark, fact)


BEFORE = facts(weather_of(whole(), NOW))
WRONGS = st.tuples(st.sampled_from(EVERY), st.sampled_from([GONE, *WRONG]))


@pytest.mark.parametrize("wrong", [GONE, *WRONG], ids=["gone", *map(repr, WRONG)])
def test_every_single_field_can_be_wrong(wrong: Json) -> None:
    for path in EVERY:
        assert_the_rest_is_there([(path, wrong)])


@given(st.lists(WRONGS, min_size=2, max_size=5, unique_by=itemgetter(0)))
def test_a_wrong_field_costs_itself_alone(wrongs: list[tuple[str, Json]]) -> None:
    assert_the_rest_is_there(wrongs)


@given(st.lists(WRONGS, max_size=6))
def test_nothing_but_our_own_errors_is_raised(wrongs: list[tuple[str, Json]]) -> None:
    try:
        weather = weather_of(hurt(wrongs), NOW)
    except NetafluxError:
        return
    for place in (None, *(each.id for each in weather.stations if each.id)):
        assert {*weather.late(place), *weather.on_time(place)} == set(weather.module_names(place))
        assert set(weather.latest(place, younger_than=60)) <= set(weather.module_names(place))
    for text in ("Porch", "odd", "", "Town/Attic"):
        for search in (weather.sensor, weather.module, weather.station):
            try:
                search(text)
            except NetafluxError as error:
                assert error.message  # noqa: PT017 - whichever it is
