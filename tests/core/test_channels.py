"""The catalogue of channels, and a person's own channels beside it."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netaflux.core.channels import CATALOGUE, Catalogue, Channel, OwnChannel
from netaflux.core.errors import ConfigError
from netaflux.core.formula import Formula
from netaflux.core.measures import TEMPERATURE, UNITS, measures_of
from netaflux.core.model import Measure

BUILT_IN = {
    "Temp_C": ("°C", {"Temperature"}),
    "Temp_F": ("°F", {"Temperature"}),
    "RH": ("%", {"Humidity"}),
    "Dew_C": ("°C", {"Temperature", "Humidity"}),
    "Dew_F": ("°F", {"Temperature", "Humidity"}),
    "H2O_ppm": ("ppm", {"Temperature", "Humidity"}),
    "H2O_gm3": ("g/m³", {"Temperature", "Humidity"}),
    "H2O_oz_ft3": ("oz/ft³", {"Temperature", "Humidity"}),
    "CO2": ("ppm", {"CO2"}),
    "Noise": ("dB", {"Noise"}),
    "Pressure": ("mbar", {"Pressure"}),
    "Rain": ("mm", {"Rain"}),
    "WindStrength": ("km/h", {"WindStrength"}),
    "WindAngle": ("°", {"WindAngle"}),
    "GustStrength": ("km/h", {"GustStrength"}),
    "GustAngle": ("°", {"GustAngle"}),
    "Setpoint_C": ("°C", {"Setpoint"}),
    "Setpoint_F": ("°F", {"Setpoint"}),
    "Boiler_On_s": ("s", {"BoilerOn"}),
    "Boiler_Off_s": ("s", {"BoilerOff"}),
    **{seen: ("events", {seen}) for seen in ("Person", "Movement", "Human", "Animal", "Vehicle")},
}


ROW: dict[str, float] = dict.fromkeys(map(str, UNITS), 7.0) | {"Temperature": 15.9, "Humidity": 57}


def own(**formulas: str) -> dict[str, OwnChannel]:
    return {name: OwnChannel(formula) for name, formula in formulas.items()}


def value(channel: Channel, **row: Any) -> Any:
    """What a channel comes to in a row, step by step."""
    known: dict[Any, Any] = dict(row)
    for step in channel.steps:
        inputs = [known[source] for source in step.inputs]
        known[step] = step.compute(*inputs) if step.compute else inputs[0]
    return known[channel]


def mistakes(definitions: dict[str, OwnChannel]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Catalogue(definitions)
    return caught.value.message.splitlines()


def test_the_catalogue_holds_these_channels_and_no_others() -> None:
    held = {channel.name: (channel.unit, set(channel.measures)) for channel in CATALOGUE}

    assert held == BUILT_IN
    assert list(held) == list(BUILT_IN)


def test_every_channel_says_how_it_is_computed_and_by_whom() -> None:
    assert all(channel.formula and channel.source for channel in CATALOGUE)


@pytest.mark.parametrize("channel", list(CATALOGUE), ids=lambda channel: channel.name)
def test_a_written_formula_can_be_copied_into_an_own_channel(channel: Channel) -> None:
    """It says the same as what is computed, to the last bit."""
    copy = Catalogue(own(Copy=channel.formula))["Copy"]

    assert value(copy, **ROW) == value(channel, **ROW)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("NAModule1", ["Temp_C", "Temp_F", "RH", "Dew_C", "Dew_F", "H2O_ppm", "H2O_gm3", "H2O_oz_ft3"]),
        ("NAModule2", ["WindStrength", "WindAngle", "GustStrength", "GustAngle"]),
        ("NAModule3", ["Rain"]),
        ("NAMain", list(BUILT_IN)[:11]),
    ],
)
def test_a_module_gets_all_channels_that_it_has_the_measures_for(kind: str, expected: list[str]) -> None:
    assert [channel.name for channel in CATALOGUE.channels_for(measures_of(kind))] == expected


def test_a_channel_of_which_one_measure_is_missing_is_left_out() -> None:
    assert [channel.name for channel in CATALOGUE.channels_for([TEMPERATURE])] == ["Temp_C", "Temp_F"]
    assert CATALOGUE.channels_for(()) == ()


def test_channels_that_share_the_dew_point_share_its_computation() -> None:
    steps = {step for name in ("Dew_C", "Dew_F", "H2O_ppm", "H2O_oz_ft3") for step in CATALOGUE[name].steps}

    assert sorted(step.name for step in steps) == ["Dew_C", "Dew_F", "H2O_gm3", "H2O_oz_ft3", "H2O_ppm"]


def test_a_name_that_is_unknown_is_answered_with_near_ones() -> None:
    with pytest.raises(ConfigError, match=r"^there is no channel `temp_g`; did you mean `Temp_"):
        CATALOGUE["temp_g"]
    with pytest.raises(ConfigError, match=r"^there is no channel `Sunshine`$"):
        CATALOGUE["Sunshine"]


def test_selected_channels_keep_the_order_of_the_configuration() -> None:
    assert [channel.name for channel in CATALOGUE.select(["RH", "Temp_F"])] == ["RH", "Temp_F"]


def test_all_mistakes_of_a_selection_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        CATALOGUE.select(["RH", "Temp_G", "RH", "Sunshine"])

    twice, near, unknown = caught.value.message.splitlines()
    assert twice == "`RH` stands there twice"
    assert near.startswith("there is no channel `Temp_G`; did you mean ")
    assert unknown == "there is no channel `Sunshine`"


def test_the_notebooks_reader_can_add_a_channel() -> None:
    catalogue = Catalogue({"Spread_F": OwnChannel("(Temperature * 1.8 + 32) - Dew_F", "°F")})
    channel = catalogue["Spread_F"]

    assert (channel.unit, set(channel.measures)) == ("°F", {"Temperature", "Humidity"})
    assert value(channel, Temperature=15.9, Humidity=57) == 15.9 * 1.8 + 32 - (7.40157224031516 * 9 / 5 + 32)
    assert channel in catalogue.channels_for(measures_of("NAModule1"))
    assert channel not in catalogue.channels_for(measures_of("NAModule3"))


def test_own_channels_build_on_one_another_in_any_order() -> None:
    catalogue = Catalogue(own(C="B * 2", A="Temperature + 1", B="A * 10"))

    assert [channel.name for channel in catalogue][-3:] == ["C", "A", "B"]
    assert [step.name for step in catalogue["C"].steps] == ["A", "B", "C"]
    assert value(catalogue["C"], Temperature=2) == 60


def test_a_long_chain_of_channels_is_no_burden() -> None:
    chain = own(**{f"C{n}": f"C{n - 1} + 1" if n else "Temperature" for n in reversed(range(500))})

    assert value(Catalogue(chain)["C499"], Temperature=1) == 500


def test_the_built_in_catalogue_does_not_learn_a_persons_channels() -> None:
    Catalogue(own(Mine="Temperature"))

    assert "Mine" not in [channel.name for channel in CATALOGUE]


@pytest.mark.parametrize("name", ["", "Temp F", "Temp.F", "Température", "a-b", "a/b", "x\n", "\x1b[2J"])
def test_a_name_that_fluxtream_refuses_is_refused_first(name: str) -> None:
    [mistake] = mistakes(own(**{name: "Temperature"}))

    assert "letters a to z, A to Z, digits and underscores" in mistake
    assert mistake.isprintable()


@pytest.mark.parametrize("name", ["2nd_floor", "_", "if", "Temp_K"])
def test_a_name_that_fluxtream_takes_is_taken(name: str) -> None:
    assert Catalogue(own(**{name: "Temperature"}))[name].name == name


@pytest.mark.parametrize("name", ["RH", "CO2", "Dew_C", "Temperature", "Humidity"])
def test_what_has_a_meaning_keeps_it(name: str) -> None:
    [mistake] = mistakes(own(**{name: "Temperature + 1"}))

    assert mistake.startswith(f"channels.{name}: this is a ")
    assert mistake.endswith("; choose another name")


@pytest.mark.parametrize(
    ("formula", "mistake"),
    [
        (
            "Temprature * 2",
            "`Temprature` is neither a measure nor a channel (column 1); did you mean `Temperature`?",
        ),
        (
            "2 * temperature",
            "`temperature` is neither a measure nor a channel (column 5); did you mean `Temperature`?",
        ),
        (
            "Temperature.real",
            "'Temperature.real' may not stand there (column 1); a formula holds numbers, names",
        ),
        ("open('/etc/passwd')", "there is no function `open` (column 1)"),
        ("Temperature +", "invalid syntax (column 14)"),
        ("42", "the formula uses no measure: its value would be nobody's"),
        ("", "there is no formula"),
        ("sqrt", "`sqrt` is neither a measure nor a channel (column 1)"),
    ],
)
def test_a_mistake_names_the_channel_and_the_place(formula: str, mistake: str) -> None:
    [line] = mistakes(own(Mine=formula))

    assert line.startswith(f"channels.Mine.formula: {mistake}")


def test_a_channel_is_not_offered_to_itself() -> None:
    [line] = mistakes(own(Comfort="Confort + RH"))

    assert line.endswith("`Confort` is neither a measure nor a channel (column 1)")


def test_all_mistakes_are_told_at_once() -> None:
    lines = mistakes(own(RH="1 +", Good="Temperature", A="Tenperature + Humidty", B="A + C", C="B"))

    assert [line.split(": ")[0] for line in lines] == [
        "channels.RH",
        "channels.RH.formula",
        "channels.A.formula",
        "channels.A.formula",
        "channels.B.formula",
    ]


@pytest.mark.parametrize(
    ("formulas", "said"),
    [
        ({"A": "A + Temperature"}, "A needs A"),
        ({"A": "B", "B": "A"}, "A needs B needs A"),
        ({"A": "B + RH", "B": "C", "C": "A"}, "A needs B needs C needs A"),
        ({"X": "A", "C": "A", "A": "B", "B": "RH + C"}, "C needs A needs B needs C"),
    ],
)
def test_a_channel_that_needs_itself_is_refused(formulas: dict[str, str], said: str) -> None:
    [line] = mistakes(own(**formulas))

    assert line == f"channels.{said[0]}.formula: it needs itself: {said}"


def test_many_cycles_are_each_told() -> None:
    lines = mistakes(own(**{f"C{n}": f"C{n}" for n in range(300)}))

    assert len(lines) == 300


names = st.sampled_from(["A", "B", "C", "RH", "Temperature", "a b"])
formulas = st.text(max_size=12) | st.lists(
    st.sampled_from(["A", "B", "C", "RH", "Dew_C", "Temperature", "+", "*", "(", ")", "1", " "]), max_size=7
).map("".join)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(names, formulas, max_size=4))
def test_any_definition_is_refused_by_a_config_error_or_makes_channels(texts: dict[str, str]) -> None:
    try:
        catalogue = Catalogue(own(**texts))
    except ConfigError:
        return

    for name in texts:
        result = value(catalogue[name], **ROW)
        assert result is None or math.isfinite(result)
        assert catalogue[name].measures
        assert isinstance(catalogue[name].compute, Formula)


def test_a_channel_may_need_a_measure_that_no_weather_module_has() -> None:
    """Rooms and boilers will come with measures of their own."""
    setpoint = Measure("sp_temperature")
    channel = Channel(name=CATALOGUE["RH"].name, unit="°C", formula="", source="", inputs=(setpoint,))

    assert channel.measures == (setpoint,)
