"""The homes of an account, asked for once for all that is found in them."""

import asyncio
from collections.abc import Iterable

from netaflux.core.model import Module, Survey
from netaflux.core.ports import Clock
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.homes import Home
from netaflux.netatmo.housing import Housing

YOUNG = 60.0
"""Seconds for which an answer of homesdata will do for the next source, too."""


class KnownHomes:
    """homesdata, without how things are just now: which rooms, boilers and cameras there are."""

    def __init__(self, client: NetatmoClient, clock: Clock) -> None:
        self._client = client
        self._housing = Housing(client)
        self._clock = clock
        self._homes: tuple[Home, ...] = ()
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def homes(self) -> tuple[Home, ...]:
        """All homes. Raises NetatmoError, Unreachable, NotAuthorized, StateError."""
        async with self._asking:
            if self._clock.monotonic() - self._asked_at > YOUNG:
                self._homes = await self._housing.known()
                self._asked_at = self._clock.monotonic()
        return self._homes

    def survey(self, modules: Iterable[Module]) -> Survey:
        """What was found in them; of two with one id the first counts."""
        unique: dict[str, Module] = {}
        for module in modules:
            unique.setdefault(module.id, module)
        return Survey(self._client.account, tuple(unique.values()), int(self._client.time.now()))
