"""`check`: is everything in order? Configuration, state, each account's tokens, each destination.

Events: one `check` each (`what`, `ok`, `text`, `remedy`), then `result`. It uploads nothing.
"""

import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

from netaflux.app import App, Connected
from netaflux.commands.leave import remedy
from netaflux.commands.requests import Nothing, understood
from netaflux.commands.words import Json, iso
from netaflux.core.errors import ConfigError, NetafluxError, ScopeDenied, StateError
from netaflux.core.model import SourceName
from netaflux.flow.account import Account, Roster
from netaflux.flow.door import Door

WORDS: Mapping[SourceName, tuple[str, str]] = {
    SourceName.STATIONS: ("module", "modules"),
    SourceName.COACHES: ("Home Coach", "Home Coaches"),
    SourceName.ROOMS: ("room", "rooms"),
    SourceName.BOILERS: ("thermostat with a boiler", "thermostats with a boiler"),
    SourceName.CAMERAS: ("camera", "cameras"),
}
"""What an account has, one of it and several."""


async def check(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Try everything that the daemon needs."""
    understood("check", Nothing, asked)
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
    try:
        app.settings.require_work()
    except ConfigError as error:
        yield _failed("configuration", error)
    for _, part in parts(app):
        async for said in part:
            yield said


def parts(app: App) -> Iterator[tuple[str, AsyncGenerator[tuple[Json, int], None]]]:
    """What is tried, each by itself: what it is, and what comes of it, with exit codes."""
    yield "state", _state(app)
    for connected in app.accounts.values():
        yield f"account {connected.name}", _account(connected)
    for door in app.doors.values():
        yield f"destination {door.name}", _door(app, door)
    if command := app.settings.notify.command:
        yield "notify", _program(command[0])


def _said(what: str, text: str) -> tuple[Json, int]:
    return {"event": "check", "what": what, "ok": True, "text": text, "remedy": ""}, 0


def _failed(what: str, error: NetafluxError) -> tuple[Json, int]:
    event = {"event": "check", "what": what, "ok": False, "text": error.message, "remedy": error.remedy}
    return event, error.exit_code


async def _state(app: App) -> AsyncGenerator[tuple[Json, int], None]:
    try:
        # first, for it knows why; and where little is left, what is small still succeeds
        app.state.database.require_room()
        await app.state.database.probe()
        yield _said("state", f"{app.state_dir} can be read and written")
    except NetafluxError as error:
        yield _failed("state", StateError(f"nothing is polled: {error.message}", advice=error.remedy))


async def _account(connected: Connected) -> AsyncGenerator[tuple[Json, int], None]:
    """Each kind of modules that devices mirror; one failure of several kinds is told once."""
    what, failures = f"account {connected.name}", dict[str, NetafluxError]()
    denied: dict[SourceName, ScopeDenied] = {}
    for account in connected.mirrored:
        try:
            roster = await account.preview()
        except ScopeDenied as error:
            denied[account.source_name] = error
        except NetafluxError as error:
            failures[error.message] = error
        else:
            for said in _found(connected, account, roster):
                yield said
    if denied:
        missing = _denied(connected, denied)
        failures[missing.message] = missing
    for failure in failures.values():
        yield _failed(what, failure)


def _found(connected: Connected, account: Account, roster: Roster) -> Iterator[tuple[Json, int]]:
    number = len(roster.survey.modules)
    found = f"{number} {WORDS[account.source_name][number != 1]}"
    expires = iso(connected.keeper.expires_at)
    yield _said(f"account {connected.name}", f"authorized until {expires}, {found}")
    yield from _devices(roster, account.server_time)


def _denied(connected: Connected, denied: Mapping[SourceName, ScopeDenied]) -> ScopeDenied:
    """All refusals as one, with the one command that helps against all of them."""
    text = "; ".join(dict.fromkeys(error.message for error in denied.values()))
    advice = remedy(connected, denied) or next(iter(denied.values())).remedy
    return ScopeDenied(text, advice=advice)


def _devices(roster: Roster, now: float) -> Iterator[tuple[Json, int]]:
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
            if target.begin > now:
                text = f"its `since` lies in the future: nothing is recorded before {iso(target.begin)}"
                yield _said(f"device {target.device}", f"note: {text}")


async def _door(app: App, door: Door) -> AsyncGenerator[tuple[Json, int], None]:
    what = f"destination {door.name}"
    try:
        identity = await app.destinations[door.name].identify()
    except NetafluxError as error:
        yield _failed(what, error)
        return
    yield _said(what, f"{identity} knows us as {app.destinations[door.name].introduction}")


async def _program(name: str) -> AsyncGenerator[tuple[Json, int], None]:
    """Whether the program that tells people could be run; it is not, and its name is nobody's business."""
    if shutil.which(name):
        yield _said("notify", "the program that `command` names is there")
        return
    advice = "Correct `command` under [notify]; `netaflux notify --test` tries it."
    text = "the program that `command` names is not found, or may not be run"
    yield _failed("notify", ConfigError(text, advice=advice))
