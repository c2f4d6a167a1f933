"""Rows of cameras: how many events of each kind they told of in five minutes of UTC.

A row stands at the begin of its five minutes, and only where something was seen in them; kinds that were not
seen then count 0. A late event changes the row, and so it is sent again.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from netaflux.core import measures as m
from netaflux.core.model import PAGE_ROWS, Lane, Measure, Module, ModuleId, Page, Row, Survey, Window
from netaflux.core.ports import Clock
from netaflux.http import Http
from netaflux.netatmo.camera_events import CameraEvent
from netaflux.netatmo.cameras import KINDS
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.housing import Housing
from netaflux.netatmo.scopes import needing
from netaflux.netatmo.security import READ_SCOPES, Security
from netaflux.sources.homes import KnownHomes
from netaflux.sources.refusals import through_refusals

BIN: Final = 300
"""Seconds that events are counted in."""
YOUNG: Final = 30.0
"""Seconds for which a home's events will do for its next camera, too."""
SEEN: Final[Mapping[str, Measure]] = {measure.lower(): measure for measure in m.CAMERA}
"""What Netatmo calls the kinds of events and of their parts that are counted."""


class _Sight(NamedTuple):
    """As much of an event as is counted."""

    time: int
    camera: ModuleId
    saw: frozenset[Measure]


@dataclass(slots=True)
class _Seen:
    """A home's events back to a moment, as they were told a while ago."""

    sights: Sequence[_Sight] = ()
    told_at: int = 0
    """Netatmo's time when it told the newest of them: pages behind may have waited for the limits."""
    since: float = float("inf")
    asked_at: float = float("-inf")
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class CameraSource:
    """The source port on top of homesdata and getevents; its errors are those of `Security`.

    getevents knows no dates: it pages back from the newest event. So all of a window is one page, however
    much there is in it, and the cameras of a home share what was told.
    """

    def __init__(
        self,
        client: NetatmoClient,
        http: Http,
        homes: KnownHomes,
        clock: Clock,
        granted: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._client = client
        self._homes = homes
        self._clock = clock
        self._granted = granted
        self._security = Security(client, http, Housing(client), granted)
        self._seen: defaultdict[str, _Seen] = defaultdict(_Seen)

    async def survey(self) -> Survey:
        """The cameras, as homesdata tells of them."""
        with needing(READ_SCOPES, self._client.account, self._granted):
            homes = await through_refusals(self._homes.homes)
        return self._homes.survey(
            Module(
                id=camera.id,
                account=self._client.account,
                station=ModuleId(home.id),
                kind=camera.kind,
                measures=m.CAMERA,
                name=camera.name,
                places=(home.title,),
                timezone=home.timezone,
                set_up=camera.set_up,
            )
            for home in homes
            for camera in home.modules
            if camera.kind in KINDS
        )

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """All rows of the window whose five minutes are over."""
        seen = await through_refusals(lambda: self._back_to(module.station, window.begin, lane))
        over = seen.told_at // BIN * BIN
        end = over if window.end is None else min(over, window.end)
        own = (sight for sight in seen.sights if sight.camera == module.id)
        rows = [row for row in counted(own, measures) if window.begin <= row.time < end]
        # never a full one: nothing follows
        return Page(tuple(measures), window, rows, raw_rows=min(len(rows), PAGE_ROWS - 1))

    async def _back_to(self, home: str, since: int, lane: Lane) -> _Seen:
        seen = self._seen[home]
        async with seen.asking:
            if seen.since > since or self._clock.monotonic() - seen.asked_at > YOUNG:
                await self._ask(seen, home, since, lane)
        return seen

    async def _ask(self, seen: _Seen, home: str, since: int, lane: Lane) -> None:
        told_at, sights = 0, []
        async for event in self._security.events(home, since=since, lane=lane):
            told_at = told_at or int(self._client.time.now())
            if sight := _sight(event):
                sights.append(sight)
        seen.sights, seen.told_at = sights, told_at
        seen.since, seen.asked_at = since, self._clock.monotonic()


def _sight(event: CameraEvent) -> _Sight | None:
    saw = frozenset(SEEN[kind] for kind in event.saw if kind in SEEN)
    return _Sight(event.time, event.camera, saw) if saw and event.time and event.camera else None


def counted(sights: Iterable[_Sight], measures: Sequence[Measure]) -> list[Row]:
    """A row for each five minutes in which something was seen, in order: how many events of each kind."""
    counts: defaultdict[int, Counter[Measure]] = defaultdict(Counter)
    for sight in sights:
        counts[sight.time // BIN * BIN].update(sight.saw)
    return [Row(time, tuple(counts[time][measure] for measure in measures)) for time in sorted(counts)]
