"""Homes as homesdata and homestatus show them together: rooms, modules of every kind, persons.

homesdata knows what there is, homestatus how it is just now. Every field is optional, kinds that nobody knows
are kept, and each view keeps what it was read from: `raw` of homesdata, `raw_status` of homestatus.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from netaflux.core.errors import UpstreamFault
from netaflux.core.measures import measures_of
from netaflux.core.model import ModuleId, Number
from netaflux.core.names import Called, plain_id
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.schedules import Schedule, schedule_of
from netaflux.netatmo.stations import NAMELESS_KIND
from netaflux.netatmo.wire import (
    NOTHING,
    faults,
    identity,
    module_id,
    moment,
    number,
    require_no_errors,
    switch,
    text,
    thing,
    things,
    whole,
)

Raw = Mapping[str, object]

NAMELESS_HOME: Final = "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room(Called):
    """A room, and what its thermostat or valves make of it; temperatures in °C, moments in unix seconds."""

    id: str
    name: str | None = None
    kind: str | None = None
    """Netatmo's word, such as `living_room`."""
    modules: tuple[ModuleId, ...] = ()
    reachable: bool | None = None
    """None where homestatus was not to be had."""
    measured: Number | None = None
    setpoint: Number | None = None
    mode: str | None = None
    """`schedule`, `manual`, `max`, `away`, `hg`, `off`, `home`, or what else Netatmo says."""
    since: int | None = None
    """When the setpoint came into force."""
    until: int | None = None
    """When it ends; None where no end is told."""
    heating_demand: Number | None = None
    """Per cent of the heating power that the room asks for, now."""
    anticipating: bool | None = None
    open_window: bool | None = None
    humidity: Number | None = None
    raw: Raw = field(default_factory=dict, repr=False)
    raw_status: Raw = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """Its name; its id where it has none."""
        return self.name or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeModule(Called):
    """A unit of a home: relay, thermostat, valve, camera, or what else Netatmo makes."""

    id: ModuleId
    kind: str
    name: str | None = None
    room: str | None = None
    """The id of its room."""
    bridge: ModuleId | None = None
    """The unit through which it speaks."""
    bridged: tuple[ModuleId, ...] = ()
    set_up: int | None = None
    reachable: bool | None = None
    """False too where homestatus does not tell of it; None where there was no homestatus, and for weather
    modules, of which it need not tell."""
    fault: int | None = None
    """The code of homestatus's error about it (6: cannot be reached)."""
    battery: Number | None = None
    """Millivolt."""
    battery_state: str | None = None
    radio: Number | None = None
    wifi: Number | None = None
    firmware: int | None = None
    boiler: bool | None = None
    """Whether a thermostat has the boiler on."""
    anticipating: bool | None = None
    raw: Raw = field(default_factory=dict, repr=False)
    raw_status: Raw = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """Its name; its id where it has none."""
        return self.name or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Home(Called):
    """A home, everything in it, and its heating schedules."""

    id: str
    name: str | None = None
    timezone: str | None = None
    rooms: tuple[Room, ...] = ()
    modules: tuple[HomeModule, ...] = ()
    persons: tuple[Raw, ...] = ()
    """As Netatmo tells of them, both answers' fields together."""
    schedules: tuple[Schedule, ...] = ()
    mode: str | None = None
    """`schedule`, `away`, `hg`, or what else Netatmo says."""
    mode_until: int | None = None
    manual_minutes: Number | None = None
    """How long a room's setpoint by hand lasts where no end is given."""
    known_status: bool = False
    """Whether homestatus has told how things are."""
    raw: Raw = field(default_factory=dict, repr=False)
    raw_status: Raw = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """Its name; `home` where it has none."""
        return self.name or NAMELESS_HOME

    @property
    def unreachable(self) -> tuple[HomeModule, ...]:
        """The modules that cannot be reached."""
        return tuple(module for module in self.modules if module.reachable is False)


def homes_of(envelope: Envelope) -> tuple[Home, ...]:
    """The homes of an answer of homesdata, without how they are; of two with one id the first counts.

    Raises UpstreamFault where the answer is not one about homes at all, or holds errors and no home.
    """
    body = envelope.get("body")
    # an account without homes: homes [] or none, body {}, or [] as PHP writes an empty object
    listed = body.get("homes") if isinstance(body, dict) else body
    if listed is not None and not isinstance(listed, list):
        raise UpstreamFault("Netatmo's answer to homesdata holds no list of homes")
    homes: dict[str, Home] = {}
    for raw in things(listed):
        if home_id := identity(raw.get("id")):
            homes.setdefault(home_id, _home(home_id, raw))
    if not homes:
        require_no_errors(envelope, "homes")
    return tuple(homes.values())


def with_status(home: Home, envelope: Envelope) -> Home:
    """The home as an answer of homestatus shows it.

    A module that the answer does not tell of, or only with an error, is unreachable; one that homesdata does
    not know is added. The status of another home is none of this one's.
    """
    status = thing(thing(envelope.get("body")).get("home"))
    whose = identity(status.get("id"))
    if whose is not None and plain_id(whose) != plain_id(home.id):
        return home
    lost = {fault.device: fault.code for fault in faults(envelope)}
    modules = {module_id(raw.get("id")): raw for raw in things(status.get("modules"))}
    known = {module.id: module for module in home.modules}
    for raw in modules.values():
        if fresh := _module(raw):
            known.setdefault(fresh.id, replace(fresh, raw=NOTHING))
    return replace(
        home,
        rooms=tuple(_rooms(home, status)),
        modules=tuple(_module_now(module, modules, lost) for module in known.values()),
        persons=tuple(_persons(home.persons, status)),
        mode=text(status.get("therm_mode")) or home.mode,
        mode_until=moment(status.get("therm_mode_endtime")) or home.mode_until,
        known_status=True,
        raw_status=status,
    )


def _home(home_id: str, raw: Raw) -> Home:
    modules = (_module(each) for each in things(raw.get("modules")))
    return Home(
        id=home_id,
        name=text(raw.get("name")),
        timezone=text(raw.get("timezone")),
        rooms=tuple(_unique(_room(each) for each in things(raw.get("rooms")))),
        modules=tuple({each.id: each for each in reversed([*filter(None, modules)])}.values())[::-1],
        persons=tuple(things(raw.get("persons"))),
        schedules=tuple(filter(None, map(schedule_of, _schedules(raw)))),
        mode=text(raw.get("therm_mode")),
        mode_until=moment(raw.get("therm_mode_endtime")),
        manual_minutes=number(raw.get("therm_setpoint_default_duration")),
        raw=raw,
    )


def _schedules(raw: Raw) -> Iterator[Raw]:
    # the name before 2021
    return things(raw["schedules"] if "schedules" in raw else raw.get("therm_schedules"))


def _unique(rooms: Iterator[Room | None]) -> Iterator[Room]:
    seen: set[str] = set()
    for room in rooms:
        if room and room.id not in seen:
            seen.add(room.id)
            yield room


def _room(raw: Raw) -> Room | None:
    room_id = identity(raw.get("id"))
    if not room_id:
        return None
    return Room(
        id=room_id,
        name=text(raw.get("name")),
        kind=text(raw.get("type")),
        modules=_ids(raw.get("module_ids")),
        raw=raw,
    )


def _ids(value: object) -> tuple[ModuleId, ...]:
    return tuple(filter(None, map(module_id, value))) if isinstance(value, list) else ()


def _module(raw: Raw) -> HomeModule | None:
    unit = module_id(raw.get("id"))
    if not unit:
        return None
    return HomeModule(
        id=unit,
        kind=text(raw.get("type")) or NAMELESS_KIND,
        name=text(raw.get("name")),
        room=identity(raw.get("room_id")),
        bridge=module_id(raw.get("bridge")),
        # the documents' spelling, and that of the answers
        bridged=_ids(raw.get("modules_bridged")) or _ids(raw.get("module_bridged")),
        set_up=moment(raw.get("setup_date")),
        raw=raw,
    )


def _module_now(
    module: HomeModule, modules: Mapping[ModuleId | None, Raw], lost: Mapping[ModuleId, int | None]
) -> HomeModule:
    status = modules.get(module.id)
    if status is None and module.id not in lost and measures_of(module.kind):
        return module  # of the weather's modules homestatus need not tell
    if status is None or module.id in lost:
        return replace(module, reachable=False, fault=lost.get(module.id), raw_status=status or NOTHING)
    reachable = switch(status.get("reachable"))
    kind = module.kind if module.kind != NAMELESS_KIND else text(status.get("type")) or NAMELESS_KIND
    return replace(
        module,
        kind=kind,
        bridge=module.bridge or module_id(status.get("bridge")),
        # what does not say that it cannot be reached can be
        reachable=True if reachable is None else reachable,
        battery=number(status.get("battery_level")),
        battery_state=_words(status.get("battery_state")),
        radio=number(_either(status, "rf_strength", "rf_strenght")),
        wifi=number(_either(status, "wifi_strength", "wifi_strenght")),
        firmware=whole(_either(status, "firmware_revision", "firmware")),
        boiler=switch(status.get("boiler_status")),
        anticipating=switch(status.get("anticipating")),
        raw_status=status,
    )


def _either(raw: Raw, spelling: str, other: str) -> object:
    return raw[spelling] if spelling in raw else raw.get(other)


def _words(value: object) -> str | None:
    """A state in one form: `very_low` and `very low` are one."""
    word = text(value)
    return word.replace("_", " ").lower() if word else None


def _rooms(home: Home, status: Raw) -> Iterator[Room]:
    told = {identity(raw.get("id")): raw for raw in things(status.get("rooms"))}
    known = {room.id: room for room in home.rooms}
    for raw in told.values():
        if fresh := _room(raw):
            known.setdefault(fresh.id, replace(fresh, raw=NOTHING))
    for room in known.values():
        yield _room_now(room, told.get(room.id))


def _room_now(room: Room, status: Raw | None) -> Room:
    if status is None:
        # a room without a heating device has nothing that could be reached
        return replace(room, reachable=False if room.modules else None)
    reachable = switch(status.get("reachable"))
    return replace(
        room,
        reachable=True if reachable is None else reachable,
        measured=number(status.get("therm_measured_temperature")),
        setpoint=number(status.get("therm_setpoint_temperature")),
        mode=text(status.get("therm_setpoint_mode")),
        since=moment(status.get("therm_setpoint_start_time")),
        until=moment(status.get("therm_setpoint_end_time")),
        heating_demand=number(status.get("heating_power_request")),
        anticipating=switch(status.get("anticipating")),
        open_window=switch(status.get("open_window")),
        humidity=number(status.get("humidity")),
        raw_status=status,
    )


def _persons(persons: tuple[Raw, ...], status: Raw) -> Iterator[Raw]:
    """Both answers' persons by id, each with the fields of both."""
    now = {key: raw for raw in things(status.get("persons")) if (key := identity(raw.get("id")))}
    for person in persons:
        yield {**person, **now.pop(identity(person.get("id")) or "", {})}
    yield from now.values()
