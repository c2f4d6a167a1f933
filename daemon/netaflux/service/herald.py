"""Tells those outside whether the daemon lives: the service manager, its watchdog, the log."""

import asyncio
import faulthandler
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from netaflux.service.systemd import ServiceManager

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 10.0
"""Real seconds between looks, at most; a quarter of what the watchdog allows where that is less."""
OWN_WATCHDOG: Final = 600.0
"""Real seconds with no look that finds all well, after which the process ends with every thread's traceback.

systemd's watchdog comes sooner. Docker has none: a container that is only unhealthy is never started again.
"""


class Herald:
    """Looks again and again, from the first configuration to the last."""

    def __init__(
        self,
        manager: ServiceManager,
        hopeless: Callable[[], Awaitable[Sequence[str]]],
        words: Callable[[], str],
    ) -> None:
        self._manager = manager
        self._hopeless = hopeless
        self._words = words
        self._told: Sequence[str] = ()
        self._crashes = 0
        self._said = ""

    async def run(self) -> None:
        """Look until cancelled."""
        every = min(LOOK_EVERY, (self._manager.watchdog or LOOK_EVERY * 4) / 4)
        try:
            while True:
                await self._look()
                await asyncio.sleep(every)
        finally:
            faulthandler.cancel_dump_traceback_later()

    async def _look(self) -> None:
        try:
            problems, words = await self._hopeless(), self._words()
        except Exception:  # a look that fails is one that has found nothing well
            self._crashes += 1
            if self._crashes == 1:
                log.exception("look.crashed")
            return
        if self._crashes:
            log.info("look.recovered", failures=self._crashes)
            self._crashes = 0
        if not problems:
            self._manager.alive()
            faulthandler.dump_traceback_later(OWN_WATCHDOG, exit=True)
        self._tell(problems)
        self._say("; ".join(problems) or words)

    def _tell(self, problems: Sequence[str]) -> None:
        if problems and problems != self._told:
            log.error("service.stalled", problems=list(problems))
        elif self._told and not problems:
            log.info("service.recovered", problems=list(self._told))
        self._told = problems

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._manager.status(words)
