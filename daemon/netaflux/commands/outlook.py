"""How far the history of some modules is, and for how long it will go on: for `sync` and `/status`.

done             the share of the device time that is settled, 0 to 1: delivered, or crossed without a row
rows_left        to be fetched, as far as the rows so far can tell; null until they can
calls_left       the getmeasure calls for them
rows_per_second  as fetched in the last minute
eta_seconds      until all is there, as the budget is now; null while that cannot be told
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from netaflux.app import App, Connected
from netaflux.commands.waiting import forecast
from netaflux.commands.words import Json
from netaflux.core.devices import Target
from netaflux.core.model import AccountName, ModuleId
from netaflux.core.progress import Learnt, Left, done
from netaflux.core.spans import Spans


@dataclass(frozen=True, slots=True)
class Stretch:
    """A module's device time that is to be settled."""

    connected: Connected
    module: ModuleId
    targets: Sequence[Target]
    whole: int
    """Seconds of it, at the beginning."""
    lacking: int
    """Seconds of it that are still to come."""


def seconds(spans: Spans) -> int:
    """How much device time that is."""
    return sum(end - begin + 1 for begin, end in spans)


def end_of(app: App, targets: Sequence[Target]) -> int:
    """Where a module's rows end, as far as is known; without any sign of them they may reach until now."""
    module = targets[0].module
    known = [moment for moment in (app.state.coverage.newest(module.id), module.newest) if moment is not None]
    return max(known, default=int(app.clock.now()))


def wanted(app: App, targets: Sequence[Target]) -> Spans:
    """The device time that these devices of a module want, up to its newest row."""
    return Spans((min(target.begin for target in targets), end_of(app, targets)))


def lacking(app: App, targets: Sequence[Target]) -> Spans:
    """What of it some destination lacks, open or not; one that nobody ever reached lacks everything."""
    found = Spans()
    for target in targets:
        for name in target.destinations:
            identity = app.doors[name].identity or app.state.destinations.identity(name)
            if identity is None:
                return wanted(app, targets)
            for series in target.series(identity):
                found |= target.wanted - app.state.coverage.covered(series)
    return found & wanted(app, targets)


def outlook(app: App, stretches: Iterable[Stretch], learnt: Learnt) -> Json:
    """See the module's text."""
    stretches = list(stretches)
    left = {name: _left(some, learnt) for name, some in _by_account(stretches).items()}
    known = [each for each in left.values() if each is not None]
    told = len(known) == len(left)
    return {
        "done": done(sum(each.lacking for each in stretches), sum(each.whole for each in stretches)),
        "rows_left": sum(each.rows for each in known) if told else None,
        "calls_left": sum(each.calls for each in known) if told else None,
        "rows_per_second": round(learnt.rows_per_second(app.clock.monotonic()), 1),
        "eta_seconds": _eta(app, stretches, left, learnt.pace),
    }


def _by_account(stretches: Iterable[Stretch]) -> dict[AccountName, list[Stretch]]:
    found: dict[AccountName, list[Stretch]] = {}
    for each in stretches:
        found.setdefault(each.connected.name, []).append(each)
    return found


def _left(stretches: Iterable[Stretch], learnt: Learnt) -> Left | None:
    return learnt.left({each.module: each.lacking for each in stretches})


def _eta(
    app: App, stretches: Sequence[Stretch], left: dict[AccountName, Left | None], pace: float
) -> float | None:
    """Seconds until the last call is answered; None where nobody can know."""
    targets = [target for each in stretches if each.lacking for target in each.targets]
    if not stretches or not all(app.doors[name].open for target in targets for name in target.destinations):
        return None
    shared, calls, longest = app.budget.state(), 0, 0.0
    for name, some in left.items():
        if some is None:
            return None
        calls += some.calls
        account = app.accounts[name].gate.state()
        longest = max(longest, forecast(account, shared, pace=pace).seconds(some.calls))
    longest = max(longest, forecast(shared, pace=pace).seconds(calls))
    return round(longest, 1) if isfinite(longest) else None
