"""What may stand where: the settings models as a tree of keys, for names to be looked up in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

Path = tuple[str | int, ...]
"""The way to a value: keys, and the index of a list's item."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One place of the configuration: a section with fields, a section of free names, a list, or a value."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    """The annotation of each key that there is."""
    named: Any = None
    """The annotation behind any name, such as that of a destination."""
    listed: Any = None
    """The annotation of the items."""
    kinds: int = 0
    """How many models share the place; several are told apart by a key."""

    @classmethod
    def of(cls, annotation: object) -> "Shape":
        """The shape of what an annotation allows."""
        fields: dict[str, Any] = {}
        named = listed = None
        kinds = 0
        for kind in _plain(annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                kinds += 1
                fields |= {name: info.annotation for name, info in kind.model_fields.items()}
            elif get_origin(kind) is dict:
                named = get_args(kind)[1]
            elif get_origin(kind) is tuple:
                listed = get_args(kind)[0]
        return cls(fields, named, listed, kinds)

    @property
    def is_value(self) -> bool:
        """Whether nothing lies below."""
        return not (self.fields or self.named or self.listed)

    def below(self, key: str | int) -> "Shape | None":
        """The place one step down; None where there is none."""
        if isinstance(key, int):
            return Shape.of(self.listed) if self.listed else None
        if key in self.fields:
            return Shape.of(self.fields[key])
        return Shape.of(self.named) if self.named else None

    def along(self, path: Path) -> tuple[Path, "Shape"]:
        """As much of the path as there is, less the tags that a validator put in it, and where it ends."""
        walked: list[str | int] = []
        shape = self
        for key in path:
            if (below := shape.below(key)) is not None:
                walked.append(key)
                shape = below
            elif shape.kinds < 2 or key == path[-1]:  # noqa: PLR2004 - a choice begins with two
                break
        return tuple(walked), shape

    def values(self, named: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        """The path of every value and list that can be set, with the names that are in use."""
        if self.is_value or self.listed:
            yield ()
        for key in self.fields or (named if self.named else ()):
            under = named.get(key)
            below = self.below(key)
            for rest in below.values(under if isinstance(under, Mapping) else {}) if below else ():
                yield (key, *rest)

    def path_of(self, words: Sequence[str], named: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The path that the words spell in any case; `named` holds the names in use, with their spelling."""
        path: list[str] = []
        shape: Shape | None = self
        under: object = named
        for word in words:
            known = under if isinstance(under, Mapping) else {}
            key = word.lower() if shape and shape.fields else _spelled(word, known)
            shape = shape.below(key) if shape and word else None
            path.append(key)
            under = known.get(key)
        return tuple(path) if shape else None


def _plain(annotation: object) -> Iterator[Any]:
    """The types that an annotation stands for, without what is said about them."""
    if get_origin(annotation) is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for choice in get_args(annotation):
            yield from _plain(choice)
    else:
        yield annotation


def _spelled(word: str, known: Mapping[str, Any]) -> str:
    spellings = {name.casefold(): name for name in known}
    return spellings.get(word.casefold(), word.lower() if word.isupper() else word)
