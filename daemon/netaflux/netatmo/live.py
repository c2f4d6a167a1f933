"""Where a camera's live picture is to be had: through Netatmo's relay, and straight from the camera."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from netaflux.core.errors import Unreachable
from netaflux.core.settings import is_loopback, server_url
from netaflux.http import Http
from netaflux.netatmo.wire import text, thing

Quality = Literal["poor", "low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Address:
    """One way to a camera; whoever knows it can look."""

    url: str = field(repr=False)

    def stream(self, quality: Quality = "high") -> str:
        """The live video's playlist."""
        return f"{self.url}/live/files/{quality}/index.m3u8"

    @property
    def snapshot(self) -> str:
        """The picture of this moment."""
        return f"{self.url}/live/snapshot_720.jpg"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The ways to a camera that there are just now; the relay's changes from time to time."""

    vpn: Address | None = None
    local: Address | None = None


async def addresses(vpn_url: str | None, http: Http) -> Addresses:
    """The ways to the camera with that relay; a camera that tells none, or is away, has none."""
    if vpn_url is None or not _may_be_asked(vpn_url):
        return Addresses()
    vpn = Address(vpn_url.rstrip("/"))
    local = await _local(vpn, http)
    return Addresses(vpn, local)


async def _local(vpn: Address, http: Http) -> Address | None:
    """The camera's own address, believed only when the camera answers there with the same.

    Through the relay it tells any address that it has, such as one of 169.254/16 or of another house's
    network, where quite another machine may stand.
    """
    told = await _pinged(vpn, http)
    if told is None or not _is_at_home(told):
        return None
    again = await _pinged(told, http)
    return told if again == told else None


async def _pinged(address: Address, http: Http) -> Address | None:
    """What the camera tells of itself there."""
    try:
        answer = await http.exchange("GET", f"{address.url}/command/ping")
    except Unreachable:
        return None
    told = text(thing(answer.json()).get("local_url"))
    return Address(told.rstrip("/")) if told else None


def _may_be_asked(url: str) -> bool:
    """Whether the network between may see the address: it opens the camera to whoever has it."""
    try:
        parts = urlsplit(server_url(url))
    except ValueError:
        return False
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def _is_at_home(address: Address) -> bool:
    """Whether it is in a network of one's own: nobody else's machine is to be asked."""
    try:
        host = urlsplit(server_url(address.url)).hostname or ""
        return not ip_address(host).is_global
    except ValueError:
        return False
