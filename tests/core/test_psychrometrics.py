"""The humidity formulas against the notebook's own, transcribed here as it printed them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netaflux.core.psychrometrics import (
    dew_point,
    fahrenheit,
    water_grams_per_cubic_metre,
    water_ounces_per_cubic_foot,
    water_ppm,
)

TABLE = [
    (57, 15.9, 7.40157224031516, 10036.675812664322, 8.065185920890974, 0.008055889751344534),
    (52, 19.7, 9.576029137705353, 11638.076353170214, 9.352025640940353, 0.009341246222237103),
    (53, 18.8, 9.027128005727404, 11213.982566242628, 9.011235990730686, 0.009000849376161042),
    (45, 21.6, 9.166892997498993, 11320.65771505147, 9.096957092452074, 0.009086471673229552),
]

humidities = st.integers(1, 100) | st.floats(0.1, 100)
temperatures = (
    st.integers(-60, 80) | st.floats(-60, 80) | st.integers(-600, 800).map(lambda tenths: tenths / 10)
)


def notebook_dew_c(rel_humid: float, temp_c: float) -> float:
    l = math.log(rel_humid / 100.0)  # noqa: E741  the notebook's name
    m = 17.27 * temp_c
    n = temp_c + 237.3
    b = (l + (m / n)) / 17.27
    return (237.3 * b) / (1 - b)


def notebook_h2o_ppm(rel_humid: float, temp_c: float) -> float:
    dew_temp_part_pressure = 8.1332 - (1762.39 / (notebook_dew_c(rel_humid, temp_c) + 235.66))
    dew_temp_part_press_mm_hg: float = 10**dew_temp_part_pressure
    return (dew_temp_part_press_mm_hg / 760.0) * 1000000


def notebook_h2o_grams_per_cubic_meter(rel_humid: float, temp_c: float) -> float:
    return notebook_h2o_ppm(rel_humid, temp_c) * 0.001 * 18.0 / 22.4


def notebook_h2o_ounce_per_cubic_foot(rel_humid: float, temp_c: float) -> float:
    return (notebook_h2o_grams_per_cubic_meter(rel_humid, temp_c) / 28.3495231) / 35.3146667


def all_of(humidity: float, temperature: float) -> tuple[float, float, float, float]:
    dew = dew_point(humidity, temperature)
    grams = water_grams_per_cubic_metre(water_ppm(dew))
    return dew, water_ppm(dew), grams, water_ounces_per_cubic_foot(grams)


@pytest.mark.parametrize("line", TABLE)
def test_the_known_values_come_out_to_the_last_bit(line: tuple[float, ...]) -> None:
    humidity, temperature, *expected = line

    assert list(all_of(humidity, temperature)) == expected


@settings(deadline=None)
@given(humidities, temperatures)
def test_every_value_is_the_notebooks_to_the_last_bit(humidity: float, temperature: float) -> None:
    expected = (
        notebook_dew_c(humidity, temperature),
        notebook_h2o_ppm(humidity, temperature),
        notebook_h2o_grams_per_cubic_meter(humidity, temperature),
        notebook_h2o_ounce_per_cubic_foot(humidity, temperature),
    )

    assert all_of(humidity, temperature) == expected


@pytest.mark.parametrize(
    ("celsius", "expected"), [(15.9, 60.62), (19.7, 67.46), (18.8, 65.84), (21.6, 70.88)]
)
def test_fahrenheit_is_what_the_notebook_printed(celsius: float, expected: float) -> None:
    assert fahrenheit(celsius) == expected


@pytest.mark.parametrize(("celsius", "expected"), [(0, 32), (100, 212), (-40, -40), (37, 98.6)])
def test_fahrenheit_meets_the_fixed_points_of_the_scale(celsius: float, expected: float) -> None:
    assert fahrenheit(celsius) == pytest.approx(expected)


@settings(deadline=None)
@given(temperatures)
def test_saturated_air_is_at_its_dew_point(temperature: float) -> None:
    assert dew_point(100, temperature) == pytest.approx(temperature, abs=1e-9)


@settings(deadline=None)
@given(humidities, temperatures)
def test_dew_never_forms_above_the_temperature(humidity: float, temperature: float) -> None:
    assert dew_point(humidity, temperature) <= temperature + 1e-9


@pytest.mark.parametrize("humidity", [0, 0.0, -0.0, -1, -57.5])
def test_without_water_there_is_no_dew_point(humidity: float) -> None:
    with pytest.raises(ValueError, match=r"math domain error|expected a positive input"):
        dew_point(humidity, 20.0)


def test_the_poles_of_the_formulas_have_no_value() -> None:
    with pytest.raises(ZeroDivisionError):
        dew_point(50, -237.3)
    with pytest.raises(ZeroDivisionError):
        water_ppm(-235.66)
    with pytest.raises(OverflowError):
        water_ppm(-235.67)
