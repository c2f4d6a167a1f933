"""The Netatmo client: authorization, calls within the budget, JSON to types; usable without the daemon.

    async with Netatmo.open(client_id=…, client_secret=…, refresh_token=…, save=…) as netatmo:
        print((await netatmo.weather()).module("Porch").latest)

What stands here is what programs import; `__init__.pyi` tells the types.
"""

from importlib import import_module
from typing import Final

PARTS: Final = {
    "AmbiguousName": "netaflux.core.errors",
    "BoilerTime": "netaflux.netatmo.boiler",
    "Camera": "netaflux.netatmo.cameras",
    "CameraEvent": "netaflux.netatmo.camera_events",
    "Energy": "netaflux.netatmo.energy",
    "EventPart": "netaflux.netatmo.camera_events",
    "Extreme": "netaflux.netatmo.extremes",
    "Extremes": "netaflux.netatmo.extremes",
    "GuardedHome": "netaflux.netatmo.cameras",
    "GuardedHomes": "netaflux.netatmo.cameras",
    "Heating": "netaflux.netatmo.heating",
    "Home": "netaflux.netatmo.homes",
    "HomeModule": "netaflux.netatmo.homes",
    "Housing": "netaflux.netatmo.housing",
    "Image": "netaflux.netatmo.pictures",
    "Latest": "netaflux.netatmo.sensors",
    "NetafluxError": "netaflux.core.errors",
    "Netatmo": "netaflux.netatmo.front",
    "NoDevice": "netaflux.core.errors",
    "OutcomeUnknown": "netaflux.core.errors",
    "Person": "netaflux.netatmo.cameras",
    "Picture": "netaflux.netatmo.camera_events",
    "Room": "netaflux.netatmo.homes",
    "Schedule": "netaflux.netatmo.schedules",
    "Security": "netaflux.netatmo.security",
    "Sensor": "netaflux.netatmo.sensors",
    "Sightings": "netaflux.netatmo.sightings",
    "Slot": "netaflux.netatmo.schedules",
    "Station": "netaflux.netatmo.sensors",
    "TokenPair": "netaflux.core.tokens",
    "Turn": "netaflux.netatmo.schedules",
    "UnknownName": "netaflux.core.errors",
    "WeatherHome": "netaflux.netatmo.weather_home",
    "WholeSchedule": "netaflux.netatmo.orders",
    "Window": "netaflux.core.model",
    "Zone": "netaflux.netatmo.schedules",
    "day_of": "netaflux.core.daytime",
    "moment_of": "netaflux.core.daytime",
    "schedule_in": "netaflux.netatmo.heating",
    "slot_in": "netaflux.netatmo.heating",
    "time_text": "netaflux.core.daytime",
}
"""Where each name comes from."""


def __getattr__(name: str) -> object:
    # on demand: the settings beside it are read by `health`, which has to start without an HTTP client
    if name not in PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(PARTS[name]), name)
