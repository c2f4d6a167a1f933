"""A simulated world in a process of its own: `python -m tests.e2e.big_world DAYS`.

Prints a configuration for it, without limits that matter, and serves until it is killed.
"""

import asyncio
import sys

from netaflux.clocks import RealClock
from netaflux.simulator import FluxtreamSettings, Served, Span, World, estate, serve_forever
from tests.e2e.household import MANY, roomy

LIMITS = ("per_10_seconds", "per_hour", "app_per_10_seconds", "app_per_hour")
READY = "# that is all"


def announce(served: Served) -> None:
    """Tell the configuration, and that it is whole."""
    limits = [f"{name} = {MANY}" for name in LIMITS]
    sys.stdout.write("\n".join([served.configuration(), "[netatmo.limits]", *limits, READY, ""]))
    sys.stdout.flush()


def main() -> None:
    """Serve five modules with so many days of history; none of them measures any more."""
    clock = RealClock()
    house = estate(clock.now(), days=float(sys.argv[1]), gaps=(Span(clock.now()),))
    world = World.of(house, netatmo=roomy(keep_calls=1), fluxtream=FluxtreamSettings(keep_calls=1))
    asyncio.run(serve_forever(world, clock, announce))


if __name__ == "__main__":
    main()
