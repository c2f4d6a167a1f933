"""What `check` says of a household whose netaflux would not do what its people think it does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from netaflux.commands.words import Json
from netaflux.core.errors import StateError
from netaflux.simulator import World
from netaflux.state import database as database_module
from tests.e2e.household import NOW, Household, household, roomy
from tests.e2e.houses import BASE, house_of, module_of

MORE_THAN_THERE_IS = 1 << 60


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Household]:
    world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
    async with household(world, tmp_path) as home:
        home.devices = [{"name": "Indoor", "module": BASE}]
        yield home


def said(told: list[Json], what: str) -> list[tuple[bool, str, str]]:
    """What was said of something: whether it is well, the text, the remedy."""
    return [(each["ok"], each["text"], each["remedy"]) for each in told if each.get("what") == what]


async def test_where_all_is_well_it_says_nothing_else(home: Household) -> None:
    told = await home.command("check")

    assert all(each["ok"] for each in told if each["event"] == "check")
    assert not [each for each in told if "note:" in each.get("text", "")]
    assert told[-1]["exit_code"] == 0


async def test_a_disk_that_is_nearly_full_is_none_to_record_on(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small write still succeeds; no poll would be made all the same."""
    monkeypatch.setattr(database_module, "SPARE_ROOM", MORE_THAN_THERE_IS)
    told = await home.command("check")
    ((ok, text, remedy),) = said(told, "state")

    assert not ok
    assert text.startswith("nothing is polled: ")
    assert "the disk is nearly full" in text
    assert remedy == StateError.advice
    assert told[-1]["exit_code"] == 75


async def test_a_configuration_that_run_refuses_is_not_ok(home: Household) -> None:
    home.devices = []
    told = await home.command("check")

    assert said(told, "configuration")[1:] == [
        (
            False,
            "the configuration names no device",
            "`netaflux devices --toml` prints [[devices]] blocks to paste into it.",
        )
    ]
    assert said(told, "account default")[0][0], "all else is tried all the same"
    assert told[-1]["exit_code"] == 78


async def test_a_device_that_begins_in_the_future_is_noted(home: Household) -> None:
    home.devices[0]["since"] = "2030-01-01T00:00Z"
    told = await home.command("check")

    assert said(told, "device Indoor")[1:] == [
        (True, "note: its `since` lies in the future: nothing is recorded before 2030-01-01T00:00:00Z", "")
    ]
    assert told[-1]["exit_code"] == 0


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "./config.toml"])
async def test_a_program_to_tell_people_by_that_is_not_there_is_found(
    home: Household, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may not be run is none either."""
    monkeypatch.chdir(home.folder)
    home.sections["notify"] = {"command": [program, "--now"]}
    told = await home.command("check")
    ((ok, text, remedy),) = said(told, "notify")

    assert not ok
    assert text == "the program that `command` names is not found, or may not be run"
    assert "[notify]" in remedy
    assert told[-1]["exit_code"] == 78


async def test_a_program_to_tell_people_by_is_looked_for_where_it_would_be(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = home.folder / "tell-me"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(home.folder))
    home.sections["notify"] = {"command": ["tell-me"]}
    told = await home.command("check")

    assert said(told, "notify") == [(True, "the program that `command` names is there", "")]
    assert told[-1]["exit_code"] == 0
