"""What guards an account's homes: cameras, persons, events and pictures; and saying who is home."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from math import inf

from netaflux.core.errors import DeviceUnreachable, NotFound, ScopeDenied, UsageError
from netaflux.core.model import Lane
from netaflux.core.names import plain_id
from netaflux.http import Http
from netaflux.netatmo.camera_events import CameraEvent, events_of
from netaflux.netatmo.cameras import Camera, GuardedHome, GuardedHomes, Person, guarded_home, homes_of_old
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.homes import Home
from netaflux.netatmo.housing import Housing
from netaflux.netatmo.live import Addresses, addresses
from netaflux.netatmo.pictures import Image, fetched
from netaflux.netatmo.scopes import needing
from netaflux.netatmo.sightings import Sightings
from netaflux.netatmo.writing import write

READ_SCOPES = ("read_camera", "read_presence", "read_doorbell")
"""What reading takes: indoor cameras, outdoor ones, doorbells."""
WRITE_SCOPES = ("write_camera",)
PAGE_EVENTS = 30
"""How many events one answer of getevents holds, if it is not asked for more."""
MOST_PAGES = 3000
"""Pages of one home's events that are asked for: more than cameras tell of in years."""
LOOK = "`netaflux persons`"


class Security:
    """homesdata, homestatus, getevents and what belongs to them, with answers in our own types.

    Every method raises NetatmoError, Unreachable, NotAuthorized, StateError; a missing scope is named.
    """

    def __init__(
        self,
        client: NetatmoClient,
        http: Http,
        housing: Housing,
        granted: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`http` is for other hosts than the API's: pictures and cameras, which are sent no credentials."""
        self._client = client
        self._granted = granted
        self._http = http
        self._housing = housing

    async def homes(self) -> GuardedHomes:
        """All homes with their cameras and persons, as they are now."""
        with self._needing(READ_SCOPES):
            homes = await self._housing.homes()
        return GuardedHomes(tuple(filter(None, map(_guarded, homes))))

    async def old_homes(self) -> GuardedHomes:
        """The same by gethomedata, events and all; most accounts are refused it since 2025 (403, code 13)."""
        try:
            told = await self._client.call("gethomedata", {"size": str(PAGE_EVENTS)}, lane=Lane.LIVE)
        except ScopeDenied as error:
            error.remedy = "Netatmo has closed gethomedata to most; `homes` and `events` tell the same."
            raise
        return homes_of_old(told)

    async def events(
        self,
        home: str,
        *,
        since: int | None = None,
        known: str | None = None,
        camera: str | None = None,
        person: str | None = None,
        lane: Lane = Lane.LIVE,
    ) -> AsyncIterator[CameraEvent]:
        """A home's events, the newest first and each once, page after page until Netatmo has no more.

        `since` ends it at a moment, `known` at an event's id, which is left out. It ends where a page brings
        nothing new, or goes no further back than the one before: pages overlap, and a server that repeats
        itself, or tells new ids each time, must not be asked for ever.
        """
        asked = {"home_id": home, "size": str(PAGE_EVENTS)}
        asked |= {"device_id": camera} if camera else {}
        asked |= {"person_id": person} if person else {}
        seen: set[object] = set()
        reached = inf
        for _ in range(MOST_PAGES):
            page = events_of(await self._read("getevents", asked, lane), home)
            fresh = [event for event in page if event.identity not in seen]
            seen |= {event.identity for event in fresh}
            for event in fresh:
                if known is not None and event.id == known:
                    return
                if since is None or event.time is None or event.time >= since:
                    yield event
            cursor = next((event.id for event in reversed(fresh) if event.id), None)
            end = _end(fresh)
            if cursor is None or end >= reached or (since is not None and end < since):
                return
            reached = end
            asked["event_id"] = cursor
            lane = Lane.HISTORY

    async def sightings(self, home: GuardedHome, *, since: int | None = None) -> Sightings:
        """All events of a home, or those since a moment, to ask questions of."""
        events = [event async for event in self.events(home.id, since=since)]
        return Sightings(events, [person.id for person in home.known_persons])

    async def event(self, home: str, event_id: str, *, most: int = 300) -> CameraEvent | None:
        """One event by its id, in any spelling, among the newest `most`; its pictures are fresh."""
        looked, wanted = 0, plain_id(event_id)
        async for event in self.events(home):
            if event.id is not None and plain_id(event.id) == wanted:
                return event
            looked += 1
            if looked >= most:
                break
        return None

    async def picture(self, event: CameraEvent) -> Image:
        """An event's picture. Raises NotFound where it has none, or none any more."""
        if not event.pictures:
            raise NotFound(
                f"event {event.id} has no picture", advice="`netaflux events` marks those that have."
            )
        return await fetched(event.pictures[0], http=self._http, client=self._client)

    async def face(self, person: Person) -> Image:
        """A person's face. Raises NotFound where there is none."""
        if person.face is None:
            raise NotFound(f"there is no picture of {person.name or person.id}", advice="")
        return await fetched(person.face, http=self._http, client=self._client)

    async def addresses(self, camera: Camera) -> Addresses:
        """The ways to a camera's live picture; the local one is found by asking it twice."""
        return await addresses(camera.vpn_url, self._http)

    async def local_address(self, camera: Camera) -> str:
        """The camera's address in our own network. Raises DeviceUnreachable where it cannot be reached so."""
        found = (await self.addresses(camera)).local
        if found is None:
            raise DeviceUnreachable(
                f"{camera.name or camera.id} has no local access that works from this machine",
                advice="It must be on, in this network, and the account must be allowed to see its relay "
                "(scope access_camera, access_presence or access_doorbell).",
            )
        return found.url

    async def mark_home(self, home: GuardedHome, persons: Sequence[Person]) -> None:
        """Say that these persons are home. Raises OutcomeUnknown, UsageError."""
        if not persons:
            raise UsageError("nobody is named to be marked home", advice="Name at least one person.")
        form = {"home_id": home.id, "person_ids[]": [person.id for person in persons]}
        with self._needing(WRITE_SCOPES):
            await write(self._client, "setpersonshome", form, look=LOOK)

    async def mark_away(self, home: GuardedHome, person: Person | None = None) -> None:
        """Say that a person has left, or without one that everybody has. Raises OutcomeUnknown."""
        form = {"home_id": home.id, **({"person_id": person.id} if person else {})}
        with self._needing(WRITE_SCOPES):
            await write(self._client, "setpersonsaway", form, look=LOOK)

    async def _read(self, endpoint: str, params: Mapping[str, str], lane: Lane = Lane.LIVE) -> Envelope:
        with self._needing(READ_SCOPES):
            return await self._client.call(endpoint, params, lane=lane)

    def _needing(self, scopes: Sequence[str]) -> AbstractContextManager[None]:
        return needing(scopes, self._client.account, self._granted)


def _guarded(home: Home) -> GuardedHome | None:
    lost = [module.id for module in home.modules if module.reachable is False]
    return guarded_home(home.raw, home.raw_status if home.known_status else None, lost)


def _end(page: Sequence[CameraEvent]) -> float:
    """How far back a page goes; one without a time goes nowhere."""
    return next((event.time for event in reversed(page) if event.time is not None), inf)
