"""What guards a simulated home: cameras and persons, as homesdata and homestatus tell of them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from netaflux.simulator.footage import OUTDOORS, Eye, Footage, Seen

Json = dict[str, Any]

PICTURE_LIFETIME = 600
"""Seconds that the address of a picture is good for (observed)."""


@dataclass(slots=True, kw_only=True)
class Face:
    """A person that the cameras know again; one without a name is a stranger."""

    id: str
    name: str | None = None
    away: bool = True
    last_seen: int = 0


@dataclass(slots=True, kw_only=True)
class Lens:
    """A camera, and what is odd about it."""

    eye: Eye
    name: str | None = None
    monitoring: str = "on"
    local: bool = True
    """Whether it answers in its own network, too."""
    relayed: bool = True
    """Whether the account is told its relay."""
    reachable: bool = True
    moved: bool = False
    """Whether it tells an address at which another machine answers."""
    extra_fields: Json = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What its relay's address holds, so that nobody can guess it."""
        return f"{crc32(f'relay of {self.eye.id}'.encode()):08x}"


class Guard:
    """Cameras and persons of one home."""

    def __init__(self, lenses: Collection[Lens], faces: Collection[Face] = ()) -> None:
        self.lenses = {lens.eye.id: lens for lens in lenses}
        self.faces = {face.id: face for face in faces}
        self.footage = Footage([lens.eye for lens in lenses])

    def modules_told(self) -> list[Json]:
        """The cameras in homesdata."""
        return [
            {
                "id": lens.eye.id,
                "type": lens.eye.kind,
                "setup_date": lens.eye.set_up,
                **({"name": lens.name} if lens.name is not None else {}),
            }
            for lens in self.lenses.values()
        ]

    def modules_now(self, base: str) -> list[Json]:
        """The cameras in homestatus, relays at `base`; those that cannot be reached are not there."""
        return [_now(lens, base) for lens in self.lenses.values() if lens.reachable]

    def errors_now(self) -> list[Json]:
        """Those that cannot be reached, as homestatus tells of them."""
        return [{"code": 6, "id": lens.eye.id} for lens in self.lenses.values() if not lens.reachable]

    def persons_told(self, base: str, now: float) -> list[Json]:
        """The persons in homesdata."""
        return [
            {
                "id": face.id,
                "url": picture_url(base, f"face-{face.id}", now),
                **({"pseudo": face.name} if face.name is not None else {}),
            }
            for face in self.faces.values()
        ]

    def persons_now(self) -> list[Json]:
        """The persons in homestatus."""
        return [
            {"id": face.id, "last_seen": face.last_seen, "out_of_sight": face.away}
            for face in self.faces.values()
        ]

    def events_told(
        self, at: float, base: str, size: int, *, event_id: str = "", camera: str = "", person: str = ""
    ) -> list[Json]:
        """A page of getevents. Raises KeyError for an event that there is not."""
        until = self.footage.find(event_id, at) if event_id else None
        told: list[Json] = []
        for seen in self.footage.back_from(at, until):
            if len(told) == size:
                break
            if camera in ("", seen.eye.id) and person in ("", seen.person):
                told.append(self._event(seen, at, base))
        return told

    def old_told(self, at: float, base: str, size: int) -> Json:
        """Everything at once, as gethomedata told it."""
        return {
            "cameras": [_old(lens, base) for lens in self.lenses.values()],
            "persons": [
                {
                    "id": face.id,
                    "last_seen": face.last_seen,
                    "out_of_sight": face.away,
                    "face": {
                        "id": f"face-{face.id}",
                        "version": 1,
                        "key": signature(f"face-{face.id}", "ever"),
                    },
                    **({"pseudo": face.name} if face.name is not None else {}),
                }
                for face in self.faces.values()
            ],
            "events": [_old_event(event) for event in self.events_told(at, base, size)],
        }

    def _event(self, seen: Seen, at: float, base: str) -> Json:
        shown: Json = {
            "id": seen.id,
            "type": seen.kind,
            "time": seen.time,
            "module_id": seen.eye.id,
        }
        if seen.kind == "sd":
            return {**shown, "sub_type": 4, "message": "The memory card is working"}
        optional = {"person_id": seen.person, "category": seen.category}
        shown |= {key: told for key, told in optional.items() if told is not None}
        shown |= {"video_id": f"video-{seen.id}", "video_status": "available"}
        if seen.has_picture:
            shown |= _pictures(seen.id, at, base)
        if seen.parts:
            # the parts have messages of their own
            return {**shown, "subevents": [_part(seen, n, at, base) for n in range(len(seen.parts))]}
        return {**shown, "message": self._message(seen)}

    def _message(self, seen: Seen) -> str:
        face = self.faces.get(seen.person or "")
        who = face.name if face and face.name else "Unknown person"
        lens = self.lenses[seen.eye.id]
        what = {"person": f"<b>{who}</b> seen", "person_away": f"<b>{who}</b> has left"}.get(seen.kind)
        return what or f"{(seen.category or seen.kind).capitalize()} at {lens.name or lens.eye.id}"

    def leave(self, person: str | None) -> None:
        """Somebody has gone, or everybody. Raises KeyError."""
        for face in [self.faces[person]] if person else self.faces.values():
            face.away = True

    def arrive(self, persons: Collection[str], now: float) -> None:
        """These are home. Raises KeyError, before anything is changed."""
        for face in [self.faces[person] for person in persons]:
            face.away, face.last_seen = False, int(now)

    def lens_of(self, key: str) -> Lens:
        """The camera behind a relay's address. Raises KeyError."""
        for lens in self.lenses.values():
            if lens.key == key:
                return lens
        raise KeyError(key)


def _now(lens: Lens, base: str) -> Json:
    shown: Json = {
        "id": lens.eye.id,
        "type": lens.eye.kind,
        "monitoring": lens.monitoring,
        "sd_status": 4,
        "alim_status": 2,
        "is_local": lens.local,
        "wifi_strength": 50 + lens.eye.seed % 30,
        "firmware_revision": 3040,
    }
    if lens.eye.kind in OUTDOORS:
        shown["floodlight"] = "auto"
    if lens.relayed:
        shown["vpn_url"] = f"{base}/relay/{lens.key}"
    return {**shown, **lens.extra_fields}


def _old(lens: Lens, base: str) -> Json:
    words = {"id": lens.eye.id, "type": lens.eye.kind, "sd_status": "on", "alim_status": "on"}
    status = lens.monitoring if lens.reachable else "disconnected"
    relay = {"vpn_url": f"{base}/relay/{lens.key}", "is_local": lens.local} if lens.relayed else {}
    return {**words, "status": status, **({} if lens.name is None else {"name": lens.name}), **relay}


def _old_event(event: Json) -> Json:
    """An event in the words of before, its picture by id and key."""
    told = {key: field for key, field in event.items() if key not in ("module_id", "subevents", "vignette")}
    told |= {"camera_id": event["module_id"], "device_id": event["module_id"]}
    if "snapshot" in event:
        told["snapshot"] = _old_picture(event["id"])
    return {**told, **({"event_list": event["subevents"]} if "subevents" in event else {})}


def _old_picture(of: str) -> Json:
    return {"id": of, "version": 1, "key": signature(of, "ever")}


def _part(seen: Seen, number: int, at: float, base: str) -> Json:
    return {
        "id": f"{seen.id}-{number}",
        "type": seen.parts[number],
        "time": seen.time + 3 * number,
        "verified": True,
        "offset": 3 * number,
        "message": f"{seen.parts[number].capitalize()} seen",
        **_pictures(f"{seen.id}-{number}", at, base),
    }


def _pictures(of: str, at: float, base: str) -> Json:
    expires = int(at) + PICTURE_LIFETIME
    return {
        "snapshot": {"url": picture_url(base, of, at), "expires_at": expires},
        "vignette": {"url": picture_url(base, f"{of}-cut", at), "expires_at": expires},
    }


def picture_url(base: str, of: str, now: float) -> str:
    """An address that is good for some minutes, signed."""
    expires = int(now) + PICTURE_LIFETIME
    return f"{base}/pictures/{of}.jpg?se={expires}&sig={signature(of, str(expires))}"


def signature(of: str, expires: str) -> str:
    """What tells that an address was given by us."""
    return f"{crc32(f'{of} until {expires}'.encode()):08x}"
