"""What the destinations are known to hold: on disk, and a mirror of it in memory."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import NamedTuple, Self

import orjson

from netaflux.core.errors import StateError
from netaflux.core.lookback import Looks
from netaflux.core.model import (
    Admitted,
    ChannelName,
    DestinationId,
    DeviceName,
    Measure,
    ModuleId,
    Page,
    Row,
    Rows,
    Series,
    SetAside,
    Window,
)
from netaflux.core.ports import Clock
from netaflux.core.spans import Spans
from netaflux.state.aside import Place, put_aside, take_back
from netaflux.state.database import Database, Work
from netaflux.state.looks import all_looks, looked, looks_of, notice
from netaflux.state.source_rows import RETENTION, Extent, extent, extents, keep, newest_row

_NOTHING = Spans()
_NO_LOOKS = Looks()

_SELECT = """
    SELECT json_group_array(json_array(destination, device, channel, begin, "end")) FROM (
        SELECT * FROM coverage WHERE {where} ORDER BY device, destination, channel, begin
    )"""
"""All of them in one row: after every row of several the event loop would run, and keep us waiting."""
_INSERT = """
    INSERT OR REPLACE INTO coverage (destination, device, channel, begin, "end")
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)"""
_DELETE = "DELETE FROM coverage WHERE destination = ? AND device = ? AND channel = ? AND begin = ?"


class _Change(NamedTuple):
    """What became of a part of one series' spans."""

    series: Series
    before: Spans
    after: Spans


class _Effect(NamedTuple):
    """What a page has changed."""

    extent: Extent
    looks: Looks | None
    """None: as they were."""
    cuts: Sequence[_Change]
    admitted: Admitted


@dataclass(slots=True)
class _Growth:
    """What was acknowledged, and waits to be recorded together."""

    grown: defaultdict[Series, Spans] = field(default_factory=lambda: defaultdict(Spans))
    aside: list[SetAside] = field(default_factory=list)
    recorded: "asyncio.Task[None] | None" = None

    def add(self, grown: Mapping[Series, Spans], aside: Sequence[SetAside]) -> None:
        for series, spans in grown.items():
            self.grown[series] |= spans
        self.aside += aside


class StoredCoverage:
    """Coverage and source rows; reading is from memory and immediate, every change is one transaction."""

    def __init__(self, database: Database, clock: Clock, *, retention: int = RETENTION) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention
        self._spans: dict[Series, Spans] = {}
        self._series: defaultdict[DeviceName, set[Series]] = defaultdict(set)
        """Those of each device."""
        self._extents: dict[ModuleId, Extent] = {}
        self._looks: dict[ModuleId, Looks] = {}
        self._growth: _Growth | None = None
        """Open for more."""
        self._recording = asyncio.Lock()

    @classmethod
    async def open(cls, database: Database, clock: Clock, *, retention: int = RETENTION) -> Self:
        """Read what is there; source rows are kept for `retention` seconds. Raises StateError."""
        coverage = cls(database, clock, retention=retention)
        coverage._note(await database.run(_all))
        coverage._extents = await database.run(extents)
        coverage._looks = await database.run(all_looks)
        return coverage

    def covered(self, series: Series) -> Spans:
        """The spans of device time whose rows are known to be there."""
        return self._spans.get(series, _NOTHING)

    def require_room(self) -> None:
        """Raise StateError while what is fetched could not be recorded."""
        self._database.require_room()

    def newest(self, module: ModuleId) -> int | None:
        """The time of the newest row ever seen of the module."""
        return self._extents.get(module, Extent()).newest

    def looks(self, module: ModuleId) -> Looks:
        """What is known of the module's looks back."""
        return self._looks.get(module, _NO_LOOKS)

    async def looked(self, module: ModuleId, newest: int, asked: Sequence[Window]) -> None:
        """All of these windows was fetched again, as was due with rows up to `newest`. Raises StateError."""
        work = partial(looked, module=module, newest=newest, asked=tuple(asked))
        await self._database.run(work, then=partial(self._looks.__setitem__, module))

    def latest(self, device: DeviceName) -> int | None:
        """The end of the device's last span at any destination."""
        told = (self._spans[series] for series in self._series.get(device, ()))
        return max((spans.pairs[-1][1] for spans in told if spans), default=None)

    async def newest_row(self, module: ModuleId) -> tuple[tuple[Measure, ...], Row] | None:
        """The newest row that is kept of the module, with its measures. Raises StateError."""
        return await self._database.run(partial(newest_row, module=module))

    async def admit(
        self,
        module: ModuleId,
        page: Page,
        devices: Collection[DeviceName],
        *,
        newest_hint: int | None = None,
    ) -> Admitted:
        """Keep the page's rows of the last days; answer which of them are new or have changed.

        In the same transaction the time of each such row is cut out of every coverage of `devices`, which
        mirror that module: of all destinations and channels, so that delivery fills the hole.
        `newest_hint` is where the module's rows are said to end: before its first row it spares keeping
        those that will be too old.

        Raises StateError.
        """
        if page.last is None or self._brings_nothing(module, page):
            return Admitted()
        if self._growth and self._growth.recorded:
            # what was acknowledged before is recorded before, or it would fill the holes that are cut now
            await asyncio.wait({self._growth.recorded})
        elif self._database.trouble and self._database.watched:
            async with self._recording:  # what waits for room was acknowledged before, too
                pass
        hint = None if newest_hint is None else min(newest_hint, int(self._clock.now()))  # not one from 2036
        work = partial(
            _admit, module=module, page=page, devices=set(devices), hint=hint, retention=self._retention
        )
        effect: _Effect = await self._database.run(work, then=partial(self._note_admitted, module))
        return effect.admitted

    def _brings_nothing(self, module: ModuleId, page: Page) -> bool:
        """Whether all of its rows are too old to be compared, and fill no gap."""
        extent, times = self._extents.get(module, Extent()), Rows.of(page.rows).times
        return extent.outlived(times[-1]) and not self.looks(module).filled(times, extent.kept_since)

    async def grow(self, grown: Mapping[Series, Spans], aside: Sequence[SetAside] = ()) -> None:
        """Add what a destination has acknowledged, and the rows that it refused. Raises StateError."""
        wanted = {series: spans for series, spans in grown.items() if spans}
        if not (wanted or aside):
            return
        growth = self._growth = self._growth or _Growth()
        growth.add(wanted, aside)
        growth.recorded = growth.recorded or asyncio.create_task(self._record(growth))
        await asyncio.shield(growth.recorded)

    async def _record(self, growth: _Growth) -> None:
        """Commit it; while one is being committed the next gathers, for a commit is a wait for the disk."""
        async with self._recording:
            self._growth = None
            work = partial(_grow, grown=growth.grown, aside=growth.aside, now=self._clock.now())
            await self._until_recorded(work)

    async def _until_recorded(self, work: Work[list[_Change]]) -> None:
        while True:
            try:
                await self._database.run(work, then=self._note)
            except StateError:
                # what is delivered shall not be delivered again only because the disk was full meanwhile
                if not await self._database.outlast():
                    raise
            else:
                return

    def _note_admitted(self, module: ModuleId, effect: _Effect) -> None:
        self._extents[module] = effect.extent
        if effect.looks is not None:
            self._looks[module] = effect.looks
        self._note(effect.cuts)

    def _note(self, changes: Sequence[_Change]) -> None:
        # as differences, in the order of the commits: other changes may have been committed since we looked
        for series, before, after in changes:
            self._spans[series] = (self.covered(series) - before) | after
            self._series[series.device].add(series)


def _all(connection: sqlite3.Connection) -> list[_Change]:
    return [_Change(series, _NOTHING, spans) for series, spans in _stored(connection, "true").items()]


def _grow(
    connection: sqlite3.Connection, grown: Mapping[Series, Spans], aside: Sequence[SetAside], now: float
) -> list[_Change]:
    put_aside(connection, aside, now)
    changes = [change for place, each in _by_place(grown) for change in _grown(connection, place, each)]
    _write(connection, changes)
    return changes


def _by_place(grown: Mapping[Series, Spans]) -> Iterable[tuple[Place, Mapping[Series, Spans]]]:
    """What has grown, for each device at each destination."""
    places: defaultdict[Place, dict[Series, Spans]] = defaultdict(dict)
    for series, spans in grown.items():
        places[series.destination, series.device][series] = spans
    return places.items()


def _grown(connection: sqlite3.Connection, place: Place, grown: Mapping[Series, Spans]) -> Iterator[_Change]:
    # a second more on either side: spans that touch become one
    where = 'destination = ? AND device = ? AND begin <= ? AND "end" >= ?'
    first = min(spans.pairs[0][0] for spans in grown.values()) - 1
    last = max(spans.pairs[-1][1] for spans in grown.values()) + 1
    near = _stored(connection, where, *place, last, first)
    for series, spans in grown.items():
        before = near.get(series, _NOTHING)
        yield _Change(series, before, before | spans)


def _admit(
    connection: sqlite3.Connection,
    module: ModuleId,
    page: Page,
    devices: Collection[DeviceName],
    hint: int | None,
    retention: int,
) -> _Effect:
    before = extent(connection, module)
    after, news = keep(connection, module, page, before, hint, retention)
    times = Rows.of(page.rows).times
    news = looks_of(connection, module).filled(times, after.kept_since) + news
    cuts = [cut for device in devices for cut in _cut(connection, device, news)] if news else []
    _write(connection, cuts)
    late = sorted({time for cut in cuts for time in cut.before.held(news)})
    take_back(connection, devices, news)
    looks = notice(connection, module, times, news, (before, after)) if news else None
    return _Effect(after, looks, cuts, Admitted(news, late))


def _cut(connection: sqlite3.Connection, device: DeviceName, times: Sequence[int]) -> Iterator[_Change]:
    # from the file, not from the mirror: what shares our transaction is not in the mirror yet
    where = 'device = ? AND begin <= ? AND "end" >= ?'
    for series, before in _stored(connection, where, device, times[-1], times[0]).items():
        yield _Change(series, before, before - Spans.at(times))


def _stored(connection: sqlite3.Connection, where: str, *parameters: object) -> dict[Series, Spans]:
    """The series, with those of their spans for which the condition holds."""
    (text,) = connection.execute(_SELECT.format(where=where), parameters).fetchone()
    rows: list[tuple[str, str, str, int, int]] = orjson.loads(text)
    return {
        Series(DestinationId(destination), DeviceName(device), ChannelName(channel)): Spans(
            *((begin, end) for *_, begin, end in group)
        )
        for (destination, device, channel), group in groupby(rows, key=lambda row: row[:3])
    }


def _write(connection: sqlite3.Connection, changes: Sequence[_Change]) -> None:
    """Write only what has become another span."""
    gone = [
        (*series, begin)
        for series, before, after in changes
        for begin in {begin for begin, _ in before}.difference(begin for begin, _ in after)
    ]
    if gone:
        connection.executemany(_DELETE, gone)
    come = [(*series, *pair) for series, before, after in changes for pair in set(after).difference(before)]
    connection.execute(_INSERT, (orjson.dumps(come).decode(),))
