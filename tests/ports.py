"""Ports for tests that have to name one before it is opened."""

import random
import socket

LOOPBACK = "127.0.0.1"
OURS = range(20_000, 32_000)
"""Below those that the kernel gives to whoever takes any: no other test's connection gets one meanwhile."""


def free_ports(count: int) -> list[int]:
    """So many, at which nobody listens."""
    tried = random.sample(OURS, len(OURS))
    free = [number for number in tried[: 10 * count] if _is_free(number)]
    return free[:count]


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, number)) != 0
