"""An account that has no access token goes on as soon as it has one, whatever kept it from one."""

from pathlib import Path

import pytest

from netaflux.core.events import AccountFailed, AccountRecovered, AuthorizationNeeded
from netaflux.service.rounds import Rounds
from netaflux.simulator import World
from tests.e2e.household import NOW, Household, household, performed, roomy
from tests.e2e.houses import house_of, module_of
from tests.virtual import VirtualClock, daemon, run_virtually, until

HOUR = 3600.0
AT_ONCE = 5.0
"""Seconds within which nobody's back-off of ten minutes ends by chance: it has begun just before."""
TOKEN = "/oauth2/token"


def lose_access(home: Household, how: str) -> None:
    """The account gets no access token any more, and nobody can say yet that a person is needed."""
    netatmo = home.served.netatmo
    if how == "refused":
        netatmo.logins.revoke("default")
    else:
        netatmo.logins.expire("default")
        netatmo.faults.add("503", TOKEN)


async def just_failed(clock: VirtualClock, rounds: Rounds) -> None:
    """Return after the next failed round, when the one after it is far away."""
    before = sum(job.failures for job in rounds.jobs)
    await until(clock, lambda: sum(job.failures for job in rounds.jobs) > before)


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_who_authorizes_while_an_account_waits_is_not_kept_waiting(tmp_path: Path, how: str) -> None:
    async def days(clock: VirtualClock) -> None:
        world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            home.mirror_all()
            async with home.app() as app, daemon(app) as rounds:
                await until(clock, rounds.caught_up)
                lose_access(home, how)
                await clock.sleep(2 * HOUR)
                await just_failed(clock, rounds)
                home.served.netatmo.faults.clear()
                fresh = home.served.netatmo.logins.issue("default").refresh
                (*_, result) = await performed(app, "authorize", account="default", refresh_token=fresh)
                await until(clock, rounds.caught_up, within=AT_ONCE)

            assert result["exit_code"] == 0
            assert home.told(AuthorizationNeeded) == []
            assert len(home.told(AccountRecovered)) == len(home.told(AccountFailed)) == 1

    run_virtually(days)
