"""`thermostat`: the heating of all accounts, shown and set.

Request: `do`, which is `show`, `set`, `mode` or `schedule`, with what that needs; an order is carried out
only where `confirmed`, and else merely told. Events: a `heating` for each home, or each `schedule`, or the
`order` in words, with what it means in `exactly` the words of a request; `sending`, once it goes out; then
`result`, for an order with `changed`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from netaflux.app import App
from netaflux.commands.ends import end_of, local
from netaflux.commands.heated import Heated, HomeOf, RoomOf, heated
from netaflux.commands.requests import OfHome, understood
from netaflux.commands.words import Json, sending
from netaflux.core.errors import NoDevice
from netaflux.netatmo.energy import LOOK
from netaflux.netatmo.heating import (
    RELAYS,
    THERMOSTATS,
    VALVES,
    heated_rooms,
    heating_schedules,
    schedule_in,
    slot_in,
)
from netaflux.netatmo.homes import Home, HomeModule, Room
from netaflux.netatmo.orders import home_mode, setpoint
from netaflux.netatmo.schedules import Schedule


class ThermostatRequest(OfHome):
    """What a person wants of the heating."""

    do: Literal["show", "set", "mode", "schedule"] = "show"
    room: str | None = None
    mode: str | None = None
    temperature: float | None = None
    until: str | None = None
    schedule: str | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class _Order:
    """What shall be changed: in words, exactly as it can be asked again, and how it is done."""

    of: HomeOf
    words: str
    exactly: Json
    carry_out: Callable[[], Awaitable[bool]]


async def thermostat(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Show the heating, or change it. Raises UsageError, NoDevice, OutcomeUnknown, NetatmoError."""
    request = understood("thermostat", ThermostatRequest, asked)
    found = await heated(app, request.account)
    if request.do == "show" or (request.do == "schedule" and request.schedule is None):
        for event in _shown(found, request):
            yield event
        yield {"event": "result", "failed": found.failed, "exit_code": found.exit_code}
        return
    order = _ORDERS[request.do](found, request)
    account = order.of.account.name
    yield {"event": "order", "words": order.words, "exactly": {"account": account, **order.exactly}}
    changed = None
    if request.confirmed:
        yield sending(LOOK)
        changed = await order.carry_out()
    yield {"event": "result", "changed": changed, "exit_code": 0}


# orders


def _set(found: Heated, request: ThermostatRequest) -> _Order:
    room = found.room(request.room, found.home(request.home) if request.home else None)
    home = room.of.home
    mode = request.mode or ("home" if request.temperature is None else "manual")
    now = room.of.now
    until = end_of(request.until, now, home.timezone)
    # checked before anybody is asked whether they mean it
    params = setpoint(home, room.room, mode=mode, temperature=request.temperature, until=until, now=now)
    words = f"set {_where(room)} {_to(params)}{_till(until, home)}"
    if until is None and params["mode"] in ("manual", "max"):
        words += f", for {home.manual_minutes:g} minutes" if home.manual_minutes else ""
    return _Order(
        room.of,
        words,
        {"home": home.id, "room": room.id, **_exact(until)},
        lambda: room.of.energy.set_room(home, room.room, mode, temperature=request.temperature, until=until),
    )


def _mode(found: Heated, request: ThermostatRequest) -> _Order:
    of = found.home(request.home)
    now = of.now
    until = end_of(request.until, now, of.home.timezone)
    schedule = schedule_in(of.home, request.schedule) if request.schedule else None
    mode = request.mode or ""
    params = home_mode(of.home, mode=mode, until=until, now=now, schedule=schedule)
    following = f" {schedule.title}" if schedule else ""
    return _Order(
        of,
        f"set {of.home.title} to {_MODES[params['mode']]}{following}{_till(until, of.home)}",
        {"home": of.id, **({"schedule": schedule.id} if schedule else {}), **_exact(until)},
        lambda: of.energy.set_mode(of.home, mode, until=until, schedule=schedule),
    )


def _schedule(found: Heated, request: ThermostatRequest) -> _Order:
    of = found.home(request.home)
    schedule = schedule_in(of.home, request.schedule)
    return _Order(
        of,
        f"let {of.home.title} follow the schedule {schedule.title}",
        {"home": of.id, "schedule": schedule.id},
        lambda: of.energy.switch_schedule(of.home, schedule),
    )


_ORDERS: dict[str, Callable[[Heated, ThermostatRequest], _Order]] = {
    "set": _set,
    "mode": _mode,
    "schedule": _schedule,
}
_MODES = {"schedule": "its schedule", "away": "away", "hg": "frost guard"}


def _where(room: RoomOf) -> str:
    return f"{room.room.title} ({room.of.home.title})"


def _to(params: dict[str, str]) -> str:
    match params["mode"]:
        case "manual":
            return f"to {params['temp']} °C"
        case "max":
            return "to its maximum"
        case "hg":
            return "to frost guard"
        case _:
            return "to follow its home again"


def _exact(until: float | None) -> Json:
    return {} if until is None else {"until": str(int(until))}


def _till(until: float | None, home: Home) -> str:
    return "" if until is None else f" until {local(until, home.timezone)}"


# what is shown


def _shown(found: Heated, request: ThermostatRequest) -> list[Json]:
    homes = found.homes
    if request.home is not None:
        homes = [found.home(request.home)]
    if not homes and not found.errors:
        raise NoDevice("no account has a thermostat, a valve or a relay")
    if request.do == "schedule":
        return [_week(of, each) for of in homes for each in heating_schedules(of.home)]
    return [_heating(of) for of in homes]


def _heating(of: HomeOf) -> Json:
    home = of.home
    slot, selected = slot_in(home, of.now), [each for each in heating_schedules(home) if each.selected]
    boilers = [module.boiler for module in home.modules if module.boiler is not None]
    return {
        "event": "heating",
        "account": of.account.name,
        "id": home.id,
        "name": home.name,
        "timezone": home.timezone,
        "known_status": home.known_status,
        "mode": home.mode,
        "mode_until": home.mode_until,
        "schedule": selected[0].title if selected else None,
        "slot": slot
        and {
            "zone": slot.zone.title if slot.zone else None,
            "from": slot.begin,
            "until": slot.end,
        },
        "boiler": any(boilers) if boilers else None,
        "rooms": [_room(home, room) for room in heated_rooms(home)],
        "modules": [
            _module(module) for module in home.modules if module.kind in RELAYS | THERMOSTATS | VALVES
        ],
    }


def _room(home: Home, room: Room) -> Json:
    return {
        "id": room.id,
        "name": room.name,
        "reachable": room.reachable,
        "measured_c": room.measured,
        "setpoint_c": room.setpoint,
        "mode": room.mode,
        "until": room.until,
        "heating_demand": room.heating_demand,
        "open_window": room.open_window,
        "modules": [
            module.id for module in home.modules if module.room == room.id or module.id in room.modules
        ],
    }


def _module(module: HomeModule) -> Json:
    return {
        "id": module.id,
        "kind": module.kind,
        "name": module.name,
        "reachable": module.reachable,
        "boiler": module.boiler,
        "battery_mv": module.battery,
        "battery": module.battery_state,
        "radio": module.radio,
        "wifi": module.wifi,
    }


def _week(of: HomeOf, schedule: Schedule) -> Json:
    slot = schedule.slot(of.now, of.home.timezone) if schedule.selected else None
    rooms = {room.id: room.title for room in of.home.rooms}
    return {
        "event": "schedule",
        "account": of.account.name,
        "home": of.home.id,
        "home_name": of.home.name,
        "id": schedule.id,
        "name": schedule.name,
        "selected": schedule.selected,
        "away_c": schedule.away,
        "frost_guard_c": schedule.frost_guard,
        "slot": slot and {"zone": slot.zone_id, "from": slot.begin, "until": slot.end},
        "zones": [
            {
                "id": zone.id,
                "name": zone.title,
                "rooms": [
                    {"id": room, "name": rooms.get(room), "setpoint_c": heat}
                    for room, heat in zone.rooms.items()
                ],
            }
            for zone in schedule.zones
        ],
        "timetable": [{"zone": turn.zone, "minute": turn.minutes} for turn in schedule.timetable],
    }
