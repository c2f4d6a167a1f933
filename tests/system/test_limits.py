"""However often netaflux is stopped or killed, no window of a limit ever holds too many of its calls."""

import asyncio
import signal
import time
from pathlib import Path
from random import Random

import pytest

from netaflux.clocks import ScaledClock
from netaflux.simulator import Limits, NetatmoSettings, World, estate
from tests.system.nursery import Nursery
from tests.system.program import Program
from tests.system.world import ANNE, served

FAST = 120
"""An hour passes in half a minute."""
PER_10_SECONDS, MANY = 5, 100_000


def years(now: float, per_hour: int) -> World:
    """More history than can be fetched; its tokens last, for a kill may lose a pair that is on its way."""
    limits = Limits(
        user_per_10_seconds=PER_10_SECONDS,
        user_per_hour=per_hour,
        app_per_10_seconds=MANY,
        app_per_hour=MANY,
    )
    house = estate(now, modules=2, days=1800)
    settings = NetatmoSettings(limits=limits, expires_in=10**7, latency=0.5)
    return World(accounts=World.of(house).accounts, users=[ANNE], netatmo=settings)


@pytest.mark.parametrize(
    ("lives", "per_hour"),
    [(6, 70), pytest.param(40, 200, marks=[pytest.mark.slow, pytest.mark.timeout(300)])],
)
async def test_no_window_is_ever_too_full_whatever_becomes_of_the_process(
    nursery: Nursery, folder: Path, lives: int, per_hour: int
) -> None:
    """Every other time it is asked to end, else it is killed, and at no chosen moment."""
    chance = Random(lives)  # noqa: S311 - a test wants the same chance again
    with served(years(time.time(), per_hour), speed=FAST) as outside:
        clock, ledger = outside.served.clock, outside.served.netatmo.ledger
        assert isinstance(clock, ScaledClock)
        netaflux = Program(nursery, folder, outside.sections(), outside.devices())
        # the same limits, without a call to spare
        netaflux.sections["netatmo.limits"] |= {"per_10_seconds": PER_10_SECONDS, "per_hour": per_hour}
        netaflux.devices = [{**device, "channels": ["Temp_C"]} for device in netaflux.devices]
        for life in range(lives):
            async with netaflux.daemon(clock=clock) as daemon:
                if life == 0:
                    await daemon.ready()  # its first pair of tokens is safe
                await asyncio.sleep(chance.uniform(0.1, 1.5))
                if life % 2:
                    daemon.running.signal(signal.SIGKILL)
                    await daemon.running.ended()
                else:
                    await daemon.stopped()

        assert [call for call in ledger.calls if call.code == 26] == []
        assert ledger.busiest(10) <= PER_10_SECONDS
        # each kill forfeits ten calls at most, and a good many must have been made all the same
        assert per_hour / 4 <= ledger.busiest(3600) <= per_hour
