import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from netaflux.core.errors import (
    AmbiguousName,
    CallsUsedUp,
    DeviceUnreachable,
    NoDevice,
    NotFound,
    OutcomeUnknown,
    QuotaReached,
    ScopeDenied,
    UnknownName,
    Unreachable,
    UsageError,
)
from netaflux.core.model import Window
from netaflux.netatmo.energy import Energy
from netaflux.netatmo.heating import schedule_in, slot_in
from netaflux.netatmo.homes import Home, Room
from netaflux.netatmo.orders import WholeSchedule
from netaflux.netatmo.schedules import Turn
from netaflux.simulator import ALL_SCOPES, Fault, HeatedRoom, Unit, energy_home
from tests.netatmo.energy_world import NOW, Heated, heated

HOUR = 3600
ORDERS: dict[str, Callable[[Energy, Home, Room], Awaitable[bool]]] = {
    "setroomthermpoint": lambda energy, home, room: energy.set_room(home, room, temperature=23.5),
    "setthermmode": lambda energy, home, _: energy.set_mode(home, "away"),
    "switchhomeschedule": lambda energy, home, _: energy.switch_schedule(home, home.schedules[1]),
    "synchomeschedule": lambda energy, home, _: energy.sync_schedule(
        home, home.schedules[0], replace(WholeSchedule.like(home.schedules[0]), away=16)
    ),
}


async def both(world: Heated) -> tuple[Home, Room]:
    seen = await world.look()
    return seen.home(), seen.room()


# how it is


async def test_a_thermostat_and_its_room_are_found_with_what_they_do() -> None:
    async with heated(energy_home()) as world:
        seen = await world.look()
        expected = world.home.setpoint(world.home.rooms[0], NOW)
        measured = world.home.rooms[0].measured(NOW)
        burning = world.home.burning(NOW)

    thermostat = seen.thermostat()
    room = seen.room_of(thermostat)
    assert room is not None
    assert (thermostat.title, room.title) == ("Thermostat", "Living room")
    assert (room.measured, room.setpoint, room.mode) == (measured, expected.temperature, "schedule")
    assert thermostat.boiler is burning
    assert room.heating_demand == world.home.demand(world.home.rooms[0], NOW)
    relay = seen.relay_of(thermostat)
    assert relay is not None
    assert (relay.kind, seen.relay(), seen.relay_of(relay)) == ("NAPlug", relay, relay)
    assert [valve.title for valve in seen.valves] == ["Valve"]
    assert seen.home_of(thermostat) == seen.home() == seen.home_of(room)


async def test_the_current_slot_is_that_of_the_home_s_time_zone() -> None:
    async with heated(energy_home(timezone="America/New_York")) as world:
        home = (await world.look()).home()

    slot = slot_in(home, NOW)  # five o'clock in the morning there
    assert slot is not None
    assert slot.zone is not None
    assert (slot.zone.title, slot.begin, slot.end) == ("Night", NOW - 5 * HOUR, NOW + 2 * HOUR)
    assert slot.zone.temperature_of(home.rooms[0].id) == home.rooms[0].setpoint == 17


@pytest.mark.parametrize("word", ["living room", " Living  Room ", "1746182631", "LIVING ROOM"])
async def test_a_room_is_found_by_name_and_id_however_written(word: str) -> None:
    async with heated(energy_home()) as world:
        assert (await world.look()).room(word).id == "1746182631"


async def test_a_module_is_found_by_its_id_in_any_spelling() -> None:
    async with heated(energy_home()) as world:
        seen = await world.look()

    for word in ("04:00:00:00:01:02", "04-00-00-00-01-02", " 04:00:00:00:01:02 ".upper(), "thermostat"):
        assert seen.thermostat(word) == seen.thermostat()


async def test_names_that_are_nobody_s_or_several_s_are_errors() -> None:
    async with heated(energy_home(1), energy_home(2)) as world:
        seen = await world.look()

    with pytest.raises(UnknownName, match="`Livingroom`; did you mean `Living room`"):
        seen.room("Livingroom")
    with pytest.raises(AmbiguousName, match="1746182631 and 2746182631"):
        seen.room("living room")
    assert seen.room("living room", seen.homes[1]).id == "2746182631"


async def test_an_account_without_heating_says_so() -> None:
    home = energy_home()
    home.units = [Unit(id="70:ee:50:00:00:c1", kind="NACamera", name="Hall")]
    home.rooms, home.schedules = [], []
    async with heated(home) as world:
        seen = await world.look()

    for ask in (seen.home, seen.relay, seen.thermostat, seen.valve, seen.room):
        with pytest.raises(NoDevice, match="this account has no"):
            ask()
    assert len(seen.all_homes) == 1


@pytest.mark.parametrize("place", ["body", "home"])
async def test_a_valve_without_power_is_shown_as_unreachable(place: str) -> None:
    home = energy_home()
    home.unit("09:00:00:00:01:03").told = False
    home.errors_at = "home" if place == "home" else "body"
    async with heated(home) as world:
        seen = await world.look()

    assert (seen.valve().reachable, seen.valve().fault, seen.thermostat().reachable) == (False, 6, True)


async def test_a_room_that_is_only_seen_is_not_heated() -> None:
    home = energy_home()
    home.rooms.append(HeatedRoom(id="9", name="Attic", heated=False))
    async with heated(home) as world:
        seen = await world.look()

    assert [room.title for room in seen.rooms] == ["Living room", "Bath"]


# how it was


async def test_a_room_s_history_is_what_it_measured_and_was_set_to() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        rows = await world.energy.room_rows(home, room, Window(NOW - 2 * HOUR, NOW))
        simulated = world.home.rooms[0]

    times = range(NOW - 2 * HOUR, NOW, 1800)
    assert [row.time for row in rows] == list(times)
    assert [row.values for row in rows] == [
        (simulated.measured(time), world.home.setpoint(simulated, time).temperature) for time in times
    ]


async def test_a_long_history_comes_in_pages_without_holes() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        window = Window(NOW - 2000 * 1800, NOW)
        rows = await world.energy.room_rows(home, room, window)
        seen = await world.look()
        times = await world.energy.boiler_times(seen.relay(), seen.thermostat(), window)

    assert [row.time for row in rows] == list(range(window.begin, NOW, 1800))
    assert [each.time for each in times] == list(range(window.begin, NOW, 1800))
    assert len(world.calls("getroommeasure")) == len(world.calls("getmeasure")) == 2


@pytest.mark.parametrize("unit", ["seconds", "minutes"])
@pytest.mark.parametrize(("scale", "length"), [("30min", 1800), ("3hours", 10800)])
async def test_boiler_times_are_seconds_whatever_the_server_counts_in(
    unit: str, scale: str, length: int
) -> None:
    home = energy_home()
    home.boiler_unit = "minutes" if unit == "minutes" else "seconds"
    async with heated(home) as world:
        seen = await world.look()
        begin = NOW - NOW % length - 4 * length
        times = await world.energy.boiler_times(
            seen.relay(), seen.thermostat(), Window(begin, begin + 4 * length), scale=scale
        )

    assert [each.time for each in times] == [begin + number * length for number in range(4)]
    assert {each.on + each.off for each in times} == {length}
    assert len({each.on for each in times}) > 1


async def test_boiler_times_of_no_known_unit_are_nobody_s() -> None:
    home = energy_home()
    home.boiler_unit = "odd"
    async with heated(home) as world:
        seen = await world.look()

        assert await world.energy.boiler_times(seen.relay(), seen.thermostat(), Window(NOW - HOUR, NOW)) == []


async def test_a_bucket_that_is_not_over_is_not_told() -> None:
    async with heated(energy_home()) as world:
        seen = await world.look()
        world.wired.clock.time += 600
        times = await world.energy.boiler_times(seen.relay(), seen.thermostat(), Window(NOW - HOUR))

    assert [each.time for each in times] == [NOW - 3600, NOW - 1800]


# what is set is then what is shown


async def test_a_room_that_is_set_shows_it_until_its_end() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        changed = await world.energy.set_room(home, room, temperature=23.5, until=NOW + HOUR)
        _, after = await both(world)
        world.wired.clock.time += HOUR
        _, later = await both(world)

    assert changed
    assert (after.setpoint, after.mode, after.since, after.until) == (23.5, "manual", NOW, NOW + HOUR)
    assert (later.setpoint, later.mode) == (room.setpoint, "schedule")


async def test_without_an_end_a_setpoint_by_hand_lasts_as_long_as_the_home_says() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        await world.energy.set_room(home, room, "max")
        _, after = await both(world)

    assert (after.mode, after.setpoint) == ("max", 30)
    assert home.manual_minutes is not None
    assert after.until == NOW + 60 * home.manual_minutes
    assert "endtime" not in world.calls("setroomthermpoint")[0].params


async def test_a_room_follows_its_home_again() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        await world.energy.set_room(home, room, temperature=23.5)
        await world.energy.set_room(home, room, "home")
        _, after = await both(world)

    assert (after.mode, after.setpoint) == ("schedule", room.setpoint)


async def test_a_room_with_a_modulating_thermostat_is_set_by_its_state() -> None:
    home = energy_home()
    home.units[1].kind = "OTM"
    async with heated(home) as world:
        seen, room = await both(world)
        await world.energy.set_room(seen, room, temperature=19, until=NOW + HOUR)
        _, after = await both(world)

    assert (after.mode, after.setpoint, after.until) == ("manual", 19, NOW + HOUR)
    assert world.writes == ["setstate"]


@pytest.mark.parametrize(("mode", "word", "setpoint"), [("away", "away", 14), ("hg", "frost guard", 7)])
async def test_a_home_s_mode_is_that_of_its_rooms(mode: str, word: str, setpoint: int) -> None:
    async with heated(energy_home()) as world:
        home, _ = await both(world)
        await world.energy.set_mode(home, word, until=NOW + HOUR)
        away, room = await both(world)
        await world.energy.set_mode(away, "schedule")
        back, _ = await both(world)

    assert (away.mode, room.mode, room.setpoint, room.until) == (mode, mode, setpoint, NOW + HOUR)
    assert (back.mode, back.rooms[0].mode) == ("schedule", "schedule")


async def test_another_schedule_is_followed() -> None:
    async with heated(energy_home()) as world:
        home, _ = await both(world)
        other = schedule_in(home, "holidays")
        changed = await world.energy.switch_schedule(home, other)
        after, room = await both(world)
        again = await world.energy.switch_schedule(after, other)

    assert (changed, again) == (True, False)
    assert (schedule_in(after).title, room.setpoint) == ("Holidays", 20)


async def test_a_whole_schedule_is_synchronised() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        before = schedule_in(home)
        night = replace(before.zones[1], rooms={room.id: 12.5})
        wish = replace(
            WholeSchedule.like(before),
            name="Nights only",
            zones=(before.zones[0], night),
            timetable=(Turn(0, 1),),
            away=15,
        )
        changed = await world.energy.sync_schedule(home, before, wish)
        after, cold = await both(world)

    schedule = schedule_in(after)
    assert changed
    assert (schedule.id, schedule.title, schedule.away) == (before.id, "Nights only", 15)
    assert schedule.timetable == (Turn(0, 1),)
    assert cold.setpoint == 12.5


# nothing is written


async def test_what_cannot_be_is_not_sent() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        strange = replace(home.schedules[0], id="0" * 24)
        orders: list[Awaitable[bool]] = [
            world.energy.set_room(home, room, temperature=31),
            world.energy.set_room(home, room, temperature=20, until=NOW - 1),
            world.energy.set_room(home, room, "off"),
            world.energy.set_mode(home, "manual"),
            world.energy.set_mode(home, "away", until=NOW),
            world.energy.sync_schedule(
                home, home.schedules[0], replace(WholeSchedule.like(home.schedules[0]), away=50)
            ),
        ]
        for order in orders:
            with pytest.raises(UsageError):
                await order
        with pytest.raises(NoDevice):
            await world.energy.switch_schedule(home, strange)

    assert world.writes == []


async def test_a_refusal_is_an_error() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        with pytest.raises(NotFound, match="Invalid home_id"):
            await world.energy.set_mode(replace(home, id="0"), "away")
        with pytest.raises(NotFound, match="Invalid room_id"):
            await world.energy.set_room(home, replace(room, id="0"), "max")


# a write is never sent twice


@pytest.mark.parametrize(
    "fault", [Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.ERROR_503, Fault.HTML_200, Fault.TRUNCATED]
)
@pytest.mark.parametrize("endpoint", ORDERS)
async def test_where_no_answer_comes_the_outcome_is_unknown_and_nothing_is_sent_twice(
    endpoint: str, fault: Fault
) -> None:
    async with heated(energy_home(), total=0.3) as world:
        home, room = await both(world)
        world.served.netatmo.faults.add(fault, f"/api/{endpoint}")
        with pytest.raises(OutcomeUnknown, match="unknown") as caught:
            await ORDERS[endpoint](world.energy, home, room)

    assert "`netaflux thermostat show` shows how things are" in caught.value.remedy
    assert world.writes == [endpoint]


@pytest.mark.parametrize("endpoint", ORDERS)
async def test_a_certain_refusal_is_no_doubt_and_is_not_tried_again_either(endpoint: str) -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        world.served.netatmo.faults.add(Fault.QUOTA_429, f"/api/{endpoint}")
        with pytest.raises(QuotaReached):
            await ORDERS[endpoint](world.energy, home, room)

    assert world.writes == [endpoint]


async def test_what_was_never_sent_is_no_doubt() -> None:
    async with heated(energy_home()) as world:
        home, _ = await both(world)
        client = world.energy._client
        client._api_url = "http://127.0.0.1:9"
        with pytest.raises(Unreachable):
            await world.energy.set_mode(home, "away")


@pytest.mark.parametrize("fault", [Fault.ERRORS, Fault.HOME_ERRORS])
async def test_a_good_answer_with_errors_inside_is_a_failure(fault: Fault) -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        world.served.netatmo.faults.add(fault, "/api/setroomthermpoint")
        with pytest.raises(DeviceUnreachable, match="code 6"):
            await world.energy.set_room(home, room, "max")


# scopes


@pytest.mark.parametrize(
    ("scopes", "needed"),
    [(("read_station",), "read_thermostat"), (("read_station", "read_thermostat"), "write_thermostat")],
)
async def test_a_scope_that_is_missing_is_named_with_the_command_that_asks_for_it(
    scopes: tuple[str, ...], needed: str
) -> None:
    async with heated(energy_home(), scopes=scopes) as world:
        with pytest.raises(ScopeDenied, match=f"this needs {needed}") as caught:
            await ORDERS["setthermmode"](world.energy, *await both(world))

    words = " ".join(f"--scope {scope}" for scope in (*scopes, needed))
    assert caught.value.remedy == f"Run `netaflux authorize --account anne {words}`."


async def test_what_nobody_may_do_blames_no_scope() -> None:
    """Netatmo says 403 with 13 to that, too."""
    async with heated(energy_home(), scopes=("read_station",)) as world:
        world.energy._granted = lambda: ALL_SCOPES
        with pytest.raises(ScopeDenied) as caught:
            await world.look()

    assert "this needs" not in caught.value.message


# a write does not wait


async def test_a_change_that_would_have_to_wait_for_the_limits_is_not_made() -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        await world.wired.gate.pause(1800, "somebody was refused")
        with pytest.raises(CallsUsedUp) as caught:
            await world.energy.set_room(home, room, temperature=20, until=NOW + 60)

    assert caught.value.message == "Netatmo's limits leave no call for the next 30 minutes"
    assert caught.value.remedy == "Nothing was changed; try again then."
    assert world.writes == []


@pytest.mark.parametrize("until", [math.nan, math.inf, -math.inf, -1e20, 1e300, 0])
async def test_an_end_that_is_no_moment_to_come_is_refused(until: float) -> None:
    async with heated(energy_home()) as world:
        home, room = await both(world)
        with pytest.raises(UsageError, match="the end"):
            await world.energy.set_room(home, room, temperature=20, until=until)

    assert world.writes == []
