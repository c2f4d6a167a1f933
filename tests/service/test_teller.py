"""No way to a person holds up the others, whatever it does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from netaflux.core.events import NoticeTold, TellingFailed
from netaflux.core.ports import NoticeChannel
from netaflux.notify.outlets import Outlets
from netaflux.service import teller
from netaflux.service.health import Health
from netaflux.service.rounds import Rounds
from netaflux.service.teller import Teller
from netaflux.simulator import World
from tests.e2e.household import NOW, Household, household, roomy
from tests.e2e.houses import house_of, module_of


@dataclass
class Stuck:
    """Takes something, and never comes back."""

    name: str = "stuck"
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    times: int = 0

    async def tell(self, _: Mapping[str, object]) -> str:
        self.times += 1
        self.asked.set()
        await asyncio.Event().wait()
        return "never"


@dataclass
class Broken:
    """Has a bug."""

    name: str = "broken"

    async def tell(self, _: Mapping[str, object]) -> str:
        raise ZeroDivisionError


@dataclass
class Taking:
    """Takes what it is told, once another one has been asked."""

    name: str = "taking"
    after: asyncio.Event | None = None
    told: list[object] = field(default_factory=list)

    async def tell(self, facts: Mapping[str, object]) -> str:
        if self.after:
            await self.after.wait()
        self.told.append(facts["kind"])
        return "thanks"


@asynccontextmanager
async def telling(folder: Path, *channels: NoticeChannel) -> AsyncIterator[Household]:
    """An account that must be authorized, and a teller that looks without a pause."""
    world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
    async with household(world, folder) as home:
        home.mirror_all()
        home.sections["netatmo"].pop("refresh_token")
        home.sections["notify"] = {"command": ["/nowhere"]}
        async with home.app() as opened:
            app = replace(opened, outlets=Outlets(channels))
            rounds = Rounds(app, interval=600)
            work = asyncio.create_task(Teller(app, rounds, Health(app, rounds)).run(asyncio.Event()))
            try:
                yield home
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not look():  # noqa: ASYNC110 - who tells sets no event
            await asyncio.sleep(0.01)


async def test_a_channel_that_never_comes_back_is_given_up_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "LONGEST_TELLING", 0.05)
    stuck, taking = Stuck(), Taking()
    async with telling(tmp_path, stuck, taking) as home:
        await until(lambda: stuck.times > 2)

    (failed,) = home.told(TellingFailed)
    assert (failed.channel, failed.reason) == ("stuck", "it takes over 0.05 seconds")
    assert taking.told == ["authorization"]


async def test_channels_do_not_wait_for_each_other(tmp_path: Path) -> None:
    stuck = Stuck()
    first, last = Taking("first", stuck.asked), Taking("last", stuck.asked)
    async with telling(tmp_path, first, stuck, last) as home:
        await until(lambda: len(home.told(NoticeTold)) > 1)

    assert (first.told, last.told) == (["authorization"], ["authorization"])


async def test_a_channel_with_a_bug_costs_the_others_nothing(tmp_path: Path) -> None:
    taking = Taking()
    with capture_logs() as logged:
        async with telling(tmp_path, Broken(), taking) as home:
            await until(lambda: taking.told and home.told(TellingFailed))

    crashed = [(each["channel"], each["exc_info"]) for each in logged if each["event"] == "telling.crashed"]
    assert crashed[0] == ("broken", True)
    assert home.told(TellingFailed)[0].reason == "a bug in netaflux: ZeroDivisionError"
    assert taking.told == ["authorization"]
