import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from netaflux.state.database import Database
from netaflux.state.open import State, open_state
from tests.state.samples import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A state directory that is not there yet."""
    return tmp_path / "state"


@pytest.fixture
async def state(directory: Path, clock: StillClock) -> AsyncIterator[State]:
    async with open_state(directory, clock) as state:
        yield state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file that is not there yet."""
    return tmp_path / "netaflux.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with Database.open(path) as database:
        yield database


@pytest.fixture
def open_umask() -> Iterator[None]:
    """New files are everybody's, unless somebody sees to it."""
    before = os.umask(0)
    yield
    os.umask(before)
