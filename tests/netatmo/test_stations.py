from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import UpstreamFault
from netaflux.core.measures import CO2, HUMIDITY, NOISE, PRESSURE, TEMPERATURE, measures_of
from netaflux.core.model import AccountName, Measure, Module, ModuleId, Number
from netaflux.netatmo.stations import survey_of
from tests.netatmo.world import payload

ANNE = AccountName("anne")
STATION = ModuleId("70:ee:50:00:00:01")
NOW = 1763719200

BASEMENT = Module(
    id=STATION,
    account=ANNE,
    station=STATION,
    kind="NAMain",
    measures=measures_of("NAMain"),
    name="Basement",
    places=("AR Home (Basement)", "AR Home"),
    timezone="America/New_York",
    set_up=1400400000,
    newest=1763719052,
    dashboard={TEMPERATURE: 15.9, CO2: 612, HUMIDITY: 57, NOISE: 38, PRESSURE: 1017.3},
    stored=1763719061,
    reachable=True,
)


def further(number: int, kind: str, name: str, **shown: Number) -> Module:
    """Another module of the station, with a time of its own."""
    return replace(
        BASEMENT,
        id=ModuleId(f"0{number}:00:00:00:00:0{number}"),
        kind=kind,
        measures=measures_of(kind),
        name=name,
        newest=1763719040 + number,
        dashboard={Measure(measure): value for measure, value in shown.items()},
        battery=67,
    )


def modules(name: str) -> tuple[Module, ...]:
    return survey_of(payload(f"stations/{name}"), ANNE).modules


def one_station(**fields: object) -> dict[str, Any]:
    """An envelope with one station that has but an id, and these fields."""
    return {"body": {"devices": [{"_id": STATION, **fields}]}, "status": "ok", "time_server": NOW}


# by hardware


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("NAMain", []),
        ("NAModule1", [further(2, "NAModule1", "Garden", Temperature=3.1, Humidity=91)]),
        (
            "NAModule2",
            [further(6, "NAModule2", "Roof", WindStrength=11, WindAngle=225, GustStrength=23, GustAngle=231)],
        ),
        ("NAModule3", [further(5, "NAModule3", "Gauge", Rain=0.101)]),
        ("NAModule4", [further(3, "NAModule4", "Bedroom", Temperature=18.8, CO2=844, Humidity=53)]),
    ],
)
def test_every_kind_of_module_is_read(kind: str, expected: list[Module]) -> None:
    """The station is a module too, and comes first."""
    assert modules(kind) == (BASEMENT, *expected)


def test_a_module_that_was_never_heard_of_has_no_empty_battery() -> None:
    """Netatmo tells 0 percent of it, and a voltage that cannot be."""
    assert [module.battery for module in modules("lost")] == [None, None, 67]


def test_a_home_coach_is_a_station_of_its_own() -> None:
    (coach,) = modules("NHC")

    assert (coach.kind, coach.id, coach.station, coach.newest) == (
        "NHC",
        "70:ee:50:00:00:09",
        "70:ee:50:00:00:09",
        None,
    )
    assert coach.titles == ("AR Home (Nursery)/Nursery", "AR Home/Nursery")


def test_a_kind_that_nobody_knows_is_kept_and_measures_what_it_says() -> None:
    (_, pool) = modules("unknown_kind")

    assert (pool.kind, pool.name, pool.measures) == ("NAModule9", "Pool", ("Temperature",))


def test_the_wind_gauge_measures_wind_whatever_it_calls_that() -> None:
    assert modules("NAModule2")[1].measures == ("WindStrength", "WindAngle", "GustStrength", "GustAngle")


# what may be missing


def test_a_station_that_is_unreachable_has_no_newest_row_and_neither_has_a_lost_module() -> None:
    base, lost, _ = modules("lost")

    assert (base.id, base.reachable, base.newest) == ("70:ee:50:00:00:0a", False, None)
    assert (lost.id, lost.reachable, lost.newest, lost.name) == ("02:00:00:00:00:0b", False, None, None)


def test_no_module_is_told_the_time_of_another() -> None:
    """A dead wind gauge went on serving its last values for months: its own time tells."""
    assert [module.newest for module in modules("lost")] == [None, None, 1763719046]


def test_a_module_without_values_is_not_told_its_station_s() -> None:
    porch = {"_id": "02:00:00:00:00:02", "type": "NAModule1"}
    shown = {"time_utc": NOW, "Temperature": 21.5, "Humidity": 57}
    envelope = one_station(type="NAMain", dashboard_data=shown, modules=[porch])

    told = [(module.newest, module.dashboard) for module in survey_of(envelope, ANNE).modules]
    assert told == [(NOW, {"Temperature": 21.5, "Humidity": 57}), (None, {})]


def test_what_a_dashboard_does_not_hold_or_holds_wrongly_is_not_made_up() -> None:
    shown = {
        "time_utc": NOW,
        "Temperature": "21",
        "CO2": None,
        "Humidity": True,
        "Pressure": 1e400,
        "Noise": 40,
    }
    modules = [{"_id": "02:00:00:00:00:02", "type": "NAModule4"}]
    envelope = one_station(type="NAMain", dashboard_data=shown, modules=modules)

    assert [module.dashboard for module in survey_of(envelope, ANNE).modules] == [{NOISE: 40}, {}]


def test_a_favourite_without_any_name_is_known_by_its_address() -> None:
    base, outdoor = modules("favourite")

    assert (base.id, base.name, base.places, base.titles) == ("70:ee:50:00:00:0c", None, (), ())
    assert (outdoor.station, outdoor.timezone, outdoor.set_up) == (base.id, "Europe/Brussels", None)


def test_an_indoor_unit_without_a_name_has_the_one_within_its_station_s() -> None:
    """Since 2020 a station is called `HOME (Module)`."""
    assert modules("nameless")[0].name == "Basement"


@pytest.mark.parametrize(
    ("station", "home"),
    [
        ("Lv/Basement", "Lv"),
        ("AR Home", "AR Home"),
        ("AR Home ()", "AR Home"),
        ("Old (B)", "AR Home"),
        ("X (B)", None),
    ],
)
def test_no_name_is_made_of_one_that_means_something_else(station: str, home: str | None) -> None:
    (module,) = survey_of(one_station(station_name=station, home_name=home), ANNE).modules

    assert module.name is None


def test_a_place_of_one_name_is_one_place() -> None:
    (module,) = survey_of(
        one_station(station_name="Lv", home_name=" Lv ", module_name="Basement"), ANNE
    ).modules

    assert module.titles == ("Lv/Basement",)


def test_an_id_is_all_that_a_module_needs() -> None:
    (module,) = survey_of(one_station(), ANNE).modules

    assert module == Module(id=STATION, account=ANNE, station=STATION, kind="unknown")


def test_stray_blanks_and_capitals_in_an_id_mean_nothing() -> None:
    """The module under a station may be written in another way than elsewhere."""
    envelope = one_station(modules=[{"_id": "02 :AB: 00:00:00:02"}, {"_id": "02:ab:00:00:00:02"}])

    assert [module.id for module in survey_of(envelope, ANNE).modules] == [STATION, "02:ab:00:00:00:02"]


def test_of_two_with_one_id_the_first_counts() -> None:
    twice = [{"_id": STATION, "module_name": name} for name in ("first", "second")]
    envelope = {"body": {"devices": twice}}

    assert [module.name for module in survey_of(envelope, ANNE).modules] == ["first"]


def test_what_is_in_error_is_not_reachable() -> None:
    envelope = one_station(reachable=True)
    envelope["body"]["errors"] = [{"code": 6, "id": STATION.upper()}]

    assert survey_of(envelope, ANNE).modules[0].reachable is False


@pytest.mark.parametrize("devices", [{}, {"devices": []}])
def test_errors_instead_of_stations_are_no_empty_account(devices: dict[str, object]) -> None:
    with pytest.raises(UpstreamFault, match="code 6"):
        survey_of({"body": {**devices, "errors": [{"code": 6, "id": STATION}]}}, ANNE)


def test_a_dashboard_from_the_future_tells_no_newest_row() -> None:
    """A row of 2036 would be waited for until then."""
    times = [NOW, NOW + 600, NOW + 601, 2_100_000_000]
    found = [
        survey_of(one_station(dashboard_data={"time_utc": time}), ANNE).modules[0].newest for time in times
    ]

    assert found == [NOW, NOW + 600, None, None]


@pytest.mark.parametrize(
    "body", [None, [], {}, {"devices": []}, {"devices": None}, {"devices": ["x", None, {}]}]
)
def test_an_account_may_have_no_stations(body: object) -> None:
    survey = survey_of({"body": body, "time_server": NOW}, ANNE)

    assert (survey.account, survey.modules, survey.server_time) == (ANNE, (), NOW)


@pytest.mark.parametrize("body", ["x", 7, True, {"devices": "x"}, {"devices": {"x": 1}}])
def test_an_answer_about_something_else_is_a_fault(body: object) -> None:
    with pytest.raises(UpstreamFault, match="no list of devices"):
        survey_of({"body": body}, ANNE)


# a field costs itself

OWN = {
    "type": {"kind", "measures", "dashboard"},
    "module_name": {"name"},
    "reachable": {"reachable"},
    "battery_percent": {"battery"},
    "battery_vp": {"battery"},
    "dashboard_data": {"newest", "dashboard"},
}
"""What is read of a field of a unit."""
INHERITED = {
    "station_name": {"places"},
    "home_name": {"places"},
    "place": {"timezone"},
    "date_setup": {"set_up"},
    "last_status_store": {"stored"},
}
"""What is read of a field of a station, for its modules too."""

WHOLE = payload("stations/NAModule1")
GARDEN = ModuleId("02:00:00:00:00:02")
Path = tuple[str | int, ...]


def paths_in(value: object, path: Path = ()) -> Iterator[Path]:
    """Where all fields stand."""
    inner = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, each in inner:
        yield (*path, key)
        yield from paths_in(each, (*path, key))


def units(envelope: Any) -> dict[ModuleId, dict[str, Any]]:
    """The JSON objects of both units, the station's without its modules."""
    station = envelope["body"]["devices"][0]
    return {STATION: station, GARDEN: station["modules"][0]}


FIELDS = [
    (unit, path)
    for unit, fields in units(WHOLE).items()
    for path in paths_in({key: value for key, value in fields.items() if key not in ("_id", "modules")})
]
WRONG = [None, True, False, 0, 7, -7.5, 10**20, "", "odd", [], ["odd"], {}, {"odd": 1}]


def spoilt(unit: ModuleId, path: Path, wrong: object) -> Mapping[str, object]:
    """The answer with another value in one place."""
    envelope = deepcopy(dict(WHOLE))
    place: Any = units(envelope)[unit]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    return envelope


def changes(envelope: Mapping[str, object]) -> set[tuple[ModuleId, str]]:
    """The facts that are others than in the whole answer."""
    before, after = survey_of(WHOLE, ANNE).modules, survey_of(envelope, ANNE).modules
    return {
        (one.id, field)
        for one, two in zip(before, after, strict=True)
        for field in Module.__dataclass_fields__
        if getattr(one, field) != getattr(two, field)
    }


@given(st.sampled_from(FIELDS), st.sampled_from(WRONG))
def test_a_field_that_is_missing_or_of_a_wrong_type_costs_that_field_only(
    field: tuple[ModuleId, Path], wrong: object
) -> None:
    unit, path = field
    own = {(unit, fact) for fact in OWN.get(str(path[0]), ())}
    inherited = {(each, fact) for each in (STATION, GARDEN) for fact in INHERITED.get(str(path[0]), ())}

    assert changes(spoilt(unit, path, wrong)) <= own | (inherited if unit == STATION else set())


@pytest.mark.parametrize("wrong", [None, True, 7, "", "  ", [], {}])
def test_a_module_without_an_id_is_left_out_alone(wrong: object) -> None:
    survey = survey_of(spoilt(GARDEN, ("_id",), wrong), ANNE)

    assert survey.modules == (BASEMENT,)


@pytest.mark.parametrize("wrong", [None, True, 7, "odd", [], {}, [None], ["odd"], [[]]])
def test_modules_that_are_none_cost_no_station(wrong: object) -> None:
    survey = survey_of(spoilt(STATION, ("modules",), wrong), ANNE)

    assert survey.modules == (BASEMENT,)
