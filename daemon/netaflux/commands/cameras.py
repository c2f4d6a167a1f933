"""`cameras`: what guards the homes, and the way to a camera's live picture.

Events: one `camera` each, or with `url` one `address`; then `result`.
"""

from collections.abc import AsyncGenerator
from typing import Literal

from netaflux.app import App
from netaflux.commands.guarded import Place, places
from netaflux.commands.requests import OfHome, understood
from netaflux.commands.words import Json
from netaflux.core.errors import DeviceUnreachable
from netaflux.netatmo.cameras import Camera
from netaflux.netatmo.live import Address


class CamerasRequest(OfHome):
    """Which cameras, and whether for their live picture."""

    camera: str | None = None
    url: Literal["local", "vpn"] | None = None


async def cameras(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """List them; or tell the address of the one asked for, else of the first, by the way of `url`."""
    request = understood("cameras", CamerasRequest, asked)
    found = await places(app, request)
    if request.url:
        camera = found.camera(request.camera)
        place = found.place(camera.home)
        yield _address(camera, await _way(place, camera, request.url))
    else:
        wanted = found.camera(request.camera).id if request.camera else None
        for place in found.places:
            for camera in place.home.cameras:
                if wanted in (None, camera.id):
                    yield _camera(place, camera)
    yield found.result


async def _way(place: Place, camera: Camera, url: str) -> Address:
    if url == "local":
        return Address(await place.security.local_address(camera))
    found = (await place.security.addresses(camera)).vpn
    if found is None:
        raise DeviceUnreachable(
            f"Netatmo tells no address of {camera.name or camera.id}",
            advice="It must be on, and the account must be allowed to see it: access_camera, access_presence "
            "or access_doorbell are granted by Netatmo on request.",
        )
    return found


def _address(camera: Camera, address: Address) -> Json:
    return {
        "event": "address",
        "camera": camera.id,
        "name": camera.name,
        "url": address.url,
        "stream": address.stream(),
        "snapshot": address.snapshot,
    }


def _camera(place: Place, camera: Camera) -> Json:
    return {
        "event": "camera",
        "account": place.account,
        "home": place.home.id,
        "home_name": place.home.name,
        "id": camera.id,
        "name": camera.name,
        "kind": camera.kind,
        "kind_in_words": camera.kind_in_words,
        "status": camera.status,
        "reachable": camera.reachable,
        "sd_status": camera.sd_status,
        "alim_status": camera.alim_status,
        "light": camera.light,
        "wifi": camera.wifi,
        "live": camera.vpn_url is not None,
    }
