"""`netaflux homes` and `netaflux thermostat`."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import App, Parameter

from netaflux.cli.owner import carry_out, carry_out_each
from netaflux.cli.place import Place
from netaflux.cli.show import as_json, explain, number, printable, say, table
from netaflux.commands.ends import local
from netaflux.commands.words import Json, last_of
from netaflux.core.errors import UsageError
from netaflux.core.since import zone_of

DEFAULT_PLACE = Place()
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Where:
    """Whose heating is meant."""

    home: str | None = None
    """The home's name or id, where there are several."""
    account: str | None = None
    """The account's name in the configuration, where several have a home of this name."""


ANYWHERE = Where()

thermostat = App(
    name="thermostat", help="Show and set thermostats, valves and schedules.", help_format="markdown"
)


def homes(*, account: str | None = None, json: bool = False, place: Place = DEFAULT_PLACE) -> int:
    """List the homes of every account: their rooms, modules of every kind, and persons.

    Example: `netaflux homes`

    Parameters
    ----------
    account
        Only this account's homes.
    json
        Print one JSON document instead of a table.
    """
    events: list[Json] = []
    code = carry_out(place, "homes", {"account": account}, events.append)
    return _told(events, code, "homes", _show_homes, json=json)


def _show_homes(homes: list[Json]) -> None:
    if not homes:
        print("There is no home.")
    for home in homes:
        title = home["name"] or home["id"]
        print(printable(f"{title} ({home['account']}), {home['timezone'] or 'no time zone told'}"))
        if not home["known_status"]:
            say(f"{title}: Netatmo tells no status of this home.")
        rooms = {room["id"]: room["name"] or room["id"] for room in home["rooms"]}
        headings = ("module", "kind", "room", "id", "reachable", "battery")
        rows = [
            (
                module["name"],
                module["kind"],
                rooms.get(module["room"]),
                module["id"],
                _yes(module["reachable"]),
                module["battery"],
            )
            for module in home["modules"]
        ]
        table(headings, rows)
        for person in home["persons"]:
            where = {True: "away", False: "at home"}.get(person["away"], "where is not known")
            print(printable(f"{person['name'] or 'somebody unknown'}: {where}"))
        print()


@thermostat.command
def show(*, where: Where = ANYWHERE, json: bool = False, place: Place = DEFAULT_PLACE) -> int:
    """Show what the heating does: each room's temperatures, modes and demand, and the boiler.

    Example: `netaflux thermostat show`

    Parameters
    ----------
    json
        Print one JSON document instead of a table.
    """
    events: list[Json] = []
    code = carry_out(place, "thermostat", {"do": "show", **asdict(where)}, events.append)
    return _told(events, code, "homes", _show_heating, json=json)


def _show_heating(homes: list[Json]) -> None:
    for home in homes:
        print(printable("; ".join(_state(home))))
        rows = [
            (
                room["name"] or room["id"],
                _yes(room["reachable"]),
                number(room["measured_c"]),
                number(room["setpoint_c"]),
                room["mode"],
                None if room["until"] is None else local(room["until"], home["timezone"]),
                number(room["heating_demand"]),
                _yes(room["open_window"]),
            )
            for room in home["rooms"]
        ]
        headings = ("room", "reachable", "°C", "set °C", "mode", "until", "demand %", "window open")
        table(headings, rows, right=("°C", "set °C", "demand %"))
        for module in home["modules"]:
            if module["reachable"] is False:
                say(f"{module['name'] or module['id']} ({module['kind']}) cannot be reached.")
        print()


def _state(home: Json) -> Iterator[str]:
    yield f"{home['name'] or home['id']} ({home['account']}): {home['mode'] or 'mode unknown'}"
    if home["mode_until"] is not None:
        yield f"until {local(home['mode_until'], home['timezone'])}"
    if home["schedule"] is not None:
        yield f"schedule {home['schedule']}"
    if home["slot"]:
        ends = local(home["slot"]["until"], home["timezone"])
        yield f"{home['slot']['zone'] or 'a zone without a name'} until {ends}"
    if home["boiler"] is not None:
        yield f"boiler {'on' if home['boiler'] else 'off'}"
    yield f"times are {zone_of(home['timezone'])}"


@thermostat.command(name="set")
def set_room(
    room: str,
    temperature: float | None = None,
    /,
    *,
    mode: str | None = None,
    until: str | None = None,
    where: Where = ANYWHERE,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Set a room to a temperature, or to a mode; it says what it will do, and asks.

    Without --until Netatmo ends a setpoint by itself, after as long as the home's settings say.

    Example: `netaflux thermostat set "Living room" 21.5 --until 2h`

    Parameters
    ----------
    room
        The room's name or id.
    temperature
        °C, from 7 to 30.
    mode
        max, hg (frost guard), or home to follow the home again.
    until
        A span from now (2h), a time of day (22:30), a date and time, or unix seconds.
    yes
        Do not ask.
    json
        Print one JSON document.
    """
    if temperature is None and mode is None:
        raise UsageError("say a temperature, or a --mode")
    asked: Json = {"do": "set", "room": room, "temperature": temperature, "mode": mode}
    return _ordered(place, asked | {"until": until, **asdict(where)}, yes=yes, json=json)


@thermostat.command(name="mode")
def set_mode(
    mode: str,
    /,
    *,
    until: str | None = None,
    schedule: str | None = None,
    where: Where = ANYWHERE,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Set a whole home: schedule, away, or hg (frost guard); it says what it will do, and asks.

    Example: `netaflux thermostat mode away --until 2026-02-01T18:00`

    Parameters
    ----------
    mode
        schedule, away, or hg.
    until
        A span from now (2h), a time of day (22:30), a date and time, or unix seconds.
    schedule
        With mode schedule: which one.
    yes
        Do not ask.
    json
        Print one JSON document.
    """
    asked: Json = {"do": "mode", "mode": mode, "schedule": schedule}
    return _ordered(place, asked | {"until": until, **asdict(where)}, yes=yes, json=json)


@thermostat.command(name="schedule")
def schedules(
    schedule: str | None = None,
    /,
    *,
    where: Where = ANYWHERE,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Show the schedules with their zones and the week, or let a home follow another one.

    Example: `netaflux thermostat schedule "Holidays"`

    Parameters
    ----------
    schedule
        The schedule to follow, by its name or id; without it all are shown.
    yes
        Do not ask.
    json
        Print one JSON document.
    """
    asked: Json = {"do": "schedule", "schedule": schedule, **asdict(where)}
    if schedule is not None:
        return _ordered(place, asked, yes=yes, json=json)
    events: list[Json] = []
    code = carry_out(place, "thermostat", asked, events.append)
    return _told(events, code, "schedules", _show_schedules, json=json)


def _show_schedules(schedules: list[Json]) -> None:
    for schedule in schedules:
        followed = " – in force" if schedule["selected"] else ""
        print(
            printable(f"{schedule['home_name'] or schedule['home']}: {schedule['name'] or schedule['id']}")
            + followed
        )
        names = {zone["id"]: zone["name"] for zone in schedule["zones"]}
        rows = [
            (zone["name"], room["name"] or room["id"], number(room["setpoint_c"]))
            for zone in schedule["zones"]
            for room in zone["rooms"]
        ]
        table(("zone", "room", "set °C"), rows, right=("set °C",))
        current = schedule["slot"]["zone"] if schedule["slot"] else None
        if current is not None:
            print(printable(f"now: {names.get(current, current)}"))
        for day, turns in _week(schedule["timetable"]):
            print(printable(f"{day}  {', '.join(f'{at} {names.get(zone, zone)}' for at, zone in turns)}"))
        print()


def _week(timetable: list[Json]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """The turns of each day that has any, with their times."""
    for number_of_day, day in enumerate(DAYS):
        turns = [
            (f"{turn['minute'] % 1440 // 60:02}:{turn['minute'] % 60:02}", turn["zone"])
            for turn in timetable
            if turn["minute"] // 1440 == number_of_day
        ]
        if turns:
            yield day, turns


# orders


def _ordered(place: Place, asked: Json, *, yes: bool, json: bool) -> int:
    """Say what will be done, ask, do it, and say what became of it.

    Without a yes nothing is changed, and the exit code is 0.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody can be asked here whether it is meant", advice="Add --yes to do it unasked.")
    events: list[Json] = []
    refused = False

    def requests() -> Iterator[Json]:
        nonlocal refused
        if yes:
            yield asked | {"confirmed": True}
            return
        yield asked
        order = next((event for event in events if event["event"] == "order"), None)
        if order is None:
            return
        refused = not _meant(order)
        if not refused:
            events.clear()
            yield asked | order["exactly"] | {"confirmed": True}

    code = carry_out_each(place, "thermostat", requests(), events.append)
    if refused:
        say("Nothing was changed.")
        return 0
    return _shown_order(events, code, json=json)


def _meant(order: Json) -> bool:
    print(f"This will {printable(order['words'])}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _shown_order(events: list[Json], code: int, *, json: bool) -> int:
    last = last_of(events)
    words = next((event["words"] for event in events if event["event"] == "order"), "")
    if last["event"] == "failed":
        explain(last)
    elif last["event"] != "result":
        return code
    elif json:
        as_json({"order": words, "changed": last["changed"], "exit_code": code})
    else:
        print(f"done: {printable(words)}" if last["changed"] else f"it was so already: {printable(words)}")
    return code


def _told(events: list[Json], code: int, key: str, show: Callable[[list[Json]], None], *, json: bool) -> int:
    """Show what a command found, and what failed; nothing where it was stopped before its end."""
    last = last_of(events)
    if last["event"] == "failed":
        explain(last)
    if last["event"] != "result":
        return code
    found = [{name: each for name, each in event.items() if name != "event"} for event in events[:-1]]
    if json:
        as_json({key: found, "failed": last["failed"], "exit_code": code})
    elif found or not last["failed"]:
        show(found)
    for failure in last["failed"]:
        explain({"message": f"account {failure['account']}: {failure['reason']}", **failure})
    return code


def _yes(value: bool | None) -> str | None:  # noqa: FBT001 - what is shown
    return None if value is None else "yes" if value else "no"
