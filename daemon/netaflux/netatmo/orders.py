"""What may be ordered of the heating, checked before anything is sent; moments in unix seconds, °C."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from netaflux.core.errors import UsageError
from netaflux.core.model import Number
from netaflux.core.near import did_you_mean
from netaflux.netatmo.homes import Home, Room
from netaflux.netatmo.schedules import WEEK, Schedule, Turn, Zone

COLDEST, HOTTEST = 7, 30
"""°C of a setpoint."""
LAST_END: Final = 32_503_680_000
"""Unix seconds of the year 3000, in which no clock is right about a setpoint."""

ROOM_MODES: Final = ("manual", "max", "home", "hg")
"""`home` follows the home's mode again, `hg` guards against frost."""
HOME_MODES: Final = ("schedule", "away", "hg")
WORDS: Final[Mapping[str, str]] = {
    "frost guard": "hg",
    "frost-guard": "hg",
    "frost_guard": "hg",
    "frostguard": "hg",
    "boost": "max",
    "program": "schedule",
}
"""What people, and the old API, call some of the modes."""

BY_STATE: Final = frozenset({"OTM", "BNS", "NAC"})

Params = dict[str, str]


def setpoint(
    home: Home, room: Room, *, mode: str, temperature: Number | None, until: float | None, now: float
) -> Params:
    """The parameters of setroomthermpoint. Raises UsageError."""
    mode = _mode(mode, ROOM_MODES, "room")
    if mode == "manual" and temperature is None:
        raise UsageError("a setpoint by hand needs a temperature", advice="")
    if mode != "manual" and temperature is not None:
        raise UsageError(f"mode {mode} takes no temperature", advice="")
    if mode == "home" and until is not None:
        raise UsageError("mode home has no end: the room follows the home again", advice="")
    params = {"home_id": home.id, "room_id": room.id, "mode": mode}
    if temperature is not None:
        params["temp"] = f"{_degrees(temperature):g}"
    return params | _end(until, now)


def needs_state(home: Home, room: Room) -> bool:
    """Whether a room takes its setpoint by `setstate` alone: with some devices setroomthermpoint fails."""
    kinds = {module.kind for module in home.modules if module.room == room.id or module.id in room.modules}
    return not kinds.isdisjoint(BY_STATE)


def as_state(params: Params) -> Mapping[str, object]:
    """The body of a setstate that means the same as these parameters of setroomthermpoint."""
    state: dict[str, object] = {"id": params["room_id"], "therm_setpoint_mode": params["mode"]}
    if "temp" in params:
        state["therm_setpoint_temperature"] = float(params["temp"])
    if "endtime" in params:
        state["therm_setpoint_end_time"] = int(params["endtime"])
    return {"home": {"id": params["home_id"], "rooms": [state]}}


def home_mode(
    home: Home, *, mode: str, until: float | None, now: float, schedule: Schedule | None = None
) -> Params:
    """The parameters of setthermmode. Raises UsageError."""
    mode = _mode(mode, HOME_MODES, "home")
    if mode == "schedule" and until is not None:
        raise UsageError("mode schedule has no end", advice="")
    if mode != "schedule" and schedule is not None:
        raise UsageError(f"mode {mode} follows no schedule", advice="")
    chosen = {"schedule_id": schedule.id} if schedule else {}
    return {"home_id": home.id, "mode": mode} | chosen | _end(until, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSchedule:
    """All of a schedule, as it shall be."""

    name: str
    zones: Sequence[Zone]
    timetable: Sequence[Turn]
    away: Number
    frost_guard: Number

    @classmethod
    def like(cls, schedule: Schedule) -> "WholeSchedule":
        """As the schedule is now, to begin with. Raises UsageError where not all of it is known."""
        if not _known_whole(schedule):
            raise UsageError(
                f"schedule {schedule.title} holds what is not understood, and would lose it",
                advice="Change it in Netatmo's own app.",
            )
        if schedule.away is None or schedule.frost_guard is None:
            raise UsageError(
                f"schedule {schedule.title} tells no temperature for away and frost guard", advice=""
            )
        return cls(
            name=schedule.title,
            zones=schedule.zones,
            timetable=schedule.timetable,
            away=schedule.away,
            frost_guard=schedule.frost_guard,
        )


def _known_whole(schedule: Schedule) -> bool:
    """Whether everything that Netatmo told of it was read."""
    raw = schedule.raw
    return (
        _count(raw.get("zones")) <= len(schedule.zones)
        and _count(raw.get("timetable")) <= len(schedule.timetable)
        and all(
            _count(zone.raw.get(key)) <= len(zone.rooms)
            for zone in schedule.zones
            for key in ("rooms", "rooms_temp")
        )
    )


def _count(told: object) -> int:
    return len(told) if isinstance(told, list) else 0


def synchronised(home: Home, schedule: Schedule, whole: WholeSchedule) -> tuple[Params, Mapping[str, object]]:
    """The parameters and the JSON body of synchomeschedule. Raises UsageError."""
    zones = [_zone(home, zone) for zone in whole.zones]
    _checked_timetable(whole)
    body = {
        "home_id": home.id,
        "schedule_id": schedule.id,
        "name": whole.name,
        "zones": zones,
        "timetable": [{"zone_id": turn.zone, "m_offset": turn.minutes} for turn in whole.timetable],
        "away_temp": _degrees(whole.away),
        "hg_temp": _degrees(whole.frost_guard),
    }
    return {"home_id": home.id, "schedule_id": schedule.id}, body


def _zone(home: Home, zone: Zone) -> Mapping[str, object]:
    rooms = {room.id for room in home.rooms}
    for room_id in zone.rooms:
        if room_id not in rooms:
            raise UsageError(f"zone {zone.title}: the home has no room {room_id}", advice="")
    return {
        "id": zone.id,
        "type": zone.kind if zone.kind is not None else 4,
        "name": zone.title,
        "rooms": [
            {"id": room_id, "therm_setpoint_temperature": _degrees(temperature)}
            for room_id, temperature in zone.rooms.items()
        ],
    }


def _checked_timetable(whole: WholeSchedule) -> None:
    zones = [zone.id for zone in whole.zones]
    minutes = [turn.minutes for turn in whole.timetable]
    if len(set(zones)) < len(zones):
        raise UsageError("two zones of a schedule have one id", advice="")
    if not minutes or minutes[0] != 0:
        raise UsageError("a timetable begins at Monday's midnight (minute 0)", advice="")
    if sorted(set(minutes)) != minutes or minutes[-1] >= WEEK:
        raise UsageError(f"the minutes of a timetable ascend and are below {WEEK}", advice="")
    for turn in whole.timetable:
        if turn.zone not in zones:
            raise UsageError(
                f"the timetable names zone {turn.zone}, which is none of the schedule's", advice=""
            )


def _mode(word: str, modes: Iterable[str], whose: str) -> str:
    """A mode as Netatmo calls it."""
    known = tuple(modes)
    plain = " ".join(word.split()).lower()
    mode = WORDS.get(plain, plain)
    if mode not in known:
        hint = did_you_mean(plain, known) or f"; there is {', '.join(known)}"
        raise UsageError(f"no mode `{word}` of a {whose}{hint}", advice="")
    return mode


def _degrees(temperature: Number) -> Number:
    if not COLDEST <= temperature <= HOTTEST:
        raise UsageError(
            f"a setpoint lies between {COLDEST} and {HOTTEST} °C, {temperature:g} does not", advice=""
        )
    return temperature


def _end(until: float | None, now: float) -> Params:
    if until is None:
        return {}
    if not math.isfinite(until) or until > LAST_END:
        raise UsageError("the end is no moment of this millennium", advice="")
    if until <= now:
        moment = datetime.fromtimestamp(max(0.0, until), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise UsageError(f"the end ({moment}) is in the past", advice="")
    return {"endtime": str(int(until))}
