"""Where settings are found: the environment, the credentials directories, the file.

Each is read into a tree of keys that remembers where every piece of it was found. Nothing is judged here but
whether it can be read at all.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from netaflux.config.mistakes import line
from netaflux.config.settings import Settings
from netaflux.config.shape import Shape
from netaflux.core.near import near_names

PREFIX: Final = "NETAFLUX_"
FILE_VARIABLE: Final = "NETAFLUX_CONFIG"
BETWEEN: Final = "__"
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    # as other programs for Netatmo call them
    "NETATMO_CLIENT_ID": ("netatmo", "client_id"),
    "NETATMO_CLIENT_SECRET": ("netatmo", "client_secret"),
    "NETATMO_REFRESH_TOKEN": ("netatmo", "refresh_token"),
}
ROOT: Final = Shape.of(Settings)

Texts = dict[tuple[str, ...], tuple[str, str]]
"""By the path of a setting: the variable's or file's name, and what it holds."""

_POSITION: Final = re.compile(
    r"(?P<what>.*) \(at (?P<where>line \d+, column \d+|end of document)\)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one place says."""

    place: str
    """What a person would call it."""
    tree: Mapping[str, Any] = field(default_factory=dict, repr=False)
    found: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Which variable or file a piece of the tree comes from."""
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def place_of(self, path: Sequence[str | int]) -> str:
        """Where a person has to look for what stands at this path."""
        steps = (tuple(path[:length]) for length in range(len(path), 0, -1))
        return next((self.found[step] for step in steps if step in self.found), self.place)  # type: ignore[index]

    def holds(self, path: Sequence[str | int]) -> bool:
        """Whether something stands at this path."""
        return self.reach(path)[0] == len(path)

    def reach(self, path: Sequence[str | int]) -> tuple[int, bool]:
        """How far the tree follows the path, and whether what stands there hides all weaker sources."""
        here: Any = self.tree
        for steps, key in enumerate(path):
            listed = isinstance(here, list) and isinstance(key, int) and key < len(here)
            if not listed and not (isinstance(here, Mapping) and key in here):
                # sections of several sources are laid over one another, anything else stands for itself
                return steps, not isinstance(here, Mapping) or any(isinstance(k, int) for k in path[:steps])
            here = here[key]
        return len(path), True


def responsible(sources: Sequence[Source], path: Sequence[str | int]) -> str:
    """The place to look at for a value, or for one that is missing; `sources` from the strongest down."""
    best, reached = sources[-1], 0
    for source in sources:
        steps, final = source.reach(path)
        if final:
            return source.place_of(path[:steps])
        if steps >= reached:
            best, reached = source, steps
    return best.place_of(path[:reached])


def environment(environ: Mapping[str, str], named: Mapping[str, Any]) -> Source:
    """The settings among the environment's variables; an empty one is none. `named` holds weaker settings."""
    given = {name: text for name, text in environ.items() if text.strip()}
    texts: Texts = {path: (name, given[name]) for name, path in ALIASES.items() if name in given}
    warnings = []
    for name in sorted(given):
        if not name.startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        if path := ROOT.path_of(name.removeprefix(PREFIX).split(BETWEEN), named):
            texts[path] = (name, given[name])
        else:
            warnings.append(f"environment: {name} is no setting{_meant(name, named)}")
    return _grown("environment", texts, warnings)


def credentials(directory: Path, named: Mapping[str, Any]) -> Source:
    """The settings among the files of a directory, such as `netatmo__client_secret`; others are ignored."""
    texts: Texts = {}
    mistakes = []
    for file in _files(directory):
        path = ROOT.path_of(file.name.split(BETWEEN), named)
        if path is None:
            continue
        try:
            texts[path] = (str(file), file.read_text("utf-8").rstrip("\r\n"))
        except OSError as error:
            mistakes.append(line(str(file), path, f"cannot be read: {error.strerror or error}"))
        except UnicodeDecodeError:
            mistakes.append(line(str(file), path, "is not UTF-8 text"))
    return _grown(str(directory), texts, (), mistakes)


def file(path: Path, text: str) -> Source:
    """The settings of a TOML text that stands in the file of that path."""
    try:
        return Source(place=str(path), tree=tomllib.loads(text))
    except RecursionError:
        wrong = f"{path}: is nested too deep"
    except ValueError as error:  # TOMLDecodeError, and what its parser does not foresee
        what = _POSITION.fullmatch(str(error))
        wrong = f"{path}: {what['where']}: {what['what']}" if what else f"{path}: is not TOML"
    return Source(place=str(path), mistakes=(wrong,))


def _meant(name: str, named: Mapping[str, Any]) -> str:
    """The variable that may have been meant; what all of them begin with does not make them alike."""
    known = (BETWEEN.join(path).upper() for path in ROOT.values(named))
    near = near_names(name.removeprefix(PREFIX), [FILE_VARIABLE.removeprefix(PREFIX), *known], 1)
    return "".join(f"; did you mean `{PREFIX}{meant}`?" for meant in near)


def _files(directory: Path) -> Sequence[Path]:
    try:
        return sorted(file for file in directory.iterdir() if file.is_file())
    except OSError:
        return ()


def _grown(
    place: str,
    texts: Texts,
    warnings: Sequence[str],
    mistakes: Sequence[str] = (),
) -> Source:
    """A source from texts by path; where a section stands as JSON beside one of its keys, the key wins."""
    tree: dict[str, Any] = {}
    wrong = list(mistakes)
    for path in sorted(texts, key=len):
        name, text = texts[path]
        try:
            _plant(tree, path, text if _is_text(path) else json.loads(text))
        except (ValueError, RecursionError):
            wrong.append(line(name, path, "must be JSON, because it is a section or a list"))
    found = {path: name for path, (name, _) in texts.items()}
    return Source(place=place, tree=tree, found=found, mistakes=tuple(wrong), warnings=tuple(warnings))


def _is_text(path: tuple[str, ...]) -> bool:
    return ROOT.along(path)[1].is_value


def _plant(tree: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            return  # a mistake of its own, where that stands
    tree[path[-1]] = value
