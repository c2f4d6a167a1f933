"""Rows from a Netatmo account."""

from collections.abc import Sequence

from netaflux.core.model import Lane, Measure, Module, Page, Survey, Window
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.weather import Weather


class NetatmoSource:
    """The source port on top of the API; its errors are those of `Weather`."""

    def __init__(self, client: NetatmoClient) -> None:
        self._weather = Weather(client)

    async def survey(self) -> Survey:
        """The account's modules, as they are now."""
        return await self._weather.survey()

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest rows of the window, at most PAGE_ROWS of them."""
        return await self._weather.page(module, measures, window, lane)
