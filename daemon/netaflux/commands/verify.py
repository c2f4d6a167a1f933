"""`verify`: is what the destinations hold what Netatmo has?

Request: `devices` (names; all when empty), `since`, `until` (texts), `repair`.
Events: `progress` (Netatmo's rows, calls, modules done so far; waiting_until, reason), then `result`:

devices    device, destination, module; gaps: count, seconds, listed ([last row before, first row after]);
           channels: channel, rows (there and equal), missing, different, unknown, repaired,
           examples (time, netatmo, held: null where there is none)
left       what could not be looked at or mended, and why
calls      how many pages of Netatmo's it took
complete   whether all that Netatmo has is there; then the exit code is 0
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

from netaflux.app import App
from netaflux.commands.named import a_moment, known_devices, span_of
from netaflux.commands.requests import understood
from netaflux.commands.sync_run import Left, leave
from netaflux.commands.waiting import waiting
from netaflux.commands.words import Json, iso
from netaflux.core.comparison import Findings, Flaw, Gaps
from netaflux.core.devices import Target
from netaflux.core.errors import NetafluxError
from netaflux.core.model import ChannelName, DestinationName, DeviceName, Module, Number, Window
from netaflux.core.ports import Source
from netaflux.core.settings import Part
from netaflux.flow.account import Account
from netaflux.flow.verify import Inspection, Verifier

PROGRESS_EVERY = 0.2
"""Real seconds between progress events."""


class VerifyRequest(Part):
    """What `verify` is asked."""

    devices: tuple[DeviceName, ...] = ()
    since: str | None = None
    until: str | None = None
    repair: bool = False


@dataclass(frozen=True, slots=True)
class _Task:
    """One module to look at."""

    verifier: Verifier
    module: Module
    targets: tuple[Target, ...]
    window: Window
    inspection: Inspection = field(default_factory=Inspection)


@dataclass(slots=True)
class _Run:
    """One run of `verify`."""

    tasks: list[_Task] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    done: int = 0

    def progress(self, app: App) -> Json:
        """How far it is."""
        return {
            "event": "progress",
            "rows": sum(task.inspection.rows for task in self.tasks),
            "calls": sum(task.inspection.pages for task in self.tasks),
            "modules_done": self.done,
            "modules": len(self.tasks),
            **waiting(app, app.accounts.values()),
        }


async def verify(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Compare the destinations with Netatmo, and mend them if asked to. See the module's text.

    Raises UsageError, StateError, ConfigError.
    """
    request = understood("verify", VerifyRequest, asked)
    app.settings.require_work()
    known_devices(app, request.devices)
    for option, text in (("--since", request.since), ("--until", request.until)):
        if text is not None:
            a_moment(option, text)
    run = _Run()
    work = asyncio.create_task(_work(app, request, run))
    try:
        while not (await asyncio.wait({work}, timeout=PROGRESS_EVERY))[0]:
            yield run.progress(app)
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    yield run.progress(app)
    yield _result(run)


async def _work(app: App, request: VerifyRequest, run: _Run) -> None:
    await app.open_doors(patient=False, record=False)
    verifiers: list[Verifier] = []
    for connected, account in app.kinds():
        if wanted := [each for each in account.devices if _is_chosen(each.name, request)]:
            verifiers.append(_verifier(app, connected.sources[account.source_name], request))
            await _prepare(app, account, verifiers[-1], request, run)
            _note_closed(app, {name for device in wanted for name in device.destinations}, run)
    async with asyncio.TaskGroup() as modules:
        for task in run.tasks:
            modules.create_task(_inspect(task, run))
    for name, error in {name: error for each in verifiers for name, error in each.failed.items()}.items():
        run.left.append(Left(f"destination {name}", error.message, error.remedy, error.exit_code))


def _is_chosen(device: DeviceName, request: VerifyRequest) -> bool:
    return not request.devices or device in request.devices


def _verifier(app: App, source: Source, request: VerifyRequest) -> Verifier:
    return Verifier(
        source=source,
        doors=app.doors,
        readers=app.destinations,
        coverage=app.state.coverage,
        observer=app.hub,
        repair=request.repair,
    )


def _note_closed(app: App, destinations: set[DestinationName], run: _Run) -> None:
    """Note the destinations that have not said who they are: nothing can be read back there."""
    noted = {left.what for left in run.left}
    for name in sorted(destinations):
        door, what = app.doors[name], f"destination {name}"
        if door.identity is None and what not in noted:
            run.left.append(Left(what, door.reason or "it is away"))


async def _prepare(app: App, account: Account, verifier: Verifier, request: VerifyRequest, run: _Run) -> None:
    """Find the modules, and understand every span before the first row is asked for. Raises UsageError."""
    try:
        roster = await account.preview()
    except NetafluxError as error:
        leave(run.left, f"account {account.name}", error)
        return
    for missing in roster.missing.values():
        if _is_chosen(missing.device, request):
            run.left.append(Left(f"device {missing.device}", missing.reason))
    for targets in roster.targets.values():
        chosen = tuple(target for target in targets if _is_chosen(target.device, request))
        if chosen:
            module = chosen[0].module
            window = span_of(
                request.since,
                request.until,
                module=module,
                begin=min(target.begin for target in chosen),
                now=app.clock.now(),
            )
            run.tasks.append(_Task(verifier, module, _within(chosen, window, request), window))


def _within(targets: Sequence[Target], window: Window, request: VerifyRequest) -> tuple[Target, ...]:
    """The devices from the named moment on, below their own `since` too, but not an earlier module's rows."""
    if request.since is None:
        return tuple(targets)
    return tuple(replace(target, begin=max(target.floor, window.begin)) for target in targets)


async def _inspect(task: _Task, run: _Run) -> None:
    try:
        await task.verifier.verify(task.module, task.targets, task.window, task.inspection)
    except NetafluxError as error:
        leave(run.left, ", ".join(target.device for target in task.targets), error)
    for aside in task.inspection.refused:
        run.left.append(Left(f"{aside.device}: the row of {iso(aside.row.time)}", aside.reason))
    run.left += _not_delivered(task.inspection)
    run.done += 1


def _not_delivered(inspection: Inspection) -> Iterator[Left]:
    """The devices that lack rows because they never got any."""
    for (destination, device), channels in inspection.uncovered.items():
        found = inspection.findings[destination, device]
        if lacking := [channel for channel in channels if found[channel].missing]:
            reason = f"nothing was delivered yet of {', '.join(lacking)}"
            yield Left(f"{device} at {destination}", reason, "Run `netaflux sync`.")


def _result(run: _Run) -> Json:
    lines = sorted(
        (line for task in run.tasks for line in _lines(task)),
        key=lambda line: (line["device"], line["destination"]),
    )
    found = [
        findings
        for task in run.tasks
        for channels in task.inspection.findings.values()
        for findings in channels.values()
    ]
    complete = not run.left and not any(findings.left for findings in found)
    codes = {left.exit_code for left in run.left}
    # what a person must mend comes before what only time, or a repair, can
    code = 0 if complete else next((code for code in (78, 77) if code in codes), 75)
    return {
        "event": "result",
        "devices": lines,
        "left": [left.to_json() for left in run.left],
        "calls": sum(task.inspection.pages for task in run.tasks),
        "complete": complete,
        "exit_code": code,
    }


def _lines(task: _Task) -> Iterator[Json]:
    for (destination, device), channels in task.inspection.findings.items():
        yield {
            "device": device,
            "destination": destination,
            "module": task.module.id,
            "gaps": _gaps(task.inspection.gaps),
            "channels": _channels(channels),
        }


def _gaps(gaps: Gaps) -> Json:
    return {"count": gaps.count, "seconds": gaps.seconds, "listed": [list(ends) for ends in gaps.listed]}


def _channels(channels: Mapping[ChannelName, Findings]) -> list[Json]:
    return [
        {
            "channel": channel,
            "rows": found.rows,
            "missing": found.missing,
            "different": found.different,
            "unknown": found.unknown,
            "repaired": found.repaired,
            "examples": [_example(flaw) for flaw in found.examples],
        }
        for channel, found in channels.items()
    ]


def _example(flaw: Flaw) -> Json:
    return {"time": flaw.time, "netatmo": flaw.expected, "held": _in_json(flaw.found)}


def _in_json(value: Number | None) -> Number | str | None:
    """A value that is no number is a word in JSON, which knows no NaN."""
    return value if value is None or isfinite(value) else str(value)
