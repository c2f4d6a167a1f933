from collections.abc import Callable

import pytest

from netaflux.core.model import ModuleId
from netaflux.netatmo.camera_events import CameraEvent, EventPart, events_of
from netaflux.netatmo.sightings import Sightings
from tests.netatmo.world import payload

HALL, DRIVE = ModuleId("70:ee:50:00:00:0b"), ModuleId("70:ee:50:00:00:0a")
ANNE, STRANGER = "anne", "a face"


def seen(kind: str, time: int | None = 1, *, camera: ModuleId | None = HALL, **more: object) -> CameraEvent:
    return CameraEvent(id=f"{kind}@{time}", kind=kind, time=time, camera=camera, **more)  # type: ignore[arg-type]


def outdoor(*kinds: str, time: int = 1, camera: ModuleId = HALL) -> CameraEvent:
    return seen("outdoor", time, camera=camera, parts=tuple(EventPart(kind=kind) for kind in kinds))


ANSWERS: dict[str, Callable[[Sightings], bool]] = {
    "anne": lambda sightings: sightings.saw_person(HALL, ANNE),
    "known": lambda sightings: sightings.saw_someone_known(HALL),
    "unknown": lambda sightings: sightings.saw_someone_unknown(HALL),
    "motion": lambda sightings: sightings.saw_motion(HALL),
    "outdoor motion": lambda sightings: sightings.saw_outdoor_motion(HALL),
    "human": lambda sightings: sightings.saw_human(HALL),
    "animal": lambda sightings: sightings.saw_animal(HALL),
    "car": lambda sightings: sightings.saw_car(HALL),
}


def yes(*events: CameraEvent) -> set[str]:
    """Which of the questions are answered with yes."""
    sightings = Sightings(events, known=[ANNE])
    return {question for question, ask in ANSWERS.items() if ask(sightings)}


@pytest.mark.parametrize(
    ("last", "answered"),
    [
        (seen("person", person=ANNE), {"anne", "known"}),
        (seen("person", person=STRANGER), {"unknown"}),
        (seen("person"), {"unknown"}),
        (seen("person_away", person=ANNE), set()),
        (seen("movement"), {"motion"}),
        (seen("movement", category="animal"), {"motion"}),
        (seen("vehicle"), {"motion"}),
        (outdoor("human", "vehicle"), {"outdoor motion", "human", "car"}),
        (outdoor("animal"), {"outdoor motion", "animal"}),
        (outdoor("movement"), {"outdoor motion"}),
        (outdoor(), set()),
        (seen("connection"), set()),
    ],
)
def test_the_last_event_answers_the_questions(last: CameraEvent, answered: set[str]) -> None:
    assert yes(last) == answered


def test_what_came_before_the_last_event_does_not_count() -> None:
    assert yes(seen("person", 1, person=ANNE), seen("connection", 2)) == set()


def test_the_last_outdoor_event_may_be_older_than_the_last_event() -> None:
    """The document's questions about humans, animals and cars are about the last outdoor event."""
    assert yes(outdoor("animal", time=1), seen("connection", 2)) == {"animal"}


def test_no_camera_answers_for_another() -> None:
    assert yes(outdoor("human", camera=DRIVE), seen("movement", camera=None)) == set()


def test_an_event_without_a_time_is_never_the_last() -> None:
    sightings = Sightings([seen("movement", None), seen("connection", 1)])

    assert sightings.last(HALL) == seen("connection", 1)
    assert Sightings([seen("movement", None)]).last(HALL) is None


def test_of_one_second_the_event_that_netatmo_told_first_is_the_last() -> None:
    sightings = Sightings([seen("movement", 5), seen("connection", 5)])

    assert sightings.last(HALL) == seen("movement", 5)


def test_an_event_that_was_paged_twice_is_there_once() -> None:
    assert len(Sightings([seen("movement"), seen("movement"), seen("connection")]).events) == 2


def test_events_are_found_by_camera_and_time() -> None:
    sightings = Sightings(events_of(payload("events/getevents")))

    assert {camera: sorted(times) for camera, times in sightings.by_camera.items()} == {
        DRIVE: [1763700500],
        HALL: [1763700200, 1763700300, 1763700400],
        "70:ee:50:00:00:0c": [1763700100],
    }
    assert {camera: sorted(times) for camera, times in sightings.outdoor_by_camera.items()} == {
        DRIVE: [1763700500]
    }


def test_two_events_of_one_second_are_both_there() -> None:
    events = (seen("movement", 5), seen("connection", 5))

    assert Sightings(events).by_camera == {HALL: {5: events}}


def test_a_camera_without_events_has_seen_nothing() -> None:
    assert (Sightings(()).last(HALL), Sightings(()).last_outdoor(HALL), yes()) == (None, None, set())
