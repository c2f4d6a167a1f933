"""A configuration that something has happened to: settings, or mistakes in our words, whatever it was."""

import json
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netaflux.config import load, secret_texts
from netaflux.core.errors import ConfigError
from tests.config.test_loading import WHOLE
from tests.damage import ODD, bytes_like, damaged, paths_in

Write = Callable[[str], Path]

CANARY = "c4nary-in-the-mine"
TREE = tomllib.loads(WHOLE)
EDGES: list[object] = [
    CANARY,
    [CANARY, {"x": CANARY}],
    {"x": CANARY},
    10**400,
    float("nan"),
    float("inf"),
    date.min,
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    time.max,
    "9999-12-31T23:59:59-14:00",
    "99999999999d",
    "~nobody/netaflux",
    "/" + "x" * 300,
    "Temperature ** 99999",
    "(" * 500 + "1" + ")" * 500,
]
"""The ends of what TOML can say; a canary is never told again."""

once_for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def toml(value: Any) -> str:
    """A value as TOML writes it; TOML has no null."""
    match value:
        case str():
            return json.dumps(value).replace("\x7f", "\\u007f")
        case bool() | int() | float():
            return hex(value) if isinstance(value, int) and value > 2**63 else str(value).lower()
        case list():
            return f"[{', '.join(toml(each) for each in value if each is not None)}]"
        case dict():
            held = (f"{json.dumps(key)} = {toml(each)}" for key, each in value.items() if each is not None)
            return f"{{ {', '.join(held)} }}"
        case _:
            return str(value.isoformat())


def document(tree: Mapping[str, Any]) -> str:
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in tree.items() if value is not None)


def but_formulas(message: str) -> str:
    """The lines about all else: of a formula is told what in it is wrong."""
    return "\n".join(line for line in message.splitlines() if ".formula" not in line)


def told(path: Path, environ: Mapping[str, str]) -> str:
    """What a person reads; what can be read at all has devices and secrets."""
    try:
        found = load(path, environ, root=path.parent)
        found.settings.mirrored()
        list(secret_texts(found.settings))
    except ConfigError as error:
        return f"{error.message}\n{error.remedy}"
    return ""


def test_undamaged_it_is_without_a_mistake(write: Write) -> None:
    assert tomllib.loads(document(TREE)) == TREE
    assert told(write(document(TREE)), {}) == ""


@once_for_all
@given(tree=damaged(TREE, [*ODD, *EDGES]))
def test_a_damaged_file_is_settings_or_mistakes_of_ours(write: Write, tree: dict[str, Any]) -> None:
    message = told(write(document(tree)), {})

    assert CANARY not in but_formulas(message)
    assert "not what belongs here" not in message


@once_for_all
@given(raw=bytes_like(WHOLE.encode()))
def test_a_file_of_damaged_bytes_is_settings_or_mistakes_of_ours(write: Write, raw: bytes) -> None:
    path = write("")
    path.write_bytes(raw)

    told(path, {})


SETTINGS = ["__".join(map(str, path)).upper() for path in paths_in(TREE)]
TEXTS = st.sampled_from([*ODD, *EDGES]).map(
    lambda odd: odd if isinstance(odd, str) else json.dumps(odd, default=str)
)
VARIABLES = st.dictionaries(
    st.sampled_from(SETTINGS).map("NETAFLUX_{}".format),
    (TEXTS | st.sampled_from(["[" * 5000, "{", "\udcff", "1_0"])).map(lambda text: text.replace("\x00", "")),
    min_size=1,
    max_size=3,
)


@once_for_all
@given(environ=VARIABLES)
def test_odd_variables_are_settings_or_mistakes_of_ours(write: Write, environ: dict[str, str]) -> None:
    message = told(write(WHOLE), environ)

    assert CANARY not in but_formulas(message)
    assert "not what belongs here" not in message
