"""Thermostats, valves and their schedules: how they are, how they were, and what they shall do."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from netaflux.core.errors import NoDevice
from netaflux.core.model import Lane, Measure, Number, Page, Row, Window
from netaflux.netatmo.boiler import BoilerTime, boiler_times, buckets_of
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.heating import Heating
from netaflux.netatmo.homes import Home, HomeModule, Room
from netaflux.netatmo.housing import Housing
from netaflux.netatmo.orders import (
    WholeSchedule,
    as_state,
    home_mode,
    needs_state,
    setpoint,
    synchronised,
)
from netaflux.netatmo.rows import page_of
from netaflux.netatmo.schedules import Schedule
from netaflux.netatmo.scopes import needing
from netaflux.netatmo.writing import write

READ: Final = "read_thermostat"
WRITE: Final = "write_thermostat"
LOOK: Final = "`netaflux thermostat show`"

TEMPERATURE: Final = Measure("temperature")
SETPOINT: Final = Measure("sp_temperature")
ROOM_MEASURES: Final = (TEMPERATURE, SETPOINT)
"""What getroommeasure tells at 30min, 1hour and 3hours, in °C."""


class Energy:
    """The heating of one account.

    Every method raises NetatmoError, Unreachable, NotAuthorized, StateError; one that writes also UsageError
    before anything is sent, and OutcomeUnknown where no answer tells what became of it. None of these is
    sent twice. They answer whether there was anything to change.
    """

    def __init__(
        self, client: NetatmoClient, housing: Housing, granted: Callable[[], Collection[str]] = tuple
    ) -> None:
        self._client = client
        self._housing = housing
        self._granted = granted

    # how it is

    async def heating(self, lane: Lane = Lane.LIVE) -> Heating:
        """All homes with their thermostats, valves, relays and schedules, as they are now."""
        with needing((READ,), self._client.account, self._granted):
            return Heating(await self._housing.homes(lane))

    # how it was

    async def room_page(
        self,
        home: Home,
        room: Room,
        window: Window,
        *,
        measures: Sequence[Measure] = ROOM_MEASURES,
        scale: str = "30min",
        lane: Lane = Lane.LIVE,
    ) -> Page:
        """The oldest rows of the window of what a room's getroommeasure tells, each at its bucket's begin."""
        params = {"home_id": home.id, "room_id": room.id} | _span(measures, window, scale)
        with needing((READ,), self._client.account, self._granted):
            envelope = await self._client.call("getroommeasure", params, lane=lane)
        return page_of(envelope, measures, window, self._client.time.now(), untold_aside=True)

    async def room_rows(
        self,
        home: Home,
        room: Room,
        window: Window,
        *,
        measures: Sequence[Measure] = ROOM_MEASURES,
        scale: str = "30min",
        lane: Lane = Lane.LIVE,
    ) -> Sequence[Row]:
        """All rows of the window, in as many calls as that takes."""
        rows: list[Row] = []
        while True:
            page = await self.room_page(home, room, window, measures=measures, scale=scale, lane=lane)
            rows += page.rows
            if not page.full or page.last is None:
                return rows
            window = window._replace(begin=page.last + 1)

    async def boiler_times(
        self,
        relay: HomeModule,
        thermostat: HomeModule,
        window: Window,
        *,
        scale: str = "30min",
        lane: Lane = Lane.LIVE,
    ) -> Sequence[BoilerTime]:
        """For how long the boiler was on and off, in the window's buckets that are over, in seconds.

        Raises UsageError for a scale that does not tell it.
        """
        found: list[BoilerTime] = []
        while True:
            page = await self._boiler_page(relay, thermostat, window, scale, lane)
            found += boiler_times(page, buckets_of(scale), self._client.time.now())
            if not page.full or page.last is None:
                return found
            window = window._replace(begin=page.last + 1)

    async def boiler_page(
        self,
        relay: HomeModule,
        thermostat: HomeModule,
        window: Window,
        *,
        scale: str = "30min",
        lane: Lane = Lane.LIVE,
    ) -> Page:
        """The oldest of these buckets, as rows of seconds on and off; one that tells neither is left out.

        Raises UsageError for a scale that does not tell it.
        """
        page = await self._boiler_page(relay, thermostat, window, scale, lane)
        told = boiler_times(page, buckets_of(scale), self._client.time.now())
        return replace(page, rows=[Row(each.time, (each.on, each.off)) for each in told])

    async def _boiler_page(
        self, relay: HomeModule, thermostat: HomeModule, window: Window, scale: str, lane: Lane
    ) -> Page:
        """The answer as it is, in minutes or seconds."""
        measures = buckets_of(scale).measures
        params = {"device_id": relay.id, "module_id": thermostat.id} | _span(measures, window, scale)
        with needing((READ,), self._client.account, self._granted):
            envelope = await self._client.call("getmeasure", params, lane=lane)
        return page_of(envelope, measures, window, self._client.time.now(), untold_aside=True)

    # how it shall be

    async def set_room(
        self,
        home: Home,
        room: Room,
        mode: str = "manual",
        *,
        temperature: Number | None = None,
        until: float | None = None,
    ) -> bool:
        """Set a room: `manual` to a temperature, `max`, `hg`, or `home` to follow the home again.

        Without `until` Netatmo ends it by itself, after the home's `manual_minutes`.
        """
        now = self._client.time.now()
        params = setpoint(home, room, mode=mode, temperature=temperature, until=until, now=now)
        with needing((WRITE,), self._client.account, self._granted):
            if needs_state(home, room):
                return await write(self._client, "setstate", {}, look=LOOK, body=as_state(params))
            return await write(self._client, "setroomthermpoint", params, look=LOOK)

    async def set_mode(
        self, home: Home, mode: str, *, until: float | None = None, schedule: Schedule | None = None
    ) -> bool:
        """Set a home: `schedule`, `away`, or `hg` (frost guard); the latter two for ever without `until`."""
        now = self._client.time.now()
        params = home_mode(home, mode=mode, until=until, now=now, schedule=schedule)
        with needing((WRITE,), self._client.account, self._granted):
            return await write(self._client, "setthermmode", params, look=LOOK)

    async def switch_schedule(self, home: Home, schedule: Schedule) -> bool:
        """Let a home follow another of its schedules. Raises NoDevice where it is not one of them."""
        if schedule.id not in {each.id for each in home.schedules}:
            raise NoDevice(f"{home.title} has no schedule {schedule.title}")
        params = {"home_id": home.id, "schedule_id": schedule.id}
        with needing((WRITE,), self._client.account, self._granted):
            return await write(self._client, "switchhomeschedule", params, look=LOOK)

    async def sync_schedule(self, home: Home, schedule: Schedule, whole: WholeSchedule) -> bool:
        """Replace all of a schedule: name, zones, timetable, the temperatures of away and frost guard."""
        params, body = synchronised(home, schedule, whole)
        with needing((WRITE,), self._client.account, self._granted):
            return await write(self._client, "synchomeschedule", params, look=LOOK, body=body)


def _span(measures: Sequence[Measure], window: Window, scale: str) -> dict[str, str]:
    params = {
        "scale": scale,
        "type": ",".join(measures),
        "date_begin": str(window.begin),
        # each row under its time: rows are few, and no time has to be guessed
        "optimize": "false",
        # a bucket's begin, not its middle
        "real_time": "true",
    }
    if window.end is not None:
        params["date_end"] = str(window.end)
    return params
