"""One bad row never blocks the stream: a refused batch is halved until the refused row stands alone.

A refusal may also be the destination's own trouble (a full disk, a broken store), and then it must not cost
a single row. So before the halving, and again after the last refusal, a row that is known to be good is sent
once more; where that is refused too, the destination is down and no row is blamed.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from netaflux.core.errors import BatchRefused, BatchTooLarge, DestinationDown
from netaflux.core.model import Batch, Row
from netaflux.core.ports import Destination
from netaflux.flow.door import contained

SAMPLES: Final = 32
"""Rows refused one after the other before it is asked whether the destination takes anything at all."""


async def write_around_refusals(
    destination: Destination, batch: Batch, known_good: Batch | None
) -> list[tuple[Row, str]]:
    """Write the batch but for the rows that the destination refuses; those come back, each with its reason.

    `known_good` is something of the same device and channels that the destination has acknowledged before.
    For k refused rows of n it takes about 2 k log2 n writes. Raises DestinationDown where the refusal cannot
    be told from a destination that refuses everything, and whatever else `write` raises; then nothing is
    known of any row of the batch.
    """
    sifting = _Sifting(destination, batch, known_good)
    with contained(destination.name):
        await sifting.sift(batch.rows)
        await sifting.confirm()
    return sifting.refused


@dataclass(slots=True)
class _Sifting:
    """The halving of one batch, and what has been learnt on the way."""

    destination: Destination
    batch: Batch
    good: Batch | None
    """One acknowledged row, or more."""
    refused: list[tuple[Row, str]] = field(default_factory=list)
    proven: bool = False
    """Whether the destination took something since this batch was refused first."""
    unsettled: int = 0
    """How many rows were refused since something was taken: perhaps not for their own sake."""

    async def sift(self, rows: Sequence[Row], *, suspect: bool = False) -> bool:
        """Write these rows, in pieces where need be; whether all were taken.

        `suspect` rows hold a refused one for sure, and are not tried as a whole.
        """
        if suspect and len(rows) > 1:
            return await self._sift_halves(rows, suspect=True)
        try:
            await self._write(rows)
        except BatchTooLarge as error:
            if len(rows) == 1:
                raise DestinationDown(f"{self.destination.name} takes not even one row: {error}") from error
            return await self._sift_halves(rows, suspect=False)
        except BatchRefused as refusal:
            first = not self.proven
            await self._prove(refusal)
            if len(rows) > 1:
                return await self._sift_halves(rows, suspect=True)
            if first:
                return await self.sift(rows)  # refused but once, it may have been a trouble that has passed
            await self._set_aside(rows[0], refusal.message)
            return False
        return True

    async def confirm(self) -> None:
        """Make sure that the destination still takes good rows after the last one that it refused."""
        if self.unsettled and self.good is not None:
            await self._require_good(self.good, self.refused[-1][1])
            self.unsettled = 0

    async def _set_aside(self, row: Row, reason: str) -> None:
        self.refused.append((row, reason))
        self.unsettled += 1
        if self.unsettled == SAMPLES:
            await self.confirm()

    async def _sift_halves(self, rows: Sequence[Row], *, suspect: bool) -> bool:
        half = (len(rows) + 1) // 2
        left = await self.sift(rows[:half])
        right = await self.sift(rows[half:], suspect=suspect and left)
        return left and right

    async def _write(self, rows: Sequence[Row]) -> None:
        await self.destination.write(replace(self.batch, rows=rows))
        self.good = replace(self.batch, rows=rows[-1:])
        self.unsettled = 0

    async def _prove(self, refusal: BatchRefused) -> None:
        """Make sure, once, that the destination takes anything at all."""
        if self.proven:
            return
        if self.good is None:
            await self._find_good(refusal)
        else:
            await self._require_good(self.good, refusal.message)
        self.proven = True

    async def _require_good(self, good: Batch, reason: str) -> None:
        try:
            await self.destination.write(replace(good, rows=good.rows[-1:]))
        except (BatchRefused, BatchTooLarge) as error:
            raise DestinationDown(
                f"{self.destination.name} refuses even what it took before: {reason}"
            ) from error

    async def _find_good(self, refusal: BatchRefused) -> None:
        """Try rows from all over the batch, until one is taken."""
        for row in _samples(self.batch.rows):
            with suppress(BatchRefused, BatchTooLarge):
                await self._write([row])
                return
        raise DestinationDown(
            f"{self.destination.name} refuses all that it is given: {refusal.message}"
        ) from refusal


def _samples(rows: Sequence[Row]) -> Iterator[Row]:
    """Some rows at even distances, the newest first; none where there is but one, which was tried already."""
    tries = min(len(rows), SAMPLES)
    if tries > 1:
        yield from (rows[(len(rows) - 1) * step // (tries - 1)] for step in reversed(range(tries)))
