"""A scope of Netatmo's limits, an account or the app: its windows, its leases on disk, its closing."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from netaflux.core.budget import BudgetRecord, BudgetState, Limit, Moment, Windows, lease_size
from netaflux.core.errors import StateError
from netaflux.core.events import BudgetClosed
from netaflux.core.model import Lane
from netaflux.core.ports import BudgetStore, Clock, Observer

LONGEST_CLOSING = 3600.0
"""Seconds; Netatmo counts by the hour, so nothing is gained by staying away for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all scopes need from outside."""

    store: BudgetStore
    clock: Clock
    boot: str
    """Names the stretch of time in which `clock.monotonic` counts on, over processes: the machine's boot."""
    observer: Observer


class Scope:
    """The permits of one account, or of the app.

    A permit is on disk before its call is sent, as a part of a lease, so that no crash can forget it.
    """

    def __init__(self, name: str, limits: tuple[Limit, ...], record: BudgetRecord, world: World) -> None:
        self.name = name
        self._limits = limits
        self._world = world
        self._clock = world.clock
        self._record = record.inherited(self._moment(), limits)
        self._windows = Windows(limits, self._record.answers())
        self._left = 0
        # the wall clock may have jumped since: it cannot keep us away for longer than any closing lasts
        kept = min((record.closed_until or 0) - world.clock.now(), LONGEST_CLOSING)
        self._opens = world.clock.monotonic() + max(kept, 0)

    @classmethod
    async def load(cls, name: str, limits: tuple[Limit, ...], world: World) -> Self:
        """The scope as an earlier process left it. Raises StateError."""
        return cls(name, limits, await world.store.load(name), world)

    @property
    def leased(self) -> bool:
        """Whether a permit is on disk that was not used yet."""
        return self._left > 0

    async def lease(self) -> None:
        """Put the next permits on disk. Raises StateError."""
        permits = lease_size(self._limits)
        self._record = self._record.leased(permits, self._moment(), self._limits)
        await self._world.store.save(self.name, self._record)
        self._left = permits

    def wait(self, lane: Lane) -> float:
        """Seconds until a permit can be had: 0 for at once, infinite where that takes an answer first."""
        now = self._clock.monotonic()
        return max(self._opens - now, self._windows.wait(now, lane))

    def take(self, lane: Lane) -> None:
        """Use a permit: the window must have room and the lease be open."""
        self._windows.take(self._clock.monotonic(), lane)
        self._left -= 1

    def untake(self, lane: Lane) -> None:
        """Put back a permit whose call was certainly never sent; the lease forfeits it all the same."""
        self._windows.untake(lane)

    def answered(self, lane: Lane) -> None:
        """The call has its answer, or will never have one."""
        self._windows.answered(self._clock.monotonic(), lane)

    async def close(self, seconds: float, reason: str) -> None:
        """Let no call pass for so long, over restarts too; told once, however many calls were refused."""
        now = self._clock.monotonic()
        was_open, opens = self._opens <= now, now + min(seconds, LONGEST_CLOSING)
        if opens <= self._opens:
            return
        self._opens = opens
        until = self._clock.now() + opens - now
        self._record = replace(self._record, closed_until=until, reason=reason)
        if was_open:
            self._world.observer.tell(BudgetClosed(scope=self.name, reason=reason, until=until))
        # it is closed all the same, and the next lease writes it again
        with suppress(StateError):
            await self._world.store.save(self.name, self._record)

    async def end(self) -> None:
        """Give back on disk what was leased and not used."""
        if not self._left:
            return
        self._record = self._record.given_back(self._left, self._moment())
        self._left = 0
        # without it a few permits are lost for an hour
        with suppress(StateError):
            await self._world.store.save(self.name, self._record)

    def state(self, waiting: int) -> BudgetState:
        """What status shows; `waiting` is the number of calls that wait for a permit."""
        now = self._clock.monotonic()
        closed = self._opens > now
        return BudgetState(
            scope=self.name,
            uses=self._windows.uses(now),
            waiting=waiting,
            closed_until=self._clock.now() + self._opens - now if closed else None,
            reason=self._record.reason if closed else "",
        )

    def _moment(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now(), self._world.boot)
