"""From measures to batches: what arrives is what was measured, computed row by row, and nothing else."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TypeGuard

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netaflux.core.channels import CATALOGUE, Catalogue, Channel, OwnChannel
from netaflux.core.measures import UNITS, measures_of
from netaflux.core.model import Batch, ChannelName, DeviceName, Measure, Number, Row
from netaflux.core.rows import REMEMBERED, batches, blends, derive
from netaflux.core.spans import FOREVER, Spans

DEVICE = DeviceName("Netatmo_Basement")
NOTEBOOK = CATALOGUE.select(["Temp_F", "RH", "H2O_ppm"])
OUTDOOR = measures_of("NAModule1")
EVER = Spans((0, FOREVER))

Cells = dict[str, Number]


def dew(row: Cells) -> float:
    b = (
        math.log(row["Humidity"] / 100.0) + 17.27 * row["Temperature"] / (row["Temperature"] + 237.3)
    ) / 17.27
    return 237.3 * b / (1 - b)


def ppm(row: Cells) -> float:
    pressure: float = 10 ** (8.1332 - 1762.39 / (dew(row) + 235.66))
    return pressure / 760.0 * 1000000


FORMULAS: Mapping[str, Callable[[Cells], Number]] = {
    "Temp_C": lambda row: row["Temperature"],
    "Temp_F": lambda row: row["Temperature"] * 9.0 / 5.0 + 32.0,
    "RH": lambda row: row["Humidity"],
    "Dew_C": dew,
    "Dew_F": lambda row: dew(row) * 9.0 / 5.0 + 32.0,
    "H2O_ppm": ppm,
    "H2O_gm3": lambda row: ppm(row) * 0.001 * 18.0 / 22.4,
    "H2O_oz_ft3": lambda row: ppm(row) * 0.001 * 18.0 / 22.4 / 28.3495231 / 35.3146667,
    "Mine": lambda row: 1 / (row["CO2"] - 400) + row["Humidity"],
    "Setpoint_C": lambda row: row["Setpoint"],
    "Setpoint_F": lambda row: row["Setpoint"] * 9.0 / 5.0 + 32.0,
    "Boiler_On_s": lambda row: row["BoilerOn"],
    "Boiler_Off_s": lambda row: row["BoilerOff"],
    **{name: itemgetter(name) for name in UNITS if name not in ("Temperature", "Humidity")},
}
"""Every channel as a person would write it down, apart from the product's own code."""

WITH_MINE = Catalogue({"Mine": OwnChannel("1 / (CO2 - 400) + Humidity")})


def expected(name: str, needs: Iterable[str], row: Mapping[str, Number | None]) -> Number | None:
    """The cell that a row's own measures make, or None."""
    cells = {need: value for need in needs if is_number(value := row.get(need))}
    if len(cells) < len(set(needs)):
        return None
    try:
        value = FORMULAS[name](cells)
    except (ArithmeticError, ValueError):
        return None
    return value if is_number(value) else None


def is_number(value: Number | None) -> TypeGuard[Number]:
    """Whether a double can hold it."""
    return value is not None and abs(value) <= sys.float_info.max


def same(one: Number | None, other: Number | None) -> bool:
    """Equal to the last bit, and a whole number as a whole number."""
    return type(one) is type(other) and one == other


measured = (
    st.none()
    | st.integers(-300, 1100)
    | st.integers(-3000, 11000).map(lambda tenths: tenths / 10)
    | st.sampled_from(
        [0, 0.0, 100, -237.3, -235.66, 400, math.nan, math.inf, -math.inf, 1e308, 5e-324, 10**400]
    )
)
mostly_plain = st.tuples(st.integers(-300, 400).map(lambda tenths: tenths / 10), st.integers(1, 100))


@st.composite
def pages(draw: st.DrawFn) -> tuple[tuple[Measure, ...], list[Row]]:
    measures = tuple(draw(st.permutations(list(UNITS)))[: draw(st.integers(0, len(UNITS)))])
    times = sorted(draw(st.sets(st.integers(0, 60), max_size=12)))
    rows = [Row(time, tuple(draw(measured) for _ in measures)) for time in times]
    return measures, rows


def wanted_everywhere(channels: Iterable[Channel]) -> dict[ChannelName, Spans]:
    return {channel.name: EVER for channel in channels}


def cells_of(sent: Iterable[Batch]) -> dict[tuple[str, int], Number | None]:
    return {
        (channel, row.time): value
        for batch in sent
        for row in batch.rows
        for channel, value in zip(batch.channels, row.values, strict=True)
    }


@pytest.mark.parametrize(
    ("measured_row", "printed"),
    [
        (Row(1400506122, (15.9, 57)), [1400506122, 60.62, 57, 10036.675812664322]),
        (Row(1400506147, (19.7, 52)), [1400506147, 67.46, 52, 11638.076353170214]),
        (Row(1400506116, (18.8, 53)), [1400506116, 65.84, 53, 11213.982566242628]),
        (Row(1400506128, (21.6, 45)), [1400506128, 70.88, 45, 11320.65771505147]),
    ],
)
def test_rows_come_out_as_the_notebook_printed_them(measured_row: Row, printed: list[Number]) -> None:
    [batch] = batches(
        DEVICE, NOTEBOOK, derive([measured_row], OUTDOOR, NOTEBOOK), wanted_everywhere(NOTEBOOK)
    )
    [row] = batch.rows

    assert batch.channels == ("Temp_F", "RH", "H2O_ppm")
    assert [row.time, *row.values] == printed
    assert list(map(type, [row.time, *row.values])) == [int, float, int, float]


def test_the_measures_may_come_in_any_order() -> None:
    humidity_first = derive([Row(1, (57, 15.9))], tuple(reversed(OUTDOOR)), NOTEBOOK)

    assert humidity_first == derive([Row(1, (15.9, 57))], OUTDOOR, NOTEBOOK)


def test_without_water_the_dew_has_a_gap_and_the_rest_its_value() -> None:
    channels = CATALOGUE.channels_for(OUTDOOR)
    [row] = derive([Row(1, (20.0, 0))], OUTDOOR, channels)

    held = {
        channel.name: value for channel, value in zip(channels, row.values, strict=True) if value is not None
    }
    assert held == {"Temp_C": 20.0, "Temp_F": 68.0, "RH": 0}


@pytest.mark.parametrize("temperature", [-237.3, -235.66, -273.15, 1e308, -1e308, 5e-324, 10**300])
@pytest.mark.parametrize("humidity", [0, 1, 57, 100, 101, -3, 5e-324, 1e308])
def test_odd_weather_never_raises(temperature: Number, humidity: Number) -> None:
    channels = CATALOGUE.channels_for(OUTDOOR)
    [row] = derive([Row(1, (temperature, humidity))], OUTDOOR, channels)

    cells = {"Temperature": temperature, "Humidity": humidity}
    for channel, value in zip(channels, row.values, strict=True):
        assert same(value, expected(channel.name, channel.measures, cells))


def test_a_memory_of_equal_numbers_does_not_change_their_kind() -> None:
    """57 and 57.0 are one key of a dictionary, and still two values."""
    rows = [Row(1, (20.0, 57)), Row(2, (20, 57.0)), Row(3, (-0.0, 57))]
    derived = derive(rows, OUTDOOR, CATALOGUE.select(["Temp_C", "RH", "Dew_C"]))

    assert [[type(value) for value in row.values] for row in derived] == [
        [float, int, float],
        [int, float, float],
        [float, int, float],
    ]
    assert str(derived[2].values[0]) == "-0.0"


@settings(deadline=None, max_examples=200)
@given(pages())
def test_every_cell_comes_from_its_own_row_and_misses_only_what_it_needs(
    page: tuple[tuple[Measure, ...], list[Row]],
) -> None:
    measures, rows = page
    channels = tuple(WITH_MINE)
    derived = derive(rows, measures, channels)

    assert [row.time for row in derived] == [row.time for row in rows]
    for source, row in zip(rows, derived, strict=True):
        cells: dict[str, Number | None] = dict(zip(measures, source.values, strict=True))
        for channel, value in zip(channels, row.values, strict=True):
            assert same(value, expected(channel.name, channel.measures, cells))


@settings(deadline=None)
@given(st.lists(mostly_plain, min_size=1, max_size=40), st.data())
def test_one_gap_in_a_page_changes_no_other_row(values: list[tuple[float, int]], data: st.DataObject) -> None:
    """The quick way for whole columns and the slow one for columns with gaps say the same."""
    channels = CATALOGUE.channels_for(OUTDOOR)
    rows = [Row(time, pair) for time, pair in enumerate(values)]
    hit = data.draw(st.integers(0, len(rows) - 1))
    holed = [Row(row.time, (None, row.values[1])) if row.time == hit else row for row in rows]

    whole, part = derive(rows, OUTDOOR, channels), derive(holed, OUTDOOR, channels)
    assert [row for row in part if row.time != hit] == [row for row in whole if row.time != hit]


spans = st.lists(st.tuples(st.integers(-5, 65), st.integers(0, 20)), max_size=6).map(
    lambda pairs: Spans(*((begin, begin + length) for begin, length in pairs))
)


@settings(deadline=None, max_examples=200)
@given(pages(), st.data())
def test_the_batches_are_exactly_the_wanted_cells_that_have_a_value(
    page: tuple[tuple[Measure, ...], list[Row]], data: st.DataObject
) -> None:
    measures, rows = page
    channels = data.draw(st.lists(st.sampled_from(list(WITH_MINE)), unique=True, max_size=6))
    wanted = {
        channel.name: data.draw(spans | st.just(EVER)) for channel in channels if data.draw(st.integers(0, 5))
    }
    derived = derive(rows, measures, channels)
    sent = list(batches(DEVICE, channels, derived, wanted))

    assert cells_of(sent) == {
        (channel.name, row.time): value
        for row in derived
        for channel, value in zip(channels, row.values, strict=True)
        if value is not None and row.time in wanted.get(channel.name, Spans())
    }
    assert sum(len(batch.rows) * len(batch.channels) for batch in sent) == len(cells_of(sent))
    for batch in sent:
        assert_sound(batch, [channel.name for channel in channels])


def assert_sound(batch: Batch, order: Sequence[ChannelName]) -> None:
    times = [row.time for row in batch.rows]
    assert batch.device == DEVICE
    assert times
    assert times == sorted(set(times))
    assert batch.channels
    assert list(batch.channels) == [name for name in order if name in batch.channels]
    for row in batch.rows:
        assert len(row.values) == len(batch.channels)
        assert all(value is not None and math.isfinite(value) for value in row.values)


@settings(deadline=None)
@given(pages(), st.data())
def test_no_set_of_channels_has_two_batches(
    page: tuple[tuple[Measure, ...], list[Row]], data: st.DataObject
) -> None:
    measures, rows = page
    channels = tuple(WITH_MINE)
    wanted = {channel.name: data.draw(spans) for channel in channels}
    sets = [batch.channels for batch in batches(DEVICE, channels, derive(rows, measures, channels), wanted)]

    assert len(sets) == len(set(sets))


def test_a_whole_page_that_is_wanted_goes_as_it_is() -> None:
    rows = derive([Row(t, (20.0 + t / 10, 50 + t)) for t in range(40)], OUTDOOR, NOTEBOOK)
    [batch] = batches(DEVICE, NOTEBOOK, rows, {channel.name: Spans((0, 39)) for channel in NOTEBOOK})

    assert batch == Batch(DEVICE, tuple(channel.name for channel in NOTEBOOK), rows)


def test_a_whole_page_of_which_only_the_begin_is_wanted_is_cut() -> None:
    rows = derive([Row(t, (20.0, 50)) for t in range(40)], OUTDOOR, NOTEBOOK)
    [batch] = batches(DEVICE, NOTEBOOK, rows, {channel.name: Spans((0, 38)) for channel in NOTEBOOK})

    assert [row.time for row in batch.rows] == list(range(39))


def test_only_what_is_lacking_is_sent() -> None:
    rows = derive([Row(t, (20.0, 50)) for t in (10, 20, 30, 40)], OUTDOOR, NOTEBOOK)
    wanted = {ChannelName("Temp_F"): Spans((0, 20)), ChannelName("RH"): Spans((20, 20), (40, 99))}
    first, both, second = batches(DEVICE, NOTEBOOK, rows, wanted)

    assert first == Batch(DEVICE, (ChannelName("Temp_F"),), [Row(10, (68.0,))])
    assert both == Batch(DEVICE, (ChannelName("Temp_F"), ChannelName("RH")), [Row(20, (68.0, 50))])
    assert second == Batch(DEVICE, (ChannelName("RH"),), [Row(40, (50,))])


@pytest.mark.parametrize(
    ("rows", "channels"),
    [([], NOTEBOOK), ([Row(1, (20.0, 50))], ()), ([Row(1, (None, None))], NOTEBOOK)],
)
def test_where_there_is_nothing_to_send_there_is_no_batch(
    rows: list[Row], channels: tuple[Channel, ...]
) -> None:
    derived = derive(rows, OUTDOOR, channels)

    assert list(batches(DEVICE, channels, derived, wanted_everywhere(channels))) == []
    assert [row.time for row in derived] == [row.time for row in rows]


def test_a_page_of_other_measures_gives_gaps() -> None:
    assert derive([Row(1, (3,))], (Measure("Rain"),), NOTEBOOK) == [Row(1, (None, None, None))]
    assert derive([Row(1, ())], (), NOTEBOOK) == [Row(1, (None, None, None))]


@pytest.mark.parametrize("odd", [(), (20.0,), (20.0, 50, 1)])
def test_a_row_that_does_not_fit_its_measures_is_a_bug_and_says_so(odd: tuple[Number, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        derive([Row(1, odd)], OUTDOOR, NOTEBOOK)
    with pytest.raises(ValueError, match="zip"):
        derive([Row(1, (20.0, 50)), Row(2, odd)], OUTDOOR, NOTEBOOK)


def test_a_value_is_remembered_for_just_this_number() -> None:
    """57 and 57.0 are equal, and yet what is made of them may look different."""
    own = Catalogue({"Both": OwnChannel("Humidity + CO2")}).select(["Both"])
    rows = [Row(1, (57, 400)), Row(2, (57.0, 400)), Row(3, (57, 400)), Row(4, (None, 400))]

    made = derive(rows, [Measure("Humidity"), Measure("CO2")], own)

    assert repr([row.values[0] for row in made]) == "[457, 457.0, 457, None]"


def test_a_value_is_remembered_for_just_these_kinds_of_numbers() -> None:
    """Of two pages one mixes the kinds of temperatures, the other those of humidities."""
    channels = CATALOGUE.select(["Temp_C", "RH", "Temp_F"])

    first = derive([Row(1, (20, 45.0)), Row(2, (20.5, 46.0))], OUTDOOR, channels)
    second = derive([Row(1, (20.0, 45)), Row(2, (20.5, 46.0))], OUTDOOR, channels)

    assert repr(first[0].values) == "(20, 45.0, 68.0)"
    assert repr(second[0].values) == "(20.0, 45, 68.0)"


def test_a_year_of_odd_air_fills_no_memory() -> None:
    channels = tuple(CATALOGUE.select(["H2O_ppm"]))
    (blend,) = blends(channels)

    for page in range(20):
        rows = [Row(at, (20 + at / 1000 + page, 50)) for at in range(1, 1000)]
        assert len(derive(rows, OUTDOOR, channels)) == 999

    assert sum(map(len, blend.answers.values())) <= REMEMBERED + 999
