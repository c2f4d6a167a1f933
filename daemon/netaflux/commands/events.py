"""`events`: what the cameras saw; with `follow` also what they are going to see.

Events: one `seen` each, the newest first, or with `follow` as they happen; `looked` after each look, and
`trouble` where Netatmo cannot be asked for a while; then `result`.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from pydantic import Field

from netaflux.app import App
from netaflux.commands.guarded import Place, Places, titled, watched
from netaflux.commands.named import a_moment
from netaflux.commands.requests import OfHome, understood
from netaflux.commands.words import Json
from netaflux.core.errors import Busy, NetafluxError, QuotaReached, Unreachable, UpstreamFault, UsageError
from netaflux.core.settings import Count
from netaflux.netatmo.camera_events import CameraEvent

MOST = 30
LOOKED_AT = 600
"""Events of a home that are looked at for those of one camera or person, where no begin is named."""
LATE = 3600
"""Seconds of the past that are looked at again for events that Netatmo tells late."""
LEAST_PAUSE = 10.0
_PASSES = (Busy, QuotaReached, Unreachable, UpstreamFault)


class EventsRequest(OfHome):
    """Which events, and whether those to come as well."""

    follow: bool = False
    camera: str | None = None
    person: str | None = None
    since: str | None = None
    most: Count | None = None
    every: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60
    """Seconds between two looks."""


async def events(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """List the newest `most` of each home, or all since `since`, of one camera or person if it is named."""
    request = understood("events", EventsRequest, asked)
    found = await watched(app, request)
    wanted = _Wanted.read(app, request, found)
    seen = [(place, event) for place in wanted.places for event in await wanted.newest(place)]
    seen.sort(key=lambda one: -(one[1].time or 0))
    for place, event in reversed(seen) if request.follow else seen:
        yield _seen(place, event)
    if request.follow:
        pause = max(LEAST_PAUSE, request.every)
        async for told in _followed(app, wanted, seen, pause):
            yield told
    yield found.result


class _Wanted:
    """Which events are asked for."""

    def __init__(self, places_: list[Place], camera: str | None, person: str | None) -> None:
        self.places = places_
        self.since: int | None = None
        self.most: int | None = MOST
        self._camera = camera
        self._person = person

    @classmethod
    def read(cls, app: App, asked: EventsRequest, found: Places) -> "_Wanted":
        """Raises UsageError, NoDevice."""
        camera = found.camera(asked.camera) if asked.camera else None
        person = found.person(asked.person) if asked.person else None
        if camera and person and camera.home != person.home:
            raise UsageError("that camera and that person are not of one home", advice="")
        homes = [found.place(one.home) for one in (camera, person) if one][:1] or found.places
        wanted = cls(homes, camera.id if camera else None, person.id if person else None)
        if asked.since:
            now, zone = app.clock.now(), homes[0].home.timezone
            wanted.since = a_moment("--since", asked.since).resolve(now, zone)
            if wanted.since > now:
                raise UsageError(f"--since {asked.since} lies in the future", advice="")
            wanted.most = None
        wanted.most = asked.most or wanted.most
        return wanted

    async def newest(self, place: Place, since: int | None = None) -> list[CameraEvent]:
        """The newest events of a home, newest first; all since a moment, if there is one."""
        begin = self.since if since is None else since
        told: list[CameraEvent] = []
        looked_at = 0
        async for event in place.security.events(place.home.id, since=begin):
            looked_at += 1
            if self._fits(event):
                told.append(event)
            if since is None and self.most is not None and len(told) >= self.most:
                break
            if begin is None and looked_at >= LOOKED_AT:
                break
        return told

    def _fits(self, event: CameraEvent) -> bool:
        return self._camera in (None, event.camera) and self._person in (None, event.person)


async def _followed(
    app: App, wanted: _Wanted, seen: list[tuple[Place, CameraEvent]], pause: float
) -> AsyncIterator[Json]:
    """What is new at each look; late events too, each once."""
    told = {event.identity for _, event in seen}
    newest = int(app.clock.now())
    troubled: set[str] = set()
    while True:
        await app.clock.sleep(pause)
        begin, newest = newest - LATE, int(app.clock.now())
        for place in wanted.places:
            try:
                fresh = await wanted.newest(place, begin)
            except _PASSES as error:
                if place.id not in troubled:
                    yield _trouble(error)
                troubled.add(place.id)
                continue
            troubled.discard(place.id)
            for event in reversed([one for one in fresh if one.identity not in told]):
                told.add(event.identity)
                yield _seen(place, event)
        # whoever has gone away is noticed when something is sent to them
        yield {"event": "looked"}


def _trouble(error: NetafluxError) -> Json:
    return {"event": "trouble", "message": error.message, "remedy": "The next look may succeed."}


def _seen(place: Place, event: CameraEvent) -> Json:
    return {
        "event": "seen",
        "account": place.account,
        "home": place.home.id,
        "home_name": place.home.name,
        "id": event.id,
        "time": event.time,
        "kind": event.kind,
        "sub_kind": event.sub_kind,
        "category": event.category,
        "camera": event.camera,
        "camera_name": titled(place.home.cameras, event.camera),
        "person": event.person,
        "person_name": titled(place.home.persons, event.person),
        "message": event.message,
        "video_status": event.video_status,
        "picture": bool(event.pictures),
        "parts": [{"kind": part.kind, "time": part.time, "message": part.message} for part in event.parts],
    }
