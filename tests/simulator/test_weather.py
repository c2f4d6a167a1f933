"""The closed formula."""

from itertools import pairwise

import pytest

from netaflux.simulator.weather import DAY, OUTDOORS, Sampling, chosen, value

NOON = 1_700_000_000


def test_the_same_moment_of_the_same_module_has_the_same_weather_for_ever() -> None:
    assert value("Temperature", NOON, seed=7, climate=OUTDOORS) == 5.7
    assert value("Humidity", NOON, seed=7, climate=OUTDOORS) == 72
    assert value("Pressure", NOON, seed=7) == 1011.3


@pytest.mark.parametrize(
    ("measure", "lowest", "highest", "decimals"),
    [
        ("Temperature", -15, 35, 1),
        ("Humidity", 20, 98, 0),
        ("CO2", 350, 1500, 0),
        ("Noise", 30, 60, 0),
        ("Pressure", 980, 1040, 1),
        ("Rain", 0, 1, 3),
        ("WindStrength", 0, 60, 0),
        ("WindAngle", 0, 359, 0),
        ("GustStrength", 0, 80, 0),
        ("GustAngle", 0, 359, 0),
        ("Moonlight", 0, 99, 0),
    ],
)
def test_a_year_of_values_is_plausible(measure: str, lowest: float, highest: float, decimals: int) -> None:
    values = [value(measure, NOON + hour * 3607, seed=3, climate=OUTDOORS) for hour in range(0, 365 * 24, 3)]

    assert lowest <= min(values) < max(values) <= highest
    assert all(round(number, decimals) == number for number in values)
    assert decimals or all(isinstance(number, int) for number in values)


def test_neighbours_have_weather_of_their_own() -> None:
    moments = range(NOON, NOON + DAY, 300)

    assert [value("Temperature", time, seed=1) for time in moments] != [
        value("Temperature", time, seed=2) for time in moments
    ]


def test_samples_come_about_every_five_minutes_and_never_in_step() -> None:
    times = list(Sampling(NOON, seed=5).between(0, NOON + 30 * DAY))

    steps = {later - earlier for earlier, later in pairwise(times)}
    assert times[0] >= NOON
    assert len(times) == 30 * 288
    assert 294 <= min(steps) < max(steps) <= 306


@pytest.mark.parametrize("begin", [NOON - 5, NOON, NOON + 1, NOON + 3000, NOON + 3004])
def test_any_stretch_of_samples_is_the_same_as_in_the_whole(begin: int) -> None:
    sampling = Sampling(NOON, step=302.5, seed=9)
    whole = list(sampling.between(NOON, NOON + 9000))

    assert list(sampling.between(begin, NOON + 6000)) == [t for t in whole if begin <= t < NOON + 6000]


def test_a_share_is_about_as_large_as_asked() -> None:
    struck = sum(chosen(0.05, 3, number * 300) for number in range(100_000))

    assert 4_500 < struck < 5_500
    assert not any(chosen(0, 3, number) for number in range(1000))
