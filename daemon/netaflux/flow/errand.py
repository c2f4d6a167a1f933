"""One errand: its windows fetched side by side, while pages before are on their way to the destinations."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from netaflux.core.devices import Target
from netaflux.core.events import PageFetched
from netaflux.core.measures import in_order
from netaflux.core.model import Lane, Measure, Module, ModuleId, Window
from netaflux.core.plan import Errand
from netaflux.core.ports import Observer, Source
from netaflux.core.windows import Course
from netaflux.flow.courier import Courier, Delivery
from netaflux.flow.together import Together

FETCHES = 16
"""Windows of the past that are asked for at a time, of all modules of an account."""


@dataclass(slots=True)
class Carried:
    """What an errand came to."""

    pages: int = 0
    rows: int = 0
    stopped: bool = False
    """Whether it ended early because no destination took rows any more."""

    def __iadd__(self, other: "Carried") -> Self:
        self.pages += other.pages
        self.rows += other.rows
        self.stopped |= other.stopped
        return self


@dataclass(slots=True, kw_only=True)
class _Run:
    """An errand that is being carried."""

    module: Module
    targets: tuple[Target, ...]
    measures: tuple[Measure, ...]
    again: bool
    course: Course
    carried: Carried = field(default_factory=Carried)


class Carrier:
    """Runs errands of one account's modules."""

    def __init__(
        self,
        *,
        source: Source,
        courier: Courier,
        observer: Observer,
        newest: Callable[[ModuleId], int | None] | None = None,
    ) -> None:
        """`newest` tells up to where a module's rows have come; behind that silence means nothing yet."""
        self._source = source
        self._newest = newest or courier.newest
        self._courier = courier
        self._observer = observer
        # an account's own: another one's may wait for an hour until its budget lets them go
        self._places = asyncio.Semaphore(FETCHES)

    async def carry(
        self, errand: Errand, module: Module, targets: Sequence[Target], *, again: bool = False
    ) -> Carried:
        """Fetch the errand's window and deliver it.

        Raises NetatmoError, Unreachable, NotAuthorized, StateError.
        """
        expected = [time for time in (self._courier.newest(module.id), module.newest) if time is not None]
        run = _Run(
            module=module,
            targets=tuple(targets),
            measures=measures_needed(targets),
            again=again,
            course=Course(errand.window, expected=max(expected, default=None)),
        )
        async with Together(self._courier.places) as deliveries:
            if errand.lane is Lane.LIVE and self._reachable(run) and (news := run.course.ask()):
                deliveries.begin(await self._fetched(run, news, Lane.LIVE), placeless=True)
            async with Together(self._places, grace=0) as fetches:
                await self._past(run, fetches, deliveries)
        return run.carried

    async def _past(self, run: _Run, fetches: Together, deliveries: Together) -> None:
        """Fetch window beside window, as many as there are places; all of it goes behind the news."""
        while not run.course.ended and self._reachable(run):
            async with self._courier.places:
                pass  # nothing is fetched while all that is in memory already waits
            await fetches.place()
            if window := run.course.ask():
                fetches.begin(self._bring(run, window, fetches, deliveries))
            else:
                fetches.leave()
                await fetches.one_ends()

    def _reachable(self, run: _Run) -> bool:
        run.carried.stopped = not self._courier.reachable(run.targets)
        return not run.carried.stopped

    async def _bring(self, run: _Run, window: Window, fetches: Together, deliveries: Together) -> None:
        """Fetch a window, and bring what is in it to the destinations."""
        delivery = await self._fetched(run, window, Lane.HISTORY)
        try:
            await fetches.go_over(deliveries)
        except BaseException:
            delivery.close()
            raise
        await delivery

    async def _fetched(self, run: _Run, window: Window, lane: Lane) -> Coroutine[Any, Any, None]:
        """Fetch a window; what remains to be done is its delivery."""
        self._courier.require_room()
        page = await self._source.page(run.module, run.measures, window, lane)
        self._observer.tell(
            PageFetched(
                module=run.module.id,
                rows=len(page.rows),
                begin=window.begin,
                first=page.rows[0].time if page.rows else None,
                last=page.last,
                lane=lane,
            )
        )
        run.carried += Carried(pages=1, rows=len(page.rows))
        complete = run.course.answered(page, self._newest(run.module.id))
        return self._courier.deliver(
            Delivery(module=run.module, page=page, targets=run.targets, complete=complete, again=run.again)
        )


def measures_needed(targets: Sequence[Target]) -> tuple[Measure, ...]:
    """What to ask for so that every channel of these devices can be computed."""
    return in_order(
        {measure for target in targets for channel in target.channels for measure in channel.measures}
    )
