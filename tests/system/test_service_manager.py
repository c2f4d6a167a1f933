"""What systemd is told: at a socket of ours that stands for its own, by the real process."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netaflux.simulator import Fault
from tests.system.program import Program, until
from tests.system.world import Outside


class Manager:
    """Listens as systemd does, in place of it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self.told: list[str] = []

    def hear(self) -> list[str]:
        """All that was told so far."""
        while True:
            try:
                self.told.append(self._line.recv(4096).decode())
            except BlockingIOError:
                return self.told

    def heard(self, start: str) -> list[str]:
        """What was told that begins so."""
        return [each for each in self.hear() if each.startswith(start)]


@contextmanager
def managing(address: str) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address)
        line.setblocking(False)
        yield Manager(line)


@pytest.fixture
def manager(netaflux: Program, folder: Path) -> Iterator[Manager]:
    address = str(folder / "notify")
    netaflux.environment |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    with managing(address) as manager:
        yield manager


async def test_it_is_ready_though_the_network_is_away(
    netaflux: Program, outside: Outside, manager: Manager
) -> None:
    outside.served.netatmo.faults.add(Fault.RESET_BEFORE)
    outside.served.fluxtream.faults.add(Fault.RESET_BEFORE)
    async with netaflux.daemon() as daemon:
        await until(lambda: manager.heard("READY=1"))
        fed = len(await until(lambda: manager.heard("WATCHDOG=1")))
        await until(lambda: len(manager.heard("WATCHDOG=1")) > fed + 2)
        await until(lambda: manager.heard("STATUS=account default: its first poll is not done yet"))
        await daemon.stopped()

    assert manager.hear()[-1] == "STOPPING=1"


async def test_it_says_in_words_how_it_is(netaflux: Program, outside: Outside, manager: Manager) -> None:
    async with netaflux.daemon():
        await until(lambda: manager.heard("STATUS=Polling 2 modules"))
        outside.served.fluxtream.faults.add(Fault.RESET_BEFORE)

    assert len(manager.heard("STATUS=Polling 2 modules")) == 1


async def test_a_reload_is_told_and_when_it_is_done(netaflux: Program, manager: Manager) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: manager.heard("READY=1"))
        daemon.running.signal(signal.SIGHUP)
        await until(lambda: len(manager.heard("READY=1")) == 2)
        netaflux.config.write_text("[netatmo")
        daemon.running.signal(signal.SIGHUP)
        await until(lambda: len(manager.heard("READY=1")) == 3)
        reloading = manager.heard("RELOADING=1\nMONOTONIC_USEC=")
        order = [each[:5] for each in manager.hear() if each[:5] in {"READY", "RELOA"}]

    assert len(reloading) == 2
    assert all(each.rpartition("=")[2].isdecimal() for each in reloading)
    assert order == ["READY", "RELOA", "READY", "RELOA", "READY"]


async def test_a_loop_that_stands_still_feeds_no_watchdog(netaflux: Program, manager: Manager) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: manager.heard("WATCHDOG=1"))
        daemon.running.signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)
        fed = len(manager.heard("WATCHDOG=1"))
        await asyncio.sleep(0.5)
        still = len(manager.heard("WATCHDOG=1"))
        daemon.running.signal(signal.SIGCONT)
        await until(lambda: len(manager.heard("WATCHDOG=1")) > fed)

    assert still == fed


async def test_an_abstract_address_is_one_too(netaflux: Program) -> None:
    name = f"netaflux-test-{os.getpid()}"
    netaflux.environment["NOTIFY_SOCKET"] = f"@{name}"
    with managing(f"\0{name}") as manager:
        async with netaflux.daemon():
            await until(lambda: manager.heard("READY=1"))


async def test_a_manager_that_is_gone_is_no_reason_to_stop(netaflux: Program, folder: Path) -> None:
    netaflux.environment |= {"NOTIFY_SOCKET": str(folder / "nobody"), "WATCHDOG_USEC": "many"}
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        ended = await daemon.stopped()

    assert ended.code == 0


async def test_the_watchdog_of_another_process_is_not_fed(netaflux: Program, manager: Manager) -> None:
    netaflux.environment |= {"WATCHDOG_PID": "1", "WATCHDOG_USEC": "200000"}
    async with netaflux.daemon():
        await until(lambda: manager.heard("STATUS=Polling"))
        fed = len(manager.heard("WATCHDOG=1"))
        await asyncio.sleep(0.5)

        # it is told every ten seconds all the same, which harms nobody
        assert len(manager.heard("WATCHDOG=1")) <= fed + 1
