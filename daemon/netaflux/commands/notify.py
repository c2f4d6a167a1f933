"""`notify`: what a person is needed for just now; with `test`, a notice that says that all of it is a test.

Events: a `notice` each (`kind`, `subject`, `text`, `remedy`, `since`), or with `test` a `told` for each
channel (`channel`, `ok`, `text`, `remedy`); then `result`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from functools import partial
from typing import Final

from netaflux.app import App
from netaflux.commands.requests import understood
from netaflux.commands.words import Json
from netaflux.core.errors import ConfigError, NotTold
from netaflux.core.settings import Part

TEST: Final = {
    "event": "test",
    "kind": "test",
    "subject": "netaflux",
    "text": "This is a test of netaflux: notices arrive here.",
    "remedy": "",
}


class NotifyRequest(Part):
    """Whether to try all the ways."""

    test: bool = False


async def notify(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Show what is open, or try every way to a person."""
    events = _tested(app) if understood("notify", NotifyRequest, asked).test else _open(app)
    code = 0
    async for event in events:
        code = code if event.get("ok", True) else NotTold.exit_code
        yield event
    yield {"event": "result", "exit_code": code}


async def _open(app: App) -> AsyncGenerator[Json, None]:
    for notice in await open_notices(app):
        yield {"event": "notice", **notice}


async def open_notices(app: App) -> list[Json]:
    """What a person is needed for: `kind`, `subject`, `text`, `remedy`, `since`."""
    return [
        {
            "kind": notice.matter.kind.value,
            "subject": notice.name,
            "text": notice.text,
            "remedy": notice.remedy,
            "since": notice.opened_at,
        }
        for notice in await app.state.notices.load()
        if notice.over_at is None
    ]


async def _tested(app: App) -> AsyncGenerator[Json, None]:
    if not app.settings.notify.wanted:
        raise ConfigError(
            "the configuration names nobody to be told",
            advice="Add [notify] with `url`, `command` or `heartbeat_url`.",
        )
    for name, send in _ways(app):
        try:
            said = {"ok": True, "text": await send(), "remedy": ""}
        except NotTold as error:
            said = {"ok": False, "text": error.message, "remedy": error.remedy}
        yield {"event": "told", "channel": name, **said}


def _ways(app: App) -> Iterator[tuple[str, Callable[[], Awaitable[str]]]]:
    now = round(app.clock.now())
    for channel in app.outlets.channels:
        yield channel.name, partial(channel.tell, {**TEST, "since": now, "time": now})
    if app.outlets.heartbeat is not None:
        yield "heartbeat_url", app.outlets.heartbeat.beat
