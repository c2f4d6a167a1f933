"""A house as getstationsdata shows it, in the shapes and with the gaps of real answers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from netaflux.simulator.history import History, Row
from netaflux.simulator.house import House
from netaflux.simulator.units import HOME_COACH, Module, Station, normal_id
from netaflux.simulator.weather import DAY, Number

Json = dict[str, Any]

DATA_TYPES: Mapping[str, list[str]] = {"NAModule2": ["Wind"], "NAModule3": ["Rain"]}
"""Where `data_type` is not the list of what is measured (observed)."""


@dataclass(frozen=True, slots=True)
class Showing:
    """How stations are shown."""

    skew: int = 0
    """Seconds by which `dashboard_data.time_utc` differs from the row's time."""
    derived: bool = True
    """Whether the day's extremes and sums are there too; they cost most of the work."""


def stations_body(
    house: House,
    at: float,
    showing: Showing,
    *,
    mail: str,
    device_id: str = "",
    coaches: bool = False,
    favorites: bool = True,
) -> Json:
    """The body of the answer at moment `at`, of one station if `device_id` names it.

    Either the stations or, for gethomecoachsdata, the Home Coaches; favourites where they are asked for.
    """
    stations = [
        one
        for one in house.stations
        if (not device_id or normal_id(device_id) == one.base.id)
        and (one.base.kind == HOME_COACH) is coaches
        and (favorites or not one.extra_fields.get("favorite"))
    ]
    devices = [_device(house, station, at, showing) for station in stations]
    return {"devices": devices, "user": {"mail": mail, "administrative": _ADMINISTRATIVE}}


_ADMINISTRATIVE: Json = {
    "lang": "en",
    "reg_locale": "en-US",
    "country": "US",
    "unit": 0,
    "windunit": 0,
    "pressureunit": 0,
    "feel_like_algo": 0,
}


def _device(house: House, station: Station, at: float, showing: Showing) -> Json:
    base = station.base
    optional = {
        "station_name": station.name,
        "home_id": station.home_id,
        "home_name": station.home_name,
        "module_name": base.name,
    }
    shown: Json = {
        "_id": _told(base.id, station),
        "type": base.kind,
        "date_setup": base.set_up,
        "last_setup": base.set_up,
        "last_status_store": _stored(house, station, at),
        "firmware": 181,
        "wifi_status": 56 + base.seed % 20,
        "reachable": base.reachable,
        "co2_calibrating": False,
        "data_type": list(base.measures),
        "place": _place(station),
        "read_only": False,
        **{key: text for key, text in optional.items() if text is not None},
        **_dashboard(house.history(base.id), station, at, showing),
        **station.extra_fields,
    }
    if station.modules:
        shown["modules"] = [_module(house, station, module, at, showing) for module in station.modules]
    return _without(shown, base.hidden)


def _module(house: House, station: Station, module: Module, at: float, showing: Showing) -> Json:
    history = house.history(module.id)
    newest = history.newest(at)
    heard = newest.time if newest else 0
    shown: Json = {
        "_id": _told(module.id, station),
        "type": module.kind,
        "last_setup": module.set_up,
        "data_type": DATA_TYPES.get(module.kind, list(module.measures)),
        "battery_percent": 40 + module.seed % 60 if module.battery is None else module.battery,
        "battery_vp": 4500 + module.seed % 1400,
        "reachable": module.reachable,
        "firmware": 53,
        "last_message": heard,
        "last_seen": heard,
        "rf_status": 60 + module.seed % 30,
        **({"module_name": module.name} if module.name is not None else {}),
        **_dashboard(history, station, at, showing),
    }
    return _without(shown, module.hidden)


def _stored(house: House, station: Station, at: float) -> int:
    """When the station last spoke to the cloud."""
    if station.uploads:
        return station.uploads.last_seen(at) or station.base.set_up
    newest = (house.history(unit.id).newest(at) for unit in station.units)
    return max((row.time for row in newest if row), default=station.base.set_up)


def _place(station: Station) -> Json:
    return {
        "altitude": station.altitude,
        "city": station.timezone.rpartition("/")[2].replace("_", " "),
        "country": "US" if station.timezone.startswith("America/") else "FR",
        "timezone": station.timezone,
        "location": [-79.95, 40.44],
    }


def _dashboard(history: History, station: Station, at: float, showing: Showing) -> Json:
    newest = history.newest(at) if history.module.shown else None
    if newest is None:
        return {}
    measured = _measured(history, newest)
    derive = _DERIVED.get(history.module.kind, _no_more) if showing.derived else _no_more
    told = {"time_utc": newest.time + showing.skew, **measured, **derive(history, station, newest, at)}
    return {"dashboard_data": told}


def _measured(history: History, row: Row) -> dict[str, Number]:
    cells = zip(history.module.measures, row.values, strict=True)
    return {measure: cell for measure, cell in cells if cell is not None}


def _no_more(_history: History, _station: Station, _newest: Row, _at: float) -> Json:
    return {}


def _extremes(history: History, station: Station, newest: Row, at: float) -> Json:
    """The day's lowest and highest temperature, in the station's own calendar day."""
    rows = history.rows(_midnight(newest.time, station.timezone), newest.time + 1, at)
    known = [(row.values[0], row.time) for row in rows if row.values[0] is not None]
    if not known:
        return {}
    (lowest, low_time), (highest, high_time) = min(known), max(known)
    return {
        "min_temp": lowest,
        "max_temp": highest,
        "date_min_temp": low_time,
        "date_max_temp": high_time,
        "temp_trend": "stable",
    }


def _pressures(history: History, station: Station, newest: Row, at: float) -> Json:
    """`Pressure` is reduced to the sea's level, `AbsolutePressure` is what the sensor feels."""
    told: Json = {"pressure_trend": "stable", **_extremes(history, station, newest, at)}
    if (pressure := _measured(history, newest).get("Pressure")) is not None:
        told["AbsolutePressure"] = round(pressure - station.altitude / 8.3, 1)
    return told


def _health(history: History, station: Station, newest: Row, at: float) -> Json:
    """A Home Coach's dashboard: the worse the air, the higher the index, from 0 to 4."""
    carbon = _measured(history, newest).get("CO2", 0)
    index = sum(carbon >= limit for limit in (600, 700, 800, 1000))
    return {"health_idx": index, **_pressures(history, station, newest, at)}


def _rain_sums(history: History, _station: Station, newest: Row, at: float) -> Json:
    def total(seconds: int) -> float:
        rows = history.rows(newest.time - seconds + 1, newest.time + 1, at)
        return round(sum(row.values[0] or 0 for row in rows), 3)

    return {"sum_rain_1": total(3600), "sum_rain_24": total(DAY)}


def _strongest(history: History, station: Station, newest: Row, at: float) -> Json:
    rows = history.rows(_midnight(newest.time, station.timezone), newest.time + 1, at)
    known = [(row.values[0], row.time, row.values[1]) for row in rows if row.values[0] is not None]
    if not known:
        return {}
    strength, time, angle = max(known, key=lambda cells: cells[0])
    return {"max_wind_str": strength, "max_wind_angle": angle, "date_max_wind_str": time}


_DERIVED: Mapping[str, Callable[[History, Station, Row, float], Json]] = {
    "NAMain": _pressures,
    HOME_COACH: _health,
    "NAModule1": _extremes,
    "NAModule2": _strongest,
    "NAModule3": _rain_sums,
    "NAModule4": _extremes,
}


def _midnight(time: int, zone: str) -> int:
    local = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(zone))
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())


def _told(module_id: str, station: Station) -> str:
    """The id, in the odd spelling that some answers have."""
    return f"{module_id[:2]} {module_id[2:6]} {module_id[6:]}" if station.stray_blanks else module_id


def _without(shown: Json, hidden: Iterable[str]) -> Json:
    return {key: field for key, field in shown.items() if key not in hidden}
