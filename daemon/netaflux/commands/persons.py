"""`persons`: whom the cameras know, and who is home; marking them as home or away.

Events: one `person` each; or with `do` first, where `plan` is set, one `plan` for each home, and else one
`sending` and `marked` for each change that was made; then `result`.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from netaflux.app import App
from netaflux.commands.guarded import Place, Places, places
from netaflux.commands.requests import OfHome, understood
from netaflux.commands.words import Json, sending
from netaflux.core.errors import UsageError
from netaflux.netatmo.cameras import Person
from netaflux.netatmo.security import LOOK


class PersonsRequest(OfHome):
    """Whom to mark as what, if anybody."""

    do: Literal["home", "away"] | None = None
    persons: tuple[str, ...] = ()
    plan: bool = False


async def persons(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """List them, or mark the named ones; `away` without a name is everybody of the home."""
    request = understood("persons", PersonsRequest, asked)
    found = await places(app, request)
    if not request.do:
        for place in found.places:
            for person in place.home.persons:
                yield _person(place, person)
        yield found.result
        return
    for change in _changes(found, request.do, request.persons):
        if not request.plan:
            yield sending(LOOK)
            await change.make()
        yield {"event": "plan" if request.plan else "marked", "text": change.text}
    yield found.result


@dataclass(frozen=True, slots=True)
class _Change:
    """One call that writes."""

    place: Place
    do: str
    persons: Sequence[Person]

    @property
    def text(self) -> str:
        who = ", ".join(person.name or person.id for person in self.persons) or "everybody"
        return f"mark {who} as {self.do} ({self.place.home.name or self.place.home.id})"

    async def make(self) -> None:
        """Raises what the call raises."""
        if self.do == "home":
            await self.place.security.mark_home(self.place.home, self.persons)
        else:
            await self.place.security.mark_away(self.place.home, *self.persons)


def _changes(found: Places, do: str, names: Sequence[str]) -> Iterator[_Change]:
    """All of them, before the first is made. Raises UsageError."""
    meant = [found.person(name) for name in names]
    if not meant:
        yield _everybody(found, do)
        return
    by_home: defaultdict[str, list[Person]] = defaultdict(list)
    for person in dict.fromkeys(meant):
        by_home[person.home].append(person)
    for home, here in by_home.items():
        # setpersonshome takes several at once, setpersonsaway one
        for some in [here] if do == "home" else [[person] for person in here]:
            yield _Change(found.place(home), do, some)


def _everybody(found: Places, do: str) -> _Change:
    if do == "home":
        raise UsageError("nobody is named to be marked home", advice="Name at least one person.")
    if len(found.places) > 1:
        homes = ", ".join(f"`{place.home.name or place.home.id}`" for place in found.places)
        raise UsageError(f"there are several homes to leave: {homes}", advice="Say which with --home.")
    return _Change(found.places[0], do, ())


def _person(place: Place, person: Person) -> Json:
    return {
        "event": "person",
        "account": place.account,
        "home": place.home.id,
        "home_name": place.home.name,
        "id": person.id,
        "name": person.name,
        "at_home": None if person.away is None else person.at_home,
        "last_seen": person.last_seen,
        "face": person.face is not None,
    }
