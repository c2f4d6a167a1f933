"""The herald: what it tells the service manager, and the log, of good and bad looks."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

from structlog.testing import capture_logs

from netaflux.service.herald import Herald
from netaflux.service.systemd import ServiceManager


async def test_the_watchdog_starves_while_something_is_stuck_and_the_log_says_it_once(tmp_path: Path) -> None:
    address, problems = str(tmp_path / "notify"), ["a worker does not move"]

    async def hopeless() -> Sequence[str]:
        return list(problems)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, capture_logs() as logged:
        line.bind(address)
        line.setblocking(False)
        manager = ServiceManager(address, watchdog=0.04)
        heralding = asyncio.create_task(Herald(manager, hopeless, lambda: "Polling 2 modules").run())
        await asyncio.sleep(0.1)
        first = told(line)
        problems.clear()
        await asyncio.sleep(0.1)
        second = told(line)
        heralding.cancel()
        await asyncio.gather(heralding, return_exceptions=True)

    assert first == ["STATUS=a worker does not move"]
    assert second[:2] == ["WATCHDOG=1", "STATUS=Polling 2 modules"]
    assert set(second[2:]) == {"WATCHDOG=1"}
    assert [each["event"] for each in logged] == ["service.stalled", "service.recovered"]


async def test_a_look_that_fails_feeds_nobody_and_is_told_once(tmp_path: Path) -> None:
    address, failures = str(tmp_path / "notify"), [OSError("a bug"), OSError("a bug")]

    async def hopeless() -> Sequence[str]:
        if failures:
            raise failures.pop()
        return []

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, capture_logs() as logged:
        line.bind(address)
        line.setblocking(False)
        heralding = asyncio.create_task(Herald(ServiceManager(address, 0.04), hopeless, lambda: "").run())
        await asyncio.sleep(0.005)
        first = told(line)
        await asyncio.sleep(0.1)
        heralding.cancel()
        await asyncio.gather(heralding, return_exceptions=True)
        second = told(line)

    assert first == []
    assert "WATCHDOG=1" in second
    assert [each["event"] for each in logged] == ["look.crashed", "look.recovered"]


def told(line: socket.socket) -> list[str]:
    heard = []
    while True:
        try:
            heard.append(line.recv(4096).decode())
        except BlockingIOError:
            return heard


def test_what_systemd_has_put_into_the_environment_is_for_this_process_alone() -> None:
    environ = {
        "NOTIFY_SOCKET": "/run/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": "",
        "PATH": "/bin",
    }

    assert ServiceManager.of(environ) == ServiceManager("/run/notify", 30.0)
    assert environ == {"PATH": "/bin"}
    assert ServiceManager.of(environ) == ServiceManager("", None)
