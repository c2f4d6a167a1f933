"""The state of one netaflux: locked, opened, and closed again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from netaflux.core.ports import Clock
from netaflux.state.aside import RowsAside
from netaflux.state.bindings import StoredBindings
from netaflux.state.budgets import StoredBudgets
from netaflux.state.coverage import StoredCoverage
from netaflux.state.database import Database
from netaflux.state.destinations import KnownDestinations
from netaflux.state.lock import hold
from netaflux.state.notices import StoredNotices
from netaflux.state.rescues import Rescue, all_rescues
from netaflux.state.tokens import StoredTokens

DATABASE = "netaflux.db"
"""The file's name in the state directory."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that survives, each part as the port that its callers know."""

    tokens: StoredTokens
    budgets: StoredBudgets
    coverage: StoredCoverage
    bindings: StoredBindings
    destinations: KnownDestinations
    rows_aside: RowsAside
    notices: StoredNotices
    rescues: Sequence[Rescue]
    database: Database


@asynccontextmanager
async def open_state(directory: Path, clock: Clock) -> AsyncIterator[State]:
    """Hold the state directory, made if it is missing, and open what it holds.

    Raises StateLocked, StateForeign, StateError.
    """
    with hold(directory):
        async with Database.open(directory / DATABASE) as database:
            yield await _opened(database, directory, clock)


async def _opened(database: Database, directory: Path, clock: Clock) -> State:
    coverage = await StoredCoverage.open(database, clock)
    return State(
        tokens=await StoredTokens.open(database, directory, clock),
        budgets=StoredBudgets(database),
        coverage=coverage,
        bindings=await StoredBindings.open(database, clock, coverage),
        destinations=await KnownDestinations.open(database, clock),
        rows_aside=RowsAside(database),
        notices=StoredNotices(database),
        rescues=await all_rescues(database, directory),
        database=database,
    )
