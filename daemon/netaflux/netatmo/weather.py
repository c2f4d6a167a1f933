"""The weather modules of an account: which there are, and what they measured."""

from collections.abc import Sequence

from netaflux.core.errors import DeviceUnreachable
from netaflux.core.model import Lane, Measure, Module, Page, Survey, Window
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.rows import TimesUntold, page_of
from netaflux.netatmo.stations import survey_of
from netaflux.netatmo.wire import faults


class Weather:
    """getstationsdata and getmeasure, with answers in our own types.

    Every method raises NetatmoError, Unreachable, NotAuthorized, StateError.
    """

    def __init__(self, client: NetatmoClient) -> None:
        self._client = client

    async def survey(self, lane: Lane = Lane.LIVE) -> Survey:
        """The account's stations and modules, as they are now."""
        envelope = await self._client.call("getstationsdata", {}, lane=lane)
        return survey_of(envelope, self._client.account)

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest rows of the window, as the device measured them, at most as many as one answer holds."""
        try:
            return await self._page(module, measures, window, lane, optimize=True)
        except TimesUntold:
            return await self._page(module, measures, window, lane, optimize=False)

    async def _page(
        self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane, *, optimize: bool
    ) -> Page:
        params = _params(module, measures, window, optimize=optimize)
        envelope = await self._client.call("getmeasure", params, lane=lane)
        page = page_of(envelope, measures, window, self._client.time.now(), untold_aside=not optimize)
        if not page.raw_rows:
            _raise_for_faults(envelope, module)
        return page


def _params(module: Module, measures: Sequence[Measure], window: Window, *, optimize: bool) -> dict[str, str]:
    """How getmeasure is asked; without `real_time` larger scales shift the times by half their width."""
    params = {
        "device_id": module.station,
        "scale": "max",
        "type": ",".join(measures),
        "date_begin": str(window.begin),
        "optimize": str(optimize).lower(),
        "real_time": "true",
    }
    if module.id != module.station:
        params["module_id"] = module.id
    if window.end is not None:
        # whether the row at date_end belongs to the answer is not documented; reading leaves it out
        params["date_end"] = str(window.end)
    return params


def _raise_for_faults(envelope: Envelope, module: Module) -> None:
    """No row, and a good answer that says why."""
    for fault in faults(envelope):
        if fault.device in (module.id, module.station):
            raise DeviceUnreachable(
                f"Netatmo cannot reach {fault.device} just now (code {fault.code})", code=fault.code
            )
