"""A home with two cameras, somebody who is known, and a stranger."""

from netaflux.simulator.estate import ANNE, DRIVE, HALL, STRANGER, demo_guard
from netaflux.simulator.guard import Guard
from netaflux.simulator.house import House

__all__ = ["ANNE", "DRIVE", "HALL", "HOME", "STRANGER", "guard", "guarded_house"]

HOME = "5d0000000000000000000001"


def guard(now: float, days: float = 3, *, late: float = 0) -> Guard:
    return demo_guard(int(now - days * 86_400), late=late)


def guarded_house(now: float) -> House:
    return House(guards={HOME: guard(now)})
