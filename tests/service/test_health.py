"""What makes the watchdog starve: bells that do not ring and workers that do not move, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from netaflux.app import App
from netaflux.core.errors import StateError
from netaflux.core.events import PollCompleted
from netaflux.core.model import ModuleId
from netaflux.flow.account import Account
from netaflux.service.health import STUCK, Health
from netaflux.service.rounds import Rounds
from netaflux.simulator import World
from netaflux.state.database import Database
from tests.e2e.household import NOW, household, roomy
from tests.e2e.houses import house_of, module_of
from tests.state.samples import bereft, largest_file
from tests.virtual import VirtualClock, daemon, run_virtually

Ails = tuple[list[str], list[str]]


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


async def _ails(folder: Path, clock: VirtualClock, trouble: Callable[[Database], Awaitable[None]]) -> Ails:
    """What is wrong after the trouble: all of it, and what a new start would mend."""
    world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
    async with household(world, folder, clock=clock) as home:
        home.mirror_all()
        async with home.app() as app, daemon(app) as rounds:
            await trouble(app.state.database)
            health = Health(app, rounds)
            return await health.unwell(), await health.unwell(disk=False)


def test_a_disk_that_takes_nothing_is_no_reason_for_a_new_start(tmp_path: Path) -> None:
    async def trouble(database: Database) -> None:
        with largest_file(0), pytest.raises(StateError):
            await database.probe()

    (told,), hopeless = run_virtually(lambda clock: _ails(tmp_path, clock, trouble))

    assert "nothing is polled: " in told
    assert "the disk reports an input/output error" in told
    assert hopeless == []


@pytest.mark.parametrize("full", [False, True])
def test_a_database_that_nothing_brings_back_is_one(tmp_path: Path, *, full: bool) -> None:
    """Whatever the disk does."""

    async def trouble(database: Database) -> None:
        with largest_file(0 if full else 1 << 30), suppress(StateError):
            await database.probe()
        with pytest.raises(StateError):
            await database.run(bereft)

    told, hopeless = run_virtually(lambda clock: _ails(tmp_path, clock, trouble))

    assert told == hopeless
    assert "netaflux.db is closed" in "".join(hopeless)
