"""Killed at random moments of a backfill it goes on from what it has: hardly anything is done again."""

import asyncio
import signal
from pathlib import Path
from random import Random

import pytest

from netaflux.flow.errand import FETCHES
from netaflux.simulator import World
from tests.system.nursery import Nursery
from tests.system.program import Program, until
from tests.system.world import Outside, a_world, served

MODULES = 2
IN_HAND = 32
"""Pages that may be on their way to Fluxtream besides those that are fetched."""


def slow(kills: int) -> World:
    """A Fluxtream that takes its time, and more pages than all the processes together bring."""
    return a_world(modules=MODULES, days=max(180, 14 * kills), latency=0.05)


@pytest.mark.parametrize("kills", [5, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
async def test_no_kill_costs_more_than_what_was_on_its_way(
    nursery: Nursery, folder: Path, kills: int
) -> None:
    with served(slow(kills)) as outside:
        await undisturbed(Program(nursery, folder, outside.sections(), outside.devices()), outside)
        pages, uploads = outside.pages, outside.uploads
    (folder / "killed").mkdir()
    with served(slow(kills)) as outside:
        netaflux = Program(nursery, folder / "killed", outside.sections(), outside.devices())
        for number in range(kills):
            await killed(netaflux, outside, Random(number).uniform(0, 0.25))  # noqa: S311 - the same again
        begun = outside.pages
        await undisturbed(netaflux, outside)

        assert outside.pages > begun + MODULES, "nothing was left for the last run"
        # each start polls the modules, too
        assert outside.pages <= pages + kills * (FETCHES + IN_HAND + MODULES)
        assert outside.uploads <= uploads + kills * (IN_HAND + MODULES)


async def undisturbed(netaflux: Program, outside: Outside) -> None:
    assert (await netaflux("sync")).code == 0
    assert outside.differences() == []


async def killed(netaflux: Program, outside: Outside, after: float) -> None:
    """A life that ends so many seconds after its first page."""
    before = outside.pages
    async with netaflux.starting(*netaflux.command("sync")) as running:
        await until(lambda: outside.pages > before)
        await asyncio.sleep(after)
        running.signal(signal.SIGKILL)
        assert (await running.ended()).code == -signal.SIGKILL, "it had nothing more to do"
