"""Stations and modules as getstationsdata and gethomecoachsdata show them, with their newest values.

A station has two roles: it is a place with modules, and it has a sensor of its own, which is a module like
any other but for its radio. Every field is optional; a wrong one costs itself alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from netaflux.core.measures import measures_of
from netaflux.core.model import Measure, ModuleId, Number
from netaflux.core.names import labels
from netaflux.netatmo.levels import Battery, Level, battery_of, health_of, radio_of, wifi_of
from netaflux.netatmo.stations import AHEAD, NAMELESS_KIND, name_within, places_of
from netaflux.netatmo.wire import module_id, moment, number, text, texts, thing, things, truth, whole

Raw = Mapping[str, object]
"""What Netatmo sent."""

NOBODY: Final = ModuleId("")
"""The id of what was sent without one: it can be looked at, but not asked for."""
_OF_ANOTHER_TIME: Final = ("date_", "min_", "max_")


@dataclass(frozen=True, slots=True)
class Latest:
    """What a sensor has measured last."""

    time: int | None
    """When, unix seconds; None where Netatmo tells no time that can be."""
    values: Mapping[str, Number]
    """By Netatmo's names: `Temperature`, `CO2`, `Rain`, …; the day's extremes, which have times of their own,
    stand in `raw`."""
    raw: Raw = field(repr=False)

    def __getitem__(self, measure: str) -> Number:
        return self.values[measure]

    def get(self, measure: str) -> Number | None:
        """A value; None where it was not measured."""
        return self.values.get(measure)

    def age(self, now: float) -> float | None:
        """Seconds since it was measured; None where nobody knows."""
        return None if self.time is None else max(0.0, now - self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A module, or a station in its role as one."""

    id: ModuleId
    station: ModuleId
    kind: str
    """Netatmo's type, such as NAModule1; unknown ones are kept as they are."""
    name: str | None
    """What its owner calls it, such as `Porch`."""
    places: tuple[str, ...]
    """What its station is called: home name and station name."""
    measures: tuple[Measure, ...]
    """What getmeasure can be asked for."""
    is_station: bool
    timezone: str | None
    latest: Latest | None
    reachable: bool | None
    battery: Battery | None
    radio: Level | None
    wifi: Level | None
    health: Level | None
    """A Home Coach's index."""
    last_seen: int | None
    """When its station has heard it last; a lost module has not been heard, and has no values either."""
    firmware: int | None
    raw: Raw = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What it can be asked for by: its name, and `place/name`."""
        if self.name is None:
            return ()
        return (self.name, *(f"{place}/{self.name}" for place in self.places))

    def late(self, delay: float, now: float) -> bool:
        """Whether its newest values are older than `delay` seconds, or there are none."""
        age = self.latest.age(now) if self.latest is not None else None
        return age is None or age > delay


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A station in its role as a place with modules."""

    id: ModuleId
    names: tuple[str, ...]
    """Home name and station name; since 2020 Netatmo makes the latter from the former."""
    timezone: str | None
    stored: int | None
    """When it has last spoken to Netatmo, unix seconds."""
    favorite: bool
    """Whether it is somebody else's, looked at."""
    sensor: Sensor
    """Its own."""
    modules: tuple[Sensor, ...]
    raw: Raw = field(repr=False)

    @property
    def name(self) -> str:
        """What to call it; its id where it has no name at all."""
        return next(iter((*self.names, *self.sensor.names)), self.id)

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """Its own sensor and its modules."""
        return (self.sensor, *self.modules)

    @property
    def named(self) -> Mapping[str, Sensor]:
        """The sensors, its own first, by what they are called.

        One without a name is called by its id; where several have one name, the id stands behind it.
        """
        names = labels(self.sensors, lambda sensor: () if sensor.name is None else (sensor.name,))
        return dict(zip(names, self.sensors, strict=True))


def station_of(sent: Raw, now: float, unreachable: frozenset[ModuleId]) -> Station:
    """A station from what was sent of it; `now` tells which times cannot be."""
    ident = module_id(sent.get("_id")) or NOBODY
    own, *modules = _sensors(sent, ident, now, unreachable)
    return Station(
        id=ident,
        names=_home_first(sent),
        timezone=own.timezone,
        stored=moment(sent.get("last_status_store")),
        favorite=bool(truth(sent.get("favorite"))),
        sensor=own,
        modules=tuple(modules),
        raw=sent,
    )


def _sensors(station: Raw, ident: ModuleId, now: float, unreachable: frozenset[ModuleId]) -> Iterator[Sensor]:
    zone, places = text(thing(station.get("place")).get("timezone")), _home_first(station)
    for unit in (station, *things(station.get("modules"))):
        own = unit is station
        unit_id = module_id(unit.get("_id")) or NOBODY
        kind = text(unit.get("type")) or NAMELESS_KIND
        yield Sensor(
            id=unit_id,
            station=ident,
            kind=kind,
            name=text(unit.get("module_name")) or (name_within(station) if own else None),
            places=places,
            measures=measures_of(kind, texts(unit.get("data_type"))),
            is_station=own,
            timezone=zone,
            latest=_latest(unit, now),
            reachable=False if unit_id in unreachable else truth(unit.get("reachable")),
            battery=battery_of(kind, unit.get("battery_vp"), unit.get("battery_percent")),
            radio=radio_of(unit.get("rf_status")),
            wifi=wifi_of(unit.get("wifi_status")),
            health=health_of(thing(unit.get("dashboard_data")).get("health_idx")),
            last_seen=moment(unit.get("last_seen")),
            firmware=whole(unit.get("firmware")),
            raw=unit,
        )


def _latest(unit: Raw, now: float) -> Latest | None:
    """The unit's own dashboard; nothing of a neighbour's."""
    shown = thing(unit.get("dashboard_data"))
    time = moment(shown.get("time_utc"))
    values = {
        key: value
        for key, told in shown.items()
        if key != "time_utc" and not key.startswith(_OF_ANOTHER_TIME) and (value := number(told)) is not None
    }
    if not values and time is None:
        return None
    return Latest(None if time and time > now + AHEAD else time, values, shown)


def _home_first(station: Raw) -> tuple[str, ...]:
    return tuple(reversed(places_of(station)))
