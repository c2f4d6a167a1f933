"""Water in air: dew point and absolute humidity from relative humidity and temperature.

The formulas are those of Joe Ellsworth's `humid_dew.py` (August 2010, free use for all), which the Fluxtream
notebook for Netatmo used; the dew point in it is the one of the University of Arizona's weather network
(http://cals.arizona.edu/azmet/dewpoint.html). The order of operations is theirs too, so that a value computed
here equals, to the last bit, the one that the notebook uploaded for the same row.

All functions take and give plain numbers, and raise ValueError or ArithmeticError where there is no answer.
"""

from math import log

_MAGNUS_SLOPE = 17.27
_MAGNUS_OFFSET = 237.3
"""°C; the notebook calls it TEMP_K_C_OFFSET, though it has nothing to do with kelvins."""

# Vapour pressure of water, log10(p / mmHg) = A - B / (C + t / °C): the Antoine equation.
_ANTOINE_A = 8.1332
_ANTOINE_B = 1762.39
_ANTOINE_C = 235.66
_ATMOSPHERE = 760.0
"""mmHg; the station's own pressure does not enter."""

_GRAMS_PER_MOLE = 18.0
_LITRES_PER_MOLE = 22.4
"""Of an ideal gas at 0 °C and one atmosphere."""
_GRAMS_PER_OUNCE = 28.3495231
_CUBIC_FEET_PER_CUBIC_METRE = 35.3146667


def fahrenheit(celsius: float) -> float:
    """A temperature in °F."""
    return ((celsius * 9.0) / 5.0) + 32.0


def dew_point(relative_humidity: float, temperature: float) -> float:
    """The dew point in °C, from % and °C (University of Arizona).

    Raises:
        ValueError: no water, no dew: the relative humidity is not above 0.
        ArithmeticError: the temperature is the formula's pole (-237.3 °C), or lies out of all reach.
    """
    saturation = log(relative_humidity / 100.0)
    slope = _MAGNUS_SLOPE * temperature
    b = (saturation + (slope / (temperature + _MAGNUS_OFFSET))) / _MAGNUS_SLOPE
    return (_MAGNUS_OFFSET * b) / (1 - b)


def water_ppm(dew_point: float) -> float:
    """Parts of water vapour per million parts of air at one atmosphere, from the dew point in °C (Ellsworth).

    Raises:
        ArithmeticError: the dew point is at or just below the formula's pole (-235.66 °C).
    """
    vapour_pressure: float = 10 ** (_ANTOINE_A - (_ANTOINE_B / (dew_point + _ANTOINE_C)))
    return (vapour_pressure / _ATMOSPHERE) * 1000000


def water_grams_per_cubic_metre(ppm: float) -> float:
    """Water vapour in g/m³, from parts per million (Ellsworth)."""
    return ppm * 0.001 * _GRAMS_PER_MOLE / _LITRES_PER_MOLE


def water_ounces_per_cubic_foot(grams_per_cubic_metre: float) -> float:
    """Water vapour in oz/ft³, from g/m³ (Ellsworth)."""
    return (grams_per_cubic_metre / _GRAMS_PER_OUNCE) / _CUBIC_FEET_PER_CUBIC_METRE
