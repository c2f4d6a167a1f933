"""Tells people: looks, remembers what is to be told, tells it, and gives signs of life while all is well.

A notice lies on disk before it is told, and is told again only where the process ends between a channel's yes
and our commit. What a channel does not take waits with all that came after it, and is tried again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final

import structlog

from netaflux.app import App
from netaflux.core.cadence import backed_off
from netaflux.core.errors import NotTold, StateError
from netaflux.core.events import (
    ErrorMet,
    NoticeEnded,
    NoticeOpened,
    NoticeTold,
    TellingFailed,
    TellingRecovered,
)
from netaflux.core.notices import Board, Matter, Notice, Telling
from netaflux.core.ports import NoticeChannel
from netaflux.service.health import Health
from netaflux.service.lookout import Lookout
from netaflux.service.rounds import Rounds

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 60.0
"""Seconds between looks."""
LONGEST_TELLING: Final = 60.0
"""Real seconds after which a channel is given up; each has limits of its own, which come sooner."""
LEAVE_TO_TELL: Final = 2.0
"""Real seconds that a telling under way gets when the service stops."""


@dataclass(slots=True)
class _Line:
    """How a channel, or the heartbeat, is doing."""

    failures: int = 0
    retry_at: float = -inf


class Teller:
    """The life of one configuration as people are told of it."""

    def __init__(self, app: App, rounds: Rounds, health: Health, *, every: float = LOOK_EVERY) -> None:
        self._app = app
        self._clock = app.clock
        self._health = health
        self._lookout = Lookout(app, rounds)
        self._every = every
        self._lines: dict[str, _Line] = {}
        self._beat_at = -inf
        self._open: Mapping[Matter, Notice] | None = None
        """What was open at the last look; None before it is known what is on disk."""
        self.board = Board()

    async def run(self, ending: asyncio.Event) -> None:
        """Look and tell until `ending` is set. Without [notify] there is nobody to tell."""
        if not self._app.settings.notify.wanted:
            return
        while not ending.is_set():
            await self._until(ending, self._round())
            await self._until(ending, self._clock.sleep(self._every), grace=0)
        self._health.teller_ends()

    async def _until(
        self, ending: asyncio.Event, work: Awaitable[None], *, grace: float = LEAVE_TO_TELL
    ) -> None:
        """Do the work; it gets a little time once all is to end."""
        working, waiting = asyncio.ensure_future(work), asyncio.create_task(ending.wait())
        try:
            await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done() and grace:
                await asyncio.wait({working}, timeout=grace)
        finally:
            for each in (working, waiting):
                each.cancel()
            outcome, _ = await asyncio.gather(working, waiting, return_exceptions=True)
        if isinstance(outcome, Exception):  # it must not be the last look
            log.error("telling.crashed", exc_info=outcome)
            self._app.hub.tell(ErrorMet.of(outcome))

    async def _remembers(self) -> bool:
        """Whether it is known what earlier processes and configurations have told."""
        if self._open is None:
            with suppress(StateError):  # else all of it would be told again
                self.board = Board(await self._app.state.notices.load())
                self._open = {notice.matter: notice for notice in self.board.open}
        return self._open is not None

    async def _round(self) -> None:
        self._health.teller_moves()
        if not await self._remembers():
            return
        await self._look()
        await self._beat()
        async with asyncio.TaskGroup() as group:  # a slow one keeps the news from nobody else
            for channel in self._app.outlets.channels:
                group.create_task(self._tell_all(channel))
        self.board.settle([channel.name for channel in self._app.outlets.channels])
        await self._save()

    async def _look(self) -> None:
        sights = await self._lookout.look()
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self.board.see(sights, now=now, monotonic=monotonic, complete=self._lookout.complete)
        self._log_changes()
        await self._save()

    def _log_changes(self) -> None:
        now, before = {notice.matter: notice for notice in self.board.open}, self._open or {}
        for matter, notice in now.items():
            if matter not in before:
                self._app.hub.tell(
                    NoticeOpened(
                        kind=matter.kind.value, subject=notice.name, text=notice.text, remedy=notice.remedy
                    )
                )
        for matter, notice in before.items():
            if matter not in now:
                self._app.hub.tell(NoticeEnded(kind=matter.kind.value, subject=notice.name, text=notice.over))
        self._open = now

    async def _save(self) -> None:
        """On disk, where that takes it: what has to be told of a full disk cannot wait for it."""
        changes = self.board.unsaved()
        try:
            if changes:
                await self._app.state.notices.save(changes)
                self.board.saved(changes)
        except StateError:
            return  # it is told already, and tried again with the next look

    # telling

    async def _tell_all(self, channel: NoticeChannel) -> None:
        for telling in self.board.due(channel.name):
            if not await self._told(channel, telling):
                return  # what came later waits for it
            self.board.told(channel.name, telling)
            await self._save()

    async def _told(self, channel: NoticeChannel, telling: Telling) -> bool:
        async def tell() -> None:
            answer = await channel.tell(telling.facts)
            kind = telling.notice.matter.kind.value
            self._app.hub.tell(
                NoticeTold(channel=channel.name, kind=kind, subject=telling.notice.name, answer=answer)
            )

        return await self._tried(channel.name, tell)

    async def _tried(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether it succeeded; a failure is told once, until it is over, and tried later and later."""
        line = self._lines.setdefault(name, _Line())
        if self._clock.monotonic() < line.retry_at:
            return False
        self._health.teller_moves()
        try:
            async with asyncio.timeout(LONGEST_TELLING):
                await work()
        except NotTold as error:
            return self._failed(name, line, error)
        except TimeoutError:
            return self._failed(name, line, NotTold(f"it takes over {LONGEST_TELLING:g} seconds"))
        except Exception as error:  # it must not cost the other channels anything
            log.exception("telling.crashed", channel=name)
            return self._failed(name, line, error)
        if line.failures:
            self._app.hub.tell(TellingRecovered(channel=name, failures=line.failures))
        self._lines[name] = _Line()
        return True

    def _failed(self, name: str, line: _Line, error: Exception) -> bool:
        self._app.hub.tell(ErrorMet.of(error))
        if not line.failures:
            bug = f"a bug in netaflux: {type(error).__name__}"
            reason = error.message if isinstance(error, NotTold) else bug
            self._app.hub.tell(TellingFailed(channel=name, reason=reason))
        line.failures += 1
        line.retry_at = self._clock.monotonic() + backed_off(line.failures)
        return False

    # the sign of life

    async def _beat(self) -> None:
        heartbeat, monotonic = self._app.outlets.heartbeat, self._clock.monotonic()
        if heartbeat is None or monotonic < self._beat_at or not await self._all_is_well():
            return

        async def beat() -> None:
            await heartbeat.beat()

        if await self._tried("heartbeat", beat):
            # half a look early: looks do not keep to it
            self._beat_at = monotonic + self._app.settings.notify.heartbeat_every - self._every / 2

    async def _all_is_well(self) -> bool:
        return not (self.board.open or self._health.unready() or await self._health.unwell())
