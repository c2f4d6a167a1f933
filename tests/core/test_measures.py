"""Which module has which measures."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netaflux.core.measures import BOILER, CAMERA, ROOM, UNITS, in_order, measures_of
from netaflux.core.model import Measure

WIND = ("WindStrength", "WindAngle", "GustStrength", "GustAngle")
KINDS = {
    "NAMain": {"Temperature", "CO2", "Humidity", "Noise", "Pressure"},
    "NAModule1": {"Temperature", "Humidity"},
    "NAModule2": set(WIND),
    "NAModule3": {"Rain"},
    "NAModule4": {"Temperature", "CO2", "Humidity"},
    "NHC": {"Temperature", "CO2", "Humidity", "Noise", "Pressure"},
}


@pytest.mark.parametrize(("kind", "expected"), KINDS.items())
def test_a_known_kind_has_its_measures_whatever_it_says_of_itself(kind: str, expected: set[str]) -> None:
    assert set(measures_of(kind)) == expected
    assert measures_of(kind, ["Rain", "Soil"]) == measures_of(kind)


@pytest.mark.parametrize(
    ("data_types", "expected"),
    [
        (["Wind"], WIND),
        (["Rain"], ("Rain",)),
        (["temperature", "HUMIDITY", "Co2"], ("Temperature", "CO2", "Humidity")),
        (["Humidity", "Temperature", "humidity"], ("Temperature", "Humidity")),
        (["Wind", "GustAngle"], WIND),
        (["Soil", "Temperature", "", "health_idx"], ("Temperature",)),
        ([], ()),
    ],
)
def test_an_unknown_kind_is_believed_its_data_types(data_types: list[str], expected: tuple[str, ...]) -> None:
    assert measures_of("NAModule9", data_types) == expected


def test_every_measure_has_a_unit_and_belongs_to_a_kind() -> None:
    measures = {measure for kind in KINDS for measure in measures_of(kind)}

    assert measures | {*ROOM, *BOILER, *CAMERA} == set(UNITS)
    assert all(UNITS.values())


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(list(UNITS)) | st.sampled_from([Measure("sp_temperature"), Measure("boileron")]))
)
def test_the_order_of_measures_does_not_depend_on_how_they_came(measures: list[Measure]) -> None:
    ordered = in_order(measures)

    assert ordered == in_order(reversed(measures))
    assert sorted(ordered) == sorted(set(measures))


def test_measures_that_are_not_known_come_last_by_name() -> None:
    foreign = [
        Measure(name) for name in ("sum_boiler_on", "boileron", "sp_temperature", "boileroff", "Soil", "UV")
    ]

    assert in_order([*foreign, *UNITS]) == (*UNITS, *sorted(foreign))
