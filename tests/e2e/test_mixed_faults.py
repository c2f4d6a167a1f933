"""Faults of all kinds on both sides, mixed: all arrives."""

from pathlib import Path
from typing import Any

import pytest

from netaflux.core.events import AuthorizationNeeded
from netaflux.core.grants import LOST_IN_WINDOW
from netaflux.simulator import ALL_SCOPES, Fault
from netaflux.simulator.faults import KILLS
from tests.e2e.everything import DAY, HOUR, TOKEN, everything, given_up_by, settle_in, settled
from tests.e2e.household import NOW, household, performed
from tests.virtual import VirtualClock, daemon, run_virtually, until

LOSING = frozenset({Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.TRUNCATED})
"""At the token endpoint they cost the new pair, and so the account."""
STORE_ONLY = frozenset({Fault.KO, Fault.SWALLOWED})
MIXED = sorted(set(Fault) - KILLS - STORE_ONLY - {Fault.INVALID_GRANT})


@pytest.mark.parametrize("seed", [1])
def test_all_faults_at_once_cost_nothing(tmp_path: Path, seed: int, scale: int, record_property: Any) -> None:
    """For a day, every sixth call fails in one way or another."""

    async def main(clock: VirtualClock) -> None:
        async with household(everything(), tmp_path, clock=clock) as home:
            mirrors = settle_in(home)
            netatmo, fluxtream = home.served.netatmo.faults, home.served.fluxtream.faults
            for fault in MIXED:
                netatmo.add(fault, "/api/*", share=0.01, seconds=20)
                fluxtream.add(fault, share=0.01, seconds=20)
            with given_up_by(clock):
                async with home.app() as app, daemon(app):
                    await clock.sleep(scale * DAY)
                await settled(home, clock, mirrors)
            counts = {fault.value: netatmo.count(fault) + fluxtream.count(fault) for fault in MIXED}
            record_property("struck", counts)
            assert min(counts.values()) > 0, counts

    run_virtually(main, now=NOW)


@pytest.mark.parametrize("fault", sorted(LOSING))
def test_where_an_answer_with_tokens_is_lost_a_person_is_asked_in_the_end(
    tmp_path: Path, fault: Fault
) -> None:
    async def main(clock: VirtualClock) -> None:
        async with household(everything(), tmp_path, clock=clock) as home:
            mirrors = settle_in(home)
            with given_up_by(clock):
                async with home.app() as app, daemon(app):
                    await clock.sleep(HOUR)
                    lost = home.served.netatmo.faults.add(fault, TOKEN, times=1)
                    home.served.netatmo.logins.expire("default")
                    await until(clock, lambda: lost.spent)
                    await clock.sleep(HOUR)
                    early = home.told(AuthorizationNeeded)
                    await until(clock, lambda: home.told(AuthorizationNeeded), every=60, within=2 * DAY)
                    fresh = home.served.netatmo.logins.issue("default", ALL_SCOPES).refresh
                    await performed(app, "authorize", account="default", refresh_token=fresh)
            await settled(home, clock, mirrors)

        assert early == []
        assert [event.suspicion for event in home.told(AuthorizationNeeded)] == [LOST_IN_WINDOW]

    run_virtually(main, now=NOW)
