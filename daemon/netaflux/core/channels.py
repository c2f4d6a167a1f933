"""Channels: the columns that a destination gets, each computed from the measures of one row.

    Temperature, Humidity ──► Dew_C ──► Dew_F
                                └─────► H2O_ppm ──► H2O_gm3 ──► H2O_oz_ft3

A channel is a function of measures and of other channels, so that what several need is computed once.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Final

from netaflux.core import measures as m
from netaflux.core import psychrometrics
from netaflux.core.errors import ConfigError
from netaflux.core.formula import Formula
from netaflux.core.measures import UNITS
from netaflux.core.model import ChannelName, Measure, Number
from netaflux.core.near import did_you_mean

_NAME = re.compile(r"[0-9A-Za-z_]+")
"""What Fluxtream takes as a name, less the dot, which it takes but cannot show."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Channel:
    """A named column and how it is computed; one channel is one object."""

    name: ChannelName
    unit: str
    formula: str
    """In words that an own channel's formula may use as well, to copy and to tinker with."""
    source: str
    """Where the formula comes from."""
    inputs: tuple["Measure | Channel", ...] = field(repr=False)
    """What is handed to `compute`, in this order."""
    compute: Callable[..., Number | None] | None = field(default=None, repr=False)
    """From inputs of which none is missing to the value; where there is none, it raises ArithmeticError or
    ValueError, or gives None or a number that is not finite. Without it the one input is the value."""

    measures: tuple[Measure, ...] = field(init=False)
    """All measures that it needs, through other channels too."""
    steps: tuple["Channel", ...] = field(init=False, repr=False)
    """The channels to compute for it, itself the last, each after its inputs."""

    def __post_init__(self) -> None:
        steps: dict[Channel, None] = {}
        for channel in self.inputs:
            if isinstance(channel, Channel):
                steps.update(dict.fromkeys(channel.steps))
        steps[self] = None
        direct = (source for step in steps for source in step.inputs if not isinstance(source, Channel))
        object.__setattr__(self, "steps", tuple(steps))
        object.__setattr__(self, "measures", m.in_order(direct))


@dataclass(frozen=True, slots=True)
class OwnChannel:
    """A channel as a person writes it into the configuration: `[channels.NAME]`."""

    formula: str
    unit: str = ""


def _as_measured(name: str, measure: Measure) -> Channel:
    return Channel(
        name=ChannelName(name), unit=UNITS[measure], formula=measure, source="Netatmo", inputs=(measure,)
    )


_DEW = "(log(Humidity / 100) + 17.27 * Temperature / (Temperature + 237.3)) / 17.27"

_DEW_C = Channel(
    name=ChannelName("Dew_C"),
    unit="°C",
    formula=f"237.3 * ({_DEW}) / (1 - {_DEW})",
    source="University of Arizona (AZMET), by way of Joe Ellsworth, 2010",
    inputs=(m.HUMIDITY, m.TEMPERATURE),
    compute=psychrometrics.dew_point,
)
_H2O_PPM = Channel(
    name=ChannelName("H2O_ppm"),
    unit="ppm",
    formula="10 ** (8.1332 - 1762.39 / (Dew_C + 235.66)) / 760 * 1000000",
    source="Joe Ellsworth, 2010",
    inputs=(_DEW_C,),
    compute=psychrometrics.water_ppm,
)
_H2O_GM3 = Channel(
    name=ChannelName("H2O_gm3"),
    unit="g/m³",
    formula="H2O_ppm * 0.001 * 18 / 22.4",
    source="Joe Ellsworth, 2010",
    inputs=(_H2O_PPM,),
    compute=psychrometrics.water_grams_per_cubic_metre,
)
_BUILT_IN: Final = (
    _as_measured("Temp_C", m.TEMPERATURE),
    Channel(
        name=ChannelName("Temp_F"),
        unit="°F",
        formula="Temperature * 9 / 5 + 32",
        source="definition of the Fahrenheit scale",
        inputs=(m.TEMPERATURE,),
        compute=psychrometrics.fahrenheit,
    ),
    _as_measured("RH", m.HUMIDITY),
    _DEW_C,
    Channel(
        name=ChannelName("Dew_F"),
        unit="°F",
        formula="Dew_C * 9 / 5 + 32",
        source="definition of the Fahrenheit scale",
        inputs=(_DEW_C,),
        compute=psychrometrics.fahrenheit,
    ),
    _H2O_PPM,
    _H2O_GM3,
    Channel(
        name=ChannelName("H2O_oz_ft3"),
        unit="oz/ft³",
        formula="H2O_gm3 / 28.3495231 / 35.3146667",
        source="Joe Ellsworth, 2010",
        inputs=(_H2O_GM3,),
        compute=psychrometrics.water_ounces_per_cubic_foot,
    ),
    _as_measured("CO2", m.CO2),
    _as_measured("Noise", m.NOISE),
    _as_measured("Pressure", m.PRESSURE),
    _as_measured("Rain", m.RAIN),
    _as_measured("WindStrength", m.WIND_STRENGTH),
    _as_measured("WindAngle", m.WIND_ANGLE),
    _as_measured("GustStrength", m.GUST_STRENGTH),
    _as_measured("GustAngle", m.GUST_ANGLE),
    _as_measured("Setpoint_C", m.SETPOINT),
    Channel(
        name=ChannelName("Setpoint_F"),
        unit="°F",
        formula="Setpoint * 9 / 5 + 32",
        source="definition of the Fahrenheit scale",
        inputs=(m.SETPOINT,),
        compute=psychrometrics.fahrenheit,
    ),
    _as_measured("Boiler_On_s", m.BOILER_ON),
    _as_measured("Boiler_Off_s", m.BOILER_OFF),
    *(_as_measured(seen, seen) for seen in m.CAMERA),
)


class Catalogue:
    """All channels that there are: the built-in ones and a person's own."""

    def __init__(self, own: Mapping[str, OwnChannel] | None = None) -> None:
        """Define the person's own channels beside the built-in ones.

        Raises ConfigError, whose message has one line for each mistake, beginning with its key path:
        "channels.Comfort.formula: `Temprature` is not known (column 3); did you mean `Temperature`?"
        """
        built_in = {channel.name: channel for channel in _BUILT_IN}
        draft = _Draft(own or {}, built_in)
        self._channels = built_in | draft.channels()
        self._possible: dict[tuple[Measure, ...], tuple[Channel, ...]] = {}
        if draft.mistakes:
            raise ConfigError("\n".join(draft.mistakes))

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels.values())

    def __getitem__(self, name: str) -> Channel:
        """The channel of that name. Raises ConfigError, with the names that may have been meant."""
        channel = self._channels.get(ChannelName(name))
        if channel is None:
            raise ConfigError(self._unknown(name))
        return channel

    def select(self, names: Iterable[str]) -> tuple[Channel, ...]:
        """The channels of those names, in their order.

        Raises ConfigError, with a line for each name that is unknown or stands there twice.
        """
        names = tuple(names)
        mistakes = [f"`{name}` stands there twice" for name in dict.fromkeys(names) if names.count(name) > 1]
        mistakes += [self._unknown(name) for name in dict.fromkeys(names) if name not in self._channels]
        if mistakes:
            raise ConfigError("\n".join(mistakes))
        return tuple(self[name] for name in names)

    def channels_for(self, measures: Collection[Measure]) -> tuple[Channel, ...]:
        """All channels that can be computed from these measures: a device's default."""
        key = tuple(measures)
        if key not in self._possible:  # there are as many as kinds of modules, and each survey asks for all
            had = set(measures)
            self._possible[key] = tuple(channel for channel in self if had.issuperset(channel.measures))
        return self._possible[key]

    def _unknown(self, name: str) -> str:
        return f"there is no channel `{name}`{did_you_mean(name, self._channels)}"


class _Draft:
    """A person's own channels on their way from text to channels; mistakes are gathered, not raised."""

    def __init__(self, own: Mapping[str, OwnChannel], built_in: Mapping[ChannelName, Channel]) -> None:
        self._own = own
        self._built_in = built_in
        self._known: dict[str, Measure | Channel] = dict(built_in.items()) | {
            measure: measure for measure in UNITS
        }
        self.mistakes: list[str] = []

    def channels(self) -> dict[ChannelName, Channel]:
        """The channels, if there are no mistakes."""
        formulas = {name: formula for name in self._own if (formula := self._formula(name))}
        order = self._inputs_first({name: tuple(formula.names) for name, formula in formulas.items()})
        if self.mistakes:
            return {}
        known, made = dict(self._known), {}
        for name in order:
            known[name] = made[name] = self._channel(name, formulas[name], known)
        return {made[name].name: made[name] for name in self._own}

    def _channel(self, name: str, formula: Formula, known: Mapping[str, Measure | Channel]) -> Channel:
        return Channel(
            name=ChannelName(name),
            unit=self._own[name].unit,
            formula=formula.text,
            source="the configuration",
            inputs=tuple(known[used] for used in formula.names),
            compute=formula,
        )

    def _formula(self, name: str) -> Formula | None:
        """The checked formula; None after noting what is wrong with it or with the name."""
        before = len(self.mistakes)
        self._check_name(name)
        try:
            formula = Formula(self._own[name].formula)
        except ConfigError as error:
            self._note(name, error.message, key=".formula")
            return None
        self._check_inputs(name, formula)
        return formula if len(self.mistakes) == before else None

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            self._note(name, "a channel's name consists of letters a to z, A to Z, digits and underscores")
        elif name in self._built_in:
            self._note(name, "this is a built-in channel; choose another name")
        elif name in self._known:
            self._note(name, "this is a measure of Netatmo's; choose another name")

    def _check_inputs(self, name: str, formula: Formula) -> None:
        known = (*self._known, *self._own)
        for used, place in formula.names.items():
            if used not in known:
                near = did_you_mean(used, (other for other in known if other != name))
                self._note(
                    name, f"`{used}` is neither a measure nor a channel ({place}){near}", key=".formula"
                )
        if not formula.names:
            self._note(name, "the formula uses no measure: its value would be nobody's", key=".formula")

    def _inputs_first(self, needs: Mapping[str, Collection[str]]) -> tuple[str, ...]:
        """The names, each after those that it needs; cycles are noted and left out."""
        while True:
            own = {name: [used for used in needs[name] if used in needs] for name in needs}
            try:
                return tuple(TopologicalSorter(own).static_order())
            except CycleError as error:
                ring: list[str] = error.args[1][:0:-1]  # it comes closed, and each before what needs it
            first = next(name for name in needs if name in ring)
            at = ring.index(first)
            told = " needs ".join([*ring[at:], *ring[:at], first])
            self._note(first, f"it needs itself: {told}", key=".formula")
            needs = {name: used for name, used in needs.items() if name not in ring}

    def _note(self, name: str, sentence: str, *, key: str = "") -> None:
        quoted = name if _NAME.fullmatch(name) else repr(name)
        self.mistakes.append(f"channels.{quoted}{key}: {sentence}")


CATALOGUE: Final = Catalogue()
"""The built-in channels."""
