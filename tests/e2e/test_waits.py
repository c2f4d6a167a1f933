"""Whoever waits for Netatmo's limits says so at once, and until when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from netaflux.app import App
from netaflux.commands.perform import AHEAD, perform
from netaflux.commands.status import status
from netaflux.commands.words import Json, sending
from netaflux.core.events import BudgetClosed
from netaflux.core.model import Lane, SourceName
from netaflux.service.health import OVERDUE, Health
from netaflux.service.rounds import Rounds
from netaflux.simulator import World
from tests.e2e.household import NOW, Household, household, performed, roomy
from tests.e2e.houses import house_of, module_of
from tests.fakes import TurnedClock
from tests.virtual import ClockBells, VirtualClock, daemon, run_virtually

WHY = "Netatmo answers getstationsdata with HTTP 429, code 26: Maximum api usage reached"


class StoppedClock(TurnedClock):
    """Time stands still: whoever sleeps sleeps on."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def closed_household(folder: Path) -> AsyncIterator[Household]:
    """Netatmo has refused a call of an earlier process, and whoever waits for the next one waits on."""
    world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
    async with household(world, folder, clock=StoppedClock(NOW)) as home:
        home.mirror_all()
        home.served.netatmo.faults.add("429/26", "/api/*")
        async with home.app() as app:
            refused = asyncio.create_task(performed(app, "devices"))
            await asyncio.wait([refused], timeout=1)
            assert home.told(BudgetClosed)
            refused.cancel()
            await asyncio.wait([refused])
        yield home


async def until_it_waits(app: App, command: str, key: str) -> list[Json]:
    """The events of a command up to the first that has this key."""
    seen: list[Json] = []
    async with asyncio.timeout(20), aclosing(perform(app, command, {})) as events:
        async for event in events:
            seen.append(event)
            if event.get(key):
                break
    return seen


@pytest.mark.parametrize("command", ["sync", "verify", "devices", "check"])
async def test_every_command_says_for_what_it_waits(tmp_path: Path, command: str) -> None:
    async with closed_household(tmp_path) as home, home.app() as app:
        *_, waiting = await until_it_waits(app, command, "until")

    assert waiting == {"event": "waiting", "scope": "account:default", "until": NOW + 600, "reason": WHY}


async def test_who_waits_is_told_when_the_daemon_takes_up_another_configuration(tmp_path: Path) -> None:
    ending = asyncio.Event()
    seen: list[Json] = []
    async with (
        closed_household(tmp_path) as home,
        home.app() as app,
        asyncio.timeout(20),
        aclosing(perform(app, "sync", {}, ending=ending)) as events,
    ):
        async for event in events:
            seen.append(event)
            ending.set()

    assert (seen[-1]["event"], seen[-1]["exit_code"]) == ("failed", 75)
    assert seen[-1]["message"] == "the daemon took up a new configuration meanwhile"


async def test_it_says_so_once(tmp_path: Path) -> None:
    async with closed_household(tmp_path) as home, home.app() as app:
        seen: list[Json] = []
        async with aclosing(perform(app, "devices", {})) as events:
            try:
                async with asyncio.timeout(1):
                    async for event in events:
                        seen.append(event)  # noqa: PERF401 - they must outlive the time-out
            except TimeoutError:
                pass

    assert [event["event"] for event in seen] == ["waiting"]
    assert len(home.told(BudgetClosed)) == 1


@pytest.mark.parametrize("command", ["sync", "verify"])
async def test_a_progress_tells_until_when_and_why(tmp_path: Path, command: str) -> None:
    async with closed_household(tmp_path) as home, home.app() as app:
        *_, progress = await until_it_waits(app, command, "waiting_until")

    assert (progress["event"], progress["waiting_until"], progress["reason"]) == ("progress", NOW + 600, WHY)


async def test_the_status_shows_a_closed_budget(tmp_path: Path) -> None:
    async with closed_household(tmp_path) as home, home.app() as app:
        asking = asyncio.create_task(app.accounts["default"].sources[SourceName.STATIONS].survey())  # type: ignore[index]
        await asyncio.sleep(0.1)
        (account,) = (await status(app, lambda *_: None))["accounts"]
        asking.cancel()

    calls = account["calls"]
    assert (calls["closed_until"], calls["reason"], calls["waiting"]) == (NOW + 600, WHY, 1)
    assert (calls["per_hour"], calls["wait"], calls["feeling"], calls["stretch"]) == (12, 600, False, 1)


async def test_the_calls_of_an_hour_that_are_used_up_are_waited_for_in_words(tmp_path: Path) -> None:
    """No refusal: netaflux itself keeps to the limits, and leaves two calls of ten to live polling."""
    world = World.of(house_of(module_of(20 * 1024, NOW)), netatmo=roomy())
    async with household(world, tmp_path, clock=StoppedClock(NOW)) as home:
        home.sections["netatmo.limits"] = {"per_10_seconds": 10, "per_hour": 10}
        home.mirror_all(channels=["Temp_C"])
        async with home.app() as app:
            *_, progress = await until_it_waits(app, "sync", "waiting_until")

    assert progress["waiting_until"] == pytest.approx(NOW + 3603.6)
    assert progress["reason"] == "the calls of this hour are used up"


async def test_a_command_that_waits_for_the_next_hour_says_so_too(tmp_path: Path) -> None:
    world = World.of(house_of(module_of(20 * 1024, NOW)), netatmo=roomy())
    async with household(world, tmp_path, clock=StoppedClock(NOW)) as home:
        home.sections["netatmo.limits"] = {"per_10_seconds": 10, "per_hour": 10}
        home.mirror_all(channels=["Temp_C"])
        async with home.app() as app:
            for _ in range(10):
                await app.accounts["default"].client.call("getstationsdata", {}, lane=Lane.LIVE)  # type: ignore[index]
            *_, waiting = await until_it_waits(app, "devices", "until")

    assert waiting["event"] == "waiting"
    assert waiting["until"] == pytest.approx(NOW + 3603.6)
    assert waiting["reason"] == "the calls of this hour are used up"


def test_calls_that_wait_for_an_hour_are_well_and_bells_that_do_not_ring_are_not(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> tuple[list[str], list[str]]:
        world = World.of(house_of(module_of(12, NOW)), netatmo=roomy())
        async with household(world, tmp_path, clock=clock) as home:
            home.mirror_all()
            async with home.app() as app, daemon(app) as rounds:
                await clock.sleep(60)
                home.served.netatmo.faults.add("429/26", "/api/*", retry_after=3600)
                await clock.sleep(3000)
                calls = (await status(app, rounds.next_poll))["accounts"][0]["calls"]
                assert calls["closed_until"] is not None
                assert calls["waiting"] > 0
                waiting = await Health(app, rounds).unwell()
            async with home.app() as app:
                deaf = Rounds(app, interval=600, hang=lambda clock, _: ClockBells(clock, lambda _: None))
                work = asyncio.create_task(deaf.run(asyncio.Event()))
                await clock.sleep(OVERDUE + 1)
                silent = await Health(app, deaf).unwell()
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        return waiting, silent

    waiting, silent = run_virtually(main)

    assert waiting == []
    assert silent == ["the bell of account:default/stations has not rung"]


async def wordy(_: App, __: Json) -> AsyncIterator[Json]:
    """A command that has a great deal to tell."""
    for number in range(10_000):
        WORDS.append(number)
        yield {"event": "rows", "number": number}


WORDS: list[int] = []


async def test_a_command_is_not_far_ahead_of_whoever_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of years of rows would pile up behind a reader that has been stopped."""
    async with closed_household(tmp_path) as home, home.app() as app:
        monkeypatch.setattr("netaflux.commands.perform._command", lambda _: wordy)
        async with aclosing(perform(app, "measure", {})) as events:
            await anext(events)
            await asyncio.sleep(0.2)

    assert 1 <= len(WORDS) <= 2 * AHEAD


@pytest.mark.parametrize("writing", [True, False])
async def test_only_a_change_that_is_on_its_way_goes_on_when_its_asker_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, writing: bool
) -> None:
    done = asyncio.Event()

    async def change(_: App, __: Json) -> AsyncIterator[Json]:
        yield sending("`netaflux status`") if writing else {"event": "looking"}
        await asyncio.sleep(0.2)
        done.set()
        yield {"event": "result", "exit_code": 0}

    async with closed_household(tmp_path) as home, home.app() as app:
        monkeypatch.setattr("netaflux.commands.perform._command", lambda _: change)
        async with aclosing(perform(app, "persons", {}, ending=asyncio.Event())) as events:
            await anext(events)

    assert done.is_set() == writing
