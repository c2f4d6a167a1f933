"""Names that may have been meant by one that nobody knows."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def near_names(word: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The known names closest to `word`, best first; the case of letters does not count."""
    spellings: dict[str, list[str]] = {}
    for name in known:
        spellings.setdefault(name.casefold(), []).append(name)
    close = get_close_matches(word.casefold(), spellings, n=most)
    return tuple(name for folded in close for name in spellings[folded])[:most]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error's sentence: "; did you mean `RH`?", or nothing where no name is near."""
    return offered(near_names(word, known))


def offered(names: Sequence[str]) -> str:
    """The same of names that have been chosen already."""
    return f"; did you mean {' or '.join(f'`{name}`' for name in names)}?" if names else ""
