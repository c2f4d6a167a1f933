"""`netaflux import-csv` as a person uses it: processes, files, and a Fluxtream over real sockets."""

import asyncio
import json
import math
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from netaflux.core.errors import NobodyAtSocket
from netaflux.simulator import Fault, World
from netaflux.status.client import StatusClient
from tests.e2e.household import NOW, Household, household, roomy
from tests.e2e.houses import BASE, PORCH, house_of, module_of, silent
from tests.e2e.notebook import held, water_ppm
from tests.e2e.test_memory import peak
from tests.sources.csv_files import FIRST, LOCAL, STEP, lines_of, written

ROOT = Path(__file__).resolve().parents[2]
UPLOAD = "*/upload"
DEVICE = {"name": "Netatmo_Basement", "module": BASE, "channels": ["Temp_F", "RH", "H2O_ppm"]}
PATIENCE = 40.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended."""

    code: int | None
    out: str
    err: str


@asynccontextmanager
async def started(home: Household, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of netaflux at this configuration, which does not outlive the block."""
    home.loaded()  # writes the configuration
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "daemon"), "TZ": "America/New_York"}
    config = str(home.folder / "config.toml")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "netaflux", *words, "--config", config, stdout=PIPE, stderr=PIPE, env=environ
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def ran(home: Household, *words: str | Path) -> Ended:
    """What becomes of a command."""
    async with started(home, *map(str, words)) as process, asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return Ended(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def daemon(home: Household) -> AsyncIterator[None]:
    """A daemon that is ready."""
    client = StatusClient([home.folder / "state" / "netaflux.sock"])
    async with started(home, "run"), asyncio.timeout(PATIENCE):
        while True:
            if await asyncio.to_thread(_ready, client):
                break
            await asyncio.sleep(0.05)
        yield


def _ready(client: StatusClient) -> bool:
    with suppress(NobodyAtSocket):
        return client.get("/readyz")[0] == HTTPStatus.OK
    return False


@pytest.fixture
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Household]:
    """A house whose modules say nothing of their own; a socket's path has to be short."""
    porch = module_of(0, NOW, kind="NAModule1")
    world = World.of(house_of(silent(NOW), porch), netatmo=roomy())
    async with household(world, tmp_path_factory.mktemp("i")) as home:
        home.devices = [DEVICE]
        yield home


def of_a_day(path: Path) -> Path:
    """288 rows of a basement, as the notebook's author exported them."""
    return written(path, lines_of((time, *cells) for time, cells in day().items()))


def day() -> dict[int, tuple[float, int, int]]:
    """Temperature, humidity and CO2 by time."""
    wave = [math.sin(number / 46) for number in range(288)]
    return {
        FIRST + number * STEP + number % 7: (round(18 + 2 * each, 1), round(55 - 5 * each), 430 + number)
        for number, each in enumerate(wave)
    }


def arrived(home: Household) -> dict[str, dict[float, float]]:
    """What stands at Fluxtream, by channel."""
    cells = {series: dict(values) for series, values in held(home.served.fluxtream).items()}
    assert {device for device, _ in cells} <= {"Netatmo_Basement"}
    return {channel: values for (_, channel), values in cells.items()}


def as_the_notebook_sends_it() -> dict[str, dict[int, float]]:
    return {
        "Temp_F": {time: celsius * 9.0 / 5.0 + 32.0 for time, (celsius, _, _) in day().items()},
        "RH": {time: humidity for time, (_, humidity, _) in day().items()},
        "H2O_ppm": {time: water_ppm(humidity, celsius) for time, (celsius, humidity, _) in day().items()},
    }


# --- what arrives ---


async def test_the_notebooks_file_arrives_as_the_notebook_sent_it(home: Household) -> None:
    ended = await ran(home, "import-csv", "Netatmo_Basement", of_a_day(home.folder / "Basement.csv"))

    assert (ended.code, ended.err) == (0, "")
    assert arrived(home) == as_the_notebook_sends_it()
    assert home.served.fluxtream.store.doubles == 0
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[1][1:] == [
        *("288", "2014-05-17", "13:40:29", "2014-05-18", "13:35:29"),
        *("Temp_F,", "RH,", "H2O_ppm"),
    ]
    assert lines[4] == ["fluxtream", "288", "2014-05-17", "13:40:29", "2014-05-18", "13:35:29"]


async def test_a_daemon_sends_it_alike(home: Household) -> None:
    path = of_a_day(home.folder / "Basement.csv")
    alone = await ran(home, "import-csv", "Netatmo_Basement", path, "--json")
    async with daemon(home):
        by_the_daemon = await ran(home, "import-csv", "Netatmo_Basement", path, "--json")

    assert by_the_daemon == alone
    assert arrived(home) == as_the_notebook_sends_it()
    assert home.served.fluxtream.store.doubles == 0
    assert set(home.served.fluxtream.store.again.values()) == {1}
    assert json.loads(alone.out)["destinations"] == [
        {
            "destination": "fluxtream",
            "rows": 288,
            "from": FIRST,
            "to": max(day()),
            "refused": 0,
            "reason": None,
        }
    ]


async def test_rows_that_were_polled_are_overwritten_and_those_to_come_are_polled_all_the_same(
    tmp_path: Path,
) -> None:
    """It changes no coverage."""
    world = World.of(house_of(module_of(300, NOW)), netatmo=roomy())
    async with household(world, tmp_path) as home:
        home.devices = [{"name": "Netatmo_Basement", "module": BASE}]
        module = home.served.house.module(BASE)
        rows = home.served.house.rows(BASE, 0, NOW + 1, NOW)
        header = f"Timestamp;Timezone : Europe/Paris;{';'.join(module.measures)}"
        cells = [(row.time, *("" if cell is None else cell for cell in row.values)) for row in rows]
        path = written(tmp_path / "all.csv", lines_of(cells, header=header))

        before = await ran(home, "import-csv", "Netatmo_Basement", path)
        assert (before.code, home.served.fluxtream.store.again.total()) == (0, 0)
        synced = await home.sync()
        calls = home.calls()
        after = await ran(home, "import-csv", "Netatmo_Basement", path)

        assert [line["rows"] for line in synced["devices"]] == [300]
        assert calls > 0
        assert after.code == 0
        assert home.served.fluxtream.store.doubles == 0
        home.served.fluxtream.store.again.clear()
        assert home.differences() == []


async def test_a_dry_run_sends_nothing(home: Household) -> None:
    path = of_a_day(home.folder / "Basement.csv")
    ended = await ran(home, "import-csv", "Netatmo_Basement", path, "--dry-run", "--json")

    told = json.loads(ended.out)
    assert (ended.code, told["dry_run"], told["destinations"]) == (0, True, [])
    assert [(each["rows"], each["channels"]) for each in told["files"]] == [
        (288, ["Temp_F", "RH", "H2O_ppm"])
    ]
    assert home.served.fluxtream.ledger.counts.total() == 0


async def test_several_files_are_sent_in_turn(home: Household) -> None:
    one = written(home.folder / "1.csv", lines_of([(FIRST, 20, 50, 400), (FIRST + 300, 21, 51, 400)]))
    header = 'Timestamp;"Timezone : America/New_York";Humidity;Temperature'
    two = written(
        home.folder / "2.csv", lines_of([(FIRST + 300, 51, 21), (FIRST + 600, 52, 22)], header=header)
    )
    ended = await ran(home, "import-csv", "Netatmo_Basement", one, two)

    assert ended.code == 0
    assert arrived(home)["RH"] == {FIRST: 50, FIRST + 300: 51, FIRST + 600: 52}
    assert home.served.fluxtream.store.doubles == 0


async def test_without_netatmo_configured_channels_are_sent_and_it_is_told(home: Household) -> None:
    home.sections["netatmo"] |= {"api_url": "http://127.0.0.1:9"}
    path = of_a_day(home.folder / "Basement.csv")
    ended = await ran(home, "import-csv", "Netatmo_Basement", path)

    assert ended.code == 0
    assert "note: the kind of the device's module was not compared: " in ended.err
    assert arrived(home) == as_the_notebook_sends_it()


# --- what is refused ---

GOOD = (FIRST + 2 * STEP, 20.5, 51, 431)


BAD = {
    ":1: this is no CSV export of Netatmo's": ["a,b", "1,2"],
    ":4: column 2: there is no time zone": lines_of([GOOD], header="Timestamp;Local;Temperature;Humidity"),
    ":6: column 1 (Timestamp): the timestamp 1400348429 is earlier": lines_of([GOOD, (FIRST, 1, 2, 3)]),
    ":6: column 1 (Timestamp): the timestamp 1400349029 stands in line 5": lines_of([GOOD, GOOD]),
    ':6: column 3 (Temperature): "warm" is not a number': lines_of([GOOD, (GOOD[0] + 1, "warm", 2, 3)]),
    ":5: column 1 (Timestamp): the timestamp 86400 is from before 2012": lines_of([(86400, 1, 2, 3)]),
    ":5: column 1 (Timestamp): the timestamp 4000000000 lies in": lines_of([(4_000_000_000, 1, 2, 3)]),
    ":6: column 4 (Humidity): 3 cells where": [*lines_of([GOOD]), f"{GOOD[0] + 1};{LOCAL};1"],
}
"""What is said of which lines."""


async def test_a_bad_file_is_refused_and_nothing_is_sent(home: Household) -> None:
    good = of_a_day(home.folder / "good.csv")
    bad = [written(home.folder / f"{number}.csv", lines) for number, lines in enumerate(BAD.values())]
    found = await asyncio.gather(*(ran(home, "import-csv", "Netatmo_Basement", good, each) for each in bad))

    for path, words, ended in zip(bad, BAD, found, strict=True):
        assert (ended.code, ended.out) == (65, "")
        assert f"netaflux: {path}{words}" in ended.err
        assert "Nothing was sent." in ended.err
    assert home.uploaded_rows == 0


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("Rain", "which measures no Rain: this is"),
        ("Temperature", "it has no column of Humidity, which Netatmo_Basement needs for its channel RH"),
    ],
)
async def test_a_file_that_does_not_fit_the_device_is_refused(
    home: Household, column: str, words: str
) -> None:
    header = f"Timestamp;Timezone : America/New_York;{column}"
    path = written(home.folder / "other.csv", lines_of([(FIRST, 1)], header=header))
    ended = await ran(home, "import-csv", "Netatmo_Basement", of_a_day(home.folder / "good.csv"), path)

    assert (ended.code, ended.out) == (65, "")
    assert f"netaflux: {path}: " in ended.err
    assert words in ended.err
    assert home.uploaded_rows == 0


async def test_the_file_of_the_porch_is_none_of_the_basements(home: Household) -> None:
    home.devices = [{"name": "Netatmo_Basement", "module": BASE}, {"name": "Porch", "module": PORCH}]
    header = "Timestamp;Timezone : America/New_York;Temperature;Humidity"
    porch = written(home.folder / "porch.csv", lines_of([(FIRST, 20, 50)], header=header))
    basement = of_a_day(home.folder / "basement.csv")

    wrong = [
        await ran(home, "import-csv", "Netatmo_Basement", porch),
        await ran(home, "import-csv", "Porch", basement),
    ]

    assert [ended.code for ended in wrong] == [65, 65]
    assert home.uploaded_rows == 0


async def test_a_person_may_name_the_channels(home: Household) -> None:
    header = "Timestamp;Timezone : America/New_York;Temperature"
    path = written(home.folder / "warm.csv", lines_of([(FIRST, 20)], header=header))

    wrong = await ran(home, "import-csv", "Netatmo_Basement", path, "--channel", "CO2")
    unknown = await ran(home, "import-csv", "Netatmo_Basement", path, "--channel", "Sunshine")
    right = await ran(home, "import-csv", "Netatmo_Basement", path, "--channel", "Temp_F")

    assert (wrong.code, unknown.code, right.code) == (2, 2, 0)
    assert "Netatmo_Basement has no channel `CO2`" in wrong.err
    assert "Netatmo_Basement has no channel `Sunshine`" in unknown.err
    assert arrived(home) == {"Temp_F": {FIRST: 68.0}}


async def test_a_device_that_is_not_configured_is_refused(home: Household) -> None:
    ended = await ran(home, "import-csv", "Netatmo_Basment", of_a_day(home.folder / "Basement.csv"))

    assert (ended.code, ended.out) == (2, "")
    assert "no device `Netatmo_Basment` in the configuration; did you mean `Netatmo_Basement`?" in ended.err
    assert home.uploaded_rows == 0


async def test_a_file_that_is_not_there_is_refused(home: Household) -> None:
    ended = await ran(home, "import-csv", "Netatmo_Basement", home.folder / "nothing.csv")

    assert ended.code == 65
    assert "nothing.csv: it cannot be read: No such file or directory" in ended.err


# --- what goes wrong on the way ---


def many(path: Path, rows: int) -> Path:
    return written(
        path, lines_of((FIRST + number * 60, 20 + number % 50 / 10, 50, 400) for number in range(rows))
    )


@pytest.mark.parametrize("with_daemon", [False, True])
async def test_a_destination_that_goes_down_leaves_the_rest_for_later(
    home: Household,
    with_daemon: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    path = many(home.folder / "many.csv", 3000)
    async with daemon(home) if with_daemon else _nobody():
        home.served.fluxtream.door.faults.add(Fault.ERROR_503, UPLOAD, after=2)
        down = await ran(home, "import-csv", "Netatmo_Basement", path, "--json")
        home.served.fluxtream.door.faults.clear()
        again = await ran(home, "import-csv", "Netatmo_Basement", path, "--json")

    (line,) = json.loads(down.out)["destinations"]
    assert down.code == 75
    assert (line["rows"], line["from"], line["to"]) == (2048, FIRST, FIRST + 2047 * 60)
    assert "503" in line["reason"]
    assert again.code == 0
    assert len(arrived(home)["RH"]) == 3000


@asynccontextmanager
async def _nobody() -> AsyncIterator[None]:
    yield


async def test_a_destination_that_stumbles_once_is_tried_again(home: Household) -> None:
    home.served.fluxtream.door.faults.add(Fault.ERROR_503, UPLOAD, after=1, times=1)
    ended = await ran(home, "import-csv", "Netatmo_Basement", many(home.folder / "many.csv", 3000))

    assert ended.code == 0
    assert len(arrived(home)["RH"]) == 3000


async def test_one_that_is_down_from_the_start_is_told_with_what_to_do(home: Household) -> None:
    home.served.fluxtream.door.faults.add(Fault.ERROR_503, "*")
    ended = await ran(home, "import-csv", "Netatmo_Basement", of_a_day(home.folder / "Basement.csv"))

    assert ended.code == 75
    assert "left: fluxtream took no more: " in ended.err
    assert "Repeat the same command later" in ended.err


# --- memory ---


async def peak_of(home: Household, *words: str | Path) -> tuple[int, Any]:
    """Kilobytes at most, and what it printed."""
    async with started(home, *map(str, words), "--json") as process:
        assert process.stdout is not None
        out = asyncio.create_task(process.stdout.read())

        async def over() -> bool:
            await asyncio.sleep(0)
            return process.returncode is not None

        return await peak(process, over), json.loads(await out)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("rows", "most"), [(30_000, 4 * 1024), pytest.param(10**6, 8 * 1024, marks=pytest.mark.slow)]
)
async def test_memory(home: Household, rows: int, most: int) -> None:
    """Kilobytes above the import of a single row."""
    idle, _ = await peak_of(home, "import-csv", "Netatmo_Basement", many(home.folder / "one.csv", 1))
    highest, told = await peak_of(home, "import-csv", "Netatmo_Basement", many(home.folder / "all.csv", rows))

    assert told["destinations"][0]["rows"] == rows
    assert highest - idle < most, (idle, highest)
