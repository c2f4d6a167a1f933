"""Where the daemon answers while configurations come and go: the status socket, and a port for the metrics.

Both move where a new configuration says so: they are open there before they are closed here.
"""

import os
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import structlog

from netaflux.config import Settings, socket_path
from netaflux.status.server import Answers, serve, serve_metrics
from netaflux.status.settings import Address, SocketMode

log = structlog.get_logger(__name__)

Place = Path | Address
"""The socket, or the port."""


class Reception:
    """Answers at the socket and the port of the newest configuration."""

    def __init__(self, answers: Answers, state: str) -> None:
        self._answers = answers
        self._state = state
        self._open: dict[Place, AsyncExitStack] = {}
        self.path: Path | None = None
        """Its socket."""

    async def be_at(self, settings: Settings) -> None:
        """Answer where these settings say, and then elsewhere no more.

        Raises ConfigError, StateError; then all is as it was.
        """
        path, mode = socket_path(settings, os.environ), settings.status.mode
        address = settings.status.metrics_listen
        places: list[Place] = [path] if address is None else [path, address]
        # a socket that somebody has deleted is made anew
        await self._leave([each for each in self._open if isinstance(each, Path) and not each.exists()])
        aside = await self._step_aside(address)
        try:
            fresh = await self._opened([place for place in places if place not in self._open], mode)
        except BaseException:
            self._open |= await self._opened(aside, mode)
            raise
        await self._leave([place for place in self._open if place not in places])
        self._open |= fresh
        self.path = path
        path.chmod(mode)
        if address in fresh:
            log.info("metrics.served", address=str(address))

    async def _step_aside(self, address: Address | None) -> list[Place]:
        """Close what cannot be open beside that address; answers what it was.

        The kernel lets nobody have a port at 0.0.0.0 while it is ours at 127.0.0.1.
        """
        ours = [each for each in self._open if isinstance(each, Address)]
        in_its_way = [each for each in ours if address and each != address and each.port == address.port]
        await self._leave(in_its_way)
        return [*in_its_way]

    async def _opened(self, places: Iterable[Place], mode: SocketMode) -> dict[Place, AsyncExitStack]:
        """Answer there as well: at all of these places, or at none."""
        fresh: dict[Place, AsyncExitStack] = {}
        async with AsyncExitStack() as undoing:
            for place in places:
                fresh[place] = await undoing.enter_async_context(AsyncExitStack())
                await fresh[place].enter_async_context(self._answering(place, mode))
            undoing.pop_all()
        return fresh

    def _answering(self, place: Place, mode: SocketMode) -> AbstractAsyncContextManager[None]:
        if isinstance(place, Address):
            return serve_metrics(place, self._answers.metrics)
        return serve(place, self._answers, mode=mode, owner=os.getuid(), state=self._state)

    async def _leave(self, places: Iterable[Place]) -> None:
        for place in [*places]:
            await self._open.pop(place).aclose()

    async def close(self) -> None:
        """Answer no more; commands under way end."""
        await self._leave(self._open)
        self.path = None
