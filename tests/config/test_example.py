"""The example that people copy: complete, true, and of use as it stands."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from netaflux.config import Settings, load
from netaflux.config.shape import Shape
from netaflux.core.errors import ConfigError

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"

OPTION = re.compile(r"^#(?=[\[\w])", re.MULTILINE)
"""Words stand a blank away from their `#`; an option that is commented out does not."""
EMPTY = re.compile(r'^(\w+) = ""$', re.MULTILINE)
"""What a person has to fill in."""


def everything() -> str:
    """The example with every option that it shows."""
    return EMPTY.sub(r'\1 = "filled-in"', OPTION.sub("", EXAMPLE.read_text("utf-8")))


def read(path: Path, text: str) -> Settings:
    """The settings of that text."""
    path.write_text(text, encoding="utf-8")
    return load(path, {}, root=path.parent).settings


def without_lists(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with a list's first section in the place of the list, as it has the same keys as all."""
    return {
        key: without_lists(value[0] if isinstance(value, list) else value)
        if isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))
        else value
        for key, value in tree.items()
    }


def settings_that_there_are(shape: Shape, shown: Mapping[str, Any]) -> Iterator[str]:
    """Every setting of the models, by its path; free names are those that the example uses."""
    for key in shape.fields or shown:
        below = shape.below(key)
        assert below is not None, key
        section = below.below(0) if below.listed and not (below.below(0) or below).is_value else below
        if section is None or section.is_value or section.listed:
            yield key
        else:
            under = shown.get(key, {})
            yield from (f"{key}.{rest}" for rest in settings_that_there_are(section, under))


def paths(tree: Mapping[str, Any]) -> Iterator[str]:
    """The path of every value."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from (f"{key}.{rest}" for rest in paths(value))
        else:
            yield key


def test_the_example_shows_every_setting_that_there_is() -> None:
    shown = without_lists(tomllib.loads(everything()))

    assert sorted(paths(shown)) == sorted(settings_that_there_are(Shape.of(Settings), shown))


def test_the_example_filled_in_is_a_configuration(tmp_path: Path) -> None:
    filled = EMPTY.sub(r'\1 = "filled-in"', EXAMPLE.read_text("utf-8"))

    found = read(tmp_path / "config.toml", filled)

    assert list(found.destinations) == ["fluxtream"]
    assert found.devices == ()


def test_what_the_example_comments_out_is_the_default(tmp_path: Path) -> None:
    """But for what has none: places, secrets, and the names that a person chooses."""
    bare = read(tmp_path / "config.toml", EMPTY.sub(r'\1 = "filled-in"', EXAMPLE.read_text("utf-8")))
    shown = read(tmp_path / "all.toml", everything())

    assert shown.netatmo.limits == bare.netatmo.limits
    assert shown.netatmo.model_copy(update={"refresh_token": None, "accounts": {}}) == bare.netatmo
    assert shown.destinations == bare.destinations
    assert (shown.poll, shown.log, shown.status.mode) == (bare.poll, bare.log, bare.status.mode)
    nobody = {"url": None, "command": None, "heartbeat_url": None}
    assert shown.notify.model_copy(update=nobody) == bare.notify
    device = shown.devices[0]
    assert (device.since.text, device.account) == ("setup", "default")


def test_the_example_as_it_stands_says_what_to_fill_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "config.toml", EXAMPLE.read_text("utf-8"))

    told = [line.split(": ")[1] for line in caught.value.message.splitlines()]
    assert told == [
        "netatmo.client_id",
        "netatmo.client_secret",
        "destinations.fluxtream.username",
        "destinations.fluxtream.password",
    ]


def test_every_option_has_its_reason_above_it() -> None:
    """A blank line or a section's head begins a new thought; its first line is words."""
    blocks = re.split(r"\n\s*\n", EXAMPLE.read_text("utf-8"))

    lines = [[line for line in block.splitlines() if not re.match(r"#?\[", line)] for block in blocks]
    assert [block[0] for block in lines if block and not block[0].startswith("# ")] == []
