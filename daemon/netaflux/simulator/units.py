"""Stations and modules as they exist in the simulated world, and what is odd about each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple
from zlib import crc32

from netaflux.simulator.weather import Number, Sampling, mix

HOME_COACH = "NHC"
"""The kind of a station without modules, which has an endpoint of its own."""

MEASURES: Mapping[str, tuple[str, ...]] = {
    "NAMain": ("Temperature", "CO2", "Humidity", "Noise", "Pressure"),
    "NAModule1": ("Temperature", "Humidity"),
    "NAModule2": ("WindStrength", "WindAngle", "GustStrength", "GustAngle"),
    "NAModule3": ("Rain",),
    "NAModule4": ("Temperature", "CO2", "Humidity"),
    HOME_COACH: ("Temperature", "CO2", "Humidity", "Noise", "Pressure"),
}
"""What getmeasure holds of each kind of module at scale=max (Netatmo's documentation)."""


class Span(NamedTuple):
    """A stretch of device time, begin ≤ t < end."""

    begin: float
    end: float = inf


class Late(NamedTuple):
    """Rows of begin ≤ t < end that are there only from another moment on, earlier or later than usual."""

    begin: float
    end: float
    visible_from: float


class Change(NamedTuple):
    """A cell that holds another value from the moment `since` on; by default it always did."""

    time: int
    measure: str
    value: Number | None
    since: float = -inf


@dataclass(frozen=True, slots=True)
class Uploads:
    """How a station brings its rows to the cloud: every `every` ± `jitter` s, seen up to `lag` s later."""

    first: int
    every: float = 605
    jitter: int = 5
    lag: int = 30
    seed: int = 0

    def made(self, number: int) -> int:
        """When an upload is made, which is what `last_status_store` tells."""
        wobble = mix(self.seed, number) % (2 * self.jitter + 1) - self.jitter
        return self.first + int(number * self.every) + wobble

    def seen(self, number: int) -> int:
        """When its rows can be had."""
        return self.made(number) + mix(self.seed + 1, number) % (self.lag + 1)

    def carrying(self, time: float) -> int:
        """The number of the first upload at or after a moment."""
        number = max(0, int((time - self.first - self.jitter) / self.every))
        while self.made(number) < time:
            number += 1
        return number

    def last_seen(self, at: float) -> int | None:
        """When the newest upload was made whose rows can be had at `at`."""
        number = self.carrying(at)
        while number >= 0 and self.seen(number) > at:
            number -= 1
        return self.made(number) if number >= 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One unit, and everything that is odd about it."""

    id: str
    kind: str
    set_up: int
    """Its first row is of this moment or a minute later."""
    name: str | None = None
    reachable: bool = True
    battery: int | None = None
    """How full its battery is, in percent; by default every module has a level of its own."""
    dashboard: bool | None = None
    """Whether getstationsdata shows its values; by default only while it is reachable."""
    measures: tuple[str, ...] = ()
    """What it measures; by default what its kind does."""
    step: float = 300
    jitter: int = 6
    gaps: tuple[Span, ...] = ()
    """Where it took no rows; ascending, apart."""
    extras: tuple[int, ...] = ()
    """Rows that it took on demand, besides its own rhythm."""
    late: tuple[Late, ...] = ()
    changes: tuple[Change, ...] = ()
    nulls: float = 0
    """The share of cells without a value."""
    ragged: float = 0
    """The share of rows that end after their first cell."""
    missed: float = 0
    """The share of rows that come one upload late, because the radio failed once."""
    hidden: frozenset[str] = frozenset()
    """Keys that getstationsdata leaves out of this unit's object."""

    def __post_init__(self) -> None:
        if not self.measures:
            object.__setattr__(self, "measures", MEASURES.get(self.kind, ("Temperature",)))

    @property
    def seed(self) -> int:
        """What its weather differs by from its neighbours'."""
        return crc32(self.id.encode())

    @property
    def sampling(self) -> Sampling:
        """When it measures, apart from what was asked of it on demand."""
        return Sampling(self.set_up + self.seed % 60, self.step, self.jitter, self.seed)

    @property
    def shown(self) -> bool:
        """Whether getstationsdata shows its values."""
        return self.reachable if self.dashboard is None else self.dashboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A base unit, which is a module too, with the modules that speak through it."""

    base: Module
    modules: tuple[Module, ...] = ()
    name: str | None = None
    home_id: str | None = None
    home_name: str | None = None
    timezone: str = "Europe/Paris"
    altitude: int = 33
    uploads: Uploads | None = None
    """How its rows come to the cloud; without it a row is there at its own moment."""
    stray_blanks: bool = False
    """Whether its ids are told with blanks in odd places, as some answers have them."""
    extra_fields: Mapping[str, Any] = field(default_factory=dict)
    """More of its object in getstationsdata, such as `favorite`."""

    @property
    def units(self) -> tuple[Module, ...]:
        """The base unit and the modules."""
        return (self.base, *self.modules)


def normal_id(text: str) -> str:
    """A MAC address in lower case without blanks."""
    return "".join(text.split()).lower()
