"""The answer of `/status`: how every account, device and destination is doing. Times are unix seconds.

version, started, now
accounts      name, state, authorized_until, scopes, needs_person, suspicion, remedy,
              trouble (of its first kind of modules that cannot be polled: source, reason, remedy),
              calls (per window: used, limit, left, seconds; waiting, closed_until, reason, wait, feeling,
              per_hour, stretch: `core/budget`, BudgetState),
              thrifty (null while calls suffice; else each module is asked every so many `hours`, and surveys
              are rarer by `factor`),
              backfill (null where no past is lacking; else `rows` and `calls` since the start, all accounts'
              together, what `commands/outlook` says, and `waiting_until` and `reason`: `commands/waiting`)
app_calls     the same of the app's limits, over all accounts
devices       device, account, source, module, title, reachable, channels, begin, newest (row), next_poll,
              last_poll, trouble, and per destination: watermark, lag (seconds behind the newest row),
              rows (since the start), newest (values of the last row sent)
configured    the names of all devices of the configuration
missing       device, reason: configured, but not found in the account
destinations  name, identity, ok, reason and remedy of its newest failure (null while it works; the remedy is
              empty where one can but wait), failures, retry_in
state         trouble (why nothing can be recorded, and so nothing is polled; or null), rescues (damaged
              databases that were set aside and still lie there: aside, reason, saved, lost)
rows_aside    destination, device, time, values, reason: refused for their content
notices       kind, subject, text, remedy, since: what a person is needed for, where [notify] is configured
"""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite

from netaflux import __version__
from netaflux.app import App, Connected
from netaflux.commands.notify import open_notices
from netaflux.commands.outlook import Stretch, lacking, outlook, seconds, wanted
from netaflux.commands.waiting import waiting
from netaflux.commands.words import Json
from netaflux.core.budget import BudgetState
from netaflux.core.devices import Target
from netaflux.core.lookback import LOOK_BACK
from netaflux.core.model import DestinationName, ModuleId, SetAside
from netaflux.flow.account import Account
from netaflux.flow.door import Door
from netaflux.logs import reasons_masked

NextPoll = Callable[[Account, ModuleId], float | None]


async def status(app: App, next_poll: NextPoll) -> Json:
    """The snapshot of this moment."""
    snapshot = glance(app, next_poll)
    for account in snapshot["accounts"]:
        account["backfill"] = _backfill(app, app.accounts[account["name"]])
    aside = [_aside(row) for row in await app.state.rows_aside.newest()]
    told: Json = reasons_masked({**snapshot, "rows_aside": aside, "notices": await open_notices(app)})
    return told


def glance(app: App, next_poll: NextPoll) -> Json:
    """The same less what takes its time: how far a backfill is, and what only the database knows."""
    return {
        "version": __version__,
        "started": app.record.started,
        "now": app.clock.now(),
        "accounts": [_account(app, connected) for connected in app.accounts.values()],
        "devices": [_device(app, account, target, next_poll) for account, target in _targets(app)],
        "configured": [device.name for device in app.settings.devices],
        "missing": [
            {"device": missing.device, "reason": missing.reason}
            for _, account in app.kinds()
            if account.roster
            for missing in account.roster.missing.values()
        ],
        "destinations": [_destination(app, door) for door in app.doors.values()],
        "app_calls": _calls(app.budget.state()),
        "state": _state(app),
    }


def _state(app: App) -> Json:
    trouble = app.state.database.trouble
    rescues = [
        {"aside": str(each.aside), "reason": each.reason, "saved": dict(each.saved), "lost": list(each.lost)}
        for each in app.state.rescues
        if each.aside.exists()
    ]
    return {"trouble": trouble.message if trouble else None, "rescues": rescues}


def _targets(app: App) -> Iterable[tuple[Account, Target]]:
    found = [
        (account, target)
        for _, account in app.kinds()
        if account.roster
        for some in account.roster.targets.values()
        for target in some
    ]
    return sorted(found, key=lambda each: each[1].device)


def _account(app: App, connected: Connected) -> Json:
    keeper, name = connected.keeper, connected.name
    thrifty = app.record.thrifty.get(name)
    return {
        "name": name,
        "state": keeper.state,
        "authorized_until": keeper.expires_at,
        "scopes": list(keeper.scopes),
        "needs_person": keeper.needs_person,
        "suspicion": keeper.suspicion,
        "remedy": keeper.remedy,
        "calls": _calls(connected.gate.state()),
        "thrifty": None if thrifty is None else {"hours": thrifty.hours, "factor": thrifty.factor},
        "trouble": _trouble(app, connected),
    }


def _trouble(app: App, connected: Connected) -> Json | None:
    for account in connected.mirrored:
        source = account.source_name.value
        if trouble := app.record.accounts_failing.get((connected.name, source)):
            return {"source": source, "reason": trouble.reason, "remedy": trouble.remedy}
    return None


def _backfill(app: App, connected: Connected) -> Json | None:
    """How far the account's past is, where more of it is lacking than the next poll brings."""
    rosters = [account.roster for account in connected.mirrored if account.roster]
    every = [targets for roster in rosters for targets in roster.targets.values()]
    stretches = [_stretch(app, connected, targets) for targets in every if not _rowless(app, targets)]
    if sum(each.lacking for each in stretches if each.lacking > LOOK_BACK) == 0:
        return None
    learnt = app.record.learnt
    return {
        "rows": learnt.rows,
        "calls": learnt.calls,
        **outlook(app, stretches, learnt),
        **waiting(app, [connected]),
    }


def _rowless(app: App, targets: Sequence[Target]) -> bool:
    """Whether a module was asked for its rows, and there are none."""
    module = targets[0].module
    known = app.state.coverage.newest(module.id) is not None or module.newest is not None
    return not known and module.id in app.record.polled


def _stretch(app: App, connected: Connected, targets: Sequence[Target]) -> Stretch:
    whole, left = seconds(wanted(app, targets)), seconds(lacking(app, targets))
    return Stretch(connected, targets[0].module.id, targets, whole, left)


def _calls(state: BudgetState) -> Json:
    uses = [
        {"used": use.used, "limit": use.limit.permits, "left": left, "seconds": use.limit.seconds}
        for use, left in zip(state.uses, state.left, strict=True)
    ]
    return {
        "uses": uses,
        "waiting": state.waiting,
        "closed_until": state.closed_until,
        "reason": state.reason,
        "wait": state.wait if isfinite(state.wait) else None,
        "feeling": state.feeling,
        "per_hour": state.per_hour,
        "stretch": state.stretch,
    }


def _aside(row: SetAside) -> Json:
    return {
        "destination": row.destination,
        "device": row.device,
        "time": row.row.time,
        "values": dict(zip(row.channels, row.row.values, strict=True)),
        "reason": row.reason,
    }


def _device(app: App, account: Account, target: Target, next_poll: NextPoll) -> Json:
    module, source = target.module, account.source_name
    return {
        "device": target.device,
        "account": module.account,
        "source": source.value,
        "module": module.id,
        "title": module.titles[-1] if module.titles else None,
        "kind": module.kind,
        "reachable": module.reachable,
        "channels": [channel.name for channel in target.channels],
        "begin": target.begin,
        "newest": app.state.coverage.newest(module.id),
        "next_poll": next_poll(account, module.id),
        "last_poll": app.record.polled.get(module.id),
        "trouble": app.record.trouble(module.id, module.account, source.value),
        "destinations": [_at(app, target, name) for name in target.destinations],
    }


def _at(app: App, target: Target, name: DestinationName) -> Json:
    mark, newest = watermark(app, target, name), app.state.coverage.newest(target.module.id)
    taken = app.record.delivered.get((name, target.device))
    return {
        "name": name,
        "watermark": mark,
        "lag": None if mark is None or newest is None else max(0, newest - mark),
        "rows": taken.rows if taken else 0,
        "newest": {"time": taken.last, **taken.newest} if taken and taken.newest else None,
    }


def watermark(app: App, target: Target, name: DestinationName) -> int | None:
    """The end of the coverage span that holds `begin`, of the channel that is furthest behind."""
    identity = app.doors[name].identity or app.state.destinations.identity(name)
    if identity is None or not target.channels:
        return None
    spans = [app.state.coverage.covered(series).around(target.begin) for series in target.series(identity)]
    ends = [span[1] if span else None for span in spans]
    return None if None in ends else min(end for end in ends if end is not None)


def _destination(app: App, door: Door) -> Json:
    identity = door.identity or app.state.destinations.identity(door.name)
    return {
        "name": door.name,
        "identity": identity,
        "ok": door.identity is not None and not door.failures,
        "reason": door.reason,
        "remedy": door.remedy,
        "failures": door.failures,
        "retry_in": max(0.0, door.retry_at - app.clock.monotonic()) if door.failures else None,
    }
