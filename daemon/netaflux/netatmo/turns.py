"""Whose turn it is: all calls that wait for a permit, live before history, first come first served."""

import asyncio
import math
from bisect import insort
from dataclasses import dataclass, field
from itertools import count

from netaflux.core.model import Lane
from netaflux.core.ports import Clock
from netaflux.netatmo.scope import Scope, Taken

SHORTEST_SLEEP = 0.001

_ORDER = {Lane.LIVE: 0, Lane.HISTORY: 1}


class Permit:
    """Leave to make one call: a permit of the account and one of the app."""

    def __init__(self, lane: Lane, *scopes: Scope) -> None:
        self._taken: tuple[tuple[Scope, Taken], ...] = tuple((scope, scope.take(lane)) for scope in scopes)

    @property
    def probe(self) -> bool:
        """Whether its call, a survey, is to tell that the closed budget can be open again."""
        return any(taken.probe for _, taken in self._taken)

    @property
    def void(self) -> bool:
        """Whether the budget was closed since, so that the call must not be sent any more."""
        return any(scope.void(taken) for scope, taken in self._taken)

    def part(self, scope: Scope) -> Taken:
        """What was taken of one of its scopes."""
        return next(taken for each, taken in self._taken if each is scope)

    def succeeded(self) -> None:
        """Netatmo has answered, and not that a limit is reached."""
        for scope, taken in self._taken:
            scope.succeeded(taken)

    def answered(self) -> None:
        """The call has its answer, or will never have one."""
        for scope, taken in self._taken:
            scope.answered(taken)

    def unused(self) -> None:
        """The call was certainly never sent."""
        for scope, taken in self._taken:
            scope.untake(taken)


def _unsettled() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def _ungranted() -> asyncio.Future[Permit]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class _Ticket:
    """A call that waits for its permit."""

    scope: Scope
    lane: Lane
    number: int
    granted: asyncio.Future[Permit] = field(default_factory=_ungranted)

    @property
    def place(self) -> tuple[int, int]:
        return _ORDER[self.lane], self.number


class Turns:
    """Those who wait, and the one task that serves them.

    The task lives only while somebody waits. It sleeps until the first permit comes free, or until something
    changes: a call is answered, another one comes to wait, or goes.
    """

    def __init__(self, app: Scope, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._tickets: list[_Ticket] = []
        self._numbers = count()
        self._server: asyncio.Task[None] | None = None
        self._nap: asyncio.Future[None] | None = None

    async def admit(self, scope: Scope, lane: Lane) -> Permit:
        """Return with a permit of the scope and of the app taken, both at once. Raises StateError."""
        if not self._tickets and self._wait(scope, lane) <= 0 and scope.leased and self._app.leased:
            return Permit(lane, scope, self._app)
        ticket = _Ticket(scope, lane, next(self._numbers))
        insort(self._tickets, ticket, key=lambda each: each.place)
        self._stir()
        try:
            return await ticket.granted
        except asyncio.CancelledError:
            self._withdraw(ticket)
            raise

    def answered(self, permit: Permit) -> None:
        """The call of a permit is over; others may be waiting for that."""
        permit.answered()
        self._stir()

    def waiting(self, scope: Scope | None = None) -> int:
        """How many calls wait for a permit, of one scope or of all."""
        return sum(scope in (None, ticket.scope) for ticket in self._tickets)

    async def end(self) -> None:
        """Let nobody wait any longer."""
        for ticket in self._tickets:
            ticket.granted.cancel()
        self._tickets.clear()
        if self._server:
            self._server.cancel()
            await asyncio.wait({self._server})

    def _wait(self, scope: Scope, lane: Lane) -> float:
        return max(scope.wait(lane), self._app.wait(lane))

    def _withdraw(self, ticket: _Ticket) -> None:
        if ticket in self._tickets:
            self._tickets.remove(ticket)
        elif not ticket.granted.cancelled() and not ticket.granted.exception():
            # the permit came in the very moment of the cancellation
            ticket.granted.result().unused()
        self._stir()

    def _stir(self) -> None:
        """Look again: something has changed."""
        if self._nap:
            self._nap.cancel()
        elif self._tickets and not self._server:
            self._server = asyncio.create_task(self._serve(), name="netatmo permits")

    async def _serve(self) -> None:
        try:
            while self._tickets:
                ticket, wait = self._first()
                if not ticket:
                    await self._rest(wait)
                elif ticket.scope.leased and self._app.leased:
                    self._grant(ticket)
                else:
                    await self._lease_for(ticket)
        finally:
            self._server = None

    def _first(self) -> tuple[_Ticket | None, float]:
        """The first in line who can have a permit now; else how long until somebody can."""
        waits: dict[tuple[Scope, Lane], float] = {}
        for ticket in self._tickets:
            if ticket.granted.done():
                continue  # cancelled; it is taken away when its own task comes to run
            key = ticket.scope, ticket.lane
            if key not in waits:
                waits[key] = self._wait(*key)
            if waits[key] <= 0:
                return ticket, 0.0
        return None, min(waits.values(), default=math.inf)

    def _grant(self, ticket: _Ticket) -> None:
        self._tickets.remove(ticket)
        ticket.granted.set_result(Permit(ticket.lane, ticket.scope, self._app))

    async def _lease_for(self, ticket: _Ticket) -> None:
        try:
            for scope in (ticket.scope, self._app):
                if not scope.leased:
                    await scope.lease()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the waiting call's to raise
            if not ticket.granted.done():
                self._tickets.remove(ticket)
                ticket.granted.set_exception(error)

    async def _rest(self, seconds: float) -> None:
        # an infinite wait ends by an answer alone; what rounding left over is too short for any clock to see
        sleep = self._clock.sleep(max(seconds, SHORTEST_SLEEP)) if math.isfinite(seconds) else None
        self._nap = nap = asyncio.ensure_future(sleep) if sleep else _unsettled()
        try:
            await asyncio.wait({nap})
        finally:
            nap.cancel()
            self._nap = None
