"""Weather from a closed formula: any value of any module can be computed again from its time alone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from math import floor, sin, tau
from typing import NamedTuple

Number = int | float

DAY = 86_400
YEAR = 31_557_600


def mix(seed: int, number: int) -> int:
    """A whole number below 2¹⁷ that looks like chance and is always the same."""
    return ((number ^ seed * 0x9E3779B1) * 0x85EBCA6B + seed & 0xFFFFFFFF) * 0xC2B2AE35 >> 15 & 0x1FFFF


def chosen(share: float, seed: int, number: int) -> bool:
    """Whether `number` belongs to that share of all numbers; the same ones every time."""
    return share > 0 and mix(seed, number) < share * 0x20000


@dataclass(frozen=True, slots=True)
class Sampling:
    """When a module measures: every `step` seconds from `first` on, and up to `jitter` seconds later."""

    first: int
    step: float = 300
    jitter: int = 6
    seed: int = 0

    def between(self, begin: float, end: float) -> Iterator[int]:
        """The moments of begin ≤ t < end, ascending."""
        index = max(0, floor((begin - self.first - self.jitter) / self.step)) if begin > self.first else 0
        for number in count(index):
            time = self.first + int(number * self.step) + mix(self.seed, number) % (self.jitter + 1)
            if time >= end:
                return
            if time >= begin:
                yield time


class Climate(NamedTuple):
    """What makes one place's temperature differ from another's: its mean and its swings, in °C."""

    mean: float
    annual: float
    daily: float


INDOORS = Climate(20.5, 1.5, 1.2)
OUTDOORS = Climate(10.5, 9.5, 4.5)


class Sky(NamedTuple):
    """One moment as the formulas see it: where day and year stand (-1 to 1), and some chance."""

    day: float
    year: float
    chance: int
    spell: int


Formula = Callable[[Sky, Climate], Number]


def sky_at(time: int, seed: int) -> Sky:
    """The moment over a module with that seed."""
    return Sky(
        sin(tau * (time / DAY - 0.4 + seed % 89 / 890)),
        sin(tau * (time / YEAR - 0.3)),
        mix(seed, time),
        mix(seed, time // 7200),
    )


def formula_of(measure: str) -> Formula:
    """What a measure makes of a moment, in Netatmo's units; an unknown one is a count."""
    return _FORMULAS.get(measure, _count)


def value(measure: str, time: int, *, seed: int = 0, climate: Climate = INDOORS) -> Number:
    """What a module with that seed measures at a moment."""
    return formula_of(measure)(sky_at(time, seed), climate)


def _tenths(number: float) -> Number:
    """Rounded to one decimal; whole ones are integers, as in Netatmo's answers."""
    rounded = round(number, 1)
    return int(rounded) if rounded.is_integer() else rounded


def _temperature(sky: Sky, climate: Climate) -> Number:
    drift = sky.chance % 7 / 10 - 0.3
    return _tenths(climate.mean + climate.annual * sky.year + climate.daily * sky.day + drift)


def _humidity(sky: Sky, climate: Climate) -> Number:
    return max(20, min(98, int(64 - 2.5 * climate.daily * sky.day - 8 * sky.year + sky.chance % 5)))


def _rain(sky: Sky, _climate: Climate) -> Number:
    # the gauge's bucket tips at 0.101 mm
    return round(0.101 * (sky.chance % 4), 3) if sky.spell % 10 == 0 and sky.chance % 4 else 0


def _gust(sky: Sky, _climate: Climate) -> Number:
    return int(14 + 8 * sky.day) + sky.chance % 9


def _angle(sky: Sky, _climate: Climate) -> Number:
    return (sky.spell + sky.chance % 40) % 360


def _count(sky: Sky, _climate: Climate) -> Number:
    return sky.chance % 100


_FORMULAS: Mapping[str, Formula] = {
    "Temperature": _temperature,
    "Humidity": _humidity,
    "CO2": lambda sky, _: int(620 + 180 * sky.day) + sky.chance % 60,
    "Noise": lambda sky, _: int(44 + 7 * sky.day) + sky.chance % 4,
    "Pressure": lambda sky, _: _tenths(1014 + 6 * sky.year + 2 * sky.day + sky.chance % 8 / 10),
    "Rain": _rain,
    "WindStrength": lambda sky, climate: _gust(sky, climate) // 2,
    "WindAngle": _angle,
    "GustStrength": _gust,
    "GustAngle": lambda sky, climate: (int(_angle(sky, climate)) + 15) % 360,
}
