"""The rows that the notebook printed in May 2014 come out as printed, down to the bytes of the upload."""

import json
from pathlib import Path

import pytest

from netaflux.simulator import House, Module, Row, Station, World
from tests.destinations.small_fluxtream import SmallFluxtream
from tests.e2e.household import Household, household, roomy
from tests.e2e.houses import module_with
from tests.fakes import TurnedClock

MORNING = 1400506256
"""The end of the span that the notebook processed."""

# device → row of Netatmo, row as the notebook printed it
PRINTED = {
    "Netatmo_Porch": (Row(1400506122, (15.9, 57)), "[1400506122, 60.62, 57, 10036.675812664322]"),
    "Netatmo_Bedroom": (Row(1400506147, (19.7, 52)), "[1400506147, 67.46, 52, 11638.076353170214]"),
    "Netatmo_Basement": (Row(1400506116, (18.8, 53)), "[1400506116, 65.84, 53, 11213.982566242628]"),
    "Netatmo_Office": (Row(1400506128, (21.6, 45)), "[1400506128, 70.88, 45, 11320.65771505147]"),
}


def home_of_anne_and_randy() -> House:
    """Each module holds its one row; the base unit is one of them."""
    modules = [
        module_with(
            row,
            kind="NAModule1",
            id=f"02:00:00:00:00:{number:02x}",
            name=device.removeprefix("Netatmo_"),
        )
        for number, (device, (row, _)) in enumerate(PRINTED.items(), 1)
    ]
    base = Module(id="70:ee:50:00:00:01", kind="NAMain", name="Attic", set_up=MORNING)
    return House([Station(base=base, modules=tuple(modules), name="AR Home")])


def mirror_them(home: Household) -> None:
    home.devices = [
        {
            "name": device,
            "module": f"AR Home/{device.removeprefix('Netatmo_')}",
            "channels": ["Temp_F", "RH", "H2O_ppm"],
        }
        for device in PRINTED
    ]


async def test_the_printed_rows_arrive_as_printed(tmp_path: Path) -> None:
    world = World.of(home_of_anne_and_randy(), netatmo=roomy())
    async with (
        SmallFluxtream().running() as fluxtream,
        household(world, tmp_path, clock=TurnedClock(MORNING)) as home,
    ):
        username, password = fluxtream.credentials
        told = {"url": fluxtream.url, "username": username, "password": password}
        home.sections["destinations.fluxtream"] = told
        mirror_them(home)

        result = await home.sync()

        assert result["exit_code"] == 0
        forms = {upload.form["dev_nickname"]: upload.form for upload in fluxtream.uploads}
        assert len(fluxtream.uploads) == len(forms) == 4
        for device, (_, printed) in PRINTED.items():
            assert forms[device]["channel_names"] == '["Temp_F","RH","H2O_ppm"]'
            # as text: 57 and 57.0 would be equal numbers
            assert forms[device]["data"] == f"[{printed.replace(' ', '')}]"


async def test_the_result_shows_the_printed_rows(tmp_path: Path) -> None:
    world = World.of(home_of_anne_and_randy(), netatmo=roomy())
    async with household(world, tmp_path, clock=TurnedClock(MORNING)) as home:
        mirror_them(home)

        result = await home.sync()

        shown = {line["device"]: list(line["newest"].values()) for line in result["devices"]}
        assert {device: json.dumps(row) for device, row in shown.items()} == {
            device: printed for device, (_, printed) in PRINTED.items()
        }
        assert {line["rows"] for line in result["devices"]} == {1}


@pytest.mark.parametrize("api", ["auto", "legacy", "v1"])
async def test_integers_stay_integers_and_floats_floats(tmp_path: Path, api: str) -> None:
    world = World.of(home_of_anne_and_randy(), netatmo=roomy())
    async with household(world, tmp_path, clock=TurnedClock(MORNING)) as home:
        home.sections["destinations.fluxtream"]["api"] = api
        mirror_them(home)

        await home.sync()

        stored = {
            (cell.device, cell.channel): values for cell, values in home.served.fluxtream.store.values.items()
        }
        for device, (row, printed) in PRINTED.items():
            time, *cells = json.loads(printed)
            for channel, cell in zip(("Temp_F", "RH", "H2O_ppm"), cells, strict=True):
                assert repr(stored[device, channel]) == repr({time: cell})
            assert time == row.time
