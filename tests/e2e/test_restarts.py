"""Tokens that rotate at every use survive every restart."""

from pathlib import Path

from netaflux.core.model import AccountName
from netaflux.simulator import World
from netaflux.state.open import open_state
from tests.e2e.household import NOW, Household, household, roomy
from tests.e2e.houses import house_of, module_of

RESTARTS = 50
DEFAULT = AccountName("default")


async def stored_refresh_token(home: Household) -> str | None:
    """What the next process will find on the disk."""
    async with open_state(home.folder / "state", home.clock) as state:
        pair = (await state.tokens.load(DEFAULT)).pair
        return pair.refresh if pair else None


async def test_fifty_restarts_with_an_expired_access_token_never_lose_the_account(tmp_path: Path) -> None:
    """Every other time only Netatmo knows that it has expired, else netaflux knows it, too."""
    async with household(World.of(house_of(module_of(12, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])
        logins = home.served.netatmo.logins
        known = set()

        for restart in range(RESTARTS):
            if restart % 2:
                home.clock.time += logins.lifetime + 1
            else:
                logins.expire("default")
            result = await home.sync()

            assert (result["exit_code"], result["left"]) == (0, [])
            newest = logins.issued["default"][-1].refresh
            assert await stored_refresh_token(home) == newest
            known.add(newest)

        assert len(known) == RESTARTS
        # the first pair was the seed; each restart has spent one token, and none twice
        assert len(logins.issued["default"]) == RESTARTS + 1
        spent = [call.params["refresh_token"] for call in home.served.netatmo.ledger.of("/oauth2/token")]
        assert len(set(spent)) == len(spent) == RESTARTS
        assert home.differences() == []


async def test_restarts_while_the_token_is_good_spend_none(tmp_path: Path) -> None:
    async with household(World.of(house_of(module_of(12, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])

        for _ in range(5):
            await home.sync()
            home.clock.time += 600

        assert home.served.netatmo.ledger.counts["/oauth2/token"] == 1


async def test_the_seed_of_the_configuration_is_not_spent_twice(tmp_path: Path) -> None:
    """It stays in the file for ever, and is dead after its first use."""
    async with household(World.of(house_of(module_of(12, NOW)), netatmo=roomy()), tmp_path) as home:
        home.mirror_all(channels=["Temp_C"])
        await home.sync()
        home.served.netatmo.logins.revoke("default")

        home.clock.time += 4 * 3600
        result = await home.sync()

        assert result["exit_code"] == 75  # a pair that has worked is given a day of patience
        seed = home.served.refresh_tokens["default"]
        spent = [call.params["refresh_token"] for call in home.served.netatmo.ledger.of("/oauth2/token")]
        assert spent.count(seed) == 1
