"""How long a backfill goes on is announced, and comes true."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from netaflux.app import App
from netaflux.commands.perform import perform
from netaflux.commands.status import NextPoll, status
from netaflux.commands.words import Json
from netaflux.simulator import House, Span, World, estate
from tests.e2e.household import MANY, NOW, Household, household, performed, roomy
from tests.e2e.houses import house_of, module_of, silent
from tests.fakes import TurnedClock
from tests.virtual import VirtualClock, daemon, run_virtually, until

DAY = 86400
STRICT = {"per_10_seconds": 10, "per_hour": 60, "app_per_10_seconds": MANY, "app_per_hour": MANY}
"""Of which the history may use 8 and 48."""


LOOK_EVERY = 30
"""Seconds between two looks, and so how exactly the end is known."""


class Told(NamedTuple):
    """A progress, and how long it was before the end."""

    time: float
    figures: Json


class Story(NamedTuple):
    """What was announced, and when all was there."""

    told: list[Told]
    end: float

    def errors(self, *, after: float = NOW) -> list[float]:
        """By which share of what was left each announcement was wrong, from a tenth of the way on."""
        left = [
            (told.figures["eta_seconds"], self.end - told.time)
            for told in self.told
            if told.time > after and told.figures["done"] >= 0.1
        ]
        return [max(0.0, abs(eta - true) - LOOK_EVERY) / true for eta, true in left if true]


def caught_up(
    folder: Path, house: House, prepare: Callable[[Household], object] = str, interval: float = 600
) -> Story:
    """A daemon that catches up, asked every half minute how it is."""

    async def main(clock: VirtualClock) -> Story:
        async with strict_household(house, folder, clock) as home:
            prepare(home)
            told: list[Told] = []
            async with home.app() as app, daemon(app, interval=interval) as rounds:
                await clock.sleep(1)
                while (figures := await backfill_of(app, rounds.next_poll)) is not None:
                    told.append(Told(clock.now(), figures))
                    await clock.sleep(LOOK_EVERY)
            assert home.differences() == []
            return Story(told, clock.now())

    return run_virtually(main)


async def backfill_of(app: App, next_poll: NextPoll) -> Json | None:
    (account,) = (await status(app, next_poll))["accounts"]
    figures: Json | None = account["backfill"]
    return figures


def synced(folder: Path, house: House, **asked: object) -> Story:
    """One run of `sync`, whose every progress has a new look."""

    async def main(clock: VirtualClock) -> Story:
        async with strict_household(house, folder, clock) as home:
            async with home.app() as app, aclosing(perform(app, "sync", asked)) as events:
                told = [Told(clock.now(), event) async for event in events if event["event"] == "progress"]
            assert home.differences() == []
            return Story(told, clock.now())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netaflux.commands.sync.PROGRESS_EVERY", 0.01)
        patch.setattr("netaflux.commands.sync_run.LOOK_EVERY", 1)
        return run_virtually(main)


@asynccontextmanager
async def strict_household(house: House, folder: Path, clock: VirtualClock) -> AsyncIterator[Household]:
    async with household(World.of(house, netatmo=roomy()), folder, clock=clock) as home:
        home.sections["netatmo.limits"] = STRICT
        home.mirror_all(channels=["Temp_C"])
        yield home


def ended_house(days: float, *gaps: Span) -> House:
    """Two modules that measure no more, so that what is to be done only becomes less."""
    return estate(NOW, modules=2, days=days, gaps=(*gaps, Span(NOW)), measures=("Temperature",))


def test_a_daemon_announces_when_it_will_have_caught_up(tmp_path: Path) -> None:
    """Ninety calls, of which an hour holds 48, and then the next hour the rest."""
    story = caught_up(tmp_path, ended_house(150))
    errors = story.errors()

    assert story.end - NOW > 3600
    assert len(errors) > 100
    assert max(errors) < 0.02


def test_what_is_announced_only_becomes_less(tmp_path: Path) -> None:
    story = caught_up(tmp_path, ended_house(150))
    etas, done = ([told.figures[key] for told in story.told] for key in ("eta_seconds", "done"))

    assert all(later <= before for before, later in pairwise(etas))
    assert all(later >= before for before, later in pairwise(done))


def test_a_gap_makes_nobody_lie(tmp_path: Path) -> None:
    """250 of 400 days are empty, which nobody can know before; once crossed they are done."""
    story = caught_up(tmp_path, ended_house(400, Span(NOW - 350 * DAY, NOW - 100 * DAY)))
    crossed = next(told.time for told in story.told if told.figures["done"] > 250 / 400)
    errors = story.errors(after=crossed)

    assert len(errors) > 100
    assert max(errors) < 0.02


def test_a_refusal_in_the_middle_is_reckoned_with_as_soon_as_it_is_there(tmp_path: Path) -> None:
    def refused(home: Household) -> None:
        home.served.netatmo.faults.add("429/26", "/api/getmeasure", after=40, times=1)

    story = caught_up(tmp_path, ended_house(150), refused, interval=3600)
    errors = story.errors(after=NOW + 150)

    assert story.end - NOW > 2 * 3600
    assert len(errors) > 200
    assert max(errors) < 0.1


def test_rows_that_are_sent_once_more_are_on_their_way_too(tmp_path: Path) -> None:
    """Coverage tells nothing of them: they are there."""
    story = synced(tmp_path, ended_house(150), since="setup", again=True)

    assert max(story.errors()) < 0.1
    assert story.told[-1].figures["done"] == 1


def test_a_run_ends_with_all_done(tmp_path: Path) -> None:
    story = synced(tmp_path, ended_house(2))
    last = story.told[-1].figures

    assert {key: last[key] for key in ("rows", "calls", "modules", "modules_done")} == {
        "rows": 2 * 576,
        "calls": 2,
        "modules": 2,
        "modules_done": 2,
    }
    assert {key: last[key] for key in ("done", "eta_seconds", "rows_left", "calls_left")} == {
        "done": 1,
        "eta_seconds": 0,
        "rows_left": 0,
        "calls_left": 0,
    }


def test_a_module_that_never_took_a_row_has_no_past(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Json | None:
        house = house_of(silent(NOW - 99 * DAY), module_of(12, NOW, kind="NAModule1"))
        async with (
            strict_household(house, tmp_path, clock) as home,
            home.app() as app,
            daemon(app) as rounds,
        ):
            await until(clock, rounds.caught_up)
            return await backfill_of(app, rounds.next_poll)

    assert run_virtually(main) is None


async def test_nothing_is_announced_while_the_destination_is_away(tmp_path: Path) -> None:
    clock = TurnedClock(NOW)
    async with household(World.of(ended_house(9), netatmo=roomy()), tmp_path, clock=clock) as home:
        home.mirror_all(channels=["Temp_C"])
        home.served.fluxtream.faults.add("503", "*")
        async with home.app() as app:
            await performed(app, "sync")
            figures = await backfill_of(app, lambda *_: None)

    assert figures is not None
    assert figures["eta_seconds"] is None
