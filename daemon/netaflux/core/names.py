"""Things found by what people call them: an id in any spelling, or a name."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, count
from typing import Final, Protocol, TypeVar

from netaflux.core.errors import AmbiguousName, UnknownName
from netaflux.core.near import did_you_mean


class Named(Protocol):
    """Something with an id of its own, and names that others may have, too."""

    @property
    def id(self) -> str:
        """Its identity, in lower case."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """What it is called, best first; may be empty."""
        ...


class Called:
    """Something with one name at most: what is `Named` by that alone."""

    __slots__ = ()
    name: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called, if anything."""
        return (self.name,) if self.name else ()


FEW: Final = 8
"""Names that can be told all at once."""

T = TypeVar("T", bound=Named)
Found = TypeVar("Found")


def plain_id(text: str) -> str:
    """An id as people write it (any case, blanks, dashes in a MAC address) in its one form."""
    return "".join(text.split()).replace("-", ":").lower()


def folded(name: str) -> str:
    """A name without what people do not see: the case of letters, and how many blanks."""
    return " ".join(name.split()).casefold()


def matching(
    text: str,
    things: Iterable[Found],
    ident: Callable[[Found], str],
    names: Callable[[Found], Iterable[str]],
) -> Sequence[Found]:
    """What a text means: by id, else by whole name, else by name but for case and blanks."""
    things, wanted = tuple(things), plain_id(text)
    by_id = [thing for thing in things if wanted and plain_id(ident(thing)) == wanted]
    exact = [thing for thing in things if text.strip() in names(thing)]
    alike = [thing for thing in things if folded(text) in map(folded, names(thing))]
    return by_id or exact or alike


def named(text: str, things: Iterable[T]) -> Sequence[T]:
    """All that a text means."""
    return matching(text, things, lambda thing: thing.id, lambda thing: thing.names)


def the_one(text: str, things: Iterable[T], what: str) -> T:
    """The one thing that a text means; `what` says what they are, such as `station`.

    Raises UnknownName with names that may have been meant, AmbiguousName with all ids.
    """
    things = tuple(things)
    found = named(text, things)
    if len(found) == 1:
        return found[0]
    if not found:
        meant = did_you_mean(text, [name for thing in things for name in thing.names])
        raise UnknownName(f"there is no {what} `{text}`{meant or _there_is(things)}")
    ids = " and ".join(thing.id for thing in found)
    raise AmbiguousName(f"`{text}` means more than one {what}: {ids}")


def _there_is(things: Sequence[Named]) -> str:
    """The end of an error's sentence: what there is, where that is not too much to say."""
    known = [f"`{next(iter(thing.names), thing.id)}`" for thing in things]
    return f"; there is {', '.join(known)}" if 0 < len(known) <= FEW else ""


def labels(things: Iterable[T], names: Callable[[T], Sequence[str]] | None = None) -> Sequence[str]:
    """What to call each of several things, so that no two are called the same.

    The first of its names that nothing else has; else that name with its id, or its id alone. `names` tells
    which names may be used, where those are not all.
    """
    things = tuple(things)
    known = [tuple(thing.names if names is None else names(thing)) for thing in things]
    often = Counter(name for own in known for name in set(map(folded, own)))
    often.update(folded(thing.id) for thing in things)
    taken: dict[str, str] = {}
    for thing, own in zip(things, known, strict=True):
        wishes = [name for name in own if often[folded(name)] == 1]
        wishes += [f"{name} ({thing.id})" for name in own[:1] if thing.id]
        last = thing.id or next(iter(own), "nameless")
        label = next(
            wish
            for wish in chain(wishes, [last], (f"{last} {number}" for number in count(2)))
            if folded(wish) not in taken
        )
        taken[folded(label)] = label
    return tuple(taken.values())
