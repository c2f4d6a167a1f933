"""`doctor` as far as it works with the app: a part that hangs or crashes keeps no other waiting."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from netaflux.commands import doctor
from netaflux.commands.words import Json
from netaflux.netatmo.client import NetatmoClient
from netaflux.simulator import Fault, World
from tests.e2e.household import NOW, Household, household, roomy
from tests.e2e.houses import house_of, module_of


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Household]:
    async with household(World.of(house_of(module_of(12, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all()
        yield home


def graded(events: list[Json]) -> dict[str, tuple[str, str]]:
    return {each["what"]: (each["grade"], each["text"]) for each in events if each["event"] == "finding"}


async def test_a_destination_that_hangs_is_given_up_and_the_others_are_told(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LONGEST_PART", 1.0)
    home.served.fluxtream.faults.add(Fault.HANG_BEFORE, "/*")

    told = await home.command("doctor")

    found = graded(told)
    assert found["destination fluxtream"] == ("problem", "gave no answer in 1 s")
    assert found["account default"][0] == found["state"][0] == "ok"
    assert told[-1]["exit_code"] == 75


async def test_a_part_with_a_bug_is_told_as_one_and_the_others_too(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(NetatmoClient, "call", broken)

    told = await home.command("doctor")

    grade, text = graded(told)["account default"]
    assert (grade, text) == ("problem", "could not be looked at, for a bug: ZeroDivisionError()")
    assert graded(told)["destination fluxtream"][0] == "ok"
    assert told[-1]["exit_code"] == 1
