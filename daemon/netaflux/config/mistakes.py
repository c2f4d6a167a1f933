"""Mistakes as a person can mend them: the place, the key, what is wrong, and never what was written there."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

from netaflux.config.shape import Path, Shape
from netaflux.core.near import did_you_mean
from netaflux.core.settings import LABEL_PATTERN, NAME_PATTERN

_NAME: Final = re.compile(r"[0-9A-Za-z_]{1,200}")
_BARE: Final = re.compile(r"[0-9A-Za-z_-]+")

PATTERNS: Final = {
    NAME_PATTERN: "may hold only the letters A to Z and a to z, digits and _",
    LABEL_PATTERN: "may hold only the letters A to Z and a to z, digits, _ and -",
}

SENTENCES: Final = {
    "missing": "is missing",
    "union_tag_not_found": "has no type",
    "string_type": "must be text, in quotes",
    "string_unicode": "must be text, in quotes",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "is empty",
    "path_type": "must be a path, in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number, and not that long",
    "int_from_float": "must be a whole number",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} at least",
    "less_than_equal": "must be {le} at most",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list, in [ ]",
    "dict_type": "must be a section",
    "model_type": "must be a section",
    "model_attributes_type": "must be a section",
}
"""pydantic's words for what is wrong, and ours; theirs might one day hold what was written."""

APP = "register an app at https://dev.netatmo.com/apps to get one"
HINTS: Final = {"netatmo.client_id": APP, "netatmo.client_secret": APP}
"""What to do about a key that is missing or empty."""


def line(place: str, path: Path, wrong: str, tree: Mapping[str, Any] | None = None) -> str:
    """One mistake as one line; an item of `devices` is called by its name as well."""
    of = _name_of(path, tree or {})
    return f"{place}: {dotted(path)}{of}: {wrong}"


def dotted(path: Path) -> str:
    """A path as it is written: `devices[2].channels`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{_key(key)}" for key in path)
    return text.removeprefix(".")


def sentence(error: ErrorDetails, root: Shape) -> tuple[Path, str]:
    """The path and the words for what a settings model says of its input."""
    loc = tuple(key for key in error["loc"] if key != "[key]")
    path, shape = root.along(loc)
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return (*path, loc[-1]), f"is no setting{did_you_mean(str(loc[-1]), shape.fields)}"
        case "value_error":
            return path, str(context["error"])
        case "literal_error" | "enum":
            expected = context["expected"].replace("'", "`")
            return path, f"must be {expected}{_near_choice(error['input'], expected)}"
        case "union_tag_invalid":
            return path, f"has a type that must be one of {context['expected_tags']}"
        case "string_pattern_mismatch":
            return path, PATTERNS.get(context["pattern"], "is not spelled as it has to be")
    wrong = SENTENCES.get(error["type"], "is not what belongs here").format_map(context)
    hint = HINTS.get(dotted(path)) if wrong in {"is missing", "is empty"} else None
    return path, f"{wrong}; {hint}" if hint else wrong


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


def _name_of(path: Path, tree: Mapping[str, Any]) -> str:
    """The name of the device that a path leads into, if it has a usable one."""
    match path, tree.get("devices"):
        case ("devices", int(index), *_), list(devices) if index < len(devices):
            name = devices[index].get("name") if isinstance(devices[index], Mapping) else None
            return f" ({name})" if isinstance(name, str) and _NAME.fullmatch(name) else ""
    return ""


def _near_choice(written: object, expected: str) -> str:
    choices = re.findall(r"`([^`]*)`", expected)
    return did_you_mean(written, choices) if isinstance(written, str) else ""
