"""What the simulated Netatmo does for homes: their data and status, their history, and what is set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import orjson

from netaflux.simulator.answers import ApiError
from netaflux.simulator.homes import (
    WEEK,
    Home,
    Order,
    Unit,
    boiler_cells,
    buckets,
    homesdata_home,
    homestatus_body,
    room_cells,
)
from netaflux.simulator.house import House
from netaflux.simulator.measures import page_of_cells, whole
from netaflux.simulator.stations import Json
from netaflux.simulator.units import normal_id
from netaflux.simulator.weather import Number

LENGTHS = {"30min": 1800, "1hour": 3600, "3hours": 10_800, "1day": 86_400}
ROOM_MODES = ("manual", "max", "home", "hg")
HOME_MODES = ("schedule", "away", "hg")

Params = Mapping[str, str]
Cells = list[Number | None]


def homesdata_body(house: House, mail: str) -> Json:
    """All homes: those with energy or cameras, and those of which only a weather station is known."""
    homes = [homesdata_home(home) for home in house.homes]
    known = {home["id"]: home for home in homes}
    for station in house.stations:
        if station.home_id is None:
            continue
        if station.home_id not in known:
            known[station.home_id] = {"id": station.home_id, "timezone": station.timezone, "modules": []}
            if station.home_name is not None:
                known[station.home_id]["name"] = station.home_name
            homes.append(known[station.home_id])
        known[station.home_id]["modules"] += [
            {"id": unit.id, "type": unit.kind, "setup_date": unit.set_up} for unit in station.units
        ]
    user = {"email": mail, "language": "en-US", "locale": "en-US", "unit_system": 0}
    return {"homes": homes, "user": user} if homes else {}


def homestatus(house: House, params: Params, at: float) -> Json:
    """The body of homestatus. Raises ApiError."""
    return homestatus_body(home_of(house, params), at)


def home_of(house: House, params: Params) -> Home:
    """The home that is meant, where it has a status. Raises ApiError."""
    home_id = _given(params, "home_id")
    for home in house.homes:
        if home.id == home_id and home.status:
            return home
    raise ApiError(400, 21, "Invalid home_id")


@dataclass(frozen=True, slots=True)
class _Span:
    """Which buckets are asked for."""

    types: Sequence[str]
    length: int
    begin: float
    end: float

    @classmethod
    def read(cls, params: Params) -> "_Span":
        scale = _given(params, "scale")
        if scale not in LENGTHS:
            raise ApiError(400, 21, "Invalid scale")
        begin, end = whole(params, "date_begin"), whole(params, "date_end")
        if begin is not None and end is not None and begin > end:
            raise ApiError(400, 25, "Invalid date_begin")
        types = _given(params, "type").split(",")
        return cls(types, LENGTHS[scale], 0 if begin is None else begin, inf if end is None else end)

    def page(
        self, home: Home, since: float, cells: Callable[[int], Cells], at: float, params: Params
    ) -> bytes:
        times = buckets(max(self.begin, since), self.end, self.length, at, home.timezone)
        return page_of_cells([(time, cells(time)) for time in times[:1024]], params, self.length)


def room_page(house: House, params: Params, at: float) -> bytes:
    """The body of getroommeasure. Raises ApiError."""
    home, span = home_of(house, params), _Span.read(params)
    try:
        room = home.room(_given(params, "room_id"))
    except KeyError:
        raise ApiError(400, 21, "Invalid room_id") from None
    since = min((unit.set_up for unit in home.units), default=at)
    return span.page(home, since, lambda time: room_cells(home, room, span.types, time), at, params)


def thermostat_of(house: House, params: Params) -> tuple[Home, Unit] | None:
    """The thermostat that a getmeasure call is about, if it is about one."""
    wanted = normal_id(params.get("module_id") or params.get("device_id", ""))
    for home in house.homes:
        for unit in home.units:
            if normal_id(unit.id) == wanted:
                return home, unit
    return None


def boiler_page(home: Home, unit: Unit, params: Params, at: float) -> bytes:
    """The body of getmeasure about a thermostat. Raises ApiError."""
    span = _Span.read(params)
    if normal_id(_given(params, "device_id")) != normal_id(unit.bridge or unit.id):
        raise ApiError(404, 9, "Device not found")
    return span.page(
        home,
        unit.set_up,
        lambda time: boiler_cells(home, unit, span.types, time, span.length),
        at,
        params,
    )


def set_room(house: House, params: Params, at: float) -> None:
    """Do what setroomthermpoint does. Raises ApiError."""
    home = home_of(house, params)
    if any(unit.kind == "OTM" and unit.room == params.get("room_id") for unit in home.units):
        raise ApiError(500, 11, "device.setThermPoint is not a function")
    _order(home, params, at)


def _order(home: Home, params: Params, at: float) -> None:
    try:
        room = home.room(_given(params, "room_id"))
    except KeyError:
        raise ApiError(400, 21, "Invalid room_id") from None
    mode = _given(params, "mode")
    if mode not in ROOM_MODES:
        raise ApiError(400, 21, "mode not authorized")
    temperature = None
    if mode == "manual":
        temperature = _degrees(_given(params, "temp"))
    end = whole(params, "endtime")
    lasting = at + home.manual_minutes * 60 if end is None and mode in ("manual", "max") else inf
    if end is not None and end <= at:
        raise ApiError(400, 25, "Invalid endtime")
    room.orders.append(Order(at, mode, temperature, lasting if end is None else end))


def set_mode(house: House, params: Params, at: float) -> None:
    """Do what setthermmode does. Raises ApiError."""
    home, mode = home_of(house, params), _given(params, "mode")
    if mode not in HOME_MODES:
        raise ApiError(400, 21, "mode not authorized")
    if schedule_id := params.get("schedule_id"):
        _select(home, schedule_id)
    end = whole(params, "endtime")
    home.modes.append(Order(at, mode, None, inf if end is None else end))


def switch_schedule(house: House, params: Params) -> None:
    """Do what switchhomeschedule does. Raises ApiError."""
    home, schedule_id = home_of(house, params), _given(params, "schedule_id")
    if home.selected and home.selected["id"] == schedule_id:
        raise ApiError(406, 7, "Nothing to update")
    _select(home, schedule_id)


def sync_schedule(house: House, params: Params, body: Any) -> None:  # noqa: ANN401 - JSON
    """Do what synchomeschedule does. Raises ApiError."""
    home = home_of(house, params)
    for schedule in home.schedules:
        if schedule["id"] == params.get("schedule_id"):
            break
    else:
        raise ApiError(400, 21, "Invalid schedule_id")
    needed = ("zones", "timetable", "hg_temp", "away_temp")
    if not isinstance(body, dict) or any(key not in body for key in needed):
        raise ApiError(400, 10, "Missing parameters")
    zones = {zone["id"] for zone in body["zones"]}
    if not all(turn["zone_id"] in zones and 0 <= turn["m_offset"] < WEEK for turn in body["timetable"]):
        raise ApiError(400, 21, "Invalid timetable")
    schedule.update({key: body[key] for key in (*needed, "name") if key in body})


def set_state(house: House, body: Any, at: float) -> None:  # noqa: ANN401 - JSON
    """Do what setstate does for rooms. Raises ApiError."""
    home = body.get("home") if isinstance(body, dict) else None
    if not isinstance(home, dict):
        raise ApiError(400, 10, "Missing home")
    for room in home.get("rooms", ()):
        told = {
            "home_id": home.get("id"),
            "room_id": room.get("id"),
            "mode": room.get("therm_setpoint_mode"),
            "temp": room.get("therm_setpoint_temperature"),
            "endtime": room.get("therm_setpoint_end_time"),
        }
        params = {key: str(field) for key, field in told.items() if field is not None}
        _order(home_of(house, params), params, at)


def _select(home: Home, schedule_id: str) -> None:
    try:
        home.select(schedule_id)
    except KeyError:
        raise ApiError(400, 21, "Invalid schedule_id") from None


def _degrees(text: str) -> float:
    try:
        degrees = float(text)
    except ValueError:
        raise ApiError(400, 21, "Invalid temp") from None
    return int(degrees) if degrees.is_integer() else degrees


def _given(params: Params, name: str) -> str:
    if not params.get(name):
        raise ApiError(400, 10, f"Missing {name}")
    return params[name]


def parsed(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """A JSON body. Raises ApiError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ApiError(500, 40, "JSON bad encoding") from None
