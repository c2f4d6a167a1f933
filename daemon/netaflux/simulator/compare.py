"""Is what Fluxtream holds what Netatmo had? Cell by cell, by the notebook's formulas, exact to the bit.

The formulas are written out here once more on purpose: a comparison that shared the product's would share its
mistakes.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from netaflux.simulator.history import Row
from netaflux.simulator.homes import boiler_cells, buckets
from netaflux.simulator.house import House
from netaflux.simulator.store import Cell, Store
from netaflux.simulator.weather import Number

SEEN = ("Person", "Movement", "Human", "Animal", "Vehicle")
BUCKET, BIN = 1800, 300
"""Seconds that heating is told in, and that events are counted in."""
KELVIN_OFFSET = 237.3
GRAMS_PER_OUNCE = 28.3495231
CUBIC_FOOT_PER_CUBIC_METER = 35.3146667


def c2f(temp_c: float) -> float:
    """°C to °F."""
    return ((temp_c * 9.0) / 5.0) + 32.0


def dew_c(rel_humid: float, temp_c: float) -> float:
    """The dew point in °C (University of Arizona's formula, by way of Joe Ellsworth's humid_dew.py)."""
    logarithm = math.log(rel_humid / 100.0)
    share = (17.27 * temp_c) / (temp_c + KELVIN_OFFSET)
    b = (logarithm + share) / 17.27
    return (KELVIN_OFFSET * b) / (1 - b)


def dew_f(rel_humid: float, temp_c: float) -> float:
    """The dew point in °F."""
    return c2f(dew_c(rel_humid, temp_c))


def h2o_ppm(rel_humid: float, temp_c: float) -> float:
    """Water in the air, parts per million."""
    pressure_mm_hg = 10 ** (8.1332 - (1762.39 / (dew_c(rel_humid, temp_c) + 235.66)))
    return float((pressure_mm_hg / 760.0) * 1000000)


def h2o_gm3(rel_humid: float, temp_c: float) -> float:
    """Water in the air, grams per cubic metre."""
    return h2o_ppm(rel_humid, temp_c) * 0.001 * 18.0 / 22.4


def h2o_oz_ft3(rel_humid: float, temp_c: float) -> float:
    """Water in the air, ounces per cubic foot."""
    return (h2o_gm3(rel_humid, temp_c) / GRAMS_PER_OUNCE) / CUBIC_FOOT_PER_CUBIC_METER


class Recipe(NamedTuple):
    """A channel: the measures it needs, and what it makes of them."""

    measures: tuple[str, ...]
    formula: Callable[..., Number]


def _same(number: Number) -> Number:
    return number


_MOIST = ("Humidity", "Temperature")
RECIPES: Mapping[str, Recipe] = {
    "Temp_C": Recipe(("Temperature",), _same),
    "Temp_F": Recipe(("Temperature",), c2f),
    "RH": Recipe(("Humidity",), _same),
    "Dew_C": Recipe(_MOIST, dew_c),
    "Dew_F": Recipe(_MOIST, dew_f),
    "H2O_ppm": Recipe(_MOIST, h2o_ppm),
    "H2O_gm3": Recipe(_MOIST, h2o_gm3),
    "H2O_oz_ft3": Recipe(_MOIST, h2o_oz_ft3),
    **{
        name: Recipe((name,), _same)
        for name in (
            "CO2",
            "Noise",
            "Pressure",
            "Rain",
            "WindStrength",
            "WindAngle",
            "GustStrength",
            "GustAngle",
            "Person",
            "Movement",
            "Human",
            "Animal",
            "Vehicle",
        )
    },
    "Setpoint_C": Recipe(("Setpoint",), _same),
    "Setpoint_F": Recipe(("Setpoint",), c2f),
    "Boiler_On_s": Recipe(("BoilerOn",), _same),
    "Boiler_Off_s": Recipe(("BoilerOff",), _same),
}


@dataclass(frozen=True, slots=True)
class Mirror:
    """Which device of the store should mirror which module, in which channels and from when to when."""

    device: str
    module_id: str
    channels: tuple[str, ...] | None = None
    """By default all that the module's measures suffice for."""
    begin: float = -inf
    end: float = inf
    source: str = "stations"
    """Where it is found: stations, coaches, rooms, boilers, cameras."""


class Difference(NamedTuple):
    """A cell that holds something else."""

    time: Number
    expected: Number
    found: Number


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """How one channel of the store compares."""

    device: str
    channel: str
    expected: int
    """Cells that should be there."""
    missing: Sequence[Number]
    different: Sequence[Difference]
    extra: Sequence[Number]
    """Times of values that the module never had, and of those that stand twice."""

    @property
    def equal(self) -> bool:
        """Whether the channel is as it should be."""
        return not (self.missing or self.different or self.extra)


def compare(
    house: House, store: Store, guest: int, mirrors: Iterable[Mirror], at: float
) -> list[ChannelReport]:
    """Compare all that the mirrors should show at moment `at` with all that the guest's store holds."""
    expected: dict[Cell, dict[Number, Number]] = {}
    for mirror in mirrors:
        expected |= _expected(house, guest, mirror, at)
    held = (*store.values, *store.texts, *store.twins)
    cells = [*expected, *(cell for cell in dict.fromkeys(held) if cell.guest == guest)]
    return [_report(cell, expected.get(cell, {}), store) for cell in dict.fromkeys(cells)]


def channels_of(measures: Iterable[str]) -> tuple[str, ...]:
    """The channels that a module with these measures can fill."""
    known = set(measures)
    return tuple(name for name, recipe in RECIPES.items() if known.issuperset(recipe.measures))


def expected_values(measures: Sequence[str], rows: Iterable[Row], channel: str) -> dict[Number, Number]:
    """What a channel should hold of the rows: no value where a measure is missing or the formula has none."""
    recipe = RECIPES[channel]
    if not set(measures).issuperset(recipe.measures):
        return {}
    columns = [measures.index(measure) for measure in recipe.measures]
    values = ((row.time, _value(recipe, [row.values[column] for column in columns])) for row in rows)
    return {time: value for time, value in values if value is not None}


def _expected(house: House, guest: int, mirror: Mirror, at: float) -> dict[Cell, dict[Number, Number]]:
    measures, rows = told_of(house, mirror, at)
    channels = channels_of(measures) if mirror.channels is None else mirror.channels
    return {
        Cell(guest, mirror.device, channel): expected_values(measures, rows, channel) for channel in channels
    }


def told_of(house: House, mirror: Mirror, at: float) -> tuple[Sequence[str], Sequence[Row]]:
    """What Netatmo has of the module at moment `at`, and of which measures."""
    match mirror.source:
        case "rooms":
            return ("Temperature", "Setpoint"), _buckets(house, mirror, at, _room_row)
        case "boilers":
            return ("BoilerOn", "BoilerOff"), _buckets(house, mirror, at, _boiler_row)
        case "cameras":
            return SEEN, _seen_rows(house, mirror, at)
        case _:
            measures = house.module(mirror.module_id).measures
            return measures, house.rows(mirror.module_id, mirror.begin, mirror.end, at)


def _buckets(
    house: House, mirror: Mirror, at: float, row: Callable[[House, str, int], Row | None]
) -> list[Row]:
    """The half hours that are over, since the first unit of the home was set up."""
    since = max(mirror.begin, _set_up(house, mirror.module_id))
    times = buckets(since, min(mirror.end, at - BUCKET + 1), BUCKET, at, "UTC")
    return [made for time in times if (made := row(house, mirror.module_id, time))]


def _set_up(house: House, module_id: str) -> int:
    for home in house.homes:
        if module_id in {room.id for room in home.rooms}:
            return min(unit.set_up for unit in home.units)
        for unit in home.units:
            if unit.id == module_id:
                return unit.set_up
    raise KeyError(module_id)


def _room_row(house: House, room_id: str, time: int) -> Row | None:
    home = next(home for home in house.homes if room_id in {room.id for room in home.rooms})
    room = home.room(room_id)
    return Row(time, (room.measured(time), home.setpoint(room, time).temperature))


def _boiler_row(house: House, unit_id: str, time: int) -> Row | None:
    home = next(home for home in house.homes if unit_id in {unit.id for unit in home.units})
    if home.boiler_unit == "odd":
        return None
    types = ("boileron", "boileroff")
    on, off = boiler_cells(home, home.unit(unit_id), types, time, BUCKET)
    factor = 60 if home.boiler_unit == "minutes" else 1
    return Row(time, (on and on * factor, off and off * factor))


def _seen_rows(house: House, mirror: Mirror, at: float) -> list[Row]:
    """How many events of each kind there were in five minutes, where there was any, once these are over."""
    over = at // BIN * BIN
    counts: dict[int, list[int]] = {}
    guard = next(guard for guard in house.guards.values() if mirror.module_id in guard.lenses)
    for seen in guard.footage.between(max(mirror.begin, 0), min(mirror.end, over), at):
        told = {seen.kind, seen.category, *seen.parts}
        if seen.eye.id == mirror.module_id and told & {each.lower() for each in SEEN}:
            count = counts.setdefault(seen.time // BIN * BIN, [0] * len(SEEN))
            for place, each in enumerate(SEEN):
                count[place] += each.lower() in told
    return [Row(time, tuple(counts[time])) for time in sorted(counts)]


def _value(recipe: Recipe, cells: Sequence[Number | None]) -> Number | None:
    if None in cells:
        return None
    try:
        value = recipe.formula(*cells)
    except (ValueError, ArithmeticError):  # such as the logarithm of no humidity at all
        return None
    return value if math.isfinite(value) else None


def _report(cell: Cell, expected: Mapping[Number, Number], store: Store) -> ChannelReport:
    found = store.values.get(cell, {})
    beside = {*store.texts.get(cell, {}), *store.twins.get(cell, {})}
    both = sorted(expected.keys() & found.keys())
    return ChannelReport(
        device=cell.device,
        channel=cell.channel,
        expected=len(expected),
        missing=sorted(expected.keys() - found.keys()),
        different=[
            Difference(time, expected[time], found[time]) for time in both if expected[time] != found[time]
        ],
        extra=sorted((found.keys() - expected.keys()) | beside),
    )
