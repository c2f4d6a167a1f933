"""The heating of all accounts: a home or a room found by what a person calls it, whosever it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from netaflux.app import App, Connected
from netaflux.commands.words import Json, account_named
from netaflux.core.errors import NetafluxError, NoDevice, NotAuthorized, UnknownName, UsageError
from netaflux.core.names import the_one
from netaflux.netatmo.energy import READ, Energy
from netaflux.netatmo.heating import Heating, heated_rooms
from netaflux.netatmo.homes import Home, Room
from netaflux.netatmo.scopes import needing


@dataclass(frozen=True, slots=True)
class HomeOf:
    """A heated home, and whose it is."""

    account: Connected
    home: Home

    @property
    def id(self) -> str:
        """The home's."""
        return self.home.id

    @property
    def names(self) -> Sequence[str]:
        """What it is called."""
        return self.home.names

    @property
    def now(self) -> float:
        """Netatmo's time: what shall end is ended by its clock, not by ours."""
        return self.account.netatmo.now()

    @property
    def energy(self) -> Energy:
        """The way to it."""
        return self.account.netatmo.energy


@dataclass(frozen=True, slots=True)
class RoomOf:
    """A heated room, and where it is."""

    of: HomeOf
    room: Room

    @property
    def id(self) -> str:
        """The room's."""
        return self.room.id

    @property
    def names(self) -> Sequence[str]:
        """What it is called, alone and with its home."""
        return tuple(name for own in self.room.names for name in (own, f"{self.of.home.title}/{own}"))


Found = TypeVar("Found", HomeOf, RoomOf)


@dataclass(slots=True)
class Heated:
    """What was found, and the accounts that could not be asked."""

    homes: list[HomeOf] = field(default_factory=list)
    all_homes: list[HomeOf] = field(default_factory=list)
    """Those without heating, too."""
    failed: list[Json] = field(default_factory=list)
    errors: list[NetafluxError] = field(default_factory=list)

    def home(self, word: str | None) -> HomeOf:
        """A home; without a word the only one. Raises NoDevice, UnknownName, AmbiguousName, what failed."""
        return self._chosen(word, self.homes, "home", lambda each: each.home.title)

    def room(self, word: str | None, home: HomeOf | None = None) -> RoomOf:
        """A room, of one home or of all; without a word the only one. Raises the same."""
        homes = [home] if home else self.homes
        rooms = [RoomOf(each, room) for each in homes for room in heated_rooms(each.home)]
        return self._chosen(word, rooms, "room", lambda each: f"{each.of.home.title}/{each.room.title}")

    def _named(self, word: str, things: Sequence[Found], what: str) -> Found:
        try:
            return the_one(word, things, what)
        except UnknownName:
            if self.errors:
                raise self.errors[0] from None
            raise

    @property
    def exit_code(self) -> int:
        """What the failures come to."""
        codes = {error.exit_code for error in self.errors}
        return 0 if not codes else NotAuthorized.exit_code if NotAuthorized.exit_code in codes else 75

    def _chosen(
        self, word: str | None, things: Sequence[Found], what: str, title: Callable[[Found], str]
    ) -> Found:
        if not things:
            # what could not be asked may have it
            raise self.errors[0] if self.errors else NoDevice(f"no account has a heated {what}")
        if word is not None:
            return self._named(word, things, what)
        if len(things) > 1:
            there = ", ".join(f"`{title(each)}`" for each in things)
            raise UsageError(f"say which {what}: there is {there}", advice="")
        return things[0]


async def heated(app: App, account: str | None, *scopes: str) -> Heated:
    """Ask all accounts, or the one that is named; a home that several see is the first one's.

    `scopes` are those of which one will do. Raises UsageError for an account that there is none of.
    """
    found = Heated()
    names = list(app.accounts) if account is None else [account_named(account, list(app.accounts))]
    for name in names:
        connected = app.accounts[name]
        try:
            heating = await _heating(connected, scopes or (READ,))
        except NetafluxError as error:
            found.errors.append(error)
            found.failed.append({"account": name, "reason": error.message, "remedy": error.remedy})
            continue
        known = {each.id for each in found.all_homes}
        found.all_homes += [HomeOf(connected, home) for home in heating.all_homes if home.id not in known]
        found.homes += [HomeOf(connected, home) for home in heating.homes if home.id not in known]
    return found


async def _heating(connected: Connected, scopes: Sequence[str]) -> Heating:
    with needing(scopes, connected.name, lambda: connected.keeper.scopes):
        return Heating(await connected.netatmo.housing.homes())
