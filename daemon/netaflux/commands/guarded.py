"""Homes with cameras over all accounts, and what a name on a command line means among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from netaflux.app import App
from netaflux.commands.requests import OfHome
from netaflux.commands.words import Json, account_named
from netaflux.core.errors import NetafluxError, NoDevice, NotAuthorized
from netaflux.core.model import AccountName
from netaflux.core.names import the_one
from netaflux.netatmo.cameras import Camera, GuardedHome, GuardedHomes, Person
from netaflux.netatmo.security import Security


@dataclass(frozen=True, slots=True)
class Place:
    """A home, and who can see it."""

    account: AccountName
    security: Security
    home: GuardedHome

    @property
    def id(self) -> str:
        """The home's."""
        return self.home.id

    @property
    def names(self) -> tuple[str, ...]:
        """The home's."""
        return self.home.names


@dataclass(slots=True)
class Places:
    """The homes of all accounts that were asked for, and the accounts that could not tell."""

    places: list[Place] = field(default_factory=list)
    failures: dict[AccountName, NetafluxError] = field(default_factory=dict)

    @property
    def result(self) -> Json:
        """The last event of a command that did what it could."""
        failed = [
            {"account": name, "reason": error.message, "remedy": error.remedy}
            for name, error in self.failures.items()
        ]
        codes = {error.exit_code for error in self.failures.values()}
        code = 0 if not codes else NotAuthorized.exit_code if NotAuthorized.exit_code in codes else 75
        return {"event": "result", "failed": failed, "exit_code": code}

    def place(self, home: str) -> Place:
        """Where a home is."""
        return next(place for place in self.places if place.home.id == home)

    def camera(self, asked: str | None) -> Camera:
        """A camera by name or id, else the first one. Raises UsageError, NoDevice."""
        return self._homes.camera(asked)

    def person(self, asked: str) -> Person:
        """A person by name or id. Raises UsageError."""
        return self._homes.person(asked)

    @property
    def _homes(self) -> GuardedHomes:
        return GuardedHomes(tuple(place.home for place in self.places))


async def places(app: App, asked: OfHome) -> Places:
    """The homes with cameras or persons, of the account and the home that are asked for, else all.

    A home that several accounts see is told once. Raises UsageError; NoDevice where there is none, or the
    account's own error where none could be asked.
    """
    found = Places()
    known_names = list(app.accounts)
    for name in [account_named(asked.account, known_names)] if asked.account else known_names:
        security = app.accounts[name].netatmo.security
        try:
            homes = await security.homes()
        except NetafluxError as error:
            found.failures[name] = error
            continue
        known = {place.home.id for place in found.places}
        found.places += (Place(name, security, home) for home in homes.homes if home.id not in known)
    _raise_if_nothing(found)
    if asked.home:
        found.places = [the_one(asked.home, found.places, "home")]
    else:
        found.places = [place for place in found.places if place.home.cameras or place.home.persons]
    return found


async def watched(app: App, asked: OfHome) -> Places:
    """The same for what asks for events. Raises NoDevice for a home in which nothing could have seen any."""
    found = await places(app, asked)
    if not any(place.home.cameras or place.home.persons for place in found.places):
        raise NoDevice(f"there is no camera in {found.places[0].home.name or found.places[0].id}")
    return found


def _raise_if_nothing(found: Places) -> None:
    if any(place.home.cameras or place.home.persons for place in found.places):
        return
    for error in found.failures.values():
        raise error
    raise NoDevice(
        "there is no camera in any home", advice="`netaflux authorize` asks for other scopes with --scope."
    )


def titled(things: Sequence[Camera | Person | GuardedHome], one: str | None) -> str | None:
    """The name of the thing with that id."""
    return next((thing.name for thing in things if thing.id == one), None)
