"""The door of a simulated server: each call is written down, delayed, barred, or befallen by a fault."""

from collections.abc import Callable

from aiohttp import web

from netaflux.core.ports import Clock
from netaflux.simulator.faults import Faults
from netaflux.simulator.ledger import CALL, Call, Ledger
from netaflux.simulator.mishaps import Handler, befall


class Door:
    """What every call passes before and after its work is done."""

    def __init__(self, clock: Clock, *, keep: int | None = None) -> None:
        self.ledger = Ledger(clock, keep=keep)
        self.faults = Faults()
        self.in_flight = 0
        """Calls that have come and are not yet answered."""
        self._clock = clock

    async def through(
        self,
        request: web.Request,
        call: Call,
        work: Handler,
        *,
        latency: float = 0,
        barred: Callable[[], web.Response | None] = lambda: None,
    ) -> web.StreamResponse:
        """Let a call in, unless `barred` has an answer to it."""
        request[CALL] = call
        self.in_flight += 1
        try:
            refused = barred()  # before the wait: the limits are counted as calls come
            if latency:
                await self._clock.sleep(latency)
            response = refused or await self._worked(request, call, work)
        finally:
            self.in_flight -= 1
        if request.transport is not None and not request.transport.is_closing():
            call.status = response.status
        return response

    async def _worked(self, request: web.Request, call: Call, work: Handler) -> web.StreamResponse:
        rule = self.faults.strike(call.endpoint, call.user, call.params)
        if rule is None:
            return await work(request)
        call.fault = rule.fault.value
        return await befall(rule, request, work, self._clock)
