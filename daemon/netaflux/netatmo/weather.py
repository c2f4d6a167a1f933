"""The weather modules of an account: which there are, and what they measured."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from netaflux.core.errors import DeviceUnreachable, UpstreamFault, UsageError
from netaflux.core.model import Lane, Measure, ModuleId, Page, Row, Survey, Window
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.rows import TimesUntold, page_of
from netaflux.netatmo.stations import survey_of
from netaflux.netatmo.wire import faults

STATIONS: Final = "getstationsdata"
COACHES: Final = "gethomecoachsdata"
AS_MEASURED: Final = "max"
"""The scale of the rows themselves."""


class Unit(Protocol):
    """What getmeasure has to know of a module."""

    @property
    def id(self) -> ModuleId:
        """The module's own."""
        ...

    @property
    def station(self) -> ModuleId:
        """That of its station; for a station its own."""
        ...


class Weather:
    """getstationsdata, gethomecoachsdata and getmeasure, with answers in our own types.

    Every method raises NetatmoError, Unreachable, NotAuthorized, StateError.
    """

    def __init__(self, client: NetatmoClient) -> None:
        self._client = client

    async def survey(self, lane: Lane = Lane.LIVE, *, endpoint: str = STATIONS) -> Survey:
        """The account's stations and modules, or its Home Coaches, as they are now."""
        envelope = await self._client.call(endpoint, {}, lane=lane)
        return survey_of(envelope, self._client.account)

    async def page(
        self,
        module: Unit,
        measures: Sequence[Measure],
        window: Window,
        lane: Lane,
        *,
        scale: str = AS_MEASURED,
    ) -> Page:
        """The oldest rows of the window, at most as many as one answer holds.

        As the device measured them, unless a coarser `scale` is asked for (`30min` to `1month`): then types
        such as `min_temp` can be had, too, and a row has the time at which its stretch begins.
        """
        params = {**_params(module, measures, window), "scale": scale}
        try:
            return await self._page(module, measures, window, lane, {**params, "optimize": "true"})
        except TimesUntold:
            return await self._page(module, measures, window, lane, {**params, "optimize": "false"})

    async def rows(
        self,
        module: Unit,
        measures: Sequence[Measure],
        window: Window,
        lane: Lane = Lane.LIVE,
        *,
        scale: str = AS_MEASURED,
    ) -> AsyncIterator[Row]:
        """All rows of the window, page after page."""
        while True:
            page = await self.page(module, measures, window, lane, scale=scale)
            for row in page.rows:
                yield row
            if not page.full or page.last is None:
                return
            window = Window(page.last + 1, window.end)

    async def _page(
        self,
        module: Unit,
        measures: Sequence[Measure],
        window: Window,
        lane: Lane,
        params: dict[str, str],
    ) -> Page:
        exact = params["optimize"] == "false"
        envelope = await self._client.call("getmeasure", params, lane=lane)
        try:
            return page_of(envelope, measures, window, self._client.time.now(), untold_aside=exact)
        except UpstreamFault:
            _raise_for_faults(envelope, module)
            raise


def asked_of(module: Unit) -> dict[str, str]:
    """Whose rows getmeasure is asked for. Raises UsageError where nobody knows its id."""
    if not module.id or not module.station:
        raise UsageError("Netatmo tells no id of this module, so it cannot be asked for")
    asked: dict[str, str] = {"device_id": module.station}
    return asked if module.id == module.station else {**asked, "module_id": module.id}


def _params(module: Unit, measures: Sequence[Measure], window: Window) -> dict[str, str]:
    """How getmeasure is asked; without `real_time` larger scales shift the times by half their width."""
    params = {
        **asked_of(module),
        "type": ",".join(measures),
        "date_begin": str(window.begin),
        "real_time": "true",
    }
    if window.end is not None:
        # whether the row at date_end belongs to the answer is not documented; reading leaves it out
        params["date_end"] = str(window.end)
    return params


def _raise_for_faults(envelope: Envelope, module: Unit) -> None:
    """An answer without rows may say why."""
    for fault in faults(envelope):
        if fault.device in (module.id, module.station):
            raise DeviceUnreachable(
                f"Netatmo cannot reach {fault.device} just now (code {fault.code})", code=fault.code
            )
