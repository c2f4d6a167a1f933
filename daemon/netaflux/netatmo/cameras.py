"""The cameras and the persons of an account's homes, from homesdata and homestatus, or from gethomedata.

Every field is optional: one that is missing or of a wrong type costs itself and nothing beside it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from netaflux.core.errors import NoDevice
from netaflux.core.model import ModuleId
from netaflux.core.names import Called, the_one
from netaflux.netatmo.camera_events import (
    NAMELESS_KIND,
    CameraEvent,
    Picture,
    Raw,
    events_of,
    picture_of,
)
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.wire import (
    NOTHING,
    identity,
    module_id,
    moment,
    number,
    text,
    thing,
    things,
    truth,
    whole,
)

KINDS: Mapping[str, str] = {
    "NACamera": "indoor camera (Welcome)",
    "NPC": "indoor camera",
    "NOC": "outdoor camera (Presence)",
    "NDB": "video doorbell",
}
"""Netatmo's types of cameras, in words."""
ACCESSORIES: Mapping[str, str] = {
    "NIS": "indoor siren",
    "NACamDoorTag": "door and window sensor",
    "NSD": "smoke alarm",
    "NCO": "carbon monoxide alarm",
}
"""What else guards a home, in words."""
_OF_CAMERAS = frozenset({"vpn_url", "monitoring", "sd_status", "alim_status"})
"""Fields that only cameras have, those of a kind nobody knows among them."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera(Called):
    """One camera, as its home tells of it."""

    id: ModuleId
    home: str
    kind: str
    name: str | None = None
    status: str | None = None
    """on, off, disconnected: whether it watches (`monitoring` today)."""
    reachable: bool | None = None
    sd_status: int | str | None = None
    """Of its memory card: a number of 1 to 7 today, a word before."""
    alim_status: int | str | None = None
    """Of its power supply: 1 or 2 today, a word before."""
    light: str | None = None
    """The floodlight of an outdoor camera: on, off, auto."""
    wifi: int | float | None = None
    is_local: bool | None = None
    """Netatmo's guess whether it is in our network; it is often wrong."""
    vpn_url: str | None = field(default=None, repr=False)
    """Netatmo's relay to it; opens the camera to whoever knows it."""
    raw: Raw = field(default_factory=dict, hash=False, repr=False)

    @property
    def kind_in_words(self) -> str:
        """What a person calls this type of camera."""
        return KINDS.get(self.kind, f"camera of an unknown type ({self.kind})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accessory:
    """What else guards a home: a siren, a tag on a door, an alarm."""

    id: ModuleId
    home: str
    kind: str
    name: str | None = None
    camera: ModuleId | None = None
    """The camera through which it speaks."""
    raw: Raw = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Called):
    """A face that cameras know again; one without a name is unknown."""

    id: str
    home: str
    name: str | None = None
    last_seen: int | None = None
    away: bool | None = None
    """Whether it is out of sight, which means away."""
    face: Picture | None = None
    raw: Raw = field(default_factory=dict, hash=False, repr=False)

    @property
    def known(self) -> bool:
        """Whether somebody has given the face a name."""
        return self.name is not None

    @property
    def at_home(self) -> bool:
        """Whether it was seen to come and not to go."""
        return self.away is False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedHome(Called):
    """A home with what guards it."""

    id: str
    name: str | None = None
    timezone: str | None = None
    cameras: tuple[Camera, ...] = ()
    persons: tuple[Person, ...] = ()
    accessories: tuple[Accessory, ...] = ()
    events: tuple[CameraEvent, ...] = ()
    """Those that came with the home, as gethomedata sends them; getevents tells today's."""
    raw: Raw = field(default_factory=dict, hash=False, repr=False)

    @property
    def known_persons(self) -> tuple[Person, ...]:
        """Those with a name."""
        return tuple(person for person in self.persons if person.known)

    @property
    def persons_at_home(self) -> tuple[Person, ...]:
        """Those with a name who are at home."""
        return tuple(person for person in self.known_persons if person.at_home)


@dataclass(frozen=True, slots=True)
class GuardedHomes:
    """All homes of an account, and whom a name in them means."""

    homes: tuple[GuardedHome, ...]

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """Every camera."""
        return tuple(camera for home in self.homes for camera in home.cameras)

    @property
    def persons(self) -> tuple[Person, ...]:
        """Every face, known or not."""
        return tuple(person for home in self.homes for person in home.persons)

    def home(self, asked: str | None = None) -> GuardedHome:
        """A home by name or id, else the first one with a camera. Raises UsageError, NoDevice."""
        if asked is not None:
            return the_one(asked, self.homes, "home")
        for home in self.homes:
            if home.cameras:
                return home
        raise NoDevice("no home of this account has a camera")

    def camera(self, asked: str | None = None, home: str | None = None) -> Camera:
        """A camera by name or id, in a home or in all; else the first one. Raises UsageError, NoDevice."""
        cameras = self.home(home).cameras if home is not None or asked is None else self.cameras
        if not cameras:
            raise NoDevice("there is no camera")
        if asked is None:
            return cameras[0]
        return the_one(asked, cameras, "camera")

    def person(self, asked: str, home: str | None = None) -> Person:
        """A person by name or id. Raises UsageError."""
        persons = self.home(home).persons if home is not None else self.persons
        return the_one(asked, persons, "person")


def guarded_home(told: Raw, status: Raw | None = None, lost: Collection[str] = ()) -> GuardedHome | None:
    """A home of homesdata with what homestatus tells of it; None for one without an id.

    `lost` are the devices of which homestatus said that it cannot reach them. A camera that homestatus does
    not tell of is there all the same, unreachable and without a state.
    """
    home = identity(told.get("id")) or identity(told.get("_id"))
    if home is None:
        return None
    now: Raw = NOTHING if status is None else status
    seen = {module_id(raw.get("id")) for raw in things(now.get("modules"))}
    modules = _together(told.get("modules"), now.get("modules"), module_id)
    persons = _together(told.get("persons"), now.get("persons"), identity)
    gone = {one for one in modules if one in lost or (status is not None and one not in seen)}
    return GuardedHome(
        id=home,
        name=text(told.get("name")),
        timezone=text(told.get("timezone")) or text(thing(told.get("place")).get("timezone")),
        cameras=tuple(
            _camera(ModuleId(one), home, both, gone) for one, both in modules.items() if _is_camera(both)
        ),
        persons=tuple(_person(one, home, both) for one, both in persons.items()),
        accessories=tuple(
            _accessory(ModuleId(one), home, both) for one, both in modules.items() if _guards(both)
        ),
        raw=told,
    )


def homes_of_old(envelope: Envelope) -> GuardedHomes:
    """The answer of gethomedata, which told all in one, as some accounts may still have it."""
    body = thing(envelope.get("body"))
    events = events_of(envelope)
    homes = []
    for raw in things(body.get("homes")):
        home = guarded_home({**raw, "modules": _old_modules(raw)})
        if home is not None:
            own = tuple(event for event in events if event.home == home.id)
            homes.append(replace(home, events=own, raw=raw))
    return GuardedHomes(tuple(homes))


def _old_modules(home: Raw) -> list[Raw]:
    """Cameras, what speaks through each, and alarms, in one list as homesdata has them."""
    found: list[Raw] = []
    for camera in things(home.get("cameras")):
        found.append(camera)
        found += ({"bridge": camera.get("id"), **raw} for raw in things(camera.get("modules")))
    return [*found, *things(home.get("smokedetectors"))]


@dataclass(frozen=True, slots=True)
class _Both:
    """One thing as homesdata and homestatus tell of it."""

    told: Raw
    now: Raw

    def lasting(self, read: Callable[[object], Value | None], key: str) -> Value | None:
        """What rather homesdata knows: a name, a type."""
        value = read(self.told.get(key))
        return read(self.now.get(key)) if value is None else value

    def passing(self, read: Callable[[object], Value | None], *keys: str) -> Value | None:
        """What rather homestatus knows: a state, under its name of today or of before."""
        values = (read(place.get(key)) for place in (self.now, self.told) for key in keys)
        return next((value for value in values if value is not None), None)

    def state(self, key: str) -> int | str | None:
        """A number today, a word before."""
        code = self.passing(whole, key)
        return self.passing(text, key) if code is None else code

    @property
    def raw(self) -> Raw:
        return {**self.told, **self.now}


def _together(told: object, now: object, id_of: Callable[[object], str | None]) -> dict[str, _Both]:
    """What both lists tell, by id, in the first one's order; of two with one id the first counts."""
    lasting: dict[str, Raw] = {}
    passing: dict[str, Raw] = {}
    for found, place in ((lasting, told), (passing, now)):
        for raw in things(place):
            if (one := id_of(raw.get("id"))) is not None:
                found.setdefault(one, raw)
    return {one: _Both(lasting.get(one, NOTHING), passing.get(one, NOTHING)) for one in (*lasting, *passing)}


def _is_camera(both: _Both) -> bool:
    kind = both.lasting(text, "type")
    if kind in KINDS:
        return True
    return kind not in ACCESSORIES and not _OF_CAMERAS.isdisjoint({*both.told, *both.now})


def _guards(both: _Both) -> bool:
    return both.lasting(text, "type") in ACCESSORIES


def _camera(one: ModuleId, home: str, both: _Both, gone: Collection[str]) -> Camera:
    status = both.passing(text, "monitoring", "status")
    cut_off = one in gone or status == "disconnected"
    return Camera(
        id=one,
        home=home,
        kind=both.lasting(text, "type") or NAMELESS_KIND,
        name=both.lasting(text, "name"),
        status=status,
        reachable=False if cut_off else both.passing(truth, "reachable"),
        sd_status=both.state("sd_status"),
        alim_status=both.state("alim_status"),
        light=both.passing(text, "floodlight", "light_mode_status"),
        wifi=both.passing(number, "wifi_strength", "wifi_status"),
        is_local=both.passing(truth, "is_local"),
        vpn_url=both.passing(text, "vpn_url"),
        raw=both.raw,
    )


def _accessory(one: ModuleId, home: str, both: _Both) -> Accessory:
    return Accessory(
        id=one,
        home=home,
        kind=both.lasting(text, "type") or NAMELESS_KIND,
        name=both.lasting(text, "name"),
        camera=both.lasting(module_id, "bridge"),
        raw=both.raw,
    )


def _person(one: str, home: str, both: _Both) -> Person:
    return Person(
        id=one,
        home=home,
        name=both.lasting(text, "pseudo"),
        last_seen=both.passing(moment, "last_seen"),
        away=both.passing(truth, "out_of_sight"),
        face=both.lasting(picture_of, "url") or both.lasting(picture_of, "face"),
        raw=both.raw,
    )
