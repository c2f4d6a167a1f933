"""A disk that is full, broken or read-only under the real daemon.

One that fills up is a small disk in memory, mounted where the daemon alone sees it. All else comes of a
library that is preloaded into its process, below SQLite and Python: a write fails as it would in the kernel.
"""

import asyncio
import errno
import io
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from netaflux.clocks import ScaledClock
from netaflux.simulator import UNLIMITED, NetatmoSettings, Span, World, estate
from tests.system.nursery import Nursery
from tests.system.program import Daemon, Program, until, until_heard
from tests.system.world import ANNE, Outside, served

FAST = 120
"""Two minutes pass in a second."""
EXPIRES_IN = 900
"""Seconds that an access token lasts: it has to be renewed while nothing can be written."""
ROWS_GO_ON = 1500
"""Seconds after the start until which the modules measure; what is compared stands still then."""
QUIET = 3.0
"""Real seconds, in which there would be half a dozen surveys and a refresh."""
REASONS = (errno.ENOSPC, errno.EIO, errno.EROFS)
MOST_SPENT = 12
"""Calls between the last lease, which was written down, and the first write that fails."""
DISK = 40 << 20
LEFT = 4 << 20
"""Bytes that are left on a disk that is nearly full: room for what is on its way."""
MOUNT = f'mount -t tmpfs -o size={DISK},mode=700 none "$0" && exec "$@"'


def a_living_world() -> World:
    """Two modules with a day of history, which go on measuring for a while."""
    now = time.time()
    house = estate(now, modules=2, days=1, gaps=(Span(now + ROWS_GO_ON),))
    settings = NetatmoSettings(limits=UNLIMITED, expires_in=EXPIRES_IN)
    return replace(World.of(house), users=[ANNE], netatmo=settings)


@pytest.fixture
def outside() -> Iterator[Outside]:
    with served(a_living_world(), speed=FAST) as outside:
        yield outside


@pytest.fixture
def netaflux(nursery: Nursery, folder: Path, outside: Outside) -> Program:
    """Netaflux that looks every minute; its socket is not on the disk that fails."""
    sections = {"poll": {"interval": "1m"}, "status": {"socket": str(folder / "s")}} | outside.sections()
    (folder / "state").mkdir(mode=0o700)
    return Program(nursery, folder, sections, outside.devices())


def calls(outside: Outside) -> int:
    """Every request that Netatmo has seen, for tokens too."""
    return outside.served.netatmo.ledger.counts.total()


@dataclass
class FailingDisk:
    """The disk of one process, as a preloaded library lets it see it."""

    folder: Path

    def break_down(self, number: int) -> None:
        fresh = self.folder / "errno.fresh"
        fresh.write_text(str(number))
        fresh.rename(self.folder / "errno")

    def work_again(self) -> None:
        (self.folder / "errno").unlink()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no gcc to make a disk fail with")
    made = tmp_path_factory.mktemp("library") / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.fixture
def disk(netaflux: Program, library: Path) -> FailingDisk:
    environment = {"LD_PRELOAD": str(library), "FAILING_DISK": str(netaflux.folder)}
    netaflux.around = ["env", *(f"{name}={value}" for name, value in environment.items())]
    return FailingDisk(netaflux.folder)


async def caught_up(outside: Outside, daemon: Daemon) -> None:
    """What there is has come, and new rows too: the moment after is quiet."""
    await daemon.ready()
    await until(lambda: outside.cells() > 0 and not outside.differences())
    cells = outside.cells()
    await until(lambda: outside.cells() > cells)
    await asyncio.sleep(0.5)


async def settled(outside: Outside) -> None:
    """The modules measure nothing any more, and all that they did is there."""
    (end,) = {gap.begin for unit in outside.served.world.accounts[0].house.modules for gap in unit.gaps}
    await until(lambda: outside.served.clock.now() > end and not outside.differences())


async def names_it(daemon: Daemon) -> bool:
    """Whether `/livez` says why nothing is polled."""
    code, answer = await daemon.get("/livez")
    return code == 503 and any("nothing is polled" in problem for problem in answer["problems"])


async def spends_nothing(outside: Outside, daemon: Daemon) -> None:
    """No call, no upload, no refresh token; and the process goes on."""
    spent = calls(outside), outside.uploads
    await asyncio.sleep(QUIET)
    assert (calls(outside), outside.uploads) == spent
    assert daemon.running.code is None


async def has_told(daemon: Daemon, name: str, times: int) -> None:
    """The log has the event so often."""
    await until(lambda: len(daemon.running.events(name)) >= times)


async def asks_again(outside: Outside, spent: int) -> None:
    await until(lambda: calls(outside) > spent)


async def is_over(outside: Outside, daemon: Daemon, *, times: int = 1) -> None:
    """All of it is there, and was sent once; each trouble was told once, and its end."""
    await has_told(daemon, "polling.resumed", times)
    await settled(outside)
    assert await daemon.get("/livez") == (200, {"ok": True, "problems": []})
    assert [len(daemon.running.events(name)) for name in ("polling.stopped", "polling.resumed")] == [
        times
    ] * 2
    assert daemon.running.events("poll.failed") == daemon.running.events("account.failed") == []
    assert outside.written_again == 0
    _, status = await daemon.get("/status")
    assert status["state"] == {"trouble": None, "rescues": []}
    assert (await daemon.stopped()).code == 0


async def test_while_the_disk_takes_nothing_nothing_is_asked_for(
    netaflux: Program, outside: Outside, disk: FailingDisk
) -> None:
    clock = outside.served.clock
    assert isinstance(clock, ScaledClock)
    async with netaflux.daemon(clock=clock) as daemon:
        await caught_up(outside, daemon)
        for times, number in enumerate(REASONS, start=1):
            before = calls(outside)
            disk.break_down(number)
            await has_told(daemon, "polling.stopped", times)
            assert calls(outside) <= before + MOST_SPENT
            await until_heard(lambda: names_it(daemon))
            await spends_nothing(outside, daemon)
            shown = await netaflux("status")
            disk.work_again()
            await has_told(daemon, "polling.resumed", times)
            spent = calls(outside)
            await asks_again(outside, spent)
            assert "nothing is polled" in shown.err
        await is_over(outside, daemon, times=len(REASONS))


@pytest.fixture
def small(netaflux: Program) -> Program:
    """The same with a state on a small disk of its own."""
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT, str(netaflux.state)]
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], check=False).returncode:
        pytest.skip("this machine lets us mount nothing")
    netaflux.around = mount
    return netaflux


async def test_a_disk_that_fills_up_stops_polling_before_it_is_full(small: Program, outside: Outside) -> None:
    clock = outside.served.clock
    assert isinstance(clock, ScaledClock)
    async with small.daemon(clock=clock) as daemon:
        await caught_up(outside, daemon)
        with ballast(small, daemon) as file:
            disk = os.fstatvfs(file.fileno())
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - LEFT)
            stopped = await daemon.running.told("polling.stopped")
            await until_heard(lambda: names_it(daemon))
            fill_up(file)
            await spends_nothing(outside, daemon)
        await is_over(outside, daemon)

    assert "the disk is nearly full" in stopped["reason"]


@contextmanager
def ballast(netaflux: Program, daemon: Daemon) -> Iterator[io.FileIO]:
    """A file on the daemon's own disk, gone at the end."""
    path = Path(f"/proc/{daemon.pid}/root{netaflux.state}/ballast")
    with path.open("wb", buffering=0) as file:
        yield file
    path.unlink()


def fill_up(file: io.FileIO) -> None:
    """Write until there is no place left."""
    file.seek(0, os.SEEK_END)
    try:
        while True:
            file.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC  # noqa: PT017 - the other end of an endless loop
