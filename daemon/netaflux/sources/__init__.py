"""Where rows come from, one kind of modules per source.

A new kind is a name in `core/model.SourceName`, a source, and a case where it is opened.
"""

from collections.abc import Callable, Collection
from functools import cached_property
from importlib import import_module
from typing import Any

from netaflux.core.model import SourceName
from netaflux.core.ports import Clock, Source
from netaflux.http import Http
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.weather import COACHES
from netaflux.sources.stations import StationSource


class Sources:
    """One account's, each made when it is asked for: what most do without is not even imported."""

    def __init__(
        self,
        client: NetatmoClient,
        http: Http,
        clock: Clock,
        granted: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`granted` tells the scopes that the person has granted, as far as they are known."""
        self._client = client
        self._http = http
        self._clock = clock
        self._granted = granted
        self._made: dict[SourceName, Source] = {}

    def __getitem__(self, name: SourceName) -> Source:
        """The source of that name."""
        if name not in self._made:
            self._made[name] = self._opened(name)
        return self._made[name]

    def _opened(self, name: SourceName) -> Source:
        client, granted = self._client, self._granted
        match name:
            case SourceName.STATIONS:
                return StationSource(client, granted=granted)
            case SourceName.COACHES:
                return StationSource(client, COACHES, granted)
            case SourceName.ROOMS:
                source: Source = _part("heating").RoomSource(client, self._homes, granted)
            case SourceName.BOILERS:
                source = _part("heating").BoilerSource(client, self._homes, granted)
            case SourceName.CAMERAS:
                source = _part("cameras").CameraSource(client, self._http, self._homes, self._clock, granted)
        return source

    @cached_property
    def _homes(self) -> Any:  # noqa: ANN401 - `homes.KnownHomes`, which is imported now
        return _part("homes").KnownHomes(self._client, self._clock)


def _part(name: str) -> Any:  # noqa: ANN401 - a module
    return import_module(f"netaflux.sources.{name}")
