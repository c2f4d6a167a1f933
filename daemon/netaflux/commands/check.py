"""`check`: is everything in order? Configuration, state, each account's tokens, each destination.

Events: one `check` each (`what`, `ok`, `text`, `remedy`), then `result`. It uploads nothing.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from netaflux.app import App, Connected
from netaflux.commands.words import Json, iso
from netaflux.core.errors import ConfigError, NetafluxError
from netaflux.core.model import SourceName
from netaflux.flow.account import Account, Roster
from netaflux.flow.door import Door

WORDS = {each: each.value for each in SourceName} | {
    SourceName.STATIONS: "modules",
    SourceName.COACHES: "Home Coaches",
    SourceName.BOILERS: "thermostats with a boiler",
}
"""What an account has, in words."""


async def check(app: App, asked: Json) -> AsyncGenerator[Json, None]:  # noqa: ARG001 - it takes nothing
    """Try everything that the daemon needs."""
    codes: list[int] = []
    async for event, code in _checks(app):
        codes.append(code)
        yield event
    # what a person must mend comes before what only time can
    worst = next((code for code in (78, 77, 75) if code in codes), 0)
    yield {"event": "result", "exit_code": worst}


async def _checks(app: App) -> AsyncIterator[tuple[Json, int]]:
    yield _said("configuration", f"read from {app.config_path or 'the environment'}")
    for warning in app.warnings:
        yield _said("configuration", f"note: {warning}")
    for _, part in parts(app):
        async for said in part:
            yield said


def parts(app: App) -> Iterator[tuple[str, AsyncGenerator[tuple[Json, int], None]]]:
    """What is tried, each by itself: what it is, and what comes of it, with exit codes."""
    yield "state", _state(app)
    for connected, account in app.kinds():
        yield f"account {connected.name}", _account(connected, account)
    for door in app.doors.values():
        yield f"destination {door.name}", _door(app, door)


def _said(what: str, text: str) -> tuple[Json, int]:
    return {"event": "check", "what": what, "ok": True, "text": text, "remedy": ""}, 0


def _failed(what: str, error: NetafluxError) -> tuple[Json, int]:
    event = {"event": "check", "what": what, "ok": False, "text": error.message, "remedy": error.remedy}
    return event, error.exit_code


async def _state(app: App) -> AsyncGenerator[tuple[Json, int], None]:
    try:
        await app.state.database.probe()
        yield _said("state", f"{app.state_dir} can be read and written")
    except NetafluxError as error:
        yield _failed("state", error)


async def _account(connected: Connected, account: Account) -> AsyncGenerator[tuple[Json, int], None]:
    what = f"account {connected.name}"
    try:
        roster = await account.preview()
    except NetafluxError as error:
        yield _failed(what, error)
        return
    found = f"{len(roster.survey.modules)} {WORDS[account.source_name]}"
    yield _said(what, f"authorized until {iso(connected.keeper.expires_at)}, {found}")
    for said in _devices(roster):
        yield said


def _devices(roster: Roster) -> Iterator[tuple[Json, int]]:
    for missing in roster.missing.values():
        error = ConfigError(missing.reason, advice="Correct `module` in the configuration.")
        yield _failed(f"device {missing.device}", error)
    for device, channels in roster.impossible.items():
        text = f"its module does not measure what {', '.join(channels)} needs"
        remedy = "Remove these channels; `netaflux devices` shows what there is."
        yield _failed(f"device {device}", ConfigError(text, advice=remedy))
    for targets in roster.targets.values():
        for target in targets:
            names = ", ".join(channel.name for channel in target.channels) or "no channel"
            yield _said(f"device {target.device}", f"mirrors {target.module.id}: {names}")


async def _door(app: App, door: Door) -> AsyncGenerator[tuple[Json, int], None]:
    what = f"destination {door.name}"
    try:
        identity = await app.destinations[door.name].identify()
    except NetafluxError as error:
        yield _failed(what, error)
        return
    yield _said(what, f"{identity} knows us as {app.destinations[door.name].introduction}")
