"""Battery, radio, Wi-Fi and the air's health as a person says them; the numbers are kept beside the words.

The thresholds are those of Netatmo's documentation. Radio and Wi-Fi are attenuations: the lower the better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from netaflux.core.model import Number
from netaflux.netatmo.wire import number, whole

NO_RADIO, NO_VOLTAGE = 255, 65535
"""What a module that was never heard of has instead of figures."""

_WIFI: Final = ((56, "good"), (71, "average"), (86, "bad"))
_RADIO: Final = ((60, "high"), (75, "medium"), (90, "low"))
_STATES: Final = ("full", "high", "medium", "low")
_EMPTY: Final = "very low"
_MILLIVOLTS: Final[Mapping[str, tuple[int, ...]]] = {
    "NAModule1": (5500, 5000, 4500, 4000),
    "NAModule2": (5590, 5180, 4770, 4360),
    "NAModule3": (5500, 5000, 4500, 4000),
    "NAModule4": (5640, 5280, 4920, 4560),
}
_PERCENT: Final = (80, 60, 40, 20)
_HEALTH: Final = ("healthy", "fine", "fair", "poor", "unhealthy")


@dataclass(frozen=True, slots=True)
class Level:
    """A figure of Netatmo's and what it means."""

    value: Number
    word: str


@dataclass(frozen=True, slots=True)
class Battery:
    """How full a battery is, as far as told: full, high, medium, low or very low."""

    word: str
    percent: Number | None
    millivolts: int | None


def battery_of(kind: str, millivolts: object, percent: object) -> Battery | None:
    """What both figures say: the voltage where the kind's thresholds are known, else the percentage."""
    volts, share = whole(millivolts), number(percent)
    if volts == NO_VOLTAGE:
        return None  # its percentage means nothing either
    if volts is not None and kind in _MILLIVOLTS:
        return Battery(_state(volts, _MILLIVOLTS[kind]), share, volts)
    if share is not None:
        return Battery(_state(share, _PERCENT), share, volts)
    return None if volts is None else Battery("unknown", None, volts)


def radio_of(value: object) -> Level | None:
    """Between a module and its station: high, medium or low."""
    return _nearest(value, _RADIO)


def wifi_of(value: object) -> Level | None:
    """Between a station and its router: good, average or bad."""
    return _nearest(value, _WIFI)


def health_of(value: object) -> Level | None:
    """A Home Coach's index, from 0, healthy, to 4, unhealthy."""
    index = whole(value)
    return Level(index, _HEALTH[index]) if index is not None and 0 <= index < len(_HEALTH) else None


def _nearest(value: object, marks: tuple[tuple[int, str], ...]) -> Level | None:
    figure = number(value)
    if figure is None or not 0 < figure < NO_RADIO:
        return None
    return Level(figure, min(marks, key=lambda mark: abs(mark[0] - figure))[1])


def _state(figure: Number, least: tuple[int, ...]) -> str:
    return next((word for mark, word in zip(least, _STATES, strict=True) if figure >= mark), _EMPTY)
