"""What must arrive, by the notebook's formulas, and how what has arrived differs from it.

The formulas are those of the notebook, written once more for the tests: to share the product's, or the
simulator's, would be to share their mistakes.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from netaflux.simulator import Fluxtream, House

Number = int | float
Series = tuple[str, str]
"""A device and a channel."""
Held = dict[Series, dict[Number, Number]]


def in_fahrenheit(celsius: float) -> float:
    return ((celsius * 9.0) / 5.0) + 32.0


def dew_point(humidity: float, celsius: float) -> float:
    logarithm = math.log(humidity / 100.0)
    b = (logarithm + ((17.27 * celsius) / (celsius + 237.3))) / 17.27
    return (237.3 * b) / (1 - b)


def water_ppm(humidity: float, celsius: float) -> float:
    pressure = 10 ** (8.1332 - (1762.39 / (dew_point(humidity, celsius) + 235.66)))
    return float((pressure / 760.0) * 1000000)


def water_grams(humidity: float, celsius: float) -> float:
    return water_ppm(humidity, celsius) * 0.001 * 18.0 / 22.4


def water_ounces(humidity: float, celsius: float) -> float:
    return (water_grams(humidity, celsius) / 28.3495231) / 35.3146667


class Formula(NamedTuple):
    """The measures that a channel needs, and what it makes of them."""

    needs: tuple[str, ...]
    value: Callable[..., Number] = lambda cell: cell


AIR = ("Humidity", "Temperature")
FORMULAS: Mapping[str, Formula] = {
    "Temp_C": Formula(("Temperature",)),
    "Temp_F": Formula(("Temperature",), in_fahrenheit),
    "RH": Formula(("Humidity",)),
    "Dew_C": Formula(AIR, dew_point),
    "Dew_F": Formula(AIR, lambda humidity, celsius: in_fahrenheit(dew_point(humidity, celsius))),
    "H2O_ppm": Formula(AIR, water_ppm),
    "H2O_gm3": Formula(AIR, water_grams),
    "H2O_oz_ft3": Formula(AIR, water_ounces),
    "CO2": Formula(("CO2",)),
    "Noise": Formula(("Noise",)),
    "Pressure": Formula(("Pressure",)),
    "Rain": Formula(("Rain",)),
    "WindStrength": Formula(("WindStrength",)),
    "WindAngle": Formula(("WindAngle",)),
    "GustStrength": Formula(("GustStrength",)),
    "GustAngle": Formula(("GustAngle",)),
}


class Mirror(NamedTuple):
    """A device, and the rows of a module that it should show: those of begin ≤ t < end."""

    device: str
    module: str
    channels: Sequence[str] | None = None
    """None: all that the module can give."""
    begin: float = 0
    end: float = math.inf


def expected(
    house: House, mirrors: Iterable[Mirror], at: float, own: Mapping[str, Formula] | None = None
) -> Held:
    """What the mirrors should show of the house, as Netatmo has it at that moment."""
    formulas = {**FORMULAS, **(own or {})}
    return {
        series: cells for mirror in mirrors for series, cells in _shown(house, mirror, at, formulas) if cells
    }


def _shown(
    house: House, mirror: Mirror, at: float, formulas: Mapping[str, Formula]
) -> Iterator[tuple[Series, dict[Number, Number]]]:
    measures = house.module(mirror.module).measures
    rows = house.rows(mirror.module, mirror.begin, mirror.end, at)
    for channel in formulas if mirror.channels is None else mirror.channels:
        formula = formulas[channel]
        if set(formula.needs) <= set(measures):
            places = [measures.index(measure) for measure in formula.needs]
            values = ((row.time, _value(formula, [row.values[place] for place in places])) for row in rows)
            yield (mirror.device, channel), {time: value for time, value in values if value is not None}


def _value(formula: Formula, cells: Sequence[Number | None]) -> Number | None:
    try:
        return None if None in cells else formula.value(*cells)
    except (ValueError, ZeroDivisionError):  # such as the logarithm of no humidity at all
        return None


def held(fluxtream: Fluxtream, guest: int | None = None) -> Held:
    """All that a guest's store holds, of the first guest by default."""
    owner = fluxtream.users[0].guest if guest is None else guest
    cells = fluxtream.store.values.items()
    return {
        (cell.device, cell.channel): dict(values) for cell, values in cells if cell.guest == owner and values
    }


def differences(wanted: Held, found: Held) -> list[str]:
    """Some of what is missing, wrong or too much, in words; none where both are the same to the last bit."""
    return [each for series in sorted(wanted | found) for each in _differences(series, wanted, found)]


def _differences(series: Series, wanted: Held, found: Held) -> Iterator[str]:
    should, does = wanted.get(series, {}), found.get(series, {})
    missing, extra = sorted(should.keys() - does.keys()), sorted(does.keys() - should.keys())
    # 57 and 57.0 are equal, and yet not the same
    wrong = [time for time in should.keys() & does.keys() if repr(should[time]) != repr(does[time])]
    name = ".".join(series)
    if missing:
        yield f"{name}: {len(missing)} of {len(should)} missing, such as {missing[0]} and {missing[-1]}"
    if extra:
        yield f"{name}: {len(extra)} too many, such as {extra[0]} and {extra[-1]}"
    if wrong:
        yield f"{name}: {len(wrong)} wrong, such as {should[wrong[0]]!r} as {does[wrong[0]]!r} at {wrong[0]}"
