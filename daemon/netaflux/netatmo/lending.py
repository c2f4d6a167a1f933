"""Who has borrowed the access token: a refresh kills it, and so waits for the calls in flight."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from netaflux.core.ports import Clock

DRAIN = 60.0
"""Seconds that a refresh waits for the calls in flight."""


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of them has ended; the others are cancelled, and gone, by then."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Lending:
    """Counts the calls in flight that use the access token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls = 0
        self._returned = asyncio.Event()

    @contextmanager
    def call(self) -> Iterator[None]:
        """One call, from taking the token until its answer."""
        self._calls += 1
        self._returned.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._returned.set()

    async def drained(self, stop: asyncio.Event) -> None:
        """Wait until none is in flight, for a minute at most, or until `stop`."""
        if self._calls:
            await first_of(self._returned.wait(), stop.wait(), self._clock.sleep(DRAIN))
