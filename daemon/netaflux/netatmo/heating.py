"""The heating of an account: its homes, rooms, thermostats, valves and relays, found by name or id."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from netaflux.core.errors import NoDevice
from netaflux.core.names import T, the_one
from netaflux.netatmo.homes import Home, HomeModule, Room
from netaflux.netatmo.schedules import Schedule, Slot

RELAYS: Final = frozenset({"NAPlug", "OTH"})
THERMOSTATS: Final = frozenset({"NATherm1", "OTM", "BNS"})
VALVES: Final = frozenset({"NRV"})
KINDS: Final = RELAYS | THERMOSTATS | VALVES

THERM: Final = "therm"
"""The kind of a schedule that heats; there are others, for shutters and lights."""


@dataclass(frozen=True, slots=True)
class Heating:
    """What there is at one moment.

    Each question takes a name or an id (in any case and spacing), and the default one is the first without.
    It raises NoDevice where the account has none of the kind, UnknownName and AmbiguousName.
    """

    all_homes: tuple[Home, ...]
    """Those without heating, too."""

    @property
    def homes(self) -> tuple[Home, ...]:
        """The homes with something that heats."""
        return tuple(home for home in self.all_homes if heats(home))

    @property
    def relays(self) -> tuple[HomeModule, ...]:
        """What switches the boilers; the old API called these devices."""
        return self._modules(RELAYS)

    @property
    def thermostats(self) -> tuple[HomeModule, ...]:
        """The old API called these modules."""
        return self._modules(THERMOSTATS)

    @property
    def valves(self) -> tuple[HomeModule, ...]:
        """On radiators."""
        return self._modules(VALVES)

    @property
    def rooms(self) -> tuple[Room, ...]:
        """The rooms that are heated."""
        return tuple(room for home in self.homes for room in heated_rooms(home))

    def home(self, word: str | None = None) -> Home:
        """A home."""
        return _chosen(word, self.homes, "home")

    def relay(self, word: str | None = None) -> HomeModule:
        """A relay."""
        return _chosen(word, self.relays, "relay")

    def thermostat(self, word: str | None = None) -> HomeModule:
        """A thermostat."""
        return _chosen(word, self.thermostats, "thermostat")

    def valve(self, word: str | None = None) -> HomeModule:
        """A valve."""
        return _chosen(word, self.valves, "valve")

    def room(self, word: str | None = None, home: Home | None = None) -> Room:
        """A heated room, of one home or of all."""
        return _chosen(word, heated_rooms(home) if home else self.rooms, "room")

    def home_of(self, thing: Room | HomeModule) -> Home:
        """The home in which it is. Raises NoDevice."""
        for home in self.all_homes:
            if thing in home.rooms or thing in home.modules:
                return home
        raise NoDevice(f"no home has {thing.title}")

    def room_of(self, module: HomeModule) -> Room | None:
        """The room in which a module hangs."""
        rooms = self.home_of(module).rooms
        return next((room for room in rooms if module.room == room.id or module.id in room.modules), None)

    def relay_of(self, module: HomeModule) -> HomeModule | None:
        """The relay through which a module speaks; a relay is its own."""
        if module.kind in RELAYS:
            return module
        modules = self.home_of(module).modules
        return next((each for each in modules if each.id == module.bridge or module.id in each.bridged), None)

    def _modules(self, kinds: Collection[str]) -> tuple[HomeModule, ...]:
        return tuple(module for home in self.all_homes for module in home.modules if module.kind in kinds)


def heats(home: Home) -> bool:
    """Whether a home has something that heats."""
    return any(module.kind in KINDS for module in home.modules)


def heated_rooms(home: Home) -> Sequence[Room]:
    """The rooms of a home that have something that heats, or tell of a setpoint."""
    hung = {module.room for module in home.modules if module.kind in KINDS}
    units = {module.id for module in home.modules if module.kind in KINDS}
    return [
        room
        for room in home.rooms
        if room.id in hung or units.intersection(room.modules) or room.setpoint is not None
    ]


def heating_schedules(home: Home) -> Sequence[Schedule]:
    """The schedules that heat; one that does not say what it is does."""
    return [schedule for schedule in home.schedules if schedule.kind in (None, THERM)]


def schedule_in(home: Home, word: str | None = None) -> Schedule:
    """A heating schedule by name or id, the selected one without.

    Raises NoDevice, UnknownName, AmbiguousName.
    """
    schedules = heating_schedules(home)
    selected = [schedule for schedule in schedules if schedule.selected]
    return _chosen(word, schedules if word is not None else selected or schedules, "schedule")


def slot_in(home: Home, now: float) -> Slot | None:
    """The slot of the selected schedule that is in force at a moment, were nothing else set."""
    selected = [schedule for schedule in heating_schedules(home) if schedule.selected]
    return selected[0].slot(now, home.timezone) if selected else None


def _chosen(word: str | None, things: Sequence[T], what: str) -> T:
    if not things:
        raise NoDevice(f"this account has no {what}")
    return things[0] if word is None else the_one(word, things, what)
