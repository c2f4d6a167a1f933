"""Security over real sockets, against the simulated Netatmo."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from netaflux.core.errors import (
    DeviceUnreachable,
    NotFound,
    OutcomeUnknown,
    QuotaReached,
    ScopeDenied,
    TooLarge,
    Unreachable,
    UpstreamFault,
    UsageError,
)
from netaflux.core.model import ModuleId
from netaflux.http import LARGEST_ANSWER, Http
from netaflux.netatmo.camera_events import CameraEvent, Picture
from netaflux.netatmo.cameras import Camera, GuardedHome, Person
from netaflux.netatmo.housing import Housing
from netaflux.netatmo.live import Addresses, addresses
from netaflux.netatmo.security import READ_SCOPES, Security
from netaflux.netatmo.sightings import Sightings
from netaflux.simulator import Fault, Served, World, serve
from netaflux.simulator.accounts import ALL_SCOPES
from netaflux.simulator.guard import PICTURE_LIFETIME, signature
from netaflux.simulator.picture import jpeg
from tests.fakes import TurnedClock
from tests.netatmo.world import Handler, Keeper, Wired, serving, wired
from tests.simulator.guarded import ANNE, DRIVE, HALL, HOME, STRANGER, guarded_house

NOW = 1_700_000_000
SCOPES = ("read_station", "read_camera", "write_camera")
AR_HOME = GuardedHome(id=HOME, name="AR Home")
KNOWN, UNKNOWN = Person(id=ANNE, home=HOME, name="Anne"), Person(id=STRANGER, home=HOME)


@dataclass
class Scene:
    security: Security
    served: Served
    wired: Wired

    @property
    def clock(self) -> TurnedClock:
        return self.wired.clock

    def truth(self, begin: float = 0) -> list[str]:
        """The ids of all events, newest first, as the house knows them."""
        told = self.served.house.guards[HOME].footage.between(begin, NOW + 1, self.clock.now())
        return [seen.id for seen in reversed(told)]

    def asked(self, endpoint: str) -> int:
        return self.served.netatmo.ledger.counts[f"/api/{endpoint}"]

    async def events(self, **how: object) -> list[CameraEvent]:
        return [event async for event in self.security.events(HOME, **how)]  # type: ignore[arg-type]

    async def one(self, kind: str) -> CameraEvent:
        async for event in self.security.events(HOME):
            if event.kind == kind:
                return event
        raise AssertionError(kind)

    def camera(self, id_: str) -> Camera:
        told = self.served.house.guards[HOME].modules_now(self.served.netatmo_url)
        vpn_url = next(each["vpn_url"] for each in told if each["id"] == id_)
        return Camera(id=ModuleId(id_), home=HOME, kind="NACamera", name="Hall", vpn_url=vpn_url)


@asynccontextmanager
async def on_stage(*, scopes: tuple[str, ...] = SCOPES, total: float = 5) -> AsyncIterator[Scene]:
    clock = TurnedClock(NOW)
    async with serve(World.of(guarded_house(NOW), scopes=ALL_SCOPES), clock) as served:
        access = served.netatmo.logins.issue("default", scopes).access
        async with (
            wired(served.netatmo_url, keeper=Keeper(access, access), clock=clock, total=total) as whole,
            Http.open(total=total) as http,
        ):
            security = Security(whole.client, http, Housing(whole.client))
            yield Scene(security, served, whole)


@asynccontextmanager
async def events_from(handler: Handler) -> AsyncIterator[Security]:
    """Security whose events that handler tells."""
    async with serving({"getevents": handler}) as url, wired(url) as whole, Http.open() as http:
        yield Security(whole.client, http, Housing(whole.client))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with on_stage() as scene:
        yield scene


async def test_all_events_come_once_and_the_newest_first(scene: Scene) -> None:
    events = await scene.events()

    assert len(events) > 100
    assert [event.id for event in events] == scene.truth()
    assert {event.home for event in events} == {HOME}


async def test_a_server_that_repeats_a_page_is_not_asked_for_ever(scene: Scene) -> None:
    scene.served.netatmo.watch.repeats = True

    events = await scene.events()

    assert [event.id for event in events] == scene.truth()[:30]
    assert scene.asked("getevents") == 2


async def test_a_server_that_always_tells_new_ids_is_not_asked_for_ever() -> None:
    """It answers every page with the same events under other ids."""
    asked: list[str] = []

    async def renames(request: web.Request) -> web.Response:
        asked.append(request.query.get("event_id", ""))
        events = [{"id": f"{len(asked)}-{number}", "time": NOW - number} for number in range(30)]
        return web.json_response({"status": "ok", "body": {"home": {"id": HOME, "events": events}}})

    async with events_from(renames) as security, asyncio.timeout(5):
        told = [event.id async for event in security.events(HOME)]

    assert (len(told), asked) == (60, ["", "1-29"])


async def test_a_home_is_not_asked_for_more_pages_than_anybody_has(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netaflux.netatmo.security.MOST_PAGES", 3)

    assert [event.id for event in await scene.events()] == scene.truth()[:88]
    assert scene.asked("getevents") == 3


async def test_an_event_is_found_by_its_id_in_any_spelling() -> None:
    async def answers(_: web.Request) -> web.Response:
        events = [{"id": "64D1E3deb109", "time": NOW}]
        return web.json_response({"status": "ok", "body": {"home": {"id": HOME, "events": events}}})

    async with events_from(answers) as security:
        found = [await security.event(HOME, text) for text in ("64D1E3deb109", " 64d1e3DEB109 ", "64d1")]

    assert [event and event.id for event in found] == ["64D1E3deb109", "64D1E3deb109", None]


async def test_events_since_a_moment_end_there(scene: Scene) -> None:
    since = NOW - 20_000

    events = await scene.events(since=since)

    assert [event.id for event in events] == scene.truth(since)
    assert scene.asked("getevents") == 1


async def test_the_list_is_updated_from_an_event_that_is_known(scene: Scene) -> None:
    known = scene.truth()[5]

    assert [event.id for event in await scene.events(known=known)] == scene.truth()[:5]


async def test_events_of_one_camera_or_one_person(scene: Scene) -> None:
    assert {event.camera for event in await scene.events(camera=DRIVE)} == {DRIVE}
    assert {event.person for event in await scene.events(person=ANNE)} == {ANNE}


async def test_todays_questions_are_answered_from_the_server(scene: Scene) -> None:
    sightings = Sightings(await scene.events(), known=[ANNE])
    last = sightings.last_outdoor(ModuleId(DRIVE))

    assert last
    assert last.id == (await scene.events(camera=DRIVE))[0].id
    assert sightings.saw_outdoor_motion(ModuleId(DRIVE))
    assert {"human", "animal", "vehicle"} & last.saw == {
        word
        for word, seen in {
            "human": sightings.saw_human,
            "animal": sightings.saw_animal,
            "vehicle": sightings.saw_car,
        }.items()
        if seen(ModuleId(DRIVE))
    }


async def test_an_events_picture_comes_as_bytes_and_type(scene: Scene) -> None:
    event = await scene.one("person")

    image = await scene.security.picture(event)

    assert (image.content, image.kind) == (jpeg(event.id or ""), "jpg")


async def test_an_outdoor_events_picture_is_that_of_its_first_part(scene: Scene) -> None:
    event = await scene.one("outdoor")

    assert (await scene.security.picture(event)).content == jpeg(f"{event.id}-0")


async def test_the_host_of_a_picture_gets_no_credentials_and_leads_nowhere_else(scene: Scene) -> None:
    asked: list[tuple[str, set[str]]] = []

    async def answers(request: web.Request) -> web.Response:
        asked.append((request.path, set(request.headers)))
        if request.path == "/moved.jpg":
            raise web.HTTPFound("/here.jpg")
        return web.Response(body=jpeg("here"), content_type="image/jpeg")

    host = web.Application()
    host.router.add_get("/{path}", answers)
    async with TestServer(host) as server:
        here, moved = (Picture(str(server.make_url(path))) for path in ("/here.jpg", "/moved.jpg"))
        await scene.security.face(replace(KNOWN, face=here))
        with pytest.raises(UpstreamFault, match="302"):
            await scene.security.face(replace(KNOWN, face=moved))

    assert [path for path, _ in asked] == ["/here.jpg", "/moved.jpg"]
    assert not {"Authorization", "Cookie", "Referer"} & asked[0][1]


async def test_a_picture_that_has_expired_is_not_asked_for(scene: Scene) -> None:
    event = await scene.one("person")
    await scene.clock.sleep(PICTURE_LIFETIME)

    with pytest.raises(NotFound, match="expired") as caught:
        await scene.security.picture(event)

    assert "again" in caught.value.remedy
    assert not [call for call in scene.served.netatmo.ledger.calls if call.endpoint.startswith("/pictures")]


async def test_a_picture_that_its_host_takes_for_expired_is_gone(scene: Scene) -> None:
    event = await scene.one("person")
    assert event.snapshot
    await scene.clock.sleep(PICTURE_LIFETIME)

    with pytest.raises(NotFound, match="HTTP 403"):
        await scene.security.picture(replace(event, snapshot=replace(event.snapshot, expires=None)))


async def test_an_event_without_a_picture_says_so(scene: Scene) -> None:
    with pytest.raises(NotFound, match="no picture"):
        await scene.security.picture(await scene.one("sd"))


async def test_an_old_picture_is_had_by_its_id_and_key(scene: Scene) -> None:
    picture = Picture(None, None, "5d44", signature("5d44", "ever"))

    image = await scene.security.face(replace(KNOWN, face=picture))

    assert (image.content, image.kind) == (jpeg("5d44"), "jpg")
    assert scene.wired.permits == 1


async def test_an_old_picture_that_there_is_not_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.security.face(replace(KNOWN, face=Picture(None, None, "5d44", "wrong")))


async def test_a_picture_that_is_too_big_is_not_worth_another_try(scene: Scene) -> None:
    async def answers(_: web.Request) -> web.Response:
        return web.Response(body=jpeg("huge") + bytes(LARGEST_ANSWER), content_type="image/jpeg")

    host = web.Application()
    host.router.add_get("/huge.jpg", answers)
    async with TestServer(host) as server:
        with pytest.raises(TooLarge, match="too big: more than 16 MiB") as caught:
            await scene.security.face(replace(KNOWN, face=Picture(str(server.make_url("/huge.jpg")))))

    assert "again" not in f"{caught.value.message} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.ERROR_503, UpstreamFault), (Fault.HTML_200, UpstreamFault), (Fault.RESET_BEFORE, Unreachable)],
)
async def test_what_is_no_picture_is_refused(scene: Scene, fault: Fault, error: type[Exception]) -> None:
    event = await scene.one("person")
    scene.served.netatmo.faults.add(fault, "/pictures/*")

    with pytest.raises(error) as caught:
        await scene.security.picture(event)

    assert "sig" not in str(caught.value)
    assert "/pictures/" not in str(caught.value)


async def test_a_camera_is_reached_through_the_relay_and_in_its_own_network(scene: Scene) -> None:
    camera = scene.camera(HALL)

    found = await scene.security.addresses(camera)

    assert found.vpn
    assert found.vpn.url == camera.vpn_url
    assert found.local
    assert found.local.url == await scene.security.local_address(camera)
    assert found.local.stream("low") == f"{found.local.url}/live/files/low/index.m3u8"
    paths = [call.endpoint.split("/")[1] for call in scene.served.netatmo.ledger.calls]
    assert paths == ["relay", "local", "relay", "local"]


async def test_an_address_at_which_another_machine_answers_is_not_believed(scene: Scene) -> None:
    scene.served.house.guards[HOME].lenses[HALL].moved = True

    found = await scene.security.addresses(scene.camera(HALL))

    assert found.vpn
    assert found.local is None


@pytest.mark.parametrize(
    "told", ["http://93.184.216.34/x", "http://camera.example.org/x", "ftp://127.0.0.1/"]
)
async def test_nobody_elses_machine_is_asked_for_a_camera(told: str) -> None:
    """Whatever a relay tells: here an address of the internet, which no test could connect to."""

    async def pings(_: web.Request) -> web.Response:
        return web.json_response({"local_url": told})

    relay = web.Application()
    relay.router.add_get("/relay/command/ping", pings)
    async with TestServer(relay) as server, Http.open() as http:
        found = await addresses(str(server.make_url("/relay")), http)

    assert found.vpn
    assert found.local is None


async def test_a_camera_without_local_access_says_so(scene: Scene) -> None:
    with pytest.raises(DeviceUnreachable, match="Hall has no local access"):
        await scene.security.local_address(replace(scene.camera(HALL), vpn_url=None))


@pytest.mark.parametrize(
    "vpn_url",
    [
        "http://relay.invalid/x",
        "https://",
        "ftp://127.0.0.1/",
        "https://user:pass@127.0.0.1/",
        "http://[",
        "x",
    ],
)
async def test_a_relay_that_is_no_safe_address_is_never_asked(vpn_url: str) -> None:
    async with Http.open() as http:
        assert await addresses(vpn_url, http) == Addresses()


async def test_persons_are_marked_away_and_home_again(scene: Scene) -> None:
    faces = scene.served.house.guards[HOME].faces

    await scene.security.mark_away(AR_HOME, KNOWN)
    assert {id_: face.away for id_, face in faces.items()} == {ANNE: True, STRANGER: False}
    await scene.security.mark_away(AR_HOME)
    assert {id_: face.away for id_, face in faces.items()} == {ANNE: True, STRANGER: True}
    await scene.security.mark_home(AR_HOME, [KNOWN, UNKNOWN])

    assert {id_: (face.away, face.last_seen) for id_, face in faces.items()} == {
        ANNE: (False, NOW),
        STRANGER: (False, NOW),
    }


async def test_nobody_cannot_be_marked_home(scene: Scene) -> None:
    with pytest.raises(UsageError):
        await scene.security.mark_home(AR_HOME, [])

    assert scene.asked("setpersonshome") == 0


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.TRUNCATED, Fault.ERROR_503, Fault.HANG_AFTER])
async def test_a_change_whose_outcome_is_unknown_is_not_asked_for_again(fault: Fault) -> None:
    async with on_stage(total=0.5) as scene:
        scene.served.netatmo.faults.add(fault, "/api/setpersonsaway")

        with pytest.raises(OutcomeUnknown, match="unknown") as caught:
            await scene.security.mark_away(AR_HOME, KNOWN)

        assert "netaflux persons" in caught.value.remedy
        assert scene.asked("setpersonsaway") == 1


async def test_a_change_that_was_refused_says_that_nothing_was_changed(scene: Scene) -> None:
    scene.served.netatmo.faults.add(Fault.QUOTA_429, "/api/setpersonsaway", times=1)

    with pytest.raises(QuotaReached) as caught:
        await scene.security.mark_away(AR_HOME, KNOWN)

    assert "Nothing was changed" in caught.value.remedy
    assert scene.asked("setpersonsaway") == 1


async def test_a_person_that_netatmo_does_not_know_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.security.mark_home(AR_HOME, [replace(KNOWN, id="nobody")])


async def test_a_missing_scope_is_named() -> None:
    async with on_stage(scopes=("read_station",)) as scene:
        with pytest.raises(ScopeDenied) as reading:
            await scene.events()
        with pytest.raises(ScopeDenied) as writing:
            await scene.security.mark_away(AR_HOME)

    asked = " ".join(f"--scope {each}" for each in ("read_station", *READ_SCOPES))
    assert "this needs read_camera or read_presence or read_doorbell" in reading.value.message
    assert f"`netaflux authorize --account anne {asked}`" in reading.value.remedy
    assert "this needs write_camera" in writing.value.message
