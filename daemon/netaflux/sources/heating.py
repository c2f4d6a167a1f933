"""Rows of heated rooms, and of the boilers that heat them: buckets of half an hour, once they are over."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from netaflux.core import measures as m
from netaflux.core.model import Lane, Measure, Module, ModuleId, Page, Rows, Survey, Window
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.energy import READ, SETPOINT, TEMPERATURE, Energy
from netaflux.netatmo.heating import THERMOSTATS, heated_rooms
from netaflux.netatmo.homes import Home, HomeModule, Room
from netaflux.netatmo.housing import Housing
from netaflux.netatmo.scopes import needing
from netaflux.sources.homes import KnownHomes
from netaflux.sources.refusals import through_refusals

SCALE: Final = "30min"
"""The finest that Netatmo has of heating."""
BUCKET: Final = 1800
ROOM: Final = "room"
"""The kind of a room, which is no module of Netatmo's."""
_AS_ASKED: Final[Mapping[Measure, Measure]] = {m.TEMPERATURE: TEMPERATURE, m.SETPOINT: SETPOINT}
"""What getroommeasure calls a room's measures."""


class _HeatingSource:
    """What both have in common."""

    def __init__(
        self, client: NetatmoClient, homes: KnownHomes, granted: Callable[[], Collection[str]] = tuple
    ) -> None:
        self._client = client
        self._homes = homes
        self._granted = granted
        self._energy = Energy(client, Housing(client), granted)

    async def survey(self) -> Survey:
        """What there is, as homesdata tells it."""
        with needing((READ,), self._client.account, self._granted):
            homes = await through_refusals(self._homes.homes)
        return self._homes.survey(module for home in homes for module in self._of(home))

    def _of(self, home: Home) -> Iterator[Module]:
        raise NotImplementedError

    def _over(self, page: Page) -> Page:
        """The page without the bucket that goes on yet: what it tells is not what it will have been."""
        rows = Rows.of(page.rows)
        over = bisect_right(rows.times, int(self._client.time.now()) - BUCKET)
        return replace(page, rows=rows[:over])


class RoomSource(_HeatingSource):
    """The source port on top of homesdata and getroommeasure; its errors are those of `Energy`."""

    def _of(self, home: Home) -> Iterator[Module]:
        for room in heated_rooms(home):
            hung = [module for module in home.modules if module.room == room.id or module.id in room.modules]
            yield Module(
                id=ModuleId(room.id),
                account=self._client.account,
                station=ModuleId(home.id),
                kind=ROOM,
                measures=m.ROOM,
                name=room.name,
                places=(home.title,),
                timezone=home.timezone,
                set_up=min((module.set_up for module in hung if module.set_up), default=None),
            )

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest buckets of the window that are over."""
        home, room = Home(id=module.station), Room(id=module.id)
        asked = [_AS_ASKED[measure] for measure in measures]
        page = await through_refusals(
            lambda: self._energy.room_page(home, room, window, measures=asked, scale=SCALE, lane=lane)
        )
        return self._over(replace(page, measures=tuple(measures)))


class BoilerSource(_HeatingSource):
    """The source port on top of homesdata and a thermostat's getmeasure; its errors are those of `Energy`.

    A bucket of which it cannot be told whether it is in seconds or minutes is none.
    """

    def _of(self, home: Home) -> Iterator[Module]:
        relays = {module.id: module for module in home.modules}
        bridged = {unit: module.id for module in home.modules for unit in module.bridged}
        for thermostat in home.modules:
            relay = thermostat.bridge or bridged.get(thermostat.id) or thermostat.id
            if thermostat.kind in THERMOSTATS and (relay in relays or relay == thermostat.id):
                yield Module(
                    id=thermostat.id,
                    account=self._client.account,
                    station=relay,
                    kind=thermostat.kind,
                    measures=m.BOILER,
                    name=thermostat.name,
                    places=(home.title,),
                    timezone=home.timezone,
                    set_up=thermostat.set_up,
                )

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest buckets of the window that are over, in seconds."""
        relay = HomeModule(id=module.station, kind=module.kind)
        thermostat = HomeModule(id=module.id, kind=module.kind)
        page = await through_refusals(
            lambda: self._energy.boiler_page(relay, thermostat, window, scale=SCALE, lane=lane)
        )
        rows = Rows.of(page.rows)
        columns = dict(zip(m.BOILER, rows.columns or ((), ()), strict=True))
        asked = Rows(rows.times, [columns[measure] for measure in measures])
        return self._over(replace(page, measures=tuple(measures), rows=asked))
