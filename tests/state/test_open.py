import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from netaflux.core.budget import BudgetRecord, Lease
from netaflux.core.errors import StateError, StateForeign, StateLocked
from netaflux.core.model import AccountName, Binding, DestinationId, DestinationName, ModuleId
from netaflux.core.ports import Bindings, BudgetStore, Coverage, TokenStore
from netaflux.core.spans import Spans
from netaflux.state.doubts import doubts_of
from netaflux.state.open import DATABASE, State, open_state
from netaflux.state.rescues import Rescue
from tests.state.samples import (
    BASEMENT,
    MODULE,
    StillClock,
    another_process,
    largest_file,
    mode,
    modes,
    page,
    series,
)

FLUX = DestinationName("fluxtream")
SEVENTH = DestinationId("fluxtream:https://host#7")
EIGHTH = DestinationId("fluxtream:https://host#8")

BINDING = Binding(
    device=BASEMENT,
    module=MODULE,
    account=AccountName("default"),
    module_text="Home/Basement",
    since_text="30d",
    begin=1_400_000_000,
    floor=0,
)
NEW_MODULE = replace(BINDING, module=ModuleId("70:ee:50:00:00:02"), begin=1_400_500_000, floor=1_400_500_000)

OWNER = """
import asyncio, sys
from pathlib import Path
from netaflux.state.open import open_state
from tests.state.samples import StillClock

async def own():
    async with open_state(Path(sys.argv[1]), StillClock()):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(own())
"""


def test_each_part_is_the_port_that_its_callers_know(state: State) -> None:
    parts: tuple[TokenStore, BudgetStore, Coverage, Bindings] = (
        state.tokens,
        state.budgets,
        state.coverage,
        state.bindings,
    )

    assert all(parts)


@pytest.mark.usefixtures("open_umask")
async def test_all_of_it_is_for_its_user_alone(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.database.probe()

        assert mode(directory) == 0o700
        assert modes(directory) == {
            "lock": 0o600,
            "netaflux.db": 0o600,
            "netaflux.db-shm": 0o600,
            "netaflux.db-wal": 0o600,
        }


async def test_a_second_process_is_told_who_the_first_is_and_may_go_on_after_its_death(
    directory: Path, clock: StillClock
) -> None:
    with another_process(OWNER, directory) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StateLocked) as told:
            await open_state(directory, clock).__aenter__()
        assert told.value.pid == process.pid
        process.kill()
        process.wait()

    async with open_state(directory, clock) as state:
        await state.database.probe()


@pytest.fixture
def foreign(directory: Path) -> Path:
    directory.mkdir()
    (directory / DATABASE).write_text("Dear diary")
    return directory


async def test_a_state_that_is_not_ours_is_refused_and_not_held(foreign: Path, clock: StillClock) -> None:
    for _ in range(2):
        with pytest.raises(StateForeign):
            await open_state(foreign, clock).__aenter__()


async def test_a_budget_comes_back_as_it_was(directory: Path, clock: StillClock) -> None:
    leases = (Lease(10, 12.5, "boot", 1_700_000_000.25), Lease(3, 1.0, "boot", 1.0, closed=2.0))
    record = BudgetRecord(leases=leases, closed_until=1_700_003_600.0, reason="429/26")
    async with open_state(directory, clock) as state:
        await state.budgets.save("default", BudgetRecord())
        await state.budgets.save("default", record)

    async with open_state(directory, clock) as state:
        assert await state.budgets.load("default") == record
        assert await state.budgets.load("app") == BudgetRecord()


async def test_a_damaged_budget_is_told(state: State) -> None:
    await state.database.run(
        lambda connection: connection.execute("INSERT INTO budgets VALUES ('app', '[]')").rowcount
    )

    with pytest.raises(StateError, match="budget of app is damaged"):
        await state.budgets.load("app")


async def test_a_budget_that_is_nested_beyond_all_bounds_is_told(state: State) -> None:
    await state.database.run(
        lambda connection: (
            connection.execute("INSERT INTO budgets VALUES ('app', ?)", ("[" * 100_000,)).rowcount
        )
    )

    with pytest.raises(StateError, match="budget of app is damaged"):
        await state.budgets.load("app")


@pytest.mark.parametrize("text", ["", "7", "[" * 100_000, "{"])
async def test_a_rescue_of_which_nothing_can_be_read_is_still_one(
    directory: Path, clock: StillClock, text: str
) -> None:
    async with open_state(directory, clock) as state:
        await state.database.run(
            lambda connection: (
                connection.execute("INSERT INTO rescues VALUES ('a', 'of old', ?, ?)", (text, text)).rowcount
            )
        )

    async with open_state(directory, clock) as state:
        assert [*state.rescues] == [Rescue(directory / "a", "of old", {}, [])]


async def test_a_doubt_that_cannot_be_read_is_told(directory: Path, clock: StillClock) -> None:
    doubts_of(directory / DATABASE).mkdir(parents=True)

    with pytest.raises(StateError, match="doubted cannot be read: Is a directory"):
        await open_state(directory, clock).__aenter__()


async def test_a_destination_met_for_the_first_time_is_no_change(state: State) -> None:
    assert state.destinations.identity(FLUX) is None
    assert await state.destinations.remember_identity(FLUX, SEVENTH) is False
    assert state.destinations.identity(FLUX) == SEVENTH


async def test_a_destination_that_is_another_under_the_same_name_is_a_change(
    directory: Path, clock: StillClock
) -> None:
    async with open_state(directory, clock) as state:
        await state.destinations.remember_identity(FLUX, SEVENTH)

    async with open_state(directory, clock) as state:
        assert await state.destinations.remember_identity(FLUX, SEVENTH) is False
        assert await state.destinations.remember_identity(FLUX, EIGHTH) is True
        assert state.destinations.identity(FLUX) == EIGHTH


async def test_a_destination_that_is_the_same_costs_no_commit(state: State) -> None:
    await state.destinations.remember_identity(FLUX, SEVENTH)
    before = state.database.commits

    await state.destinations.remember_identity(FLUX, SEVENTH)

    assert state.database.commits == before


async def test_an_identity_that_was_not_committed_is_not_known(state: State) -> None:
    with largest_file(0), pytest.raises(StateError):
        await state.destinations.remember_identity(FLUX, SEVENTH)

    assert state.destinations.identity(FLUX) is None


async def test_a_device_has_no_binding_before_it_is_bound(state: State) -> None:
    assert state.bindings.binding(BASEMENT) is None


async def test_a_binding_comes_back_as_it_was(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.bindings.bind(BINDING)
        assert state.bindings.binding(BASEMENT) == BINDING

    async with open_state(directory, clock) as state:
        assert state.bindings.binding(BASEMENT) == BINDING


async def test_a_new_binding_closes_the_old_one_which_is_kept(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        for moment, binding in ((1.0, BINDING), (2.0, NEW_MODULE), (3.0, BINDING)):
            clock.time = moment
            await state.bindings.bind(binding)
        history = await state.database.run(bindings)

    assert history == [(MODULE, 1.0, 2.0), (NEW_MODULE.module, 2.0, 3.0), (MODULE, 3.0, None)]
    async with open_state(directory, clock) as state:
        assert state.bindings.binding(BASEMENT) == BINDING


def bindings(connection: sqlite3.Connection) -> list[tuple[str, float, float | None]]:
    query = "SELECT module, bound_at, closed_at FROM bindings ORDER BY bound_at"
    return connection.execute(query).fetchall()


async def test_a_device_was_delivered_until_the_latest_end_at_any_destination(state: State) -> None:
    await state.coverage.grow(
        {
            series("RH"): Spans((100, 200), (300, 400)),
            series("RH", destination="flux#8"): Spans((100, 500)),
            series("RH", device="Attic"): Spans((100, 900)),
        }
    )

    assert state.bindings.delivered_until(BASEMENT) == 500


async def test_nothing_was_delivered_of_a_device_whose_coverage_is_empty_or_cut_away(state: State) -> None:
    assert state.bindings.delivered_until(BASEMENT) is None

    await state.coverage.grow({series("RH"): Spans((100, 100))})
    await state.coverage.admit(MODULE, page({100: [1.0]}), [BASEMENT])

    assert state.bindings.delivered_until(BASEMENT) is None
