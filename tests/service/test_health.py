"""What makes the watchdog starve: bells that do not ring and workers that do not move, and nothing else."""

import asyncio
from pathlib import Path

import pytest

from netaflux.app import App
from netaflux.core.events import PollCompleted
from netaflux.core.model import ModuleId
from netaflux.flow.account import Account
from netaflux.service.health import STUCK, Health
from netaflux.service.rounds import Rounds
from netaflux.simulator import World
from tests.e2e.household import NOW, household, roomy
from tests.e2e.houses import house_of, module_of
from tests.virtual import VirtualClock, daemon, run_virtually


async def _stuck(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("method", ["survey", "poll", "catch_up"])
def test_a_worker_of_which_nothing_is_heard_is_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async def main(clock: VirtualClock) -> tuple[list[str], list[str]]:
        world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            home.mirror_all()
            monkeypatch.setattr(Account, method, _stuck)
            async with home.app() as app, daemon(app) as rounds:
                health = Health(app, rounds)
                with health.watching():
                    await clock.sleep(STUCK - 60)
                    before = await health.unwell(disk=False)
                    await clock.sleep(120)
                    return before, await health.unwell(disk=False)

    before, after = run_virtually(main)

    assert before == []
    assert len(after) == 1
    assert after[0].endswith("does not move")


def test_a_worker_that_tells_of_something_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(clock: VirtualClock) -> list[str]:
        world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            home.mirror_all()
            async with home.app() as app:

                async def slow(_: Account, module: ModuleId) -> None:
                    while True:
                        await clock.sleep(STUCK - 60)
                        app.hub.tell(PollCompleted(module=module, pages=0, rows=0))

                monkeypatch.setattr(Account, "poll", slow)
                async with daemon(app) as rounds:
                    return await well(app, rounds)

    async def well(app: App, rounds: Rounds) -> list[str]:
        health = Health(app, rounds)
        with health.watching():
            await app.clock.sleep(STUCK * 5 + 30)
            return await health.unwell(disk=False)

    assert run_virtually(main) == []
