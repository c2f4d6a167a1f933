"""The house of one simulated person: what stands in it, and what all of it has measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netaflux.simulator.guard import Guard
from netaflux.simulator.history import History, Row
from netaflux.simulator.homes import Home
from netaflux.simulator.units import Module, Station, normal_id


class House:
    """The stations and homes of one person; what is in it can be exchanged while time goes on."""

    def __init__(
        self,
        stations: Iterable[Station] = (),
        homes: Iterable[Home] = (),
        guards: Mapping[str, Guard] | None = None,
    ) -> None:
        self.homes = list(homes)
        self.guards = dict(guards or {})
        """What guards each home, by the home's id."""
        self._stations: dict[str, Station] = {}
        self._home: dict[str, str] = {}
        self._histories: dict[str, History] = {}
        self.changes = 0
        """Counts the changes, so that what was computed before one can be dropped."""
        for station in stations:
            self.put(station)

    @property
    def stations(self) -> Sequence[Station]:
        """All stations, in the order in which they came."""
        return tuple(self._stations.values())

    @property
    def modules(self) -> Sequence[Module]:
        """All units, base units too."""
        return tuple(unit for station in self._stations.values() for unit in station.units)

    def put(self, station: Station) -> None:
        """Add a station, or exchange the one with that base unit."""
        key = normal_id(station.base.id)
        self._home = {unit: home for unit, home in self._home.items() if home != key}
        self._home |= {normal_id(unit.id): key for unit in station.units}
        self._stations[key] = station
        self._histories.clear()
        self.changes += 1

    def station(self, module_id: str) -> Station:
        """The station that a unit belongs to. Raises KeyError."""
        return self._stations[self._home[normal_id(module_id)]]

    def module(self, module_id: str) -> Module:
        """A unit. Raises KeyError."""
        units = self.station(module_id).units
        return next(unit for unit in units if normal_id(unit.id) == normal_id(module_id))

    def change(self, module_id: str, **fields: Any) -> None:  # noqa: ANN401 - any field of a Module
        """Exchange fields of a unit. Raises KeyError, TypeError."""
        station, changed = self.station(module_id), replace(self.module(module_id), **fields)
        units = [changed if normal_id(unit.id) == normal_id(module_id) else unit for unit in station.units]
        self.put(replace(station, base=units[0], modules=tuple(units[1:])))

    def change_station(self, module_id: str, **fields: Any) -> None:  # noqa: ANN401 - any field of a Station
        """Exchange fields of a unit's station. Raises KeyError, TypeError."""
        self.put(replace(self.station(module_id), **fields))

    def history(self, module_id: str) -> History:
        """All rows of a unit, as the house is now. Raises KeyError."""
        key = normal_id(module_id)
        if key not in self._histories:
            self._histories[key] = History(self.module(key), self.station(key).uploads)
        return self._histories[key]

    def rows(self, module_id: str, begin: float, end: float, at: float) -> list[Row]:
        """What Netatmo holds of a unit for begin ≤ t < end at moment `at`. Raises KeyError."""
        return self.history(module_id).rows(begin, end, at)
