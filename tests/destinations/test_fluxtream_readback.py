"""Reading back what Fluxtream holds: against the simulator, and against answers that are no export."""

import math
from collections import deque
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from aiohttp import web

from netaflux.core.comparison import Held
from netaflux.core.errors import CredentialsRefused, DestinationDown, NetafluxError, ReadBackRefused
from netaflux.core.model import Batch, ChannelName, DestinationName, DeviceName, Row, Window
from netaflux.destinations import FluxtreamSettings, OpenDestination, open_destination
from netaflux.destinations.fluxtream.readback import LONGEST_STRETCH
from netaflux.simulator import Cell, Fault, Served, User, World, serve
from netaflux.simulator import FluxtreamSettings as Simulated
from tests.destinations.small_fluxtream import SmallFluxtream, page
from tests.fakes import TurnedClock

Api = Literal["legacy", "v1"]
NOW = 1_700_000_000
ANNE = User(username="anne", password="sësame: open", guest=7)
PORCH = DeviceName("Netatmo_Porch")
TEMP, RH = ChannelName("Temp_F"), ChannelName("RH")
PPM = 10036.675812664322
HOUR = Window(NOW, NOW + 3600)
EXPORT = "*/exportCSV/*"


@pytest.fixture(params=["legacy", "v1"])
def api(request: pytest.FixtureRequest) -> Api:
    return request.param  # type: ignore[no-any-return]  # one of the params above


@pytest.fixture
async def simulated(api: Api) -> AsyncIterator[Served]:
    world = World(accounts=[], users=[ANNE], fluxtream=Simulated(apis=api))
    async with serve(world, TurnedClock(NOW)) as served:
        yield served


@pytest.fixture
async def fluxtream(simulated: Served) -> AsyncIterator[OpenDestination]:
    told = {"type": "fluxtream", "username": "anne", "password": ANNE.password}
    settings = FluxtreamSettings.model_validate({**told, "url": simulated.fluxtream_url})
    async with open_destination(DestinationName("home"), settings) as opened:
        yield opened


def exports(simulated: Served) -> int:
    """How many exports were asked for."""
    return sum("exportCSV" in call.endpoint for call in simulated.fluxtream.ledger.calls)


async def test_what_was_written_is_read_back_with_15_digits(fluxtream: OpenDestination) -> None:
    await fluxtream.write(Batch(PORCH, (TEMP, RH), [Row(NOW, (PPM, 57)), Row(NOW + 300, (60.62, 58))]))
    await fluxtream.write(Batch(PORCH, (RH,), [Row(NOW + 600, (1e-7,))]))

    assert await fluxtream.read_back(PORCH, (TEMP, RH), HOUR) == [
        Held(NOW, (10036.6758126643, 57)),
        Held(NOW + 300, (60.62, 58)),
        Held(NOW + 600, (None, 1e-7)),
    ]


async def test_nothing_is_read_back_where_nothing_was_written(fluxtream: OpenDestination) -> None:
    assert await fluxtream.read_back(PORCH, (TEMP, RH), HOUR) == []


async def test_what_stands_twice_is_read_back_twice(simulated: Served, fluxtream: OpenDestination) -> None:
    cell = Cell(7, PORCH, TEMP)
    simulated.fluxtream.store.values[cell][NOW] = 1
    simulated.fluxtream.store.twins[cell][NOW].append(2)

    assert await fluxtream.read_back(PORCH, (TEMP,), HOUR) == [Held(NOW, (1,)), Held(NOW, (2,))]


async def test_a_window_ends_before_its_end(simulated: Served, fluxtream: OpenDestination) -> None:
    times = [NOW - 1, NOW, NOW + 3599, NOW + 3599.5, NOW + 3600]
    simulated.fluxtream.store.values[Cell(7, PORCH, TEMP)].update(dict.fromkeys(times, 1))

    held = await fluxtream.read_back(PORCH, (TEMP,), HOUR)

    assert [moment.time for moment in held] == [NOW, NOW + 3599, NOW + 3599.5]


async def test_a_long_window_is_read_in_pieces(simulated: Served, fluxtream: OpenDestination) -> None:
    """Each moment once, those where two pieces meet too."""
    end = NOW + 2 * LONGEST_STRETCH + 10
    times = [n * LONGEST_STRETCH + more + NOW for n in (0, 1, 2) for more in (-1, 0, 1)][1:]
    simulated.fluxtream.store.values[Cell(7, PORCH, TEMP)].update(dict.fromkeys(times, 1))

    held = await fluxtream.read_back(PORCH, (TEMP,), Window(NOW, end))

    assert [moment.time for moment in held] == times
    assert exports(simulated) == 3


async def test_an_empty_window_is_not_asked_for(simulated: Served, fluxtream: OpenDestination) -> None:
    assert await fluxtream.read_back(PORCH, (TEMP,), Window(NOW, NOW)) == []
    assert exports(simulated) == 0


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault.ERROR_500, ReadBackRefused, "cannot be read back: it answers 500"),
        (Fault.HTML_403, ReadBackRefused, "cannot be read back: it answers 403"),
        (Fault.HTML_200, ReadBackRefused, "cannot be read back: it answers with a web page"),
        (Fault.UNAUTHORIZED, CredentialsRefused, "does not accept"),
        (Fault.ERROR_503, DestinationDown, "answers 503"),
        (Fault.RESET_BEFORE, DestinationDown, "gives no answer"),
        (Fault.TRUNCATED, DestinationDown, "gives no answer"),
    ],
)
async def test_what_is_no_export_is_a_clear_error(
    simulated: Served, fluxtream: OpenDestination, fault: Fault, error: type[NetafluxError], words: str
) -> None:
    await fluxtream.write(Batch(PORCH, (TEMP,), [Row(NOW, (1,))]))
    simulated.fluxtream.faults.add(fault, EXPORT)

    with pytest.raises(error, match=words) as caught:
        await fluxtream.read_back(PORCH, (TEMP,), HOUR)
    assert caught.value.exit_code == (75 if error is DestinationDown else 78)
    assert caught.value.remedy
    assert simulated.fluxtream_url in caught.value.message


# --- answers that the simulator does not give ---


async def read_back(server: SmallFluxtream, destination: OpenDestination, *texts: str) -> list[Held]:
    """What is made of these answers to exports."""
    name = f"fluxtream-export-from-{NOW}-to-{NOW + 3600}.csv"
    server.next_answers[name] = deque(web.Response(text=text, content_type="text/csv") for text in texts)
    return list(await destination.read_back(PORCH, (TEMP, RH), HOUR))


HEADER = "EpochTime,Netatmo_Porch.Temp_F,Netatmo_Porch.RH\n"


async def test_columns_are_told_by_their_names(server: SmallFluxtream, destination: OpenDestination) -> None:
    text = f"Netatmo_Porch.RH,EpochTime,Netatmo_Porch.Temp_F\r\n57,{NOW},60.5\r\n"

    assert await read_back(server, destination, text) == [Held(NOW, (60.5, 57))]


async def test_a_text_is_a_value_that_is_no_number(
    server: SmallFluxtream, destination: OpenDestination
) -> None:
    (held,) = await read_back(server, destination, f'{HEADER}{NOW}.0,"warm, or so",57\n')

    assert (held.time, type(held.time), held.values[1]) == (NOW, int, 57)
    assert isinstance(held.values[0], float)
    assert math.isnan(held.values[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "another table"),
        ("\n", "another table"),
        ("EpochTime,Netatmo_Porch.Temp_F\n", "another table"),
        ("EpochTime,Netatmo_Porch.Temp_F,Netatmo_Porch.Temp_F\n", "another table"),
        (f"{HEADER}{NOW},60\n", "too long or too short"),
        (f"{HEADER}{NOW},60,57,1\n", "too long or too short"),
        (f"{HEADER}soon,60,57\n", "times that are none"),
        (f"{HEADER},60,57\n", "times that are none"),
        (f"{HEADER}inf,60,57\n", "times that are none"),
        ("<html><body>Back soon</body></html>", "a web page"),
        (f'{HEADER}"{"x" * 200_000}",1,2\n', "no table"),
    ],
)
async def test_another_table_is_refused(
    server: SmallFluxtream, destination: OpenDestination, text: str, words: str
) -> None:
    with pytest.raises(ReadBackRefused, match=words):
        await read_back(server, destination, text)


async def test_a_server_without_the_route_cannot_be_read_back(
    server: SmallFluxtream, destination: OpenDestination
) -> None:
    name = f"fluxtream-export-from-{NOW}-to-{NOW + 3600}.csv"
    server.next_answers[name] = deque([page(404), page(404)])

    with pytest.raises(ReadBackRefused, match=r"cannot be read back: it has no bodytrack/exportCSV"):
        await destination.read_back(PORCH, (TEMP,), HOUR)


async def test_where_only_the_other_api_exports_uploads_stay_with_theirs(
    server: SmallFluxtream, destination: OpenDestination
) -> None:
    name = f"fluxtream-export-from-{NOW}-to-{NOW + 3600}.csv"
    server.next_answers[name] = deque([page(404), web.Response(text=HEADER, content_type="text/csv")])
    await destination.read_back(PORCH, (TEMP, RH), HOUR)

    await destination.write(Batch(PORCH, (TEMP,), [Row(NOW, (1,))]))

    assert [asked.path for asked in server.asked][-2:] == [
        f"/api/v1/bodytrack/exportCSV/7/{name}",
        "/api/bodytrack/upload",
    ]
