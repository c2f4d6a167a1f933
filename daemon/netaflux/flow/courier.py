"""A page's way to the destinations.

    page → admit (source rows; late ones cut holes) → for each destination that lacks it:
    claim → derive → batches → write → record

Each destination succeeds or fails by itself; coverage grows last, by what was acknowledged.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netaflux.core.devices import Target
from netaflux.core.errors import DestinationError
from netaflux.core.events import BatchDelivered, RowRefused, RowsArrivedLate, RowsPutAside, SeriesStarted
from netaflux.core.model import (
    Batch,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Module,
    ModuleId,
    Page,
    Row,
    Series,
    SetAside,
)
from netaflux.core.ports import Bindings, Coverage, Observer
from netaflux.core.rows import batches, derive
from netaflux.core.spans import Spans
from netaflux.flow.claims import Claim, Claims
from netaflux.flow.door import Door
from netaflux.flow.refusal import write_around_refusals
from netaflux.flow.together import Together

IN_HAND = 32
"""Pages of the past on their way to destinations at a time, of all modules: what waits is in memory.

Twice as many as a destination is sent uploads at a time: while one half is on the line, the other one is
made ready or recorded.
"""


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What one destination lacks of one page for one device."""

    door: Door
    target: Target
    claim: Claim
    identity: DestinationId


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A page to deliver, and what is known about it."""

    module: Module
    page: Page
    targets: tuple[Target, ...]
    """The devices that it is for."""
    complete: Spans
    """The device time for which it is all there is: coverage may grow by that."""
    again: bool = False
    """Whether to send what is covered, too."""


class Courier:
    """Brings pages to the doors of all destinations that lack them."""

    def __init__(
        self,
        *,
        coverage: Coverage,
        bindings: Bindings,
        doors: Mapping[DestinationName, Door],
        observer: Observer,
    ) -> None:
        self._coverage = coverage
        self._bindings = bindings
        self._doors = doors
        self._observer = observer
        self.places = asyncio.Semaphore(IN_HAND)
        """Where pages of the past wait for their delivery."""
        self._claims = Claims()
        self._settling: defaultdict[ModuleId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._good: dict[tuple[DestinationName, DeviceName, tuple[ChannelName, ...]], Batch] = {}
        """The last row that each destination took of the same channels: the probe for refused batches."""
        self._newest_good: dict[DestinationName, Batch] = {}
        self._announced: set[Series] = set()
        self._told_aside: set[ModuleId] = set()

    def lacking(self, targets: Iterable[Target]) -> Spans:
        """Device time whose rows an open destination lacks, of all that these devices want."""
        lacking = Spans()
        for target, door in self._open_ways(targets):
            for spans in set(self._lacking(target, _identity(door), target.wanted).values()):
                lacking |= spans
        return lacking

    def _lacking(self, target: Target, identity: DestinationId, wanted: Spans) -> dict[Series, Spans]:
        """What is wanted less what is covered, for each series; mostly all have come equally far."""
        lacking: dict[Spans, Spans] = {}
        found = {}
        for series in target.series(identity):
            covered = self._coverage.covered(series)
            if covered not in lacking:
                lacking[covered] = wanted - covered
            found[series] = lacking[covered]
        return found

    def _open_ways(self, targets: Iterable[Target]) -> Iterable[tuple[Target, Door]]:
        for target in targets:
            for name in target.destinations:
                if (door := self._doors[name]).open:
                    yield target, door

    def reachable(self, targets: Iterable[Target]) -> bool:
        """Whether any destination of these devices takes rows now."""
        return any(True for _ in self._open_ways(targets))

    def require_room(self) -> None:
        """Raise StateError while what is fetched could not be recorded."""
        self._coverage.require_room()

    def newest(self, module: ModuleId) -> int | None:
        """The newest row ever seen of the module."""
        return self._coverage.newest(module)

    async def deliver(self, delivery: Delivery) -> None:
        """Store the page's rows, then bring them to every open door that lacks them.

        Raises StateError; a destination's failure closes its door and is told there.
        """
        await self._admit(delivery)
        parcels = [
            self._claimed(target, door, delivery.complete, again=delivery.again)
            for target, door in self._open_ways(delivery.targets)
        ]
        try:
            async with Together(max(1, len(parcels)), grace=0) as work:
                for parcel in parcels[1:]:
                    await work.start(self._bring(parcel, delivery.page))
                for parcel in parcels[:1]:  # the only one, mostly: it needs no task of its own
                    await self._bring(parcel, delivery.page)
        finally:
            for parcel in parcels:
                self._claims.release(parcel.claim)

    async def _admit(self, delivery: Delivery) -> None:
        module, page = delivery.module.id, delivery.page
        # a row is news only once: for all that mirror the module, not for those of this errand alone
        devices = self._bindings.mirrors(module)
        # what is recorded of the module is settled before or after, or the record of an old value could cover
        # the hole that its change cuts; what was settled before is written before, for changes are in turn
        async with self._settling[module]:
            admitted = await self._coverage.admit(module, page, devices, newest_hint=delivery.module.newest)
            self._claims.cut(devices, admitted.news)
        if page.aside and module not in self._told_aside:
            self._told_aside.add(module)
            reason = "their time is in the future or outside of what was asked"
            self._observer.tell(RowsPutAside(module=module, rows=page.aside, reason=reason))
        if late := admitted.late:
            self._observer.tell(RowsArrivedLate(module=module, rows=len(late), first=late[0]))

    def _claimed(self, target: Target, door: Door, span: Spans, *, again: bool) -> _Parcel:
        identity = _identity(door)
        span &= target.wanted
        if again:
            lacking = dict.fromkeys(target.series(identity), span)
        else:
            lacking = self._lacking(target, identity, span)
        return _Parcel(door, target, self._claims.take(lacking), identity)

    async def _bring(self, parcel: _Parcel, page: Page) -> None:
        wanted = {series.channel: spans for series, spans in parcel.claim.spans.items()}
        if not any(wanted.values()):
            return
        rows = derive(page.rows, page.measures, parcel.target.channels)
        todo = list(batches(parcel.target.device, parcel.target.channels, rows, wanted))
        sent, aside = await self._send(parcel, todo, rows)
        left = _left(todo[sent:], todo[:sent])
        delivered = {
            series: spans - left.get(series.channel, Spans()) for series, spans in parcel.claim.spans.items()
        }
        async with self._settling[parcel.target.module.id]:
            settled = parcel.claim.settled(delivered)
        await self._coverage.grow(settled, aside)

    async def _send(
        self, parcel: _Parcel, todo: Sequence[Batch], rows: Sequence[Row]
    ) -> tuple[int, list[SetAside]]:
        """Write batch after batch; how many were taken, and the rows that were refused."""
        self._announce(parcel, todo)
        aside: list[SetAside] = []
        for sent, batch in enumerate(todo):
            try:
                aside += await self._write(parcel, batch, self._known_good(parcel, batch, rows))
            except DestinationError as error:
                parcel.door.failed(error)
                return sent, aside
        if todo:
            parcel.door.worked()
        return len(todo), aside

    def _announce(self, parcel: _Parcel, todo: Sequence[Batch]) -> None:
        channels = {channel for batch in todo for channel in batch.channels}
        new = tuple(
            series.channel
            for series in parcel.claim.spans
            if series.channel in channels
            and series not in self._announced
            and not self._coverage.covered(series)
        )
        self._announced.update(parcel.claim.spans)
        if new:
            self._observer.tell(
                SeriesStarted(destination=parcel.door.name, device=parcel.target.device, channels=new)
            )

    def _known_good(self, parcel: _Parcel, batch: Batch, rows: Sequence[Row]) -> Batch | None:
        """Something that the destination took before, to tell a bad row from a bad destination.

        Of the same channels: in this process, or a row of this page that is covered already. For a single
        row anything that it took will do: there are no neighbours to ask.
        """
        return (
            self._good.get((parcel.door.name, batch.device, batch.channels))
            or self._covered_row(parcel, batch, rows)
            or (self._newest_good.get(parcel.door.name) if len(batch.rows) == 1 else None)
        )

    def _covered_row(self, parcel: _Parcel, batch: Batch, rows: Sequence[Row]) -> Batch | None:
        names = [channel.name for channel in parcel.target.channels]
        places = [names.index(channel) for channel in batch.channels]
        spans = [
            self._coverage.covered(Series(parcel.identity, batch.device, channel))
            for channel in batch.channels
        ]
        for row in reversed(rows):
            values = tuple(row.values[place] for place in places)
            if None not in values and all(row.time in covered for covered in spans):
                return Batch(batch.device, batch.channels, [Row(row.time, values)])
        return None

    async def _write(self, parcel: _Parcel, batch: Batch, good: Batch | None) -> list[SetAside]:
        key = (parcel.door.name, batch.device, batch.channels)
        refused = await write_around_refusals(parcel.door.destination, batch, good)
        for row, reason in refused:
            self._observer.tell(
                RowRefused(destination=key[0], device=batch.device, time=row.time, reason=reason)
            )
        gone = {row.time for row, _ in refused}
        taken = [row for row in batch.rows if row.time not in gone] if gone else batch.rows
        if taken:
            self._good[key] = Batch(batch.device, batch.channels, taken[-1:])
            self._newest_good[parcel.door.name] = self._good[key]
            self._observer.tell(_delivered(parcel.door.name, batch, taken))
        return [SetAside(parcel.identity, batch.device, batch.channels, row, why) for row, why in refused]


def _identity(door: Door) -> DestinationId:
    assert door.identity is not None  # noqa: S101 - rows are on their way to open doors alone
    return door.identity


def _delivered(name: DestinationName, batch: Batch, taken: Sequence[Row]) -> BatchDelivered:
    return BatchDelivered(
        destination=name,
        device=batch.device,
        channels=batch.channels,
        rows=len(taken),
        first=taken[0].time,
        last=taken[-1].time,
        values=taken[-1].values,
    )


def _left(unsent: Sequence[Batch], sent: Sequence[Batch]) -> dict[ChannelName, Spans]:
    """Per channel the stretches from unsent row to unsent row that hold no row which was sent."""
    left: dict[ChannelName, Spans] = {}
    for channel in {channel for batch in unsent for channel in batch.channels}:
        marks = [(row.time, True) for batch in unsent if channel in batch.channels for row in batch.rows]
        marks += [(row.time, False) for batch in sent if channel in batch.channels for row in batch.rows]
        left[channel] = Spans(*_runs(sorted(marks)))
    return left


def _runs(marks: Iterable[tuple[int, bool]]) -> Iterable[tuple[int, int]]:
    run: tuple[int, int] | None = None
    for time, unsent in marks:
        if unsent:
            run = (run[0] if run else time, time)
        elif run:
            yield run
            run = None
    if run:
        yield run
