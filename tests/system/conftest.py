"""A simulated world, and netaflux with a configuration for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.nursery import Nursery
from tests.system.nursery import nursery as opened_nursery
from tests.system.program import Program
from tests.system.world import Outside, a_world, served


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with opened_nursery() as nursery:
        yield nursery


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name: a socket's path has at most 107 bytes."""
    return tmp_path_factory.mktemp("n")


@pytest.fixture
def outside() -> Iterator[Outside]:
    """One house of two modules with a day of history, and a Fluxtream with two guests."""
    with served(a_world()) as outside:
        yield outside


@pytest.fixture
def netaflux(nursery: Nursery, folder: Path, outside: Outside) -> Program:
    """Netaflux with a device for each module, and no state yet."""
    return Program(nursery, folder, outside.sections(), outside.devices())
