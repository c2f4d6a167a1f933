"""A small world for the flow: a clock that is turned, a source, destinations and a coverage in memory."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netaflux.core.errors import BatchRefused, DestinationDown, StateError, UpstreamFault
from netaflux.core.events import CallMade, ErrorMet, Event
from netaflux.core.lookback import Looks
from netaflux.core.measures import measures_of
from netaflux.core.model import (
    PAGE_ROWS,
    AccountName,
    Admitted,
    Batch,
    Binding,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Lane,
    Measure,
    Module,
    ModuleId,
    Number,
    Page,
    Row,
    Series,
    SetAside,
    Survey,
    Window,
)
from netaflux.core.spans import Spans

ACCOUNT = AccountName("default")
RETENTION = 15 * 86400

HERE = DestinationId("fake:here#1")
Values = Mapping[Measure, Number | None]
Cell = tuple[DeviceName, ChannelName, int]


class TurnedClock:
    """Stands still until it is turned; whoever sleeps turns it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def names(self) -> list[str]:
        """What was told, but for what is told each time for those who count."""
        return [event.name for event in self.events if not isinstance(event, CallMade | ErrorMet)]


def a_module(number: int = 1, *, kind: str = "NAModule1", name: str = "Porch", **more: object) -> Module:
    """A module of the station `AR Home`."""
    return replace(
        Module(
            id=ModuleId(f"02:00:00:00:00:{number:02x}"),
            account=ACCOUNT,
            station=ModuleId("70:ee:50:00:00:01"),
            kind=kind,
            measures=measures_of(kind),
            name=name,
            places=("AR Home",),
            timezone="America/New_York",
            set_up=1_400_000_000,
            reachable=True,
        ),
        **more,  # type: ignore[arg-type]  # a field of Module
    )


@dataclass
class FakeSource:
    """An account whose rows can be written to; its pages hold `page_rows` rows."""

    modules: list[Module]
    page_rows: int = 7
    rows: defaultdict[ModuleId, dict[int, Values]] = field(default_factory=lambda: defaultdict(dict))
    calls: list[tuple[ModuleId, Window]] = field(default_factory=list)
    failing: bool = False
    server_time: int | None = None

    async def survey(self) -> Survey:
        await asyncio.sleep(0)
        self._fail()
        return Survey(ACCOUNT, tuple(self.modules), self.server_time)

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        await asyncio.sleep(0)
        self._fail()
        self.calls.append((module.id, window))
        held = self.rows[module.id]
        times = sorted(time for time in held if time in window)[: self.page_rows]
        rows = [Row(time, tuple(held[time].get(measure) for measure in measures)) for time in times]
        full = len(rows) == self.page_rows
        return Page(tuple(measures), window, rows, PAGE_ROWS if full else len(rows))

    def _fail(self) -> None:
        if self.failing:
            raise UpstreamFault("Netatmo fails")


@dataclass
class FakeDestination:
    """Keeps cells in memory and counts how often each was written."""

    name: DestinationName
    identity: DestinationId = HERE
    cells: dict[Cell, Number] = field(default_factory=dict)
    writes: Counter[tuple[Cell, Number]] = field(default_factory=Counter)
    down: bool = False
    away: bool = False
    """Takes rows, and the answer is lost."""
    buggy: bool = False
    """Raises what nobody expects."""
    refused_times: set[int] = field(default_factory=set)

    async def identify(self) -> DestinationId:
        await asyncio.sleep(0)
        self._stumble()
        if self.down:
            raise DestinationDown(f"{self.name} is down")
        return self.identity

    async def write(self, batch: Batch) -> None:
        await asyncio.sleep(0)
        self._stumble()
        if self.down:
            raise DestinationDown(f"{self.name} is down")
        if bad := self.refused_times & {row.time for row in batch.rows}:
            raise BatchRefused(f"row {min(bad)} is not to my taste")
        for row in batch.rows:
            for channel, value in zip(batch.channels, row.values, strict=True):
                assert value is not None
                self.cells[batch.device, channel, row.time] = value
                self.writes[(batch.device, channel, row.time), value] += 1
        await asyncio.sleep(0)
        if self.away:
            raise DestinationDown(f"{self.name} went away")

    def _stumble(self) -> None:
        if self.buggy:
            raise RuntimeError("nobody has thought of this")


@dataclass
class FakeState:
    """Coverage, bindings and identities that survive a restart of whoever uses them."""

    spans: dict[Series, Spans] = field(default_factory=dict)
    rows: defaultdict[ModuleId, dict[int, dict[Measure, Number | None]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    newest_rows: dict[ModuleId, int] = field(default_factory=dict)
    kept_since: dict[ModuleId, int] = field(default_factory=dict)
    looks_back: dict[ModuleId, Looks] = field(default_factory=dict)
    bound: dict[DeviceName, Binding] = field(default_factory=dict)
    identities: dict[DestinationName, DestinationId] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)
    losing: bool = False
    """Whether what is recorded is lost, as by a crash between the yes and the commit."""

    def covered(self, series: Series) -> Spans:
        return self.spans.get(series, Spans())

    def newest(self, module: ModuleId) -> int | None:
        return self.newest_rows.get(module)

    async def admit(
        self,
        module: ModuleId,
        page: Page,
        devices: Collection[DeviceName],
        *,
        newest_hint: int | None = None,
    ) -> Admitted:
        await asyncio.sleep(0)
        if not page.rows:
            return Admitted()
        since = self.kept_since.get(module, 0)
        times = [row.time for row in page.rows]
        news = [row.time for row in page.rows if row.time >= since and self._news(module, page, row)]
        reached = self.newest_rows.get(module, 0)
        newest = max(reached, times[-1])
        self.newest_rows[module] = newest
        self.kept_since[module] = max(since, newest - RETENTION)
        old = [time for time in times if time < self.kept_since[module] and time not in news]
        gaps = self.looks(module).gaps
        news = [time for time in old if any(gap.begin < time < gap.end for gap in gaps)] + news
        covered = [series for series in self.spans if series.device in devices]
        late = sorted({time for series in covered for time in news if time in self.spans[series]})
        for series in covered:
            self.spans[series] -= Spans.at(late)
        if news:
            kept = [time for time in self.rows[module] if time < times[0]]
            before = [reached] if 0 < reached < times[0] else sorted(kept)[-1:]
            self.looks_back[module] = self.looks(module).seen([*before, *times], news, newest)
        return Admitted(news, late)

    def looks(self, module: ModuleId) -> Looks:
        return self.looks_back.get(module, Looks())

    def require_room(self) -> None:
        """Memory takes all."""

    async def looked(self, module: ModuleId, newest: int, asked: Sequence[Window]) -> None:
        await asyncio.sleep(0)
        for window in asked:
            self.looks_back[module] = self.looks(module).looked(newest, window)

    def _news(self, module: ModuleId, page: Page, row: Row) -> bool:
        known = self.rows[module].get(row.time)
        fetched = dict(zip(page.measures, row.values, strict=True))
        if known is None:
            self.rows[module][row.time] = fetched
            return True
        changed = any(
            value is not None and measure in known and known[measure] != value
            for measure, value in fetched.items()
        )
        known.update({m: value for m, value in fetched.items() if value is not None or m not in known})
        return changed

    async def grow(self, grown: Mapping[Series, Spans], aside: Sequence[SetAside] = ()) -> None:
        await asyncio.sleep(0)
        if self.losing:
            raise StateError("the disk is gone")
        self.set_aside += aside
        for series, spans in grown.items():
            self.spans[series] = self.covered(series) | spans

    def binding(self, device: DeviceName) -> Binding | None:
        return self.bound.get(device)

    def mirrors(self, module: ModuleId) -> set[DeviceName]:
        return {device for device, binding in self.bound.items() if binding.module == module}

    async def bind(self, binding: Binding) -> None:
        await asyncio.sleep(0)
        self.bound[binding.device] = binding

    def delivered_until(self, device: DeviceName) -> int | None:
        ends = [
            spans.pairs[-1][1] for series, spans in self.spans.items() if series.device == device and spans
        ]
        return max(ends, default=None)

    def identity(self, name: DestinationName) -> DestinationId | None:
        return self.identities.get(name)

    async def remember_identity(self, name: DestinationName, identity: DestinationId) -> bool:
        await asyncio.sleep(0)
        before = self.identities.get(name)
        self.identities[name] = identity
        return before not in (None, identity)
