"""`log-level`: how much the log tells, from now on and until the configuration is read again.

Asked: `level`, one of the configuration's or `reset`; without it nothing changes.
Event: `result` (`was`, `is`).
"""

from collections.abc import AsyncGenerator
from typing import get_args

from netaflux import logs
from netaflux.app import App
from netaflux.commands.requests import understood
from netaflux.commands.words import Json, near_or_all
from netaflux.core.errors import UsageError
from netaflux.core.events import Level
from netaflux.core.settings import Part

RESET = "reset"


class LogLevelRequest(Part):
    """The level wished for, if any."""

    level: str | None = None


async def log_level(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Change the level of this process's log. Raises UsageError."""
    wish = understood("log-level", LogLevelRequest, asked).level
    was = logs.level_now()
    if wish is not None:
        logs.change_level(app.settings.log.level if wish == RESET else _level(wish), "log-level")
    yield {"event": "result", "was": was, "is": logs.level_now(), "exit_code": 0}


def _level(text: str) -> Level:
    known: tuple[Level, ...] = get_args(Level)
    for level in known:
        if level == text:
            return level
    raise UsageError(f"`{text}` is no level{near_or_all(text, (*known, RESET))}")
