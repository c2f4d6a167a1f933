"""The status socket, which stays while configurations come and go, and moves where a new one says so."""

import os
from contextlib import AsyncExitStack
from pathlib import Path

from netaflux.config import Settings, socket_path
from netaflux.status.server import Answers, serve


class Reception:
    """Answers at the socket of the newest configuration."""

    def __init__(self, answers: Answers, state: str) -> None:
        self._answers = answers
        self._state = state
        self._stack = AsyncExitStack()
        self.path: Path | None = None
        """Where it answers."""

    async def be_at(self, settings: Settings) -> None:
        """Answer where these settings say, and then elsewhere no more. Raises ConfigError, StateError."""
        path, mode = socket_path(settings, os.environ), settings.status.mode
        if path == self.path:
            path.chmod(mode)
            return
        async with AsyncExitStack() as stack:
            answering = serve(path, self._answers, mode=mode, owner=os.getuid(), state=self._state)
            await stack.enter_async_context(answering)
            await self.close()
            self._stack, self.path = stack.pop_all(), path

    async def close(self) -> None:
        """Answer no more; commands under way end."""
        await self._stack.aclose()
        self.path = None
