"""The system clock jumps under the running daemon: bells ring, rows arrive once, tokens stay good."""

import time
from pathlib import Path

import pytest

from netaflux.simulator import UNLIMITED, Account, NetatmoSettings, World, estate
from tests.system.nursery import Nursery
from tests.system.program import Daemon, Program, until
from tests.system.world import ANNE, STATIONS, Outside, Table, served

FAST = 60
"""A new row every five seconds."""
THREE_HOURS = 3 * 3600


def living() -> World:
    """A house that goes on measuring."""
    house = estate(time.time(), modules=2, days=1)
    return World(
        accounts=[Account("default", house)], users=[ANNE], netatmo=NetatmoSettings(limits=UNLIMITED)
    )


class Wall:
    """What a process is told as the time of day, besides the true one."""

    def __init__(self, file: Path, off: float = 0) -> None:
        self._file = file
        self.jump(off)

    @property
    def tampering(self) -> Table:
        return {"wall": str(self._file)}

    def jump(self, off: float) -> None:
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(str(off))
        fresh.replace(self._file)


@pytest.fixture
def netaflux(nursery: Nursery, folder: Path) -> Program:
    return Program(nursery, folder, {"poll": {"interval": "1m"}})


def at_home_in(netaflux: Program, outside: Outside) -> None:
    netaflux.sections |= outside.sections()
    netaflux.devices = outside.devices()


async def noticed(daemon: Daemon, outside: Outside, jumps: int) -> float:
    """How far it says it was, when it has polled since and all is there again."""
    told = await until(lambda: daemon.running.events("clock.jumped")[jumps:])
    counts = outside.served.netatmo.ledger.counts
    surveys, cells = counts[STATIONS], outside.cells()
    await until(lambda: counts[STATIONS] > surveys + 1)
    await until(lambda: outside.cells() > cells and not outside.differences())
    return float(told[0]["seconds"])


@pytest.mark.timeout(120)
async def test_a_clock_that_jumps_to_and_fro_delays_nothing(netaflux: Program, folder: Path) -> None:
    offs = [THREE_HOURS, 0, -THREE_HOURS, 0]
    wall = Wall(folder / "wall")
    with served(living(), speed=FAST) as outside:
        at_home_in(netaflux, outside)
        async with netaflux.daemon(speed=FAST, tampering=wall.tampering) as daemon:
            await until(lambda: outside.cells() and not outside.differences())
            jumps = []
            for number, off in enumerate(offs):
                wall.jump(off)
                jumps.append(await noticed(daemon, outside, number))
            needed = daemon.running.events("authorization.needed")
            live, _ = await daemon.get("/livez")
            await daemon.stopped()

        assert jumps == pytest.approx([THREE_HOURS, -THREE_HOURS, -THREE_HOURS, THREE_HOURS], abs=1)
        assert (live, needed) == (200, [])
        assert outside.written_again == 0
        assert outside.token_posts <= 1 + len(offs)


@pytest.mark.timeout(120)
async def test_a_machine_that_wakes_in_1970_brings_true_times(netaflux: Program, folder: Path) -> None:
    wall = Wall(folder / "wall", 100 - time.time())
    with served(living(), speed=FAST) as outside:
        at_home_in(netaflux, outside)
        async with netaflux.daemon(speed=FAST, tampering=wall.tampering) as daemon:
            await until(lambda: outside.cells() and not outside.differences())
            wall.jump(0)
            jumped = await noticed(daemon, outside, 0)
            needed = daemon.running.events("authorization.needed")
            await daemon.stopped()
        async with netaflux.daemon(speed=FAST, tampering=wall.tampering) as daemon:
            await daemon.ready()
            cells = outside.cells()
            await until(lambda: outside.cells() > cells and not outside.differences())
            await daemon.stopped()

        assert jumped > 1.7e9
        assert needed == []
        assert outside.written_again == 0
        assert outside.token_posts <= 3
