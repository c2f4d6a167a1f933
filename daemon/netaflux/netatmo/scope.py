"""A scope of Netatmo's limits, an account or the app: its windows, its leases on disk, its closing."""

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from netaflux.core.budget import BudgetRecord, BudgetState, Supply, lease_size
from netaflux.core.caution import LONGEST_CLOSING, Caution, closing
from netaflux.core.errors import StateError
from netaflux.core.events import BudgetClosed, BudgetEased, BudgetReopened
from netaflux.core.limits import HOUR, Limit, Windows, stretch
from netaflux.core.model import Lane
from netaflux.core.moment import Moment
from netaflux.core.ports import BudgetStore, Clock, Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all scopes need from outside."""

    store: BudgetStore
    clock: Clock
    boot: str
    """Names the stretch of time in which `clock.monotonic` counts on, over processes: the machine's boot."""
    observer: Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A permit of a scope, and how the scope was when it was taken."""

    lane: Lane
    windows: tuple[Windows, ...]
    closings: int
    refusals: int
    probe: bool
    """Whether its call is to tell that the closed budget can be open again."""


class Scope:
    """The permits of one account, or of the app.

    A permit is on disk before its call is sent, as a part of a lease, so that no crash can forget it.
    """

    def __init__(self, name: str, limits: tuple[Limit, ...], record: BudgetRecord, world: World) -> None:
        self.name = name
        self.live_wish = 0.0
        """Calls an hour that live polling would like to make."""
        self.live_need = 0.0
        """Calls an hour that it is going to make."""
        self._limits = limits
        self._hourly = max(limits, key=lambda limit: limit.seconds)
        self._world = world
        self._clock = world.clock
        self._record = record.inherited(self._moment(), limits)
        self._windows = Windows(limits, self._record.answers())
        self._since = self._windows_since(self._record.caution)
        self._left = 0
        self._leasing = False
        self._closings = 0
        self._refusals = 0
        # the wall clock may have jumped since: it cannot keep us away for longer than any closing lasts
        kept = min((record.closed_until or 0) - world.clock.now(), LONGEST_CLOSING)
        self._opens = max(world.clock.monotonic() + max(kept, 0), self.reopens())
        self._paused = kept > 0

    @classmethod
    async def load(cls, name: str, limits: tuple[Limit, ...], world: World) -> Self:
        """The scope as an earlier process left it. Raises StateError."""
        return cls(name, limits, await world.store.load(name), world)

    # permits

    @property
    def leased(self) -> bool:
        """Whether a permit is on disk that was not used yet."""
        return self._left > 0

    async def lease(self) -> None:
        """Put the next permits on disk. Raises StateError."""
        permits = lease_size([replace(self._hourly, permits=self.per_hour)])
        self._record = self._record.leased(permits, self._moment(), self._limits)
        self._leasing = True
        try:
            await self._world.store.save(self.name, self._record)
        finally:
            self._leasing = False
        self._left = permits

    def wait(self, lane: Lane) -> float:
        """Seconds until a permit can be had: 0 for at once, infinite where that takes an answer first.

        It may be had sooner, where something changes meanwhile.
        """
        now = self._clock.monotonic()
        caution = self._caution(now)
        wait = max(self._opens - now, self._windows.wait(now, lane, self._live(now)))
        if caution is None or self._since is None:
            return wait
        eased = min(self._since.wait(now, lane, self._live(now)), caution.unchanged(now))
        return max(wait, caution.opens - now, eased)

    def take(self, lane: Lane) -> Taken:
        """Use a permit: the window must have room and the lease be open."""
        now = self._clock.monotonic()
        caution = self._caution(now)
        windows = (self._windows,) if self._since is None else (self._windows, self._since)
        for each in windows:
            each.take(now, lane)
        self._left -= 1
        probe = caution is not None and caution.reopened is None
        if self._paused and not probe:
            self._tell_reopened()
        return Taken(
            lane=lane,
            windows=windows,
            closings=self._closings,
            refusals=self._refusals,
            probe=probe,
        )

    def untake(self, taken: Taken) -> None:
        """Put back a permit whose call was certainly never sent; the lease forfeits it all the same."""
        for windows in taken.windows:
            windows.untake(taken.lane)

    def answered(self, taken: Taken) -> None:
        """The call has its answer, or will never have one."""
        for windows in taken.windows:
            windows.answered(self._clock.monotonic(), taken.lane)

    def void(self, taken: Taken) -> bool:
        """Whether it was closed since: the call must not be sent any more."""
        return taken.closings != self._closings

    # closing and reopening

    def pause(self, seconds: float, reason: str) -> None:
        """Let no call pass for so long; told once, however many calls ask for it."""
        until = self._clock.monotonic() + closing(seconds)
        if until > self._opens:
            self._close(until, reason)

    def refuse(self, taken: Taken, asked: float | None, reason: str) -> bool:
        """Netatmo said, in answer to this permit's call, that a limit is reached; `asked` is for how long.

        Answers whether that was news: the calls that were under way together are refused together.
        """
        now, before = self._moment(), self._caution(self._clock.monotonic())
        news = taken.refusals == self._refusals
        if news:
            made = self._windows.made(now.monotonic, HOUR)
            caution = Caution.after(before, now=now, asked=asked, made=made, hourly=self._hourly)
            self._refusals += 1
            self._since = self._windows_since(caution, fresh=True)
        elif before and asked is not None:
            caution = before.extended(now.monotonic, asked)
        else:
            return False
        self._record = replace(self._record, caution=caution)
        if caution.opens > now.monotonic:
            self._close(max(caution.opens, self._opens), reason, news=news)
        return news

    def refused_since(self, moment: float) -> bool:
        """Whether a limit was said to be reached after that moment (monotonic seconds)."""
        caution = self._record.caution
        return caution is not None and caution.refused.monotonic > moment

    def reopens(self) -> float:
        """When its last refusal let calls pass again, or will (monotonic seconds); long ago without one."""
        return self._record.caution.opens if self._record.caution else -math.inf

    def succeeded(self, taken: Taken) -> None:
        """Netatmo has answered this permit's call, and not that a limit is reached."""
        caution = self._record.caution
        if taken.refusals == self._refusals and caution and caution.reopened is None:
            self._record = replace(self._record, caution=caution.succeeded(self._clock.monotonic()))
            # so that the next call has to lease, and thereby to write this down
            self._give_back()
            self._tell_reopened()

    async def save(self) -> None:
        """Put on disk what has changed; where that fails, the next lease writes it again."""
        with suppress(StateError):
            await self._world.store.save(self.name, self._record)

    async def end(self) -> None:
        """Give back on disk what was leased and not used; without it a few permits are lost for an hour."""
        if self._left or self._record.caution:
            self._give_back()
            await self.save()

    # for people and for planning

    @property
    def per_hour(self) -> int:
        """Calls that an hour may hold now."""
        now = self._clock.monotonic()
        caution = self._caution(now)
        return caution.rate(now, self._hourly) if caution else self._hourly.permits

    @property
    def stretch(self) -> float:
        """By which factor live polling has to be rarer than it would like."""
        return stretch(self.live_wish, self.per_hour)

    def state(self, waiting: int) -> BudgetState:
        """What status shows; `waiting` is the number of calls that wait for a permit."""
        now = self._clock.monotonic()
        caution = self._caution(now)
        closed = self._opens > now
        return BudgetState(
            scope=self.name,
            uses=self._windows.uses(now),
            left=(0,) * len(self._limits) if closed else self._permits_left(now),
            waiting=waiting,
            closed_until=self._clock.now() + self._opens - now if closed else None,
            reason=self._record.reason if closed or caution else "",
            wait=max(0.0, self.wait(Lane.LIVE)),
            feeling=caution is not None and caution.reopened is None and not closed,
            per_hour=caution.rate(now, self._hourly) if caution else None,
            stretch=self.stretch,
            supply=self._supply(now, caution),
        )

    # within

    def _permits_left(self, now: float) -> tuple[int, ...]:
        """What each limit leaves; one of a caution's own counts beside that of as many seconds."""
        since = self._since.uses(now) if self._since else ()
        return tuple(
            min(each.left for each in (use, *since) if each.limit.seconds == use.limit.seconds)
            for use in self._windows.uses(now)
        )

    def _supply(self, now: float, caution: Caution | None) -> Supply:
        return Supply(
            now=now,
            opens=self._opens,
            limits=self._limits,
            live=self._live(now),
            answers=self._windows.history(now),
            caution=caution,
            answers_since=self._since.history(now) if self._since else (),
        )

    def _moment(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now(), self._world.boot)

    def _windows_since(self, caution: Caution | None, *, fresh: bool = False) -> Windows | None:
        """The windows of the calls since the reopening; those of an earlier process count when in doubt."""
        if caution is None:
            return None
        answers = [] if fresh else [each for each in self._record.answers() if each > caution.opens]
        return Windows(caution.limits(self._clock.monotonic(), self._hourly), answers)

    def _caution(self, now: float) -> Caution | None:
        """The caution in force, with its limits of this moment; told when it is over."""
        caution = self._record.caution
        if caution is None or self._since is None:
            return None
        if caution.over(now, self._hourly):
            self._record, self._since = replace(self._record, caution=None), None
            self._world.observer.tell(BudgetEased(scope=self.name, per_hour=self._hourly.permits))
            return None
        self._since.limits = caution.limits(now, self._hourly)
        return caution

    def _live(self, now: float) -> float:
        """Calls an hour that live polling will need: as declared, or as in the last hour if that was more."""
        return max(self.live_need, float(self._windows.made_live(now, HOUR)))

    def _close(self, until: float, reason: str, *, news: bool = False) -> None:
        now = self._clock.monotonic()
        was_open, self._opens = self._opens <= now, until
        self._closings += 1
        self._paused = True
        # what it has leased belongs to the calls before
        self._give_back()
        wall = self._clock.now() + until - now
        self._record = replace(self._record, closed_until=wall, reason=reason)
        if was_open or news:
            self._world.observer.tell(BudgetClosed(scope=self.name, reason=reason, until=wall))

    def _give_back(self) -> None:
        if not self._leasing:  # a lease on its way to the disk is still to be used
            self._record = self._record.given_back(self._left, self._moment())
            self._left = 0

    def _tell_reopened(self) -> None:
        self._paused = False
        self._world.observer.tell(BudgetReopened(scope=self.name, per_hour=self.per_hour))
