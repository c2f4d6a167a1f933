"""A house with rooms, a boiler, a Home Coach and cameras, and what netaflux should show of them.

What is expected is computed from the simulated house by formulas of the tests' own.
"""

from collections import Counter, defaultdict
from typing import Any

from netaflux.simulator import ALL_SCOPES, World, home_coach
from netaflux.simulator.homes import Home, energy_home
from netaflux.simulator.house import House
from netaflux.simulator.units import Span
from tests.e2e.household import NOW, Household, Table, roomy
from tests.e2e.notebook import Held, Number, held, in_fahrenheit
from tests.simulator.guarded import HALL, guard

DAY, HALF_HOUR, FIVE_MINUTES = 86_400, 1800, 300
LIVING, BATH = "1746182631", "1688132631"
THERMOSTAT = "04:00:00:00:01:02"
SEEN = ("Person", "Movement", "Human", "Animal", "Vehicle")

ROOM = {"name": "Living", "source": "rooms", "module": "AR Home/Living room"}
BOILER = {"name": "Boiler", "source": "boilers", "module": "AR Home/Thermostat"}
CAMERA = {"name": "Hall", "source": "cameras", "module": "AR Home/Hall"}
COACH = {"name": "Study", "source": "coaches", "module": "Study/Study"}


def heated(days: float = 4) -> Home:
    return energy_home(set_up=int(NOW - days * DAY))


def lived_in(days: float = 4, *, late: float = 0, scopes: tuple[str, ...] = ALL_SCOPES) -> World:
    home = heated(days)
    coach = home_coach(NOW, days=days, gaps=(Span(NOW),))
    house = House([coach], [home], {home.id: guard(NOW, days, late=late)})
    return World.of(house, netatmo=roomy(), scopes=scopes)


def of_the_room(home: Household, device: str = "Living") -> Held:
    """Every half hour that is over: temperature, and what was set."""
    (place,), now = home.served.house.homes, home.clock.now()
    room = place.room(LIVING)
    expected: Held = {(device, name): {} for name in ("Temp_C", "Temp_F", "Setpoint_C", "Setpoint_F")}
    for time in range(
        -(-place.units[0].set_up // HALF_HOUR) * HALF_HOUR, int(now) - HALF_HOUR + 1, HALF_HOUR
    ):
        measured, wanted = room.measured(time), place.setpoint(room, time).temperature
        assert wanted is not None
        expected[device, "Temp_C"][time] = measured
        expected[device, "Temp_F"][time] = in_fahrenheit(measured)
        expected[device, "Setpoint_C"][time] = wanted
        expected[device, "Setpoint_F"][time] = in_fahrenheit(wanted)
    return expected


def of_the_boiler(home: Household, cells: Any, device: str = "Boiler") -> Held:
    """Seconds on and off of every half hour that is over; `cells` tells them in the server's unit."""
    (place,), now = home.served.house.homes, home.clock.now()
    begin = -(-place.unit(THERMOSTAT).set_up // HALF_HOUR) * HALF_HOUR
    expected: Held = {(device, "Boiler_On_s"): {}, (device, "Boiler_Off_s"): {}}
    for time in range(begin, int(now) - HALF_HOUR + 1, HALF_HOUR):
        on, off = cells(place, time)
        expected[device, "Boiler_On_s"][time], expected[device, "Boiler_Off_s"][time] = on, off
    return expected


def of_the_camera(home: Household, device: str = "Hall") -> Held:
    """How many events of each kind there were in every five minutes that are over and had any."""
    now = home.clock.now()
    (guarding,) = home.served.house.guards.values()
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for seen in guarding.footage.between(0, now // FIVE_MINUTES * FIVE_MINUTES, now):
        kinds = {kind for kind in SEEN if kind.lower() in (seen.kind, seen.category, *seen.parts)}
        if seen.eye.id == HALL and kinds:
            counts[seen.time // FIVE_MINUTES * FIVE_MINUTES].update(kinds)
    return {(device, kind): {time: counts[time][kind] for time in sorted(counts)} for kind in SEEN}


def shown(home: Household, device: Table | str) -> dict[tuple[str, str], dict[Number, Number]]:
    """What Fluxtream holds of a device."""
    name = device if isinstance(device, str) else device["name"]
    return {series: cells for series, cells in held(home.served.fluxtream).items() if series[0] == name}
