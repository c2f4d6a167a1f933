"""What is wrong only beside something else: names used twice, names of nothing.

These checks take the configuration as it was written, so that they have their say even where something else
in it is wrong; whatever is not of the expected kind is left to the settings models.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from netaflux.config.shape import Path
from netaflux.core.channels import CATALOGUE, Catalogue, OwnChannel
from netaflux.core.errors import ConfigError
from netaflux.core.near import did_you_mean
from netaflux.core.settings import NAME_PATTERN
from netaflux.destinations import DestinationSettings

Mistake = tuple[Path, str]

_DESTINATION: Final[TypeAdapter[DestinationSettings]] = TypeAdapter(DestinationSettings)


def contradictions(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every contradiction, with the path of the key to change."""
    own, destinations = _section(tree, "channels"), _section(tree, "destinations")
    devices = [
        (index, device) for index, device in enumerate(_list(tree, "devices")) if isinstance(device, Mapping)
    ]
    yield from _wrong_formulas(own)
    yield from _named_twice(devices)
    channels = [*(channel.name for channel in CATALOGUE), *own]
    for index, device in devices:
        for key, kind, known in (
            ("channels", "channel", channels),
            ("destinations", "destination", list(destinations)),
        ):
            for place, wrong in _unknown(_list(device, key), kind, known):
                yield ("devices", index, key, place), wrong
    yield from _refused_names(destinations, devices)


def _wrong_formulas(own: Mapping[str, Any]) -> Iterator[Mistake]:
    readable = {
        name: OwnChannel(channel["formula"].strip())
        for name, channel in own.items()
        if isinstance(channel, Mapping)
        and isinstance(channel.get("formula"), str)
        and channel["formula"].strip()
        and re.fullmatch(NAME_PATTERN, name)
    }
    try:
        Catalogue(readable)
    except ConfigError as error:
        for mistake in error.message.splitlines():
            path, wrong = mistake.split(": ", 1)
            yield tuple(path.split(".")), wrong


def _named_twice(devices: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, device in devices:
        name = device.get("name")
        if isinstance(name, str) and first.setdefault(name.strip(), index) != index:
            yield ("devices", index, "name"), f"is the name of devices[{first[name.strip()]}], too"


def _unknown(names: Sequence[Any], kind: str, known: Sequence[str]) -> Iterator[tuple[int, str]]:
    for place, name in enumerate(names):
        if isinstance(name, str) and name.strip() not in known:
            yield place, f"there is no {kind} of this name{did_you_mean(name, known)}"


def _refused_names(
    destinations: Mapping[str, Any], devices: Sequence[tuple[int, Mapping[str, Any]]]
) -> Iterator[Mistake]:
    """What a destination has against a name that would do elsewhere."""
    usable = {name: settings for name in destinations if (settings := _usable(name, destinations[name]))}
    for index, device in devices:
        name = device.get("name")
        if isinstance(name, str) and re.fullmatch(NAME_PATTERN, name.strip()):
            asked = _list(device, "destinations") or usable
            known = (usable[label] for label in asked if isinstance(label, str) and label in usable)
            objections = (settings.objection_to_device(name.strip()) for settings in known)
            for objection in dict.fromkeys(filter(None, objections)):
                yield ("devices", index, "name"), objection


def _usable(name: str, raw: object) -> DestinationSettings | None:
    try:
        return _DESTINATION.validate_python({"type": name, **raw} if isinstance(raw, Mapping) else raw)
    except ValidationError:
        return None  # its own mistakes are told elsewhere


def _section(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = tree.get(key)
    return section if isinstance(section, Mapping) else {}


def _list(tree: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = tree.get(key)
    return value if isinstance(value, list) else []
