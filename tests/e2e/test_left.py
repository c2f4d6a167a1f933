"""What `sync` and `verify` leave is said once, whatever it has kept from coming to rest."""

from pathlib import Path

import pytest

from netaflux.commands.words import Json
from netaflux.core.errors import StateError
from netaflux.simulator import World
from netaflux.state import database as database_module
from tests.e2e.household import NOW, household, roomy
from tests.e2e.houses import BASE, PORCH, house_of, module_of
from tests.e2e.lived_in import BOILER, CAMERA, COACH, ROOM, lived_in

MORE_THAN_THERE_IS = 1 << 60


def left(result: Json) -> list[tuple[str, str]]:
    """What was left, and what to do."""
    return [(each["what"], each["remedy"]) for each in result["left"]]


@pytest.mark.parametrize("command", ["sync", "verify"])
async def test_an_account_of_several_kinds_without_tokens_is_left_once(tmp_path: Path, command: str) -> None:
    async with household(lived_in(), tmp_path) as home:
        home.devices = [ROOM, BOILER, CAMERA, COACH]
        del home.sections["netatmo"]["refresh_token"]
        result = (await home.command(command))[-1]

    assert left(result) == [("account default", "Run `netaflux authorize --account default`.")]
    assert result["exit_code"] == 77


async def test_a_full_disk_is_told_once_with_all_devices_that_it_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_of(module_of(12, NOW), module_of(12, NOW, kind="NAModule1"))
    async with household(World.of(house, netatmo=roomy()), tmp_path) as home:
        home.devices = [{"name": "Indoor", "module": BASE}, {"name": "Porch", "module": PORCH}]
        monkeypatch.setattr(database_module, "SPARE_ROOM", MORE_THAN_THERE_IS)
        result = await home.sync()

    ((what, remedy),) = left(result)
    assert sorted(what.split(", ")) == ["Indoor", "Porch"]
    assert "the disk is nearly full" in result["left"][0]["reason"]
    assert remedy == StateError.advice
    assert result["exit_code"] == 75
