"""Reading back what is stored."""

import orjson
import pytest

from netaflux.simulator import Cell, Served
from tests.simulator.conftest import NOW, Answer, Caller

PPM = 10036.675812664322


async def export(caller: Caller, *channels: str, uid: int = 7, span: str = "", api: str = "/api") -> Answer:
    names = orjson.dumps(channels).decode()
    path = f"{api}/bodytrack/exportCSV/{uid}/fluxtream-export{span}.csv"
    return await caller.flux(path, params={"channels": names})


@pytest.fixture
async def filled(caller: Caller) -> Caller:
    await caller.upload([[NOW, 60.62, PPM], [NOW + 300, 60, 1e-7]], ["Temp_F", "H2O_ppm"])
    await caller.upload([[NOW + 600, 57]], ["RH"])
    return caller


@pytest.mark.parametrize("api", ["/api", "/api/v1"])
async def test_an_export_has_a_line_per_moment_and_15_digits(filled: Caller, api: str) -> None:
    answer = await export(
        filled, "Netatmo_Porch.Temp_F", "Netatmo_Porch.RH", "Netatmo_Porch.H2O_ppm", api=api
    )

    assert answer.status == 200
    assert answer.body.decode().splitlines() == [
        "EpochTime,Netatmo_Porch.Temp_F,Netatmo_Porch.RH,Netatmo_Porch.H2O_ppm",
        f"{NOW},60.62,,10036.6758126643",
        f"{NOW + 300},60,,1e-07",
        f"{NOW + 600},,57,",
    ]


@pytest.mark.parametrize(
    ("span", "lines"),
    [
        ("", 2),
        (f"-from-{NOW + 1}", 1),
        (f"-to-{NOW + 299}", 1),
        (f"-from-{NOW}-to-{NOW + 300}", 2),
        (f"-from-{NOW + 1}-to-{NOW + 2}", 0),
    ],
)
async def test_an_export_can_be_of_a_span(filled: Caller, span: str, lines: int) -> None:
    answer = await export(filled, "Netatmo_Porch.Temp_F", span=span)

    assert len(answer.body.splitlines()) == 1 + lines


async def test_what_stands_twice_is_exported_twice(caller: Caller) -> None:
    await caller.upload([[NOW, 1], [NOW, 2]])

    lines = (await export(caller, "Netatmo_Porch.Temp_F")).body.decode().splitlines()
    assert lines[1:] == [f"{NOW},1", f"{NOW},2"]


async def test_somebody_elses_data_are_not_for_export(filled: Caller) -> None:
    assert (await export(filled, "Netatmo_Porch.Temp_F", uid=8)).status == 500


@pytest.mark.parametrize("channels", ["", "[", "[7]", '["nodot"]'])
async def test_an_export_of_nonsense_breaks(filled: Caller, channels: str) -> None:
    path = "/api/bodytrack/exportCSV/7/fluxtream-export.csv"

    assert (await filled.flux(path, params={"channels": channels})).status == 500


async def test_an_export_has_a_name_of_its_own(filled: Caller) -> None:
    path = "/api/bodytrack/exportCSV/7/export.csv"

    assert (await filled.flux(path, params={"channels": "[]"})).status == 500


async def test_v1_lists_the_channels_that_were_ever_named(filled: Caller, served: Served) -> None:
    """Also where nothing was stored; the old API lists stored ones twice."""
    await filled.upload([[NOW, True]], ["Bad"])

    v1 = (await filled.flux("/api/v1/bodytrack/users/7/sources/list")).json["sources"]
    legacy = (await filled.flux("/api/bodytrack/users/7/sources/list")).json["sources"]
    names = [[channel["name"] for channel in source["channels"]] for source in (v1[0], legacy[0])]
    assert names[0] == ["Temp_F", "H2O_ppm", "RH", "Bad"]
    assert sorted(names[1]) == sorted([*names[0], "Temp_F", "H2O_ppm", "RH"])
    assert (v1[0]["name"], v1[0]["min_time"], v1[0]["max_time"]) == ("Netatmo_Porch", NOW, NOW + 600)
    assert v1[0]["channels"][0]["min"] == 60
    assert "min" not in v1[0]["channels"][3]


async def test_nobody_elses_sources_are_listed(filled: Caller) -> None:
    assert (await filled.flux("/api/bodytrack/users/8/sources/list")).json == {"sources": []}


def test_writes_of_what_never_was_leave_no_trace(served: Served) -> None:
    assert served.fluxtream.store.writes(Cell(7, "x", "y"), NOW) == 0
    assert not served.fluxtream.store.values
