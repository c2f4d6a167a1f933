"""Each name of the old ThermostatData, asked of a simulated Netatmo through the library's front door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from netaflux.netatmo import Netatmo, NoDevice, schedule_in, slot_in
from netaflux.netatmo.homes import Home
from netaflux.simulator import ALL_SCOPES, House, Served, World, energy_home, estate, serve
from tests.fakes import TurnedClock
from tests.netatmo.energy_world import NOW
from tests.netatmo.programs import opened

RELAY, THERMOSTAT = "70:ee:50:00:01:0f", "04:00:00:00:01:02"


@asynccontextmanager
async def program(house: House | None = None) -> AsyncIterator[tuple[Netatmo, Served]]:
    world = World.of(house or House(homes=[energy_home()]), scopes=ALL_SCOPES)
    async with serve(world, TurnedClock(NOW)) as served, opened(served) as netatmo:
        yield netatmo, served


async def test_raw_data_and_dev_list() -> None:
    async with program() as (netatmo, _):
        home = (await netatmo.energy.heating()).home()

    assert home.raw["id"] == home.id
    assert [module.raw["type"] for module in home.modules] == ["NAPlug", "NATherm1", "NRV"]
    assert home.modules[1].raw_status["battery_level"] == 3793


async def test_no_device() -> None:
    async with program(estate(NOW, days=1)) as (netatmo, _):
        heating = await netatmo.energy.heating()

    with pytest.raises(NoDevice, match="this account has no relay"):
        heating.relay()


async def test_default_device_devices_device_by_id_device_by_name() -> None:
    async with program() as (netatmo, _):
        heating = await netatmo.energy.heating()

    (relay,) = heating.relays
    assert relay.id == RELAY
    assert heating.relay() == heating.relay(RELAY) == heating.relay("relay") == relay


async def test_default_module_modules_module_by_id_module_by_name() -> None:
    async with program() as (netatmo, served):
        heating = await netatmo.energy.heating()
        room = heating.room_of(heating.thermostat())
        simulated = served.house.homes[0]

    (thermostat,) = heating.thermostats
    assert thermostat.id == THERMOSTAT
    assert heating.thermostat() == heating.thermostat(THERMOSTAT.upper()) == heating.thermostat("thermostat")
    assert room is not None
    assert (thermostat.boiler, room.measured) == (
        simulated.burning(NOW),
        simulated.rooms[0].measured(NOW),
    )
    assert (room.setpoint, room.mode, room.until) == (21, "schedule", None)


async def test_therm_program_list_zones_timetable() -> None:
    async with program() as (netatmo, _):
        home = (await netatmo.energy.heating()).home()

    schedule = schedule_in(home)
    assert [each.name for each in home.schedules] == ["Working days", "Holidays"]
    assert [zone.title for zone in schedule.zones] == ["Comfort", "Night"]
    assert [(turn.minutes, turn.zone) for turn in schedule.timetable][:3] == [(0, 1), (420, 0), (1320, 1)]
    slot = slot_in(home, NOW)
    assert slot is not None
    assert slot.zone == schedule.zones[0]


async def after(mode: str) -> Home:
    """What is shown once the old library's mode was set, for an hour where it takes an end."""
    async with program() as (netatmo, _):
        heating = await netatmo.energy.heating()
        home, room, until = heating.home(), heating.room(), netatmo.now() + 3600
        match mode:
            case "manual":
                await netatmo.energy.set_room(home, room, "manual", temperature=19, until=until)
            case "max":
                await netatmo.energy.set_room(home, room, "max", until=until)
            case "program":
                await netatmo.energy.set_mode(home, "away")
                await netatmo.energy.set_mode(home, mode)
            case _:
                await netatmo.energy.set_mode(home, mode, until=until)
        return (await netatmo.energy.heating()).home()


@pytest.mark.parametrize(
    ("mode", "shown", "setpoint", "until"),
    [
        ("manual", "manual", 19, NOW + 3600),
        ("max", "max", 30, NOW + 3600),
        ("away", "away", 14, NOW + 3600),
        ("hg", "hg", 7, NOW + 3600),
        ("program", "schedule", 21, None),
    ],
)
async def test_setthermpoint(mode: str, shown: str, setpoint: int, until: int | None) -> None:
    room = (await after(mode)).rooms[0]

    assert (room.mode, room.setpoint, room.until) == (shown, setpoint, until)
