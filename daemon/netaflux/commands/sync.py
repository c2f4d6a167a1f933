"""`sync`: the daemon's work once, for chosen devices and a chosen span.

Request: `devices` (names; all when empty), `since`, `until` (texts), `again`, `dry_run`.
Events: `progress`, `plan` (dry run), then `result`. A progress tells the `rows` delivered and `calls` made so
far, `modules` and `modules_done`, what `commands/outlook` says, and `waiting_until` and `reason`, which
`commands/waiting` says.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from netaflux.app import App
from netaflux.commands.named import a_moment, known_devices, span_of
from netaflux.commands.requests import understood
from netaflux.commands.sync_run import Left, Piece, Run, leave, look_for_failed, look_for_lacking, result
from netaflux.commands.words import Json
from netaflux.core.devices import Target
from netaflux.core.errors import ConfigError, NetafluxError
from netaflux.core.model import DestinationName, DeviceName, ModuleId, Window
from netaflux.core.settings import Part
from netaflux.flow.account import Account, Roster
from netaflux.flow.together import Together

PROGRESS_EVERY = 0.2
"""Real seconds between progress events."""


class SyncRequest(Part):
    """What `sync` is asked."""

    devices: tuple[DeviceName, ...] = ()
    since: str | None = None
    until: str | None = None
    again: bool = False
    dry_run: bool = False


async def sync(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Bring what is lacking to the destinations, once. See the module's text."""
    request = understood("sync", SyncRequest, asked)
    app.settings.require_work()
    _check(app, request)
    if request.dry_run:
        async for event in _planned(app, request):
            yield event
        return
    run = Run(app.clock)
    with app.hub.listening(run):
        work = asyncio.create_task(_work(app, request, run))
        try:
            while not (await asyncio.wait({work}, timeout=PROGRESS_EVERY))[0]:
                yield run.progress(app)
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
    yield run.last_progress(app)
    targets = _all_targets(app, request)
    look_for_failed(app, _destinations(app, request), run, whole=_is_whole(request))
    if not run.left and _is_whole(request):
        look_for_lacking(app, targets, run)
    yield await result(app, targets, run)


def _is_whole(request: SyncRequest) -> bool:
    """Whether all that is lacking was asked for, so that what is left can be told from it."""
    return request.since is None and request.until is None and not request.again


def _destinations(app: App, request: SyncRequest) -> set[DestinationName]:
    """Those of the chosen devices."""
    return {
        name
        for connected in app.accounts.values()
        for device in connected.devices
        if not request.devices or device.name in request.devices
        for name in device.destinations
    }


def _all_targets(app: App, request: SyncRequest) -> Sequence[Target]:
    rosters = [account.roster for _, account in app.kinds()]
    targets = [target for roster in rosters if roster for some in roster.targets.values() for target in some]
    return sorted(_chosen(targets, request), key=lambda target: target.device)


def _check(app: App, request: SyncRequest) -> None:
    known_devices(app, request.devices)
    for option, text in (("--since", request.since), ("--until", request.until)):
        if text is not None:
            a_moment(option, text)


async def _work(app: App, request: SyncRequest, run: Run) -> None:
    chosen = [(connected, account) for connected, account in app.kinds() if _wanted(account, request)]
    async with Together(1, grace=0) as beside:  # both sides are greeted at the same time
        await beside.start(app.open_doors(patient=False))
        rosters = await asyncio.gather(*(_surveyed(account, request, run) for _, account in chosen))
    # every span is understood before the first row moves
    pieces = [
        Piece(connected, account, module, targets, _span(app, targets, request), request.again)
        for (connected, account), roster in zip(chosen, rosters, strict=True)
        if roster is not None
        for module, targets in _chosen_modules(roster, request)
    ]
    run.begin(app, pieces)
    async with asyncio.TaskGroup() as modules:  # cancelled, it waits for all of them; gather for the first
        for piece in pieces:
            modules.create_task(_module(piece, run))


def _chosen(targets: Sequence[Target], request: SyncRequest) -> tuple[Target, ...]:
    return tuple(target for target in targets if not request.devices or target.device in request.devices)


def _wanted(account: Account, request: SyncRequest) -> bool:
    return not request.devices or any(device.name in request.devices for device in account.devices)


def _chosen_modules(roster: Roster, request: SyncRequest) -> list[tuple[ModuleId, tuple[Target, ...]]]:
    modules = [(module, _chosen(targets, request)) for module, targets in roster.targets.items()]
    return [(module, targets) for module, targets in modules if targets]


async def _surveyed(account: Account, request: SyncRequest, run: Run) -> Roster | None:
    try:
        roster = await account.survey()
    except NetafluxError as error:
        leave(run.left, f"account {account.name}", error)
        return None
    for missing in roster.missing.values():
        if not request.devices or missing.device in request.devices:
            run.left.append(Left(f"device {missing.device}", missing.reason))
    for device, channels in roster.impossible.items():
        if not request.devices or device in request.devices:
            reason = f"its module does not measure what {', '.join(channels)} needs"
            run.left.append(Left(f"device {device}", reason, "Remove these channels.", ConfigError.exit_code))
    return roster


async def _module(piece: Piece, run: Run) -> None:
    account, module, targets = piece.account, piece.module, piece.targets
    failures = []
    if piece.span is None:
        work = [account.poll(module, targets), account.catch_up(module, targets)]
    else:
        work = [account.fetch_span(module, piece.span, targets, again=piece.again)]
    for part in work:  # the past does not wait for a newest page that cannot be had
        try:
            await part
        except NetafluxError as error:
            failures.append(error)
    if failures:
        leave(run.left, ", ".join(target.device for target in targets), failures[0])
    piece.done = True


def _span(app: App, targets: Sequence[Target], request: SyncRequest) -> Window | None:
    """What --since and --until mean for a module, in its station's zone; None where no span is named."""
    if _is_whole(request):
        return None
    # without --since, --until may lie before all that a device wants: then there is nothing to do
    return span_of(
        request.since,
        request.until,
        module=targets[0].module,
        begin=min(target.begin for target in targets),
        now=app.clock.now(),
    )


async def _planned(app: App, request: SyncRequest) -> AsyncIterator[Json]:
    """What a run would fetch; nothing is fetched, sent or recorded."""
    await app.open_doors(patient=False, record=False)
    for _, account in app.kinds():
        if not _wanted(account, request):
            continue
        roster = await account.preview()
        for module, targets in _chosen_modules(roster, request):
            yield _plan_of(app, account, module, targets, request)
        for missing in roster.missing.values():
            yield {"event": "plan", "device": missing.device, "module": None, "reason": missing.reason}
    yield {"event": "result", "dry_run": True, "exit_code": 0}


def _plan_of(
    app: App, account: Account, module: ModuleId, targets: Sequence[Target], request: SyncRequest
) -> Json:
    span = _span(app, targets, request)
    if span is None:
        errands = account.due(module, targets)
    else:
        errands = account.asked(module, span, targets, again=request.again)
    return {
        "event": "plan",
        "device": ", ".join(target.device for target in targets),
        "module": module,
        "errands": [
            {"from": errand.window.begin, "until": errand.window.end, "why": errand.why.value}
            for errand in errands
        ],
    }
