"""Rows that come from a person's hand rather than from an errand, on their way to a device's destinations.

    rows of measures → derive → batches → door → write around refusals

Nobody planned these rows, so coverage neither decides about them nor grows: they are written whether or not a
destination holds them, which does no harm, and polling goes on as if nothing had been.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from netaflux.core.channels import Catalogue, Channel
from netaflux.core.devices import Device
from netaflux.core.errors import DataRefused, DestinationDown, DestinationError
from netaflux.core.events import BatchDelivered, RowRefused, SeriesStarted
from netaflux.core.measures import NOISE, PRESSURE, in_order
from netaflux.core.model import Batch, ChannelName, DestinationName, DeviceName, Measure, Module, Row, Series
from netaflux.core.ports import Clock, Coverage, Observer
from netaflux.core.rows import batches, derive
from netaflux.core.spans import FOREVER, Spans
from netaflux.flow.door import Door
from netaflux.flow.refusal import write_around_refusals

PAUSES: Final = (1.0, 4.0)
"""Seconds before another try at a destination that is away for a moment; after the last it is down."""
OLDER_EXPORTS_LACK: Final = {NOISE, PRESSURE}
"""Measures that an indoor unit has and an export of 2014 does not hold."""
NAME_CHANNELS: Final = (
    "Look whether it is the file of another module; if it is the right one, name the channels to be sent "
    "with --channel."
)


def fitting_channels(
    device: Device,
    catalogue: Catalogue,
    measures: Sequence[Measure],
    module: Module | None,
    chosen: Sequence[ChannelName] = (),
) -> tuple[Channel, ...]:
    """The device's channels to compute from rows of these measures.

    What has been sent can never be deleted from Fluxtream, so rows of another kind of module must not pass.
    They hold no measure that the device's module (None where it is not known) does not have; and they lack
    none that a configured channel needs or, where no channels are configured, that makes the module's kind.
    `chosen` channels are a person's own word on it.

    Raises DataRefused, and ConfigError for a channel that is unknown.
    """
    if module is not None and module.measures:
        _require_possible(device, measures, module)
    names = tuple(chosen) or _configured(device, catalogue, module)
    if names is None:
        if module is not None:
            _require(device, "its module", set(module.measures) - OLDER_EXPORTS_LACK, measures)
        channels = catalogue.channels_for(measures)
    else:
        channels = catalogue.select(names)
    for channel in channels:
        _require(device, f"its channel {channel.name}", channel.measures, measures)
    if not channels:
        raise DataRefused(f"no channel of {device.name} can be computed from {_listed(measures)}")
    return channels


def _configured(
    device: Device, catalogue: Catalogue, module: Module | None
) -> tuple[ChannelName, ...] | None:
    """The configured channels, less those that the module cannot give, which polling leaves out, too."""
    if device.channels is None or module is None:
        return device.channels
    possible = {channel.name for channel in catalogue.channels_for(module.measures)}
    return tuple(name for name in device.channels if name in possible)


def _require_possible(device: Device, measures: Sequence[Measure], module: Module) -> None:
    if strange := [measure for measure in measures if measure not in module.measures]:
        raise DataRefused(
            f"{device.name} mirrors {module.name or module.id} ({module.kind}), which measures no "
            f"{_listed(strange)}: this is the file of another kind of module",
            advice="Nothing was sent.",
        )


def _require(
    device: Device, what: str, needed: set[Measure] | Sequence[Measure], held: Sequence[Measure]
) -> None:
    if missing := set(needed) - set(held):
        raise DataRefused(
            f"it has no column of {_listed(in_order(missing))}, which {device.name} needs for {what}",
            advice=f"Nothing was sent. {NAME_CHANNELS}",
        )


def _listed(measures: Sequence[Measure]) -> str:
    return ", ".join(measures) or "nothing"


@dataclass(slots=True)
class Handed:
    """What one destination took."""

    destination: DestinationName
    rows: int = 0
    first: int | None = None
    last: int | None = None
    refused: tuple[tuple[Row, str], ...] = ()
    """Rows that it refused for their content, each with its reason."""
    reason: str | None = None
    """Why it did not take all."""

    def _add(self, rows: Sequence[Row]) -> None:
        self.rows += len(rows)
        self.first = min(rows[0].time, rows[0].time if self.first is None else self.first)
        self.last = max(rows[-1].time, rows[-1].time if self.last is None else self.last)

    def took(self, batch: Batch, refused: Sequence[tuple[Row, str]]) -> Sequence[Row]:
        """Note what became of a batch; the rows that were taken: one at least, or it counts as away."""
        gone = {row.time for row, _ in refused}
        taken = [row for row in batch.rows if row.time not in gone] if gone else batch.rows
        self.refused += tuple(refused)
        self._add(taken)
        return taken


class HandOver:
    """The way of such rows to some destinations of one device; each succeeds or fails by itself."""

    def __init__(
        self,
        device: DeviceName,
        channels: Sequence[Channel],
        doors: Sequence[Door],
        *,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._device = device
        self._channels = tuple(channels)
        self._doors = tuple(doors)
        self._clock = clock
        self._observer = observer

    async def announce(self, coverage: Coverage) -> None:
        """Knock at the doors, and say which channels will be new there. Raises StateError."""
        await asyncio.gather(*(door.ready(patient=False) for door in self._doors))
        for door in self._doors:
            if door.identity is not None and (new := self._new(door, coverage)):
                self._observer.tell(SeriesStarted(destination=door.name, device=self._device, channels=new))

    def _new(self, door: Door, coverage: Coverage) -> tuple[ChannelName, ...]:
        return tuple(
            channel.name
            for channel in self._channels
            if door.identity and not coverage.covered(Series(door.identity, self._device, channel.name))
        )

    async def hand_over(self, measures: Sequence[Measure], rows: Sequence[Row]) -> list[Handed]:
        """Write the rows, which hold these measures and ascend in time. Raises StateError."""
        everything = {channel.name: Spans((0, FOREVER)) for channel in self._channels}
        derived = derive(rows, measures, self._channels)
        todo = list(batches(self._device, self._channels, derived, everything))
        return list(await asyncio.gather(*(self._through(door, todo) for door in self._doors)))

    async def _through(self, door: Door, todo: Sequence[Batch]) -> Handed:
        handed = Handed(door.name)
        try:
            if todo and not await door.ready(patient=False):
                handed.reason = door.reason or "it is away"
                return handed
            for batch in todo:
                self._note(door, batch, await self._written(door, batch), handed)
        except DestinationError as error:
            door.failed(error)
            handed.reason = error.message
        return handed

    async def _written(self, door: Door, batch: Batch) -> list[tuple[Row, str]]:
        """The rows that the destination refused of the batch; it is tried again where that may help."""
        for pause in PAUSES:
            with suppress(DestinationDown):
                return await write_around_refusals(door.destination, batch, None)
            await self._clock.sleep(pause)
        return await write_around_refusals(door.destination, batch, None)

    def _note(self, door: Door, batch: Batch, refused: Sequence[tuple[Row, str]], handed: Handed) -> None:
        door.worked()
        for row, reason in refused:
            self._observer.tell(
                RowRefused(destination=door.name, device=self._device, time=row.time, reason=reason)
            )
        taken = handed.took(batch, refused)
        self._observer.tell(
            BatchDelivered(
                destination=door.name,
                device=self._device,
                channels=batch.channels,
                rows=len(taken),
                first=taken[0].time,
                last=taken[-1].time,
                values=taken[-1].values,
            )
        )
