"""`picture`: an event's picture, or a person's face.

Events: one `picture` with its bytes in base64, then `result`.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator

from netaflux.app import App
from netaflux.commands.guarded import Places, watched
from netaflux.commands.requests import OfHome, understood
from netaflux.commands.words import Json
from netaflux.core.errors import UnknownName
from netaflux.netatmo.pictures import Image


class PictureRequest(OfHome):
    """Of whom, or of what event."""

    of: str


async def picture(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """The picture of `of`: a person by name or id, else an event by its id."""
    request = understood("picture", PictureRequest, asked)
    found = await watched(app, request)
    try:
        person = found.person(request.of)
    except UnknownName as nobody:
        image = await _of_event(found, request.of, nobody)
    else:
        image = await found.place(person.home).security.face(person)
    yield {"event": "picture", "kind": image.kind, "content": b64encode(image.content).decode()}
    yield found.result


async def _of_event(found: Places, event_id: str, nobody: UnknownName) -> Image:
    for place in found.places:
        event = await place.security.event(place.home.id, event_id)
        if event is not None:
            return await place.security.picture(event)
    raise UnknownName(
        f"no recent event has the id `{event_id}`, and {nobody.message}",
        advice="`netaflux events` tells the ids of events, `netaflux persons` the names.",
    )
