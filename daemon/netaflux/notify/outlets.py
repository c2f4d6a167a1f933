"""The ways to a person, as far as they are configured."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from netaflux.core.ports import NoticeChannel
from netaflux.http import Http
from netaflux.notify.command import Command
from netaflux.notify.settings import NotifySettings
from netaflux.notify.web import Heartbeat, Webhook, masks_of

EXCHANGE: Final = 20.0
"""Real seconds that a server may take."""
LARGEST: Final = 2**16
"""Bytes of an answer that are looked at; nobody needs more of them."""


@dataclass(frozen=True, slots=True)
class Outlets:
    """What can be told something."""

    channels: Sequence[NoticeChannel] = ()
    heartbeat: Heartbeat | None = None


@asynccontextmanager
async def open_outlets(settings: NotifySettings) -> AsyncIterator[Outlets]:
    """What the settings name; nothing is sent yet."""
    if not settings.wanted:
        yield Outlets()
        return
    url, beat = (each and each.get_secret_value() for each in (settings.url, settings.heartbeat_url))
    masks = masks_of(*(each for each in (url, beat) if each))
    async with Http.open(connections=2, total=EXCHANGE, largest=LARGEST) as http:
        channels: list[NoticeChannel] = []
        if url:
            channels.append(Webhook(http, url, masks))
        if settings.command:
            channels.append(Command(settings.command))
        yield Outlets(channels, Heartbeat(http, beat, masks) if beat else None)
