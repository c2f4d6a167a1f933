"""The bells: APScheduler, which only rings.

Its third version cancels running coroutines at shutdown, lets intervals drift and lives by the wall clock.
So its jobs are one-shot dates in UTC, set anew whenever the clock jumps, and the work runs in our own tasks.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from netaflux.core.ports import Bells, Clock

log = structlog.get_logger(__name__)

CLOCK_CHECK = 2.0
"""Real seconds between looks at whether the system clock has jumped."""
CLOCK_JUMP = 1.0
"""Seconds between wall and monotonic time that count as a jump."""


class RunningBells(Bells, Protocol):
    """Bells that ring for a while."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Ring while the block runs."""
        ...


Hang = Callable[[Clock, Callable[[str], None]], RunningBells]
"""Makes bells that live by a clock and call that function with the key of each that rings."""


class SchedulerBells:
    """`Bells` by APScheduler. Its jobs hang on the wall clock, so they are set anew whenever that jumps."""

    def __init__(self, clock: Clock, ring: Callable[[str], None], *, speed: float = 1.0) -> None:
        self._clock = clock
        self._ring = ring
        self._speed = speed
        self._due: dict[str, float] = {}
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ring while the block runs."""
        self._scheduler.start()
        guard = asyncio.create_task(self._guard(), name="clock guard")
        try:
            yield
        finally:
            guard.cancel()
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # the shutdown is only queued until the loop turns once more

    def ring_at(self, key: str, when: float) -> None:
        """Ring `key` at that monotonic time."""
        self._due[key] = when
        wait = max(0.0, when - self._clock.monotonic()) / self._speed
        moment = datetime.now(UTC) + timedelta(seconds=wait)
        self._scheduler.add_job(
            self._rung,
            DateTrigger(moment),
            args=[key],
            id=key,
            replace_existing=True,
            misfire_grace_time=None,
        )

    async def _rung(self, key: str) -> None:
        # a coroutine, or APScheduler would call it in a thread
        self._due.pop(key, None)
        self._ring(key)

    async def _guard(self) -> None:
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_CHECK)
            now = time.time() - time.monotonic()
            if abs(now - offset) > CLOCK_JUMP:
                log.warning("clock.jumped", seconds=round(now - offset, 1))
                for key, when in tuple(self._due.items()):
                    self.ring_at(key, when)
            offset = now
