"""A backfill that takes longer than its calls of an hour and its access tokens last."""

from pathlib import Path
from typing import NamedTuple

import pytest

from netaflux.simulator import Limits, NetatmoSettings, Span, World, estate
from tests.e2e.household import MANY, NOW, Household, household
from tests.virtual import VirtualClock, run_virtually

MODULES = 5
HOUR = 3600
EXPIRIES, WINDOWS = 3, 10
"""How many access tokens shall expire on the way, and how many hours' calls be used up, at least."""


class Past(NamedTuple):
    """So many days of history, and how many calls an hour there are for them."""

    days: int
    per_hour: int

    @property
    def world(self) -> World:
        """One station that measures no more."""
        limits = Limits(user_per_hour=self.per_hour, app_per_10_seconds=MANY, app_per_hour=MANY)
        house = estate(NOW, modules=MODULES, days=self.days, gaps=(Span(NOW),))
        return World.of(house, netatmo=NetatmoSettings(limits=limits))


# 1.4 million rows, and a fortieth of them at a twentieth of the calls
PASTS = [Past(25, 6), pytest.param(Past(973, 125), marks=[pytest.mark.slow, pytest.mark.timeout(900)])]


@pytest.mark.parametrize("past", PASTS, ids=str)
def test_no_token_expires_over_the_wait_for_calls(tmp_path: Path, past: Past) -> None:
    """A token that is taken before a wait of an hour may be dead after it; so it is taken behind the wait."""

    async def main(clock: VirtualClock) -> None:
        async with household(past.world, tmp_path, clock=clock) as home:
            home.sections["netatmo.limits"] = {"per_hour": past.per_hour}
            home.mirror_all()

            result = await home.sync()

            assert (result["exit_code"], home.differences()) == (0, [])
            assert [line["rows"] for line in result["devices"]] == [past.days * 288] * MODULES
            assert_long(home, clock)
            refused = [call for call in home.served.netatmo.ledger.calls if call.code]
            assert refused == []

    run_virtually(main)


def assert_long(home: Household, clock: VirtualClock) -> None:
    assert clock.now() - NOW > WINDOWS * HOUR
    # the seed's first use is one
    assert home.served.netatmo.ledger.counts["/oauth2/token"] > EXPIRIES
