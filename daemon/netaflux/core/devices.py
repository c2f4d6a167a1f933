"""Which module a device mirrors: found by id or by name, kept through renames, changed with the hardware."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from netaflux.core.channels import Catalogue, Channel
from netaflux.core.model import (
    AccountName,
    Binding,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Module,
    ModuleId,
    Series,
    SourceName,
)
from netaflux.core.names import matching, plain_id
from netaflux.core.near import near_names, offered
from netaflux.core.since import Since
from netaflux.core.spans import FOREVER, Spans

MOST: Final = 3
"""Titles that are offered at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An entry of the configuration: what shall be mirrored where."""

    name: DeviceName
    module: str
    """`station/module`, `home/module` or a MAC address, as configured."""
    channels: tuple[ChannelName, ...] | None
    """None: all that the module kind has."""
    since: Since
    account: AccountName
    destinations: tuple[DestinationName, ...]
    source: SourceName = SourceName.STATIONS
    """Among which modules it is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device whose module is known."""

    device: DeviceName
    module: Module
    begin: int
    floor: int
    channels: tuple[Channel, ...]
    destinations: tuple[DestinationName, ...]
    impossible: tuple[ChannelName, ...] = ()
    """Configured channels that need measures which the module does not have."""

    def series(self, destination: DestinationId) -> tuple[Series, ...]:
        """The series of this device at a destination, in the order of its channels."""
        return tuple(Series(destination, self.device, channel.name) for channel in self.channels)

    @property
    def wanted(self) -> Spans:
        """All that the configuration asks for."""
        return Spans((self.begin, FOREVER))


@dataclass(frozen=True, slots=True)
class Missing:
    """A device whose module cannot be told, and why."""

    device: DeviceName
    reason: str


def module_id(text: str) -> ModuleId:
    """A MAC address as people write it (any case, blanks, dashes) in its one form."""
    return ModuleId(plain_id(text))


def find(text: str, modules: Iterable[Module]) -> Sequence[Module]:
    """The modules that a text means: by id, else by whole title, else by title but for case and blanks."""
    return matching(text, modules, lambda module: module.id, lambda module: module.titles)


def identify(device: Device, modules: Sequence[Module], binding: Binding | None) -> Module | Missing:
    """The module that the device mirrors now.

    A name that is gone while the bound module is still there was a rename: the series goes on. Two modules
    of one name are nobody's guess.
    """
    found = find(device.module, modules)
    if len(found) == 1:
        return found[0]
    kept = [module for module in modules if binding and module.id == binding.module]
    if kept and binding and binding.module_text == device.module and (not found or kept[0] in found):
        return kept[0]
    return Missing(device.name, _why_not(device.module, found, modules))


def _why_not(text: str, found: Sequence[Module], modules: Sequence[Module]) -> str:
    if found:
        ids = " and ".join(module.id for module in found)
        return f"`{text}` means several modules: {ids}; configure the MAC address instead"
    meant = offered(_near_titles(text, modules))
    return f"no module `{text}` in this account{meant} (`netaflux devices` lists them)"


def _near_titles(text: str, modules: Sequence[Module]) -> Sequence[str]:
    """Titles that are near as a whole, and those whose module is; those first that are like what was said."""
    whole = near_names(text, [title for module in modules for title in module.titles])
    place, _, last = text.rpartition("/")
    titled: dict[str, list[str]] = {}
    for module in modules:
        if module.titles:
            titled.setdefault(str(module.name), []).append(module.titles[-1])
    alone = tuple(title for name in near_names(last, titled) for title in titled[name])[:MOST]
    return whole or alone if place else alone or whole


def bind(
    device: Device, module: Module, binding: Binding | None, delivered_until: int | None, now: float
) -> Binding:
    """The binding in force from now on: the same one where nothing changed.

    A new module begins after the last delivered row of the one before; `since` is resolved once, and again
    only when its text changes.
    """
    same = binding is not None and binding.module == module.id
    floor = _floor(binding, same=same, delivered_until=delivered_until)
    if same and binding is not None and binding.since_text == device.since.text:
        begin = binding.begin
    else:
        begin = device.since.resolve(now, module.timezone, module.set_up)
    return Binding(
        device=device.name,
        module=module.id,
        account=device.account,
        module_text=device.module,
        since_text=device.since.text,
        begin=max(begin, floor),
        floor=floor,
    )


def _floor(binding: Binding | None, *, same: bool, delivered_until: int | None) -> int:
    if binding is None:
        return 0
    if same or delivered_until is None:
        return binding.floor
    return max(binding.floor, delivered_until + 1)


def target(device: Device, module: Module, binding: Binding, catalogue: Catalogue) -> Target:
    """The device with everything that its errands need; channels that the module cannot give are left out."""
    possible = catalogue.channels_for(module.measures)
    names = [channel.name for channel in possible] if device.channels is None else device.channels
    channels = tuple(channel for channel in map(catalogue.__getitem__, names) if channel in possible)
    return Target(
        device=device.name,
        module=module,
        begin=binding.begin,
        floor=binding.floor,
        channels=tuple(channels),
        destinations=device.destinations,
        impossible=tuple(name for name in names if catalogue[name] not in possible),
    )
