"""What one run of `sync` came to: counted while it goes, told at its end."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from netaflux.app import App, Connected
from netaflux.commands.outlook import Stretch, end_of, lacking, outlook, seconds, wanted
from netaflux.commands.waiting import waiting
from netaflux.commands.words import Json, iso
from netaflux.core.devices import Target
from netaflux.core.errors import ConfigError, NetafluxError, NotAuthorized, UsageError
from netaflux.core.events import BatchDelivered, DestinationFailed, Event, PageFetched, RowRefused
from netaflux.core.model import DestinationName, DeviceName, ModuleId, Window
from netaflux.core.ports import Clock
from netaflux.core.progress import Learnt
from netaflux.core.rows import derive
from netaflux.core.spans import Spans
from netaflux.flow.account import Account

LOOK_EVERY = 5
"""Of so many progress events one has a new look at what costs a millisecond to know."""


@dataclass(slots=True)
class Tally:
    """What one device got at one destination in this run."""

    rows: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, event: BatchDelivered) -> None:
        """Count an acknowledged batch."""
        self.rows += event.rows
        self.first = event.first if self.first is None else min(self.first, event.first)
        self.last = event.last if self.last is None else max(self.last, event.last)


@dataclass(slots=True)
class Left:
    """Something that did not come to rest, and why."""

    what: str
    reason: str
    remedy: str = ""
    exit_code: int = 75

    def to_json(self) -> Json:
        """As `sync --json` shows it."""
        return {"what": self.what, "reason": self.reason, "remedy": self.remedy}


def leave(left: list[Left], what: str, error: NetafluxError) -> None:
    """Note what an error has kept from coming to rest; the same error is one, with all that it kept."""
    fresh = Left(what, error.message, error.remedy, error.exit_code)
    same = next((each for each in left if replace(each, what=what) == fresh), None)
    if same is None:
        left.append(fresh)
    elif what not in same.what.split(", "):  # an account has several kinds of modules
        same.what = ", ".join(sorted((*same.what.split(", "), what)))


@dataclass(slots=True)
class Piece:
    """One module's part of a run."""

    connected: Connected
    account: Account
    module: ModuleId
    targets: tuple[Target, ...]
    span: Window | None
    """What a person named; None where all that is lacking was asked for."""
    again: bool
    whole: Spans = field(default_factory=Spans)
    """The device time that it is about, as it was at the beginning."""
    crossed: Spans = field(default_factory=Spans)
    """What its pages have told of, for rows that are sent though they are there."""
    done: bool = False

    def lacking(self, app: App) -> Spans:
        """The device time that is still to come."""
        if self.done:
            return Spans()
        wanted = self._wanted(app)
        return wanted - self.crossed if self.again else lacking(app, self.targets) & wanted

    def stretch(self, app: App) -> Stretch:
        """How far it is."""
        whole, lacking = seconds(self.whole), seconds(self.lacking(app))
        return Stretch(self.connected, self.module, self.targets, whole, lacking)

    def _wanted(self, app: App) -> Spans:
        if self.span is None:
            return wanted(app, self.targets)
        end = end_of(app, self.targets)
        return Spans((self.span.begin, end if self.span.end is None else min(end, self.span.end - 1)))

    def saw(self, page: PageFetched) -> None:
        """One of its pages has come."""
        if self.again and page.last is not None:
            self.crossed |= Spans((page.begin, page.last))


@dataclass(slots=True)
class Run:
    """One run of `sync`: an observer of it, too."""

    clock: Clock
    tallies: dict[tuple[DeviceName, DestinationName], Tally] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    failed: dict[DestinationName, str] = field(default_factory=dict)
    """Destinations that failed during the run, and why; some may have recovered."""
    pieces: dict[ModuleId, Piece] = field(default_factory=dict)
    """The modules that this run is about; a daemon polls others at the same time."""
    devices: set[DeviceName] = field(default_factory=set)
    """The same of devices."""
    learnt: Learnt = field(default_factory=Learnt)
    _asked: int = 0
    _seen: Json = field(default_factory=dict)

    def tell(self, event: Event) -> None:
        """Count what belongs to this run."""
        match event:
            case PageFetched() if piece := self.pieces.get(event.module):
                self.learnt.saw(event, self.clock.monotonic())
                piece.saw(event)
            case BatchDelivered() if event.device in self.devices:
                self.tallies.setdefault((event.device, event.destination), Tally()).add(event)
            case DestinationFailed():
                self.failed[event.destination] = event.reason
            case RowRefused() if event.device in self.devices:
                what = f"{event.device} at {event.destination}: the row of {iso(event.time)}"
                self.left.append(Left(what, event.reason))

    def begin(self, app: App, pieces: Sequence[Piece]) -> None:
        """All that it is about is known now."""
        for piece in pieces:
            piece.whole = piece.lacking(app)
        self.pieces = {piece.module: piece for piece in pieces}
        self.devices = {target.device for piece in pieces for target in piece.targets}

    def progress(self, app: App) -> Json:
        """How far it is; asked five times, it looks at coverage and budget once."""
        if self._asked % LOOK_EVERY == 0:
            self._look(app)
        self._asked += 1
        return {
            "event": "progress",
            "rows": sum(tally.rows for tally in self.tallies.values()),
            "calls": self.learnt.calls,
            "modules_done": sum(piece.done for piece in self.pieces.values()),
            "modules": len(self.pieces),
            **self._seen,
        }

    def _look(self, app: App) -> None:
        stretches = [piece.stretch(app) for piece in self.pieces.values()]
        accounts = {each.connected.name: each.connected for each in self.pieces.values()}
        waits = waiting(app, (accounts or app.accounts).values())
        self._seen = outlook(app, stretches, self.learnt) | waits

    def last_progress(self, app: App) -> Json:
        """How far it has come."""
        self._asked = 0
        return self.progress(app)


async def result(app: App, targets: Sequence[Target], run: Run) -> Json:
    """The last event: a line for each device at each destination, and what is left."""
    lines = [
        await _line(app, target, destination, run)
        for target in targets
        for destination in target.destinations
    ]
    return {
        "event": "result",
        "devices": lines,
        "left": [left.to_json() for left in run.left],
        "calls": run.learnt.calls,
        "exit_code": _exit_code({left.exit_code for left in run.left}),
    }


def _exit_code(codes: set[int]) -> int:
    """0 when all is done; the one reason where there is but one that a person can mend; else: try later."""
    mendable = {NotAuthorized.exit_code, UsageError.exit_code, ConfigError.exit_code}
    return 0 if not codes else next(iter(codes)) if len(codes) == 1 and codes <= mendable else 75


def look_for_failed(app: App, destinations: Collection[DestinationName], run: Run, *, whole: bool) -> None:
    """Note the destinations that did not take everything.

    One that is well again may have got the rest; only after a `whole` run that can be told.
    """
    for name in sorted(destinations):
        door = app.doors[name]
        if door.failures or door.identity is None or (name in run.failed and not whole):
            reason = door.reason or run.failed.get(name, "it is away")
            run.left.append(Left(f"destination {name}", reason))


def look_for_lacking(app: App, targets: Sequence[Target], run: Run) -> None:
    """Note what an open destination still lacks though nothing has failed: another run has it in hand."""
    for target in targets:
        newest = app.state.coverage.newest(target.module.id)
        lacking = app.courier.lacking([target]) & Spans((0, -1 if newest is None else newest))
        if lacking:
            begin, _ = next(iter(lacking))
            run.left.append(Left(target.device, f"rows from {iso(begin)} on are not delivered yet"))


async def _line(app: App, target: Target, destination: DestinationName, run: Run) -> Json:
    tally = run.tallies.get((target.device, destination), Tally())
    newest = await _newest(app, target)
    return {
        "device": target.device,
        "destination": destination,
        "module": target.module.id,
        "rows": tally.rows,
        "from": tally.first,
        "to": tally.last,
        "newest": newest,
    }


async def _newest(app: App, target: Target) -> Json | None:
    """The newest row that was ever read of the module, as this device's channels."""
    found = await app.state.coverage.newest_row(target.module.id)
    if found is None:
        return None
    measures, row = found
    (derived,) = derive([row], measures, target.channels)
    names = [channel.name for channel in target.channels]
    return {"time": row.time, **dict(zip(names, derived.values, strict=True))}
