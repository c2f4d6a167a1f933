"""What the weather commands share: the stations and Home Coaches of all accounts, and how they are found."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from netaflux.app import App
from netaflux.commands.words import Json, account_named
from netaflux.core.errors import NetafluxError, NoDevice, NotAuthorized, ScopeDenied, UsageError
from netaflux.core.model import AccountName
from netaflux.core.names import Named, the_one
from netaflux.netatmo.front import Netatmo
from netaflux.netatmo.sensors import Sensor, Station
from netaflux.netatmo.weather_home import WeatherHome

T = TypeVar("T", bound=Named)

COACHES = "read_homecoach"
"""The scope without which Home Coaches need not be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A station, and whose it is."""

    account: AccountName
    netatmo: Netatmo
    station: Station
    time: float
    """When Netatmo told of it, unix seconds."""


@dataclass(slots=True)
class Places:
    """The stations that could be read, and the accounts that could not."""

    places: list[Place] = field(default_factory=list)
    failures: dict[AccountName, NetafluxError] = field(default_factory=dict)

    @property
    def failed(self) -> list[Json]:
        """Who could not be read, for the result."""
        told = self.failures.items()
        return [{"account": name, "reason": error.message, "remedy": error.remedy} for name, error in told]

    @property
    def exit_code(self) -> int:
        """What the failures make of the command."""
        codes = {error.exit_code for error in self.failures.values()}
        return 0 if not codes else NotAuthorized.exit_code if NotAuthorized.exit_code in codes else 75

    def of(self, station: str | None) -> Sequence[Place]:
        """The place of that station; all of them where none is said.

        Raises UnknownName, AmbiguousName, NoDevice, or what kept an account from being read that may have it.
        """
        if station is None:
            if not self.places:
                self._raise_failure()
                raise NoDevice("There is no weather station and no Home Coach in any account")
            return self.places
        found = self._the_one(station, [place.station for place in self.places], "station")
        return [place for place in self.places if place.station is found]

    def sensor(self, text: str) -> tuple[Place, str, Sensor]:
        """The sensor that a text means, where it stands and what it is called there; raises as `of` does."""
        known = [
            (place, name, sensor) for place in self.places for name, sensor in place.station.named.items()
        ]
        found = self._the_one(text, [sensor for _, _, sensor in known], "module")
        return next(each for each in known if each[2] is found)

    def _the_one(self, text: str, things: Sequence[T], what: str) -> T:
        try:
            return the_one(text, things, what)
        except UsageError:
            self._raise_failure()
            raise

    def _raise_failure(self) -> None:
        for error in self.failures.values():
            raise error


async def places_of(app: App, account: str | None) -> Places:
    """The stations of that account, or of all; one that several accounts see is the first one's.

    Raises UsageError where there is no such account.
    """
    wanted = list(app.accounts) if account is None else [account_named(account, list(app.accounts))]
    places = Places()
    for name in wanted:
        try:
            async for place in _places(name, app.accounts[name].netatmo):
                if not place.station.id or place.station.id not in {
                    each.station.id for each in places.places
                }:
                    places.places.append(place)
        except NetafluxError as error:
            places.failures[name] = error
    return places


async def _places(account: AccountName, netatmo: Netatmo) -> AsyncIterator[Place]:
    for weather in await _weather(netatmo):
        for station in weather.stations:
            yield Place(account=account, netatmo=netatmo, station=station, time=weather.time)


async def _weather(netatmo: Netatmo) -> Sequence[WeatherHome]:
    """Stations and Home Coaches, as far as the scopes reach."""
    await netatmo.valid_token()
    coaches = COACHES in netatmo.scopes
    found = []
    try:
        found.append(await netatmo.weather())
    except NoDevice:
        pass
    except ScopeDenied:
        if not coaches:
            raise
    if coaches:
        with suppress(NoDevice):
            found.append(await netatmo.home_coaches())
    return found
