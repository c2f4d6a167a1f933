"""Rows from a Netatmo account."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from netaflux.core.errors import QuotaReached
from netaflux.core.model import Lane, Measure, Module, Page, Survey, Window
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.weather import Weather

REFUSALS = 6
"""Refusals in a row that a call waits through; the budget stays closed longer after each, up to an hour."""

T = TypeVar("T")


class NetatmoSource:
    """The source port on top of the API; its errors are those of `Weather`.

    A limit that is reached is an ordinary event: the call is made again as soon as the budget lets it pass.
    """

    def __init__(self, client: NetatmoClient) -> None:
        self._weather = Weather(client)

    async def survey(self) -> Survey:
        """The account's modules, as they are now."""
        return await _through_refusals(self._weather.survey)

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest rows of the window, at most PAGE_ROWS of them."""
        return await _through_refusals(lambda: self._weather.page(module, measures, window, lane))


async def _through_refusals(call: Callable[[], Awaitable[T]]) -> T:
    for _ in range(REFUSALS - 1):
        try:
            return await call()
        except QuotaReached:
            continue  # the next try waits for its permit
    return await call()
