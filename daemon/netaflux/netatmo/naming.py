"""What a person means by a name or an id: the one thing that it fits, or an error that says what there is."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from netaflux.core.errors import UsageError
from netaflux.core.near import did_you_mean


class Nameable(Protocol):
    """What can be asked for by name or id."""

    @property
    def id(self) -> str:
        """Its identity."""
        ...

    @property
    def title(self) -> str:
        """Its name, or what stands for one."""
        ...


Thing = TypeVar("Thing", bound=Nameable)


def the_one(what: str, word: str, things: Iterable[Thing]) -> Thing:
    """The thing of that id, else of that name, else of that name but for case and blanks.

    Raises UsageError: for a name that is nobody's with those that are near, for several's with their ids.
    """
    known = tuple(things)
    found = meant(word, known)
    if len(found) == 1:
        return found[0]
    if found:
        ids = " and ".join(thing.id for thing in found)
        raise UsageError(f"`{word}` means several of the {what}s: {ids}", advice="Use the id instead.")
    titles = list(dict.fromkeys(thing.title for thing in known))
    hint = did_you_mean(word, titles)
    if not hint:
        hint = f"; there is {', '.join(f'`{title}`' for title in titles)}" if titles else "; there is none"
    raise UsageError(f"no {what} `{word}`{hint}", advice="")


def meant(word: str, things: Sequence[Thing]) -> Sequence[Thing]:
    """All that a word can mean, by the first of the ways in which it means anything."""
    wanted = as_id(word)
    by_id = [thing for thing in things if as_id(thing.id) == wanted]
    exact = [thing for thing in things if thing.title == word.strip()]
    folded = [thing for thing in things if _folded(thing.title) == _folded(word)]
    return by_id or exact or folded


def as_id(text: str) -> str:
    """An id in any case and spacing, a MAC address with dashes too, in one form."""
    return "".join(text.split()).replace("-", ":").lower()


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
