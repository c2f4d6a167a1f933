"""One errand: page after page fetched, while the ones before are on their way to the destinations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from netaflux.core.devices import Target
from netaflux.core.events import PageFetched
from netaflux.core.measures import in_order
from netaflux.core.model import Lane, Measure, Module, Page, Window
from netaflux.core.plan import Errand, following
from netaflux.core.ports import Observer, Source
from netaflux.flow.courier import Courier, Delivery
from netaflux.flow.together import Together

PAGES_ON_THE_WAY = 4
"""Pages held at once per errand: fetching does not wait for one slow upload, and memory stays flat."""


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


class Carrier:
    """Runs errands of one account's modules."""

    def __init__(self, *, source: Source, courier: Courier, observer: Observer) -> None:
        self._source = source
        self._courier = courier
        self._observer = observer

    async def carry(
        self, errand: Errand, module: Module, targets: Sequence[Target], *, again: bool = False
    ) -> Carried:
        """Fetch the errand's window and deliver it.

        Raises NetatmoError, Unreachable, NotAuthorized, StateError.
        """
        carried = Carried()
        measures = measures_needed(targets)
        window: Window | None = errand.window
        lane, doubted = errand.lane, None
        async with Together(PAGES_ON_THE_WAY) as deliveries:
            while window is not None:
                if not self._courier.reachable(targets):
                    carried.stopped = True
                    break
                page = await self._fetch(module, measures, window, lane)
                carried += Carried(pages=1, rows=len(page.rows))
                window = following(page)
                if window is None and (doubt := self._courier.doubt(module.id, page)) != doubted:
                    window = doubted = doubt
                delivery = Delivery(
                    module=module, page=page, targets=tuple(targets), ended=window is None, again=again
                )
                await deliveries.start(self._courier.deliver(delivery))
                lane = Lane.HISTORY  # whatever does not fit into one page is no news
        return carried

    async def _fetch(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        page = await self._source.page(module, measures, window, lane)
        self._observer.tell(
            PageFetched(module=module.id, rows=len(page.rows), begin=window.begin, last=page.last, lane=lane)
        )
        return page


def measures_needed(targets: Sequence[Target]) -> tuple[Measure, ...]:
    """What to ask for so that every channel of these devices can be computed."""
    return in_order(
        {measure for target in targets for channel in target.channels for measure in channel.measures}
    )
