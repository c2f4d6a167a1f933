"""Heating schedules: zones with their temperatures, the week's timetable, and the slot that is in force."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from netaflux.core.model import Number
from netaflux.core.names import Called
from netaflux.core.since import zone_of
from netaflux.netatmo.wire import identity, number, switch, text, things, whole

Raw = Mapping[str, object]

WEEK: Final = 7 * 24 * 60
"""Minutes."""
ZONE_KINDS: Final = {
    0: "day",
    1: "night",
    2: "away",
    3: "frost guard",
    4: "custom",
    5: "eco",
    8: "comfort",
}
"""What Netatmo's numbers mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A set of temperatures that a schedule switches to, in °C."""

    id: int
    name: str | None = None
    kind: int | None = None
    temperature: Number | None = None
    """Of the whole home, in the old manner."""
    rooms: Mapping[str, Number] = field(default_factory=dict)
    """Per room, by its id."""
    raw: Raw = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """Its name, or what its kind is called."""
        return self.name or ZONE_KINDS.get(self.kind if self.kind is not None else -1) or f"zone {self.id}"

    def temperature_of(self, room: str) -> Number | None:
        """What the zone wants of a room."""
        return self.rooms.get(room, self.temperature)


@dataclass(frozen=True, slots=True)
class Turn:
    """A line of the timetable: from so many minutes after Monday's midnight on, that zone."""

    minutes: int
    zone: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of time with one zone, begin ≤ t < end, in unix seconds."""

    zone: Zone | None
    zone_id: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Called):
    """A week of heating."""

    id: str
    name: str | None = None
    kind: str | None = None
    """`therm`, or `event`, `cooling`, …"""
    selected: bool = False
    default: bool = False
    zones: tuple[Zone, ...] = ()
    timetable: tuple[Turn, ...] = ()
    """By ascending minutes."""
    away: Number | None = None
    frost_guard: Number | None = None
    raw: Raw = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """Its name; its id where it has none."""
        return self.name or self.id

    def slot(self, now: float, timezone: str | None) -> Slot | None:
        """The slot in force at a moment, in a home of that time zone; None without a timetable.

        A slot begins when the clock on the wall first shows its time: where clocks are turned forward over
        it, at that moment; where they are turned back, not a second time.
        """
        begun = sorted(_beginnings(self.timetable, now, zone_of(timezone)))
        past = [each for each in begun if each[0] <= now]
        ahead = [each for each in begun if each[0] > now]
        if not past or not ahead:
            return None
        begin, turn = past[-1]
        zone = next((zone for zone in self.zones if zone.id == turn.zone), None)
        return Slot(zone, turn.zone, begin, ahead[0][0])


def schedule_of(raw: Raw) -> Schedule | None:
    """A schedule of homesdata, or of the old thermostat's answers; None without an id."""
    schedule_id = identity(raw.get("id")) or identity(raw.get("program_id"))
    if not schedule_id:
        return None
    turns = {turn.minutes: turn for turn in _turns(raw)}
    return Schedule(
        id=schedule_id,
        name=text(raw.get("name")),
        kind=text(raw.get("type")),
        selected=switch(raw.get("selected")) or False,
        default=switch(raw.get("default")) or False,
        zones=tuple(_zones(raw)),
        timetable=tuple(turns[minutes] for minutes in sorted(turns)),
        away=number(raw.get("away_temp")),
        frost_guard=number(raw.get("hg_temp")),
        raw=raw,
    )


def _zones(raw: Raw) -> Iterator[Zone]:
    for zone in things(raw.get("zones")):
        zone_id = whole(zone.get("id"))
        if zone_id is None:
            continue
        rooms: dict[str, Number] = {}
        for key, id_key, value_key in (
            ("rooms_temp", "room_id", "temp"),
            ("rooms", "id", "therm_setpoint_temperature"),
        ):
            for room in things(zone.get(key)):
                room_id, value = identity(room.get(id_key)), number(room.get(value_key))
                if room_id and value is not None:
                    rooms[room_id] = value
        yield Zone(
            id=zone_id,
            name=text(zone.get("name")),
            kind=whole(zone.get("type")),
            temperature=number(zone.get("temp")),
            rooms=rooms,
            raw=zone,
        )


def _turns(raw: Raw) -> Iterator[Turn]:
    for each in things(raw.get("timetable")):
        minutes = whole(each.get("m_offset"))
        zone = whole(each["zone_id"] if "zone_id" in each else each.get("id"))
        if minutes is not None and 0 <= minutes < WEEK and zone is not None:
            yield Turn(minutes, zone)


def _beginnings(timetable: tuple[Turn, ...], now: float, zone: tzinfo) -> Iterator[tuple[int, Turn]]:
    """When each turn of last week, this one and the next begins."""
    local = datetime.fromtimestamp(now, UTC).astimezone(zone).replace(tzinfo=None)
    monday = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=local.weekday())
    for week in (-1, 0, 1):
        for turn in timetable:
            yield first_shown(monday + timedelta(weeks=week, minutes=turn.minutes), zone), turn


def first_shown(wall: datetime, zone: tzinfo) -> int:
    """The first moment at which the clocks of a zone show a time of day, or a later one if they skip it."""
    early, late = sorted(int(wall.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))
    if _wall(early, zone) == wall:
        return early
    while early < late:  # the clocks jump over it somewhere between the two
        middle = (early + late) // 2
        early, late = (early, middle) if _wall(middle, zone) >= wall else (middle + 1, late)
    return early


def _wall(moment: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).replace(tzinfo=None)
