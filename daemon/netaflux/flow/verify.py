"""Is what the destinations hold what Netatmo has? Page after page of one module, with flat memory.

    page (lane HISTORY) → for each device and destination: read back → compare → Findings
                                                    └─(repair)→ fetch anew → write → read back

What is judged of a series ends at its newest covered row: what comes after it is on its way, and no defect.
Where nothing of a series is covered, all of Netatmo's rows are looked at, for the destination may hold them
from an earlier state of ours; but what is missing there was never delivered, so bringing it is `sync`'s work
and no repair. Coverage is neither changed nor believed: a value that it promises is looked up like any other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netaflux.core.comparison import Findings, Gaps, Held, compare
from netaflux.core.devices import Target
from netaflux.core.errors import DestinationError
from netaflux.core.events import BatchRepaired, PageFetched, RowRefused
from netaflux.core.model import (
    Batch,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Lane,
    Module,
    Number,
    Page,
    Row,
    SetAside,
    Window,
)
from netaflux.core.plan import following
from netaflux.core.ports import Coverage, Observer, ReadBack, Source
from netaflux.core.rows import batches, derive
from netaflux.core.spans import FOREVER, Spans
from netaflux.flow.door import Door
from netaflux.flow.errand import measures_needed
from netaflux.flow.refusal import write_around_refusals


@dataclass(slots=True)
class Inspection:
    """What was found out about one module, while it is looked at and afterwards."""

    findings: dict[tuple[DestinationName, DeviceName], dict[ChannelName, Findings]] = field(
        default_factory=dict
    )
    gaps: Gaps = field(default_factory=Gaps)
    pages: int = 0
    rows: int = 0
    """Netatmo's, as far as it was asked."""
    refused: list[SetAside] = field(default_factory=list)
    """Rows that a destination did not take for a repair."""
    uncovered: dict[tuple[DestinationName, DeviceName], list[ChannelName]] = field(default_factory=dict)
    """Channels of which nothing was ever delivered, as far as is known; they are not repaired."""


@dataclass(frozen=True, slots=True)
class _Mirror:
    """A device at one destination."""

    target: Target
    door: Door
    identity: DestinationId
    reach: Mapping[ChannelName, int | None]
    """The newest covered row of each channel."""
    findings: Mapping[ChannelName, Findings]

    @property
    def end(self) -> int | None:
        """The last moment to look at, None where it is Netatmo that tells."""
        known = [reach for reach in self.reach.values() if reach is not None]
        return max(known) if len(known) == len(self.reach) else None

    def stretch(self, page: Page) -> Window | None:
        """The device time that this page is all there is of, as far as the device wants it."""
        last = page.last if page.full or page.window.end is None else page.window.end - 1
        last = last if self.end is None or last is None else min(last, self.end)
        begin = max(page.window.begin, self.target.begin)
        return None if last is None or last < begin else Window(begin, last + 1)


class Verifier:
    """Compares an account's modules with what stands at the destinations, and mends it if asked to."""

    def __init__(
        self,
        *,
        source: Source,
        doors: Mapping[DestinationName, Door],
        readers: Mapping[DestinationName, ReadBack],
        coverage: Coverage,
        observer: Observer,
        repair: bool = False,
    ) -> None:
        self.failed: dict[DestinationName, DestinationError] = {}
        """Destinations that could not be read back, or took no repair: they are not asked again."""
        self._source = source
        self._doors = doors
        self._readers = readers
        self._coverage = coverage
        self._observer = observer
        self._repair = repair

    async def verify(
        self, module: Module, targets: Sequence[Target], asked: Window, inspection: Inspection
    ) -> None:
        """Look at a module's rows of a window, at every identified destination of these devices.

        Raises NetatmoError, Unreachable, NotAuthorized; what a destination fails with is kept in `failed`.
        """
        mirrors = list(self._mirrors(targets, inspection))
        measures = measures_needed(targets)
        window = _bounded(asked, mirrors)
        while window is not None and self._standing(mirrors):
            page = await self._source.page(module, measures, window, Lane.HISTORY)
            self._tell_fetched(module, page, inspection)
            inspection.gaps.add(row.time for row in page.rows)
            for mirror in self._standing(mirrors):
                await self._look(module, mirror, page, inspection)
            window = following(page)

    def _mirrors(self, targets: Sequence[Target], inspection: Inspection) -> Iterator[_Mirror]:
        for target in targets:
            for name in target.destinations:
                door = self._doors[name]
                if door.identity is None or not target.channels:
                    continue
                covered = {one.channel: self._coverage.covered(one) for one in target.series(door.identity)}
                reach = {channel: spans.pairs[-1][1] if spans else None for channel, spans in covered.items()}
                findings = {channel: Findings() for channel in reach}
                inspection.findings[name, target.device] = findings
                inspection.uncovered[name, target.device] = [one for one in reach if reach[one] is None]
                yield _Mirror(target, door, door.identity, reach, findings)

    def _standing(self, mirrors: Sequence[_Mirror]) -> list[_Mirror]:
        return [mirror for mirror in mirrors if mirror.door.name not in self.failed]

    def _tell_fetched(self, module: Module, page: Page, inspection: Inspection) -> None:
        inspection.pages += 1
        inspection.rows += len(page.rows)
        begin, rows = page.window.begin, len(page.rows)
        self._observer.tell(
            PageFetched(module=module.id, rows=rows, begin=begin, last=page.last, lane=Lane.HISTORY)
        )

    async def _look(self, module: Module, mirror: _Mirror, page: Page, inspection: Inspection) -> None:
        stretch = mirror.stretch(page)
        if stretch is None:
            return
        try:
            rows = _derived(page, mirror.target, stretch)
            wrong = await self._compared(mirror, rows, stretch)
            if wrong and self._repair:
                await self._mend(module, mirror, rows, wrong, inspection)
        except DestinationError as error:
            self.failed[mirror.door.name] = error

    async def _compared(
        self, mirror: _Mirror, rows: Sequence[Row], stretch: Window
    ) -> dict[ChannelName, Spans]:
        """Count what a stretch shows; what could be mended of it."""
        held = await self._read_back(mirror, stretch)
        wrong = {}
        for at, (channel, findings) in enumerate(mirror.findings.items()):
            reach = mirror.reach[channel]
            compared = compare(dict(_column(rows, at, reach)), _column(held, at, reach))
            findings.add(compared)
            if compared.mendable and reach is not None:
                wrong[channel] = Spans.at(compared.mendable)
        return wrong

    async def _read_back(self, mirror: _Mirror, window: Window) -> Sequence[Held]:
        reader = self._readers[mirror.door.name]
        return await reader.read_back(mirror.target.device, tuple(mirror.findings), window)

    async def _mend(
        self,
        module: Module,
        mirror: _Mirror,
        seen: Sequence[Row],
        wrong: Mapping[ChannelName, Spans],
        inspection: Inspection,
    ) -> None:
        """Send what is missing or different, and nothing else; count what is right after that."""
        window = Window(
            min(spans.pairs[0][0] for spans in wrong.values()),
            max(spans.pairs[-1][1] for spans in wrong.values()) + 1,
        )
        # Netatmo is asked anew: a poll may have brought a changed value by now, which an old one would undo
        page = await self._source.page(module, measures_needed([mirror.target]), window, Lane.HISTORY)
        self._tell_fetched(module, page, inspection)
        rows = _derived(page, mirror.target, window)
        for batch in batches(mirror.target.device, mirror.target.channels, rows, wrong):
            await self._send(mirror, batch, _known_good(mirror, batch, seen, wrong), inspection)
        held = await self._read_back(mirror, window)
        for at, channel in enumerate(mirror.findings):
            sent = wrong.get(channel, Spans())
            found = [(time, value) for time, value in _column(held, at, None) if time in sent]
            mirror.findings[channel].repaired += compare(dict(_column(rows, at, None)), found).rows

    async def _send(self, mirror: _Mirror, batch: Batch, good: Batch | None, inspection: Inspection) -> None:
        name, device = mirror.door.name, batch.device
        try:
            refused = await write_around_refusals(mirror.door.destination, batch, good)
        except DestinationError as error:
            mirror.door.failed(error)
            raise
        mirror.door.worked()
        for row, reason in refused:
            self._observer.tell(RowRefused(destination=name, device=device, time=row.time, reason=reason))
            inspection.refused.append(SetAside(mirror.identity, device, batch.channels, row, reason))
        if taken := len(batch.rows) - len(refused):
            first, last = batch.rows[0].time, batch.rows[-1].time
            self._observer.tell(
                BatchRepaired(
                    destination=name,
                    device=device,
                    channels=batch.channels,
                    rows=taken,
                    first=first,
                    last=last,
                )
            )


def _bounded(asked: Window, mirrors: Sequence[_Mirror]) -> Window | None:
    """The window as far as there is something to compare; the rows in flight behind it cost no call."""
    begin = max(asked.begin, min((mirror.target.begin for mirror in mirrors), default=asked.begin))
    ends = [mirror.end for mirror in mirrors]
    known = [end + 1 for end in ends if end is not None]
    end = max(known) if known and len(known) == len(ends) else None
    if asked.end is not None:
        end = asked.end if end is None else min(end, asked.end)
    return None if end is not None and end <= begin else Window(begin, end)


def _known_good(
    mirror: _Mirror, batch: Batch, rows: Sequence[Row], wrong: Mapping[ChannelName, Spans]
) -> Batch | None:
    """A row of the same channels that was found to be there as it should be, to tell refusals by."""
    right = {channel: Spans((-FOREVER, FOREVER)) - wrong[channel] for channel in batch.channels}
    found = batches(batch.device, mirror.target.channels, rows, right)
    return next((good for good in found if good.channels == batch.channels), None)


def _derived(page: Page, target: Target, window: Window) -> Sequence[Row]:
    """The page's rows of the window, as the device's channels."""
    return derive([row for row in page.rows if row.time in window], page.measures, target.channels)


def _column(rows: Sequence[Row] | Sequence[Held], at: int, reach: int | None) -> list[tuple[Number, Number]]:
    """The values of one channel up to its reach, with their times."""
    return [
        (time, value)
        for time, values in rows
        if (value := values[at]) is not None and (reach is None or time <= reach)
    ]
