"""What makes the watchdog starve: bells that do not ring and workers that do not move, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from netaflux.app import App
from netaflux.core.errors import StateError
from netaflux.core.events import NoticeTold, PollCompleted
from netaflux.core.model import ModuleId
from netaflux.core.notices import Kind, Matter, Notice
from netaflux.core.ports import Clock
from netaflux.flow.account import Account
from netaflux.notify.outlets import Outlets
from netaflux.service.health import STUCK, Health
from netaflux.service.lookout import Lookout
from netaflux.service.rounds import Rounds
from netaflux.service.teller import Teller
from netaflux.simulator import World
from netaflux.state.database import Database
from tests.e2e.household import NOW, Household, household, roomy
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


@asynccontextmanager
async def told_by(app: App) -> AsyncIterator[tuple[Health, asyncio.Event]]:
    """The health of a daemon whose teller is at work, and what makes that one end."""
    async with daemon(app) as rounds:
        health, ending = Health(app, rounds), asyncio.Event()
        with health.watching():
            work = asyncio.create_task(Teller(app, rounds, health).run(ending))
            try:
                yield health, ending
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)


def notifying(home: Household) -> None:
    home.mirror_all()
    home.sections["notify"] = {"command": ["/nowhere"]}


def test_a_teller_that_does_not_come_round_is_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(clock: VirtualClock) -> tuple[list[str], list[str]]:
        world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            notifying(home)
            monkeypatch.setattr(Lookout, "look", _stuck)
            async with home.app() as app, told_by(app) as (health, _):
                await clock.sleep(STUCK - 60)
                before = await health.unwell(disk=False)
                await clock.sleep(120)
                return before, await health.unwell(disk=False)

    assert run_virtually(main) == ([], ["the teller does not move"])


@dataclass
class Slow:
    """Takes what it is told, in nearly the time after which somebody else would be stuck."""

    clock: Clock
    name: str = "slow"

    async def tell(self, _: Mapping[str, object]) -> str:
        await self.clock.sleep(STUCK - 120)
        return "at last"


def test_a_teller_that_has_much_to_tell_is_not(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[str]:
        world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            notifying(home)
            async with home.app() as opened:
                await opened.state.notices.save({each.matter: each for each in map(notice, "abcd")})
                app = replace(opened, outlets=Outlets([Slow(clock)]))
                async with told_by(app) as (health, _):
                    await clock.sleep(3 * STUCK)
                    assert 1 < len(home.told(NoticeTold)) < 4
                    return await health.unwell(disk=False)

    assert run_virtually(main) == []


def test_a_teller_that_has_ended_need_not_move(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[str]:
        world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            notifying(home)
            async with home.app() as app, told_by(app) as (health, ending):
                await clock.sleep(300)
                ending.set()
                await clock.sleep(2 * STUCK)
                return await health.unwell(disk=False)

    assert run_virtually(main) == []


def notice(subject: str) -> Notice:
    matter = Matter(Kind.BATTERY_LOW, subject)
    return Notice(matter=matter, name=subject, text="low", remedy="", over="well", opened_at=NOW)


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
