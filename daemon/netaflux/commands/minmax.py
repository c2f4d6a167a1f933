"""`minmax`: the extremes of temperature and humidity in the last 24 hours, or on the stations' own day.

Events: one `extremes` for each sensor that measures either, then `result`.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict

from netaflux.app import App
from netaflux.commands.requests import OfAccount, understood
from netaflux.commands.weather import Place, Places, places_of
from netaflux.commands.words import Json
from netaflux.core.errors import DeviceUnreachable, NotFound
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.core.names import labels
from netaflux.netatmo.extremes import Extreme, Extremes, Frame
from netaflux.netatmo.sensors import Sensor


class MinmaxRequest(OfAccount):
    """Of which module, and on what day."""

    module: str | None = None
    day: bool = False


async def minmax(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Tell the extremes, each with the moment it was measured at."""
    request = understood("minmax", MinmaxRequest, asked)
    places = await places_of(app, request.account)
    frame: Frame = "day" if request.day else "last24"
    left: list[Json] = []
    for place, label, name, sensor in _wanted(places, request.module):
        try:
            found = await place.netatmo.min_max(sensor, frame)
        except (DeviceUnreachable, NotFound) as error:
            left.append({"name": name, "id": sensor.id, "reason": error.message})
            continue
        yield {"event": "extremes", **_extremes(found), **_whose(place, label, name, sensor)}
    code = places.exit_code or (75 if left else 0)
    yield {"event": "result", "left": left, "failed": places.failed, "exit_code": code}


def _wanted(places: Places, text: str | None) -> Sequence[tuple[Place, str, str, Sensor]]:
    if text is not None:
        place, name, sensor = places.sensor(text)
        return [(place, place.station.name, name, sensor)]
    every = places.of(None)
    return [
        (place, label, name, sensor)
        for place, label in zip(every, labels(place.station for place in every), strict=True)
        for name, sensor in place.station.named.items()
        if {TEMPERATURE, HUMIDITY} & set(sensor.measures) and sensor.id
    ]


def _whose(place: Place, label: str, name: str, sensor: Sensor) -> Json:
    return {
        "account": place.account,
        "station": label,
        "name": name,
        "id": sensor.id,
        "timezone": sensor.timezone,
    }


def _extremes(found: Extremes) -> Json:
    return {
        "since": found.window.begin,
        "until": found.window.end,
        "coldest": _told(found.coldest),
        "warmest": _told(found.warmest),
        "driest": _told(found.driest),
        "dampest": _told(found.dampest),
    }


def _told(extreme: Extreme | None) -> Json | None:
    return None if extreme is None else asdict(extreme)
