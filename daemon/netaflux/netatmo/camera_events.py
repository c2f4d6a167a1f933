"""What cameras saw, as getevents tells it today and as gethomedata told it once; kinds nobody knows are kept.

Every field is optional. One that is missing or of a wrong type costs itself and nothing beside it.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlsplit

from netaflux.core.errors import UpstreamFault
from netaflux.core.model import ModuleId
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.wire import (
    identity,
    module_id,
    moment,
    require_no_errors,
    text,
    thing,
    things,
    truth,
    whole,
)

NAMELESS_KIND = "unknown"
OUTDOOR = "outdoor"
"""The kind of an event that consists of parts."""
MOTIONS = frozenset({"movement", "human", "animal", "vehicle"})
"""Kinds of events and parts that tell of something that moved."""

Raw = Mapping[str, object]
"""The JSON object that a view was read from."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a picture is to be had: at an address of its own, or by the id and key of older answers."""

    url: str | None = field(default=None, repr=False)
    """It opens to whoever knows it."""
    expires: int | None = None
    image_id: str | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPart:
    """One thing of an outdoor event."""

    id: str | None = None
    kind: str = NAMELESS_KIND
    """human, animal, vehicle, movement, …"""
    time: int | None = None
    offset: int | None = None
    """Seconds from the begin of the event's video."""
    verified: bool | None = None
    message: str | None = None
    snapshot: Picture | None = None
    vignette: Picture | None = None
    raw: Raw = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEvent:
    """One event of a camera, or of what speaks through it."""

    id: str | None = None
    home: str | None = None
    kind: str = NAMELESS_KIND
    """movement, person, person_away, outdoor, connection, …; the list has no end."""
    sub_kind: int | str | None = None
    """What more a kind such as `sd` or `alim` tells, in Netatmo's numbers."""
    category: str | None = None
    """What moved, where the camera knows: human, animal, vehicle."""
    time: int | None = None
    camera: ModuleId | None = None
    """The device that saw it."""
    person: str | None = None
    """The id of a face."""
    is_arrival: bool | None = None
    message: str | None = None
    """In the words of the account's language."""
    video: str | None = None
    video_status: str | None = None
    """recording, available, deleted."""
    snapshot: Picture | None = None
    vignette: Picture | None = None
    parts: tuple[EventPart, ...] = ()
    raw: Raw = field(default_factory=dict, hash=False, repr=False)

    @property
    def identity(self) -> Hashable:
        """What tells it from other events: its id, or without one what it says."""
        return self.id or (self.kind, self.time, self.camera, self.message)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture of the event and of its parts, whole ones before their cut-outs."""
        snapshots = (self.snapshot, *(part.snapshot for part in self.parts))
        vignettes = (self.vignette, *(part.vignette for part in self.parts))
        return tuple(picture for picture in (*snapshots, *vignettes) if picture)

    @property
    def saw(self) -> frozenset[str]:
        """What was seen: the event's own kind and category, and the kinds of its parts."""
        own = {self.kind, self.category} if self.category else {self.kind}
        return frozenset(own | {part.kind for part in self.parts})


def events_of(envelope: Envelope, home: str | None = None) -> tuple[CameraEvent, ...]:
    """The events of an answer, as Netatmo orders them: the newest first; of two with one id the first counts.

    `home` is whose events were asked for, where the answer does not say. Raises UpstreamFault where it is not
    one about events at all, or holds errors and no events: it would pass for an end.
    """
    events = [event_of(raw, told or home) for told, raw in _told(envelope.get("body"))]
    if not events:
        require_no_errors(envelope, "events")
    seen: dict[Hashable, CameraEvent] = {}
    for event in events:
        seen.setdefault(event.identity, event)
    return tuple(seen.values())


def event_of(raw: Raw, home: str | None = None) -> CameraEvent:
    """One event, in either of the two shapes."""
    sub = raw.get("sub_type")
    return CameraEvent(
        id=identity(raw.get("id")),
        home=home,
        kind=text(raw.get("type")) or NAMELESS_KIND,
        sub_kind=text(sub) if isinstance(sub, str) else whole(sub),
        category=text(raw.get("category")),
        time=moment(raw.get("time")),
        camera=_first_id(raw, "module_id", "camera_id", "device_id"),
        person=identity(raw.get("person_id")),
        is_arrival=truth(raw.get("is_arrival")),
        message=plain(raw.get("message")),
        video=text(raw.get("video_id")),
        video_status=text(raw.get("video_status")),
        snapshot=picture_of(raw.get("snapshot")),
        vignette=picture_of(raw.get("vignette")),
        parts=tuple(map(_part, (*things(raw.get("subevents")), *things(raw.get("event_list"))))),
        raw=raw,
    )


def picture_of(raw: object) -> Picture | None:
    """A snapshot, a vignette or a face; None where nothing says how to have it.

    A bare string is taken for its address, as homesdata tells a face.
    """
    if isinstance(raw, str):
        return Picture(_address(raw)) if _address(raw) else None
    told = thing(raw)
    url, image, key = _address(told.get("url")), text(told.get("id")), text(told.get("key"))
    if not url and not (image and key):
        return None
    return Picture(url, moment(told.get("expires_at")), image, key)


def plain(message: object) -> str | None:
    """A message without its markup, on one line."""
    if not isinstance(message, str):
        return None
    return " ".join(unescape(_TAG.sub(" ", message)).split()) or None


_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")


def _told(body: object) -> Iterator[tuple[str | None, Raw]]:
    """Every event with its home's id, wherever an answer may hold them."""
    # an account or a home without events: no body, {}, or [] as PHP writes an empty object
    if body is not None and not isinstance(body, dict | list):
        raise UpstreamFault("Netatmo's answer holds no events")
    told = thing(body)
    for home in (thing(told.get("home")), *things(told.get("homes"))):
        for raw in things(home.get("events")):
            yield identity(home.get("id")), raw
    for raw in (*things(told.get("events")), *things(told.get("events_list"))):
        yield None, raw


def _part(raw: Raw) -> EventPart:
    return EventPart(
        id=text(raw.get("id")),
        kind=text(raw.get("type")) or NAMELESS_KIND,
        time=moment(raw.get("time")),
        offset=whole(raw.get("offset")),
        verified=truth(raw.get("verified")),
        message=plain(raw.get("message")),
        snapshot=picture_of(raw.get("snapshot")),
        vignette=picture_of(raw.get("vignette")),
        raw=raw,
    )


def _first_id(raw: Raw, *keys: str) -> ModuleId | None:
    return next((found for key in keys if (found := module_id(raw.get(key)))), None)


def _address(value: object) -> str | None:
    """A URL that can be asked; nothing else that an answer may hold is one."""
    told = text(value)
    try:
        parts = urlsplit(told or "")
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return told if usable else None
