"""Rows of weather stations, and of Home Coaches, which are stations without modules."""

from collections.abc import Callable, Collection, Sequence

from netaflux.core.model import Lane, Measure, Module, Page, Survey, Window
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.scopes import needing
from netaflux.netatmo.weather import COACHES, STATIONS, Weather
from netaflux.sources.refusals import through_refusals

READ = {STATIONS: "read_station", COACHES: "read_homecoach"}


class StationSource:
    """The source port on top of getstationsdata, or gethomecoachsdata, and getmeasure.

    Its errors are those of `Weather`; a missing scope is named. Refusals for a limit are waited for.
    """

    def __init__(
        self,
        client: NetatmoClient,
        endpoint: str = STATIONS,
        granted: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._granted = granted
        self._weather = Weather(client)

    async def survey(self) -> Survey:
        """The account's modules, as they are now."""
        with needing((READ[self._endpoint],), self._client.account, self._granted):
            return await through_refusals(lambda: self._weather.survey(endpoint=self._endpoint))

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest rows of the window, at most PAGE_ROWS of them."""
        return await through_refusals(lambda: self._weather.page(module, measures, window, lane))
