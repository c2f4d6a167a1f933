"""What the service manager is told: sd_notify(3), which is one datagram with a few lines.

Nobody is told anything where nobody has asked: without systemd there is no `NOTIFY_SOCKET`.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = ("WATCHDOG_USEC", "WATCHDOG_PID")


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """systemd, or nobody."""

    address: str = ""
    watchdog: float | None = None
    """Seconds within which it wants to hear that we are alive."""

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """Take up what systemd has put into the environment, for this process and none that it starts."""
        address = environ.pop(SOCKET, "")
        microseconds, pid = (environ.pop(name, "") for name in WATCHDOG)
        ours = pid in {"", str(os.getpid())}
        watched = ours and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1e6 if watched else None)

    def ready(self) -> None:
        """Say that the service works, for the first time or again."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read anew; `ready` says that it was."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service is coming to its end."""
        self._tell("STOPPING=1")

    def status(self, words: str) -> None:
        """Say how things are, in a line for `systemctl status`."""
        self._tell(f"STATUS={' '.join(words.split())}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self.address:
            return
        # "@" stands for the NUL of an abstract address; a manager that does not listen is no reason to stop
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line,
        ):
            line.setblocking(False)
            line.sendto("\n".join(lines).encode(), address)
