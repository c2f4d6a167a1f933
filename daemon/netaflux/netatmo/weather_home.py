"""All weather of an account as one answer shows it: found by name or id, what is new, what is late."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from netaflux.core.errors import NoDevice
from netaflux.core.model import ModuleId
from netaflux.core.names import the_one
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.sensors import NOBODY, Latest, Raw, Sensor, Station, station_of
from netaflux.netatmo.stations import devices_of
from netaflux.netatmo.wire import faults, server_time

HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherHome:
    """The stations of an account, favourites included where they were asked for.

    Names are found but for case and blanks, ids in any spelling. Every search raises UnknownName (with names
    that may have been meant) and AmbiguousName (with the ids of all that are called so). Where an age counts,
    it is that at the moment of the answer unless another is given as `now`.
    """

    stations: tuple[Station, ...]
    """At least one, in Netatmo's order."""
    time: float
    """When Netatmo gave the answer, unix seconds."""
    raw: Raw = field(repr=False)

    @property
    def default_station(self) -> Station:
        """The first one, for those who have no other."""
        return self.stations[0]

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """All there are, those of the stations too."""
        return tuple(sensor for station in self.stations for sensor in station.sensors)

    @property
    def modules(self) -> tuple[Sensor, ...]:
        """All but the stations' own."""
        return tuple(module for station in self.stations for module in station.modules)

    def station(self, text: str | None = None) -> Station:
        """A station by id or name; the default one where none is said."""
        return self.default_station if text is None else the_one(text, self.stations, "station")

    def module(self, text: str, station: str | None = None) -> Sensor:
        """A module by id or name, among those of one station if that is said; a station's sensor is none."""
        return the_one(text, self.modules if station is None else self.station(station).modules, "module")

    def sensor(self, text: str | None = None, station: str | None = None) -> Sensor:
        """A module or a station's own sensor, by id, name or `place/name`; by default the station's own."""
        if text is None:
            return self.station(station).sensor
        return the_one(text, self.sensors if station is None else self.station(station).sensors, "module")

    def named(self, station: str | None = None) -> Mapping[str, Sensor]:
        """The sensors of a station, its own first, each by a name that no other one has."""
        return self.station(station).named

    def module_names(self, station: str | None = None) -> Sequence[str]:
        """What the sensors of a station are called, its own first."""
        return tuple(self.named(station))

    def latest(
        self, station: str | None = None, *, younger_than: float | None = None, now: float | None = None
    ) -> Mapping[str, Latest]:
        """The newest values of a station's sensors by their names; of the lost ones there are none.

        With `younger_than` only those that are not older than so many seconds.
        """
        return {
            name: sensor.latest
            for name, sensor in self.named(station).items()
            if sensor.latest is not None
            and (younger_than is None or not sensor.late(younger_than, self._moment(now)))
        }

    def late(
        self, station: str | None = None, *, delay: float = HOUR, now: float | None = None
    ) -> Mapping[str, Sensor]:
        """The sensors of a station, by name, whose newest values are older than `delay` seconds.

        The lost ones too, of which there are no values at all; the station's own, where it is late itself.
        """
        moment = self._moment(now)
        return {name: each for name, each in self.named(station).items() if each.late(delay, moment)}

    def on_time(
        self, station: str | None = None, *, delay: float = HOUR, now: float | None = None
    ) -> Mapping[str, Sensor]:
        """All other sensors of the station."""
        moment = self._moment(now)
        return {name: each for name, each in self.named(station).items() if not each.late(delay, moment)}

    def _moment(self, now: float | None) -> float:
        return self.time if now is None else now


def weather_of(envelope: Envelope, now: float, kind: str = "weather station") -> WeatherHome:
    """The stations of an answer; `now` is Netatmo's time where the answer does not tell it.

    Of two with one id the first counts. Raises NoDevice where there is none, UpstreamFault where the answer
    is not one about stations at all.
    """
    time = server_time(envelope) or now
    unreachable = frozenset(fault.device for fault in faults(envelope))
    sent = (station_of(device, time, unreachable) for device in devices_of(envelope))
    stations = tuple(_each_once(sent))
    if not stations:
        raise NoDevice(f"This account has no {kind}")
    return WeatherHome(stations=stations, time=time, raw=envelope)


def _each_once(stations: Iterator[Station]) -> Iterator[Station]:
    known: set[ModuleId] = set()
    for station in stations:
        if station.id in known:
            continue
        modules = []
        known |= {station.id} - {NOBODY}
        for module in station.modules:
            if module.id not in known:
                modules.append(module)
                known |= {module.id} - {NOBODY}
        yield replace(station, modules=tuple(modules))
