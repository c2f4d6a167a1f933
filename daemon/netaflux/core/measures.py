"""What Netatmo stores: the measures, their units, and which kind of module has which.

The weather's spelling is that of the keys in the API's answers; getmeasure takes it in any case. Values are
metric, whatever the person's own display settings say.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from netaflux.core.model import Measure

TEMPERATURE: Final = Measure("Temperature")
CO2: Final = Measure("CO2")
HUMIDITY: Final = Measure("Humidity")
PRESSURE: Final = Measure("Pressure")
NOISE: Final = Measure("Noise")
RAIN: Final = Measure("Rain")
WIND_STRENGTH: Final = Measure("WindStrength")
WIND_ANGLE: Final = Measure("WindAngle")
GUST_STRENGTH: Final = Measure("GustStrength")
GUST_ANGLE: Final = Measure("GustAngle")
SETPOINT: Final = Measure("Setpoint")
BOILER_ON: Final = Measure("BoilerOn")
BOILER_OFF: Final = Measure("BoilerOff")
PERSON: Final = Measure("Person")
MOVEMENT: Final = Measure("Movement")
HUMAN: Final = Measure("Human")
ANIMAL: Final = Measure("Animal")
VEHICLE: Final = Measure("Vehicle")

UNITS: Final[Mapping[Measure, str]] = MappingProxyType(
    {
        TEMPERATURE: "°C",
        CO2: "ppm",
        HUMIDITY: "%",
        PRESSURE: "mbar",  # reduced to sea level
        NOISE: "dB",
        RAIN: "mm",  # fallen since the row before
        WIND_STRENGTH: "km/h",
        WIND_ANGLE: "°",
        GUST_STRENGTH: "km/h",
        GUST_ANGLE: "°",
        SETPOINT: "°C",
        BOILER_ON: "s",  # of a bucket of half an hour
        BOILER_OFF: "s",
        **dict.fromkeys((PERSON, MOVEMENT, HUMAN, ANIMAL, VEHICLE), "events"),  # in five minutes
    }
)
"""Every measure that netaflux knows, with its unit, in the order in which they are asked for."""

ROOM: Final = (TEMPERATURE, SETPOINT)
BOILER: Final = (BOILER_ON, BOILER_OFF)
CAMERA: Final = (PERSON, MOVEMENT, HUMAN, ANIMAL, VEHICLE)
"""What a room, a boiler and a camera have."""

_RANK = {measure: rank for rank, measure in enumerate(UNITS)}

_WIND = (WIND_STRENGTH, WIND_ANGLE, GUST_STRENGTH, GUST_ANGLE)

_OF_KIND: Final[Mapping[str, tuple[Measure, ...]]] = MappingProxyType(
    {
        "NAMain": (TEMPERATURE, CO2, HUMIDITY, PRESSURE, NOISE),  # the station's own indoor unit
        "NAModule1": (TEMPERATURE, HUMIDITY),  # outdoors
        "NAModule2": _WIND,
        "NAModule3": (RAIN,),
        "NAModule4": (TEMPERATURE, CO2, HUMIDITY),  # a further room
        "NHC": (TEMPERATURE, CO2, HUMIDITY, PRESSURE, NOISE),  # Home Coach
    }
)

# A wind gauge's `data_type` says "Wind", which is not what getmeasure calls any of its measures.
_OF_DATA_TYPE: Final[Mapping[str, tuple[Measure, ...]]] = MappingProxyType(
    {"wind": _WIND} | {measure.lower(): (measure,) for kind in _OF_KIND.values() for measure in kind}
)


def measures_of(kind: str, data_types: Iterable[str] = ()) -> tuple[Measure, ...]:
    """What getmeasure can be asked for of a module.

    A known kind (`NAMain`, …) has its fixed measures. An unknown one is believed its `data_type` list, in any
    case of letters; unknown types are left out, for what Netatmo answers to them is not documented.
    """
    if kind in _OF_KIND:
        return _OF_KIND[kind]
    return in_order(measure for name in data_types for measure in _OF_DATA_TYPE.get(name.lower(), ()))


def in_order(measures: Iterable[Measure]) -> tuple[Measure, ...]:
    """Each measure once, always in the same order."""
    return tuple(sorted(set(measures), key=lambda measure: (_RANK.get(measure, len(_RANK)), measure)))
