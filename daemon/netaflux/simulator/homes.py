"""Homes as homesdata and homestatus know them: rooms that are heated, and units of every kind.

What is set is then what is shown. Setpoints are kept with the moment from which they hold, so that history
can be computed again. Cameras and persons are `guard`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Literal, NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from netaflux.simulator.weather import DAY, INDOORS, Number, mix, value

Json = dict[str, Any]

MAX_TEMPERATURE = 30
"""°C that mode `max` asks for."""
WEEK = 7 * 24 * 60


class Order(NamedTuple):
    """What was set: from the moment `since` on, until its end."""

    since: float
    mode: str
    temperature: Number | None = None
    until: float = inf


@dataclass(kw_only=True)
class HeatedRoom:
    """A room with something that heats, or, without a setpoint of any schedule, one without."""

    id: str
    name: str | None = None
    kind: str = "custom"
    reachable: bool = True
    heated: bool = True
    orders: list[Order] = field(default_factory=list)
    """What was set in the room, oldest first."""

    @property
    def seed(self) -> int:
        """What its weather differs by from its neighbours'."""
        return crc32(self.id.encode())

    def measured(self, time: float) -> Number:
        """Its temperature at a moment."""
        return value("Temperature", int(time), seed=self.seed, climate=INDOORS)


@dataclass(kw_only=True)
class Unit:
    """A unit of a home, of any kind: what it is, and how homestatus tells that it is."""

    id: str
    kind: str
    name: str | None = None
    room: str | None = None
    bridge: str | None = None
    set_up: int = 1_494_963_356
    told: bool = True
    """Whether homestatus tells of it; else it is among the errors alone."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """More of its fields in homesdata."""
    status: Json = field(default_factory=dict)
    """More of its fields in homestatus."""


@dataclass(kw_only=True)
class Home:
    """One home; its attributes may be changed at any time."""

    id: str
    name: str | None = None
    timezone: str = "Europe/Paris"
    rooms: list[HeatedRoom] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    schedules: list[Json] = field(default_factory=list)
    """As homesdata tells them; one of them is `selected`."""
    modes: list[Order] = field(default_factory=list)
    """What was set for the whole home, oldest first."""
    manual_minutes: int = 180
    errors_at: Literal["body", "home"] = "body"
    """Where homestatus tells of what it cannot reach."""
    status: bool = True
    """Whether homestatus knows the home; else it answers "Invalid home_id"."""
    boiler_unit: Literal["seconds", "minutes", "odd"] = "seconds"
    """In what boiler times are told: as live servers do, as the documents say, or as nobody can read."""

    def room(self, room_id: str) -> HeatedRoom:
        """A room. Raises KeyError."""
        return {room.id: room for room in self.rooms}[room_id]

    def unit(self, unit_id: str) -> Unit:
        """A unit. Raises KeyError."""
        return {unit.id: unit for unit in self.units}[unit_id]

    @property
    def selected(self) -> Json | None:
        """The schedule that is followed."""
        return next((schedule for schedule in self.schedules if schedule.get("selected")), None)

    def select(self, schedule_id: str) -> None:
        """Follow another schedule. Raises KeyError."""
        if schedule_id not in {schedule["id"] for schedule in self.schedules}:
            raise KeyError(schedule_id)
        for schedule in self.schedules:
            schedule.pop("selected", None)
            if schedule["id"] == schedule_id:
                schedule["selected"] = True

    def mode(self, at: float) -> Order:
        """What the whole home does."""
        return _in_force(self.modes, at) or Order(-inf, "schedule")

    def setpoint(self, room: HeatedRoom, at: float) -> Order:
        """What a room shall have at a moment, and why."""
        whole, own = self.mode(at), _in_force(room.orders, at)
        if own and own.mode != "home" and own.since >= whole.since:
            heat = {"max": MAX_TEMPERATURE, "hg": self._schedule("hg_temp", 7)}.get(own.mode, own.temperature)
            return own._replace(temperature=heat)
        if whole.mode == "away":
            return whole._replace(temperature=self._schedule("away_temp", 12))
        if whole.mode == "hg":
            return whole._replace(temperature=self._schedule("hg_temp", 7))
        return Order(whole.since, "schedule", self._by_schedule(room, at))

    def demand(self, room: HeatedRoom, at: float) -> int:
        """Per cent of heating power that a room asks for."""
        wanted = self.setpoint(room, at).temperature
        return 0 if wanted is None else max(0, min(100, round(50 * (wanted - room.measured(at)))))

    def burning(self, at: float) -> bool:
        """Whether the boiler is on."""
        return any(self.demand(room, at) for room in self.rooms if room.heated and room.reachable)

    def _schedule(self, key: str, otherwise: Number) -> Number:
        told: Number = (self.selected or {}).get(key, otherwise)
        return told

    def _by_schedule(self, room: HeatedRoom, at: float) -> Number | None:
        schedule = self.selected
        if not schedule:
            return None
        wanted = zone_at(schedule["timetable"], at, self.timezone)
        for zone in schedule["zones"]:
            if zone["id"] == wanted:
                for each in zone["rooms"]:
                    if each["id"] == room.id:
                        heat: Number = each["therm_setpoint_temperature"]
                        return heat
        return None


def _in_force(orders: Sequence[Order], at: float) -> Order | None:
    given = [order for order in orders if order.since <= at]
    return given[-1] if given and at < given[-1].until else None


def zone_at(timetable: Sequence[Mapping[str, int]], at: float, zone: str) -> int | None:
    """The zone whose turn it is on the wall's clock."""
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
    passed = local.weekday() * 1440 + local.hour * 60 + local.minute
    turns = sorted((turn["m_offset"], turn["zone_id"]) for turn in timetable)
    begun = [zone_id for offset, zone_id in turns if offset <= passed]
    return begun[-1] if begun else turns[-1][1] if turns else None


# the answers


def homesdata_home(home: Home) -> Json:
    """A home as homesdata shows it."""
    shown: Json = {
        "id": home.id,
        "altitude": 33,
        "coordinates": [2.35, 48.85],
        "country": "FR",
        "timezone": home.timezone,
        "modules": [_unit_data(home, unit) for unit in home.units],
        "temperature_control_mode": "heating",
        "therm_mode": _own_mode(home),
        "therm_setpoint_default_duration": home.manual_minutes,
        "schedules": home.schedules,
    }
    if home.name is not None:
        shown["name"] = home.name
    if home.rooms:
        shown["rooms"] = [_room_data(home, room) for room in home.rooms]
    return shown


def _own_mode(home: Home) -> str:
    return home.modes[-1].mode if home.modes else "schedule"


def _room_data(home: Home, room: HeatedRoom) -> Json:
    units = [unit.id for unit in home.units if unit.room == room.id]
    shown: Json = {"id": room.id, "type": room.kind, "module_ids": units}
    return shown if room.name is None else {**shown, "name": room.name}


def _unit_data(home: Home, unit: Unit) -> Json:
    optional = {
        "name": unit.name,
        "room_id": unit.room,
        "bridge": unit.bridge,
        "modules_bridged": [each.id for each in home.units if each.bridge == unit.id] or None,
    }
    known = {key: told for key, told in optional.items() if told is not None}
    return {"id": unit.id, "type": unit.kind, "setup_date": unit.set_up, **known, **unit.data}


def homestatus_body(home: Home, at: float) -> Json:
    """The body of homestatus at a moment; what cannot be reached is an error, in one of two places."""
    errors = [{"code": 6, "id": unit.id} for unit in home.units if not unit.told]
    told = [unit for unit in home.units if unit.told]
    shown: Json = {"id": home.id}
    if told:
        shown["modules"] = [_unit_status(home, unit, at) for unit in told]
    heated = [room for room in home.rooms if room.heated]
    if heated and told:
        shown["rooms"] = [_room_status(home, room, at) for room in heated]
    if not errors:
        return {"home": shown}
    if home.errors_at == "home":
        return {"home": {**shown, "errors": errors}}
    return {"errors": errors, "home": shown}


def _room_status(home: Home, room: HeatedRoom, at: float) -> Json:
    if not room.reachable:
        return {"id": room.id, "reachable": False}
    order = home.setpoint(room, at)
    return {
        "id": room.id,
        "reachable": True,
        "therm_measured_temperature": room.measured(at),
        "therm_setpoint_temperature": order.temperature,
        "therm_setpoint_mode": order.mode,
        "therm_setpoint_start_time": int(order.since) if order.since > 0 else 0,
        "therm_setpoint_end_time": int(order.until) if order.until < inf else 0,
        "heating_power_request": home.demand(room, at),
        "anticipating": False,
        "open_window": False,
    }


def _unit_status(home: Home, unit: Unit, at: float) -> Json:
    shown: Json = {"id": unit.id, "type": unit.kind, "firmware_revision": 100 + crc32(unit.id.encode()) % 80}
    match unit.kind:
        case "NAPlug":
            shown |= {"rf_strength": 107, "wifi_strength": 42}
        case "NATherm1":
            shown |= {
                "reachable": True,
                "rf_strength": 58,
                "battery_level": 3793,
                "battery_state": "high",
                "boiler_valve_comfort_boost": False,
                "boiler_status": home.burning(at),
                "anticipating": False,
                "bridge": unit.bridge,
            }
        case "NRV":
            shown |= {
                "reachable": True,
                "rf_strength": 51,
                "battery_level": 3025,
                "battery_state": "medium",
                "bridge": unit.bridge,
            }
        case _:
            pass
    return {**shown, **unit.status}


# history


def room_cells(home: Home, room: HeatedRoom, types: Sequence[str], time: int) -> list[Number | None]:
    """What getroommeasure holds of a bucket."""
    known: dict[str, Number | None] = {
        "temperature": room.measured(time),
        "sp_temperature": home.setpoint(room, time).temperature,
    }
    return [known.get(each.strip().lower()) for each in types]


def boiler_cells(home: Home, unit: Unit, types: Sequence[str], time: int, length: int) -> list[Number | None]:
    """For how long the boiler was on and off in a bucket, in the unit that this home's server counts in."""
    on = mix(crc32(unit.id.encode()), time) % (length // 60 + 1) * 60
    shares: dict[str, int] = {"on": on, "off": length - on}
    divisor = {"seconds": 1, "minutes": 60, "odd": 7}[home.boiler_unit]
    names = {"boileron": "on", "boileroff": "off", "sum_boiler_on": "on", "sum_boiler_off": "off"}
    found = [names.get(each.strip().lower()) for each in types]
    return [None if share is None else shares[share] // divisor for share in found]


def buckets(begin: float, end: float, length: int, at: float, zone: str) -> list[int]:
    """The begins of the buckets of begin ≤ t < end that have begun; days are those of the place."""
    last = min(end, at + 1)
    if length < DAY:
        first = -int(-begin // length) * length
        return list(range(first, int(last) + (last % 1 > 0), length)) if first < last else []
    place = ZoneInfo(zone)
    day = (
        datetime.fromtimestamp(begin, UTC)
        .astimezone(place)
        .replace(hour=0, minute=0, second=0, microsecond=0)
    )
    found = []
    while (time := int(day.timestamp())) < last:
        if time >= begin:
            found.append(time)
        day = (day + timedelta(days=1)).replace(fold=0)
    return found


def energy_home(
    number: int = 1,
    *,
    home_id: str | None = None,
    name: str = "AR Home",
    timezone: str = "Europe/Paris",
    set_up: int = 1_494_963_356,
) -> Home:
    """Build a home with a relay, a thermostat, a valve, and two schedules."""
    relay, thermostat, valve = (
        f"70:ee:50:00:{number:02x}:0f",
        f"04:00:00:00:{number:02x}:02",
        f"09:00:00:00:{number:02x}:03",
    )
    living, bath = f"{number}746182631", f"{number}688132631"
    return Home(
        id=home_id or f"5e{number:022x}",
        name=name,
        timezone=timezone,
        rooms=[
            HeatedRoom(id=living, name="Living room", kind="living_room"),
            HeatedRoom(id=bath, name="Bath", kind="bathroom"),
        ],
        units=[
            Unit(id=relay, kind="NAPlug", name="Relay", set_up=set_up),
            Unit(id=thermostat, kind="NATherm1", name="Thermostat", set_up=set_up, room=living, bridge=relay),
            Unit(id=valve, kind="NRV", name="Valve", set_up=set_up, room=bath, bridge=relay),
        ],
        schedules=[
            schedule("591b54a2764ff4d50d8b5795", "Working days", {living: (21, 17), bath: (22.5, 17)})
            | {"selected": True},
            schedule("591b54a2764ff4d50d8b5796", "Holidays", {living: (20, 16), bath: (22, 16)}),
        ],
    )


def schedule(schedule_id: str, name: str, rooms: Mapping[str, tuple[Number, Number]]) -> Json:
    """Build a schedule: per room °C by day, from 7 to 22 o'clock, and by night."""
    zones = [
        {
            "id": kind,
            "type": kind,
            "name": title,
            "rooms": [
                {"id": room, "therm_setpoint_temperature": warmth[kind]} for room, warmth in rooms.items()
            ],
        }
        for kind, title in enumerate(("Comfort", "Night"))
    ]
    daily = [(0, 1), (420, 0), (1320, 1)]
    turns = [{"zone_id": zone, "m_offset": day * 1440 + minute} for day in range(7) for minute, zone in daily]
    return {
        "id": schedule_id,
        "name": name,
        "type": "therm",
        "default": False,
        "away_temp": 14,
        "hg_temp": 7,
        "zones": zones,
        "timetable": turns,
    }
