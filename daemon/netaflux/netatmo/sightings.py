"""What the events of a home answer: who was seen, what moved, and where; each camera for itself."""

from collections.abc import Collection, Hashable, Iterable, Mapping

from netaflux.core.model import ModuleId
from netaflux.netatmo.camera_events import MOTIONS, OUTDOOR, CameraEvent

PERSON = "person"


class Sightings:
    """The events of one home, in order, and the questions one asks of them.

    The questions are about a camera's last event: what came before it does not count. A camera without
    events, or one that nobody has, has seen nothing.
    """

    def __init__(self, events: Iterable[CameraEvent], known: Collection[str] = ()) -> None:
        """`known` are the ids of the persons that have been given a name."""
        unique: dict[Hashable, CameraEvent] = {}
        for event in events:
            unique.setdefault(event.identity, event)
        # the sort is stable: of two events of one second Netatmo's own order decides
        self.events = tuple(sorted(unique.values(), key=lambda event: -(event.time or 0)))
        """The newest first; those without a time at the end."""
        self._known = frozenset(known)

    def of(self, camera: ModuleId) -> tuple[CameraEvent, ...]:
        """A camera's own events, the newest first."""
        return tuple(event for event in self.events if event.camera == camera)

    def outdoor_of(self, camera: ModuleId) -> tuple[CameraEvent, ...]:
        """Those of them that consist of parts."""
        return tuple(event for event in self.of(camera) if event.kind == OUTDOOR)

    @property
    def by_camera(self) -> Mapping[ModuleId, Mapping[int, tuple[CameraEvent, ...]]]:
        """Events by camera and time; more than one may share a second."""
        return _by_camera(self.events)

    @property
    def outdoor_by_camera(self) -> Mapping[ModuleId, Mapping[int, tuple[CameraEvent, ...]]]:
        """Outdoor events by camera and time."""
        return _by_camera(event for event in self.events if event.kind == OUTDOOR)

    def last(self, camera: ModuleId) -> CameraEvent | None:
        """The camera's newest event of a known time."""
        return _newest(self.of(camera))

    def last_outdoor(self, camera: ModuleId) -> CameraEvent | None:
        """The camera's newest outdoor event."""
        return _newest(self.outdoor_of(camera))

    def saw_person(self, camera: ModuleId, person: str) -> bool:
        """Whether the last event is that person's being seen."""
        seen = self._face(camera)
        return seen is not None and seen == person

    def saw_someone_known(self, camera: ModuleId) -> bool:
        """Whether the last event is that of a face with a name."""
        return self._face(camera) in self._known

    def saw_someone_unknown(self, camera: ModuleId) -> bool:
        """Whether the last event is that of a face without one."""
        last = self.last(camera)
        return last is not None and last.kind == PERSON and last.person not in self._known

    def saw_motion(self, camera: ModuleId) -> bool:
        """Whether the last event is a movement, be it known what moved or not."""
        last = self.last(camera)
        return last is not None and last.kind in MOTIONS

    def saw_outdoor_motion(self, camera: ModuleId) -> bool:
        """Whether the last event is an outdoor one in which something moved."""
        last = self.last(camera)
        return last is not None and last.kind == OUTDOOR and bool(last.saw & MOTIONS)

    def saw_human(self, camera: ModuleId) -> bool:
        """Whether a human belongs to the last outdoor event."""
        return self._outdoors(camera, "human")

    def saw_animal(self, camera: ModuleId) -> bool:
        """Whether an animal belongs to the last outdoor event."""
        return self._outdoors(camera, "animal")

    def saw_car(self, camera: ModuleId) -> bool:
        """Whether a vehicle belongs to the last outdoor event."""
        return self._outdoors(camera, "vehicle")

    def _outdoors(self, camera: ModuleId, what: str) -> bool:
        last = self.last_outdoor(camera)
        return last is not None and what in last.saw

    def _face(self, camera: ModuleId) -> str | None:
        last = self.last(camera)
        return last.person if last and last.kind == PERSON else None


def _newest(events: Iterable[CameraEvent]) -> CameraEvent | None:
    return next((event for event in events if event.time is not None), None)


def _by_camera(
    events: Iterable[CameraEvent],
) -> Mapping[ModuleId, Mapping[int, tuple[CameraEvent, ...]]]:
    found: dict[ModuleId, dict[int, tuple[CameraEvent, ...]]] = {}
    for event in events:
        if event.camera and event.time is not None:
            times = found.setdefault(event.camera, {})
            times[event.time] = (*times.get(event.time, ()), event)
    return found
