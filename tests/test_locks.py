"""The lock files: every package pinned and hashed, no index named, the same versions for test and use."""

import contextlib
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dev

ROOT = Path(dev.__file__).resolve().parent

PIN = re.compile(r"[A-Za-z0-9._-]+==[^ ;]+( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def loose(lock: str) -> list[str]:
    """Lines that are neither a pinned package with its hashes nor a comment."""
    lines = lock.splitlines()
    return [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if not (
            line.lstrip().startswith("#")
            or HASH.fullmatch(line)
            or (PIN.fullmatch(line) and HASH.match(following))
        )
    ]


def pins(lock: str) -> dict[str, str]:
    """Every package of a lock file with its version."""
    found = (line.split()[0].split("==") for line in lock.splitlines() if PIN.fullmatch(line))
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("name", dev.LOCKS)
def test_a_lock_pins_everything_by_hash_and_names_no_index(name: str) -> None:
    assert loose((ROOT / name).read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://index.example.org/simple",
        "six>=1.17",
        "six==1.17.0",
        "six==1.17.0 \\",
        "six @ file:///somewhere/six",
        "-e .",
    ],
)
def test_a_loose_line_is_found(line: str) -> None:
    assert loose(f"{line}\n    # via something\n") == [line]


def locked(name: str) -> dict[str, str]:
    return pins((ROOT / name).read_text())


@pytest.mark.parametrize("name", dev.LOCKS)
def test_all_locks_pin_the_same_versions(name: str) -> None:
    """What is tested is what is shipped."""
    assert locked(name)
    assert locked(name).items() <= locked("requirements-dev.lock").items()


def unlocked(requirements: list[str], pinned: dict[str, str]) -> list[str]:
    """Requirements that no pinned version meets."""
    asked = [Requirement(text) for text in requirements]
    return [str(one) for one in asked if pinned.get(canonicalize_name(one.name), "0") not in one.specifier]


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert unlocked(project["dependencies"], locked("requirements.lock")) == []
    assert unlocked(project["optional-dependencies"]["dev"], locked("requirements-dev.lock")) == []


def test_a_requirement_that_is_not_locked_is_found() -> None:
    assert unlocked(["Rich>=14", "rich>=16", "orjson>=3"], {"rich": "15.0.0"}) == ["rich>=16", "orjson>=3"]


def test_what_is_installed_needs_nothing_that_is_not_locked() -> None:
    """`--no-deps` installs what the lock names and nothing else, so it has to name all of it."""
    tested = pins((ROOT / "requirements-dev.lock").read_text())
    asked = [text for name in tested for text in needs_of(name)]

    assert len(asked) > 20
    assert unlocked(asked, tested) == []


def needs_of(name: str) -> list[str]:
    """What an installed package asks for here; nothing where the lock pins it for other systems only."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        asked = [Requirement(text) for text in metadata.requires(name) or []]
        return [str(one) for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return []
