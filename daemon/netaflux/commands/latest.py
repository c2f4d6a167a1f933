"""`latest`: what every sensor has measured last, and which of them are late.

Events: one `sensor` each, then `result`; an account that cannot be read is an entry of `failed`.
"""

from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from netaflux.app import App
from netaflux.commands.requests import OfAccount, understood
from netaflux.commands.weather import Place, places_of
from netaflux.commands.words import Json
from netaflux.core.errors import UsageError
from netaflux.core.names import labels
from netaflux.core.since import span_seconds
from netaflux.netatmo.sensors import Sensor

LATE = 75


class LatestRequest(OfAccount):
    """Which stations, and from what age on a value is late."""

    station: str | None = None
    stale_after: str


async def latest(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Tell the newest values, each with its time."""
    request = understood("latest", LatestRequest, asked)
    delay = _delay(request.stale_after)
    places = await places_of(app, request.account)
    chosen = places.of(request.station)
    late = 0
    for place, label in zip(chosen, labels(place.station for place in chosen), strict=True):
        now = max(place.time, place.netatmo.now())
        for name, sensor in place.station.named.items():
            shown = _sensor(place, label, name, sensor, now)
            shown["late"] = sensor.late(delay, now)
            late += shown["late"]
            yield shown
    yield {
        "event": "result",
        "late": late,
        "stale_after": delay,
        "failed": places.failed,
        "exit_code": places.exit_code or (LATE if late else 0),
    }


def _delay(text: str) -> int:
    try:
        return span_seconds(text)
    except ValueError as error:
        raise UsageError(f"--stale-after: {error}") from error


def _sensor(place: Place, label: str, name: str, sensor: Sensor, now: float) -> Json:
    shown = sensor.latest
    age = None if shown is None else shown.age(now)
    return {
        "event": "sensor",
        "account": place.account,
        "station": label,
        "station_id": place.station.id,
        "name": name,
        "id": sensor.id,
        "kind": sensor.kind,
        "time": None if shown is None else shown.time,
        "age": None if age is None else round(age),
        "values": {} if shown is None else dict(shown.values),
        "reachable": sensor.reachable,
        "battery": _told(sensor.battery),
        "radio": _told(sensor.radio),
        "wifi": _told(sensor.wifi),
        "health": _told(sensor.health),
    }


def _told(level: Any) -> Json | None:  # noqa: ANN401 - any of the levels
    return None if level is None else asdict(level)
