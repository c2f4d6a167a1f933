"""`homes`: what is in the homes of every account: rooms, modules of every kind, persons.

Request: `account`, where only one is meant. Events: one `home` each, then `result`; an account that cannot be
read is an entry of `failed`.
"""

from collections.abc import AsyncGenerator

from netaflux.app import App
from netaflux.commands.heated import HomeOf, heated
from netaflux.commands.requests import OfAccount, understood
from netaflux.commands.words import Json
from netaflux.netatmo.energy import READ
from netaflux.netatmo.heating import heating_schedules
from netaflux.netatmo.homes import HomeModule, Room
from netaflux.netatmo.security import READ_SCOPES
from netaflux.netatmo.wire import text, truth


async def homes(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """List the homes."""
    found = await heated(app, understood("homes", OfAccount, asked).account, READ, *READ_SCOPES)
    for home in found.all_homes:
        yield _home(home)
    yield {"event": "result", "failed": found.failed, "exit_code": found.exit_code}


def _home(of: HomeOf) -> Json:
    home = of.home
    return {
        "event": "home",
        "account": of.account.name,
        "id": home.id,
        "name": home.name,
        "timezone": home.timezone,
        "known_status": home.known_status,
        "rooms": [_room(room) for room in home.rooms],
        "modules": [_module(module) for module in home.modules],
        "persons": [
            {
                "id": text(person.get("id")),
                "name": text(person.get("pseudo")),
                "away": truth(person.get("out_of_sight")),
            }
            for person in home.persons
        ],
        "schedules": [
            {"id": schedule.id, "name": schedule.name, "selected": schedule.selected}
            for schedule in heating_schedules(home)
        ],
    }


def _room(room: Room) -> Json:
    return {
        "id": room.id,
        "name": room.name,
        "kind": room.kind,
        "reachable": room.reachable,
        "modules": list(room.modules),
    }


def _module(module: HomeModule) -> Json:
    return {
        "id": module.id,
        "kind": module.kind,
        "name": module.name,
        "room": module.room,
        "bridge": module.bridge,
        "reachable": module.reachable,
        "battery_mv": module.battery,
        "battery": module.battery_state,
        "radio": module.radio,
        "wifi": module.wifi,
    }
