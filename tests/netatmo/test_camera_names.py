"""Every name of the old library's CameraData, shown to work through the front door and over real sockets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from netaflux.core.errors import ScopeDenied
from netaflux.core.model import ModuleId
from netaflux.netatmo import (
    GuardedHome,
    GuardedHomes,
    Netatmo,
    NoDevice,
    OutcomeUnknown,
    Sightings,
    TokenPair,
    UnknownName,
)
from netaflux.simulator import Fault, Served, World, serve
from netaflux.simulator.accounts import ALL_SCOPES
from netaflux.simulator.footage import Seen
from netaflux.simulator.picture import jpeg
from tests.fakes import TurnedClock
from tests.simulator.guarded import ANNE, DRIVE, HALL, HOME, STRANGER, guarded_house

NOW = 1_700_000_000


async def kept(pair: TokenPair) -> None:
    assert pair.refresh


@dataclass
class Scene:
    netatmo: Netatmo
    served: Served
    homes: GuardedHomes
    sightings: Sightings

    @property
    def home(self) -> GuardedHome:
        return self.homes.home()

    def seen(self, camera: str) -> list[Seen]:
        """What a camera has seen, newest first, as the house knows it."""
        told = self.served.house.guards[HOME].footage.between(0, NOW + 1, NOW)
        return [one for one in reversed(told) if one.eye.id == camera]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    clock = TurnedClock(NOW)
    async with serve(World.of(guarded_house(NOW), scopes=ALL_SCOPES), clock) as served:
        app = served.netatmo.settings.app
        async with Netatmo.open(
            client_id=app.client_id,
            client_secret=app.client_secret,
            refresh_token=served.refresh_tokens["default"],
            save=kept,
            api_url=served.netatmo_url,
            clock=clock,
        ) as netatmo:
            homes = await netatmo.security.homes()
            yield Scene(netatmo, served, homes, await netatmo.security.sightings(homes.home()))


async def test_raw_data(scene: Scene) -> None:
    assert scene.home.raw["name"] == "AR Home"
    assert scene.homes.camera().raw["sd_status"] == 4


async def test_no_device(scene: Scene) -> None:
    scene.served.house.guards.clear()

    with pytest.raises(NoDevice):
        (await scene.netatmo.security.homes()).home()


async def test_default_home_and_default_camera(scene: Scene) -> None:
    assert (scene.homes.home().name, scene.homes.camera().name) == ("AR Home", "Hall")


async def test_homes_cameras_and_persons(scene: Scene) -> None:
    assert [home.id for home in scene.homes.homes] == [HOME]
    assert [camera.id for camera in scene.homes.cameras] == [HALL, DRIVE]
    assert [person.id for person in scene.homes.persons] == [ANNE, STRANGER]


async def test_events_and_outdoor_events(scene: Scene) -> None:
    for camera in (ModuleId(HALL), ModuleId(DRIVE)):
        known = sorted(seen.time for seen in scene.seen(camera))
        assert sorted(scene.sightings.by_camera[camera]) == known
    assert list(scene.sightings.outdoor_by_camera) == [DRIVE]
    assert all(event.parts for event in scene.sightings.outdoor_of(ModuleId(DRIVE)))


async def test_home_and_camera_by_id_and_by_name(scene: Scene) -> None:
    assert scene.homes.home(HOME.upper()) == scene.homes.home(" ar home ")
    assert scene.homes.camera(DRIVE) == scene.homes.camera("drive", "AR Home")
    with pytest.raises(UnknownName):
        scene.homes.camera("Hal")


async def test_camera_type(scene: Scene) -> None:
    drive = scene.homes.camera("Drive")

    assert (drive.kind, drive.kind_in_words) == ("NOC", "outdoor camera (Presence)")


async def test_camera_urls_by_name(scene: Scene) -> None:
    ways = await scene.netatmo.security.addresses(scene.homes.camera("Hall"))

    assert ways.vpn
    assert ways.local
    assert ways.vpn.url != ways.local.url


async def test_persons_at_home_by_name(scene: Scene) -> None:
    assert [person.name for person in scene.home.persons_at_home] == ["Anne"]


async def test_get_camera_picture(scene: Scene) -> None:
    event = next(event for event in scene.sightings.of(ModuleId(HALL)) if event.kind == "person")

    image = await scene.netatmo.security.picture(event)

    assert (image.content, image.kind) == (jpeg(event.id or ""), "jpg")


async def test_get_profile_image(scene: Scene) -> None:
    image = await scene.netatmo.security.face(scene.homes.person("anne"))

    assert (image.content, image.kind) == (jpeg(f"face-{ANNE}"), "jpg")


async def test_update_event(scene: Scene) -> None:
    known = scene.sightings.events[4]

    later = [event async for event in scene.netatmo.security.events(HOME, known=known.id)]

    assert later == list(scene.sightings.events[:4])


@pytest.mark.parametrize("back", range(8))
async def test_the_questions_about_a_persons_face(scene: Scene, back: int) -> None:
    """Asked of each of the newest eight events as if it were the last."""
    last = scene.seen(HALL)[back]
    sightings = Sightings(
        [event for event in scene.sightings.events if (event.time or 0) <= last.time], known=[ANNE]
    )
    about_a_face = last.kind == "person"

    assert sightings.saw_person(ModuleId(HALL), ANNE) == (about_a_face and last.person == ANNE)
    assert sightings.saw_someone_known(ModuleId(HALL)) == (about_a_face and last.person == ANNE)
    assert sightings.saw_someone_unknown(ModuleId(HALL)) == (about_a_face and last.person == STRANGER)
    assert sightings.saw_motion(ModuleId(HALL)) == (last.kind == "movement")
    assert not sightings.saw_outdoor_motion(ModuleId(HALL))


@pytest.mark.parametrize("back", range(8))
async def test_the_questions_about_the_outdoors(scene: Scene, back: int) -> None:
    last = scene.seen(DRIVE)[back]
    sightings = Sightings(event for event in scene.sightings.events if (event.time or 0) <= last.time)

    assert sightings.saw_outdoor_motion(ModuleId(DRIVE))
    assert sightings.saw_human(ModuleId(DRIVE)) == ("human" in last.parts)
    assert sightings.saw_animal(ModuleId(DRIVE)) == ("animal" in last.parts)
    assert sightings.saw_car(ModuleId(DRIVE)) == ("vehicle" in last.parts)


async def test_the_known_are_those_with_a_name(scene: Scene) -> None:
    last = scene.sightings.last(ModuleId(HALL))

    assert last
    assert scene.sightings.saw_someone_known(ModuleId(HALL)) == (
        last.kind == "person" and last.person == ANNE
    )


async def test_persons_are_marked_home_and_away(scene: Scene) -> None:
    await scene.netatmo.security.mark_away(scene.home)
    assert (await scene.netatmo.security.homes()).home().persons_at_home == ()
    await scene.netatmo.security.mark_home(scene.home, [scene.homes.person("anne")])
    assert [one.name for one in (await scene.netatmo.security.homes()).home().persons_at_home] == ["Anne"]


async def test_a_change_that_times_out_is_not_repeated(scene: Scene) -> None:
    scene.served.netatmo.faults.add(Fault.RESET_AFTER, "/api/setpersonsaway")

    with pytest.raises(OutcomeUnknown):
        await scene.netatmo.security.mark_away(scene.home)


async def test_the_old_answer_is_read_where_netatmo_still_gives_it(scene: Scene) -> None:
    scene.served.netatmo.watch.serves_old = True

    old = await scene.netatmo.security.old_homes()

    assert [camera.id for camera in old.cameras] == [HALL, DRIVE]
    assert [person.name for person in old.home().persons_at_home] == ["Anne"]
    told = [(event.id, event.camera, event.person, event.saw) for event in old.home().events]
    assert told == [
        (event.id, event.camera, event.person, event.saw) for event in scene.sightings.events[: len(told)]
    ]
    assert len(told) == 30
    assert (await scene.netatmo.security.face(old.person("anne"))).content == jpeg(f"face-{ANNE}")


async def test_the_closed_endpoint_says_what_to_use_instead(scene: Scene) -> None:
    with pytest.raises(ScopeDenied) as caught:
        await scene.netatmo.security.old_homes()

    assert "`homes`" in caught.value.remedy
