"""The source against the simulated Netatmo: every row of it, through a real connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from netaflux.core.errors import QuotaReached
from netaflux.core.model import PAGE_ROWS, Lane, Module, Row, Window
from netaflux.core.ports import Source
from netaflux.simulator import UNLIMITED, Fault, NetatmoSettings, Reading, Served, Span, World, estate, serve
from netaflux.sources.refusals import REFUSALS
from netaflux.sources.stations import StationSource
from tests.fakes import TurnedClock
from tests.netatmo.world import Keeper, wired

NOW = 1_700_000_000
DAYS = 5
BEGIN = NOW - DAYS * 86_400
GAP = Span(BEGIN + 9_000, BEGIN + 50_000)

DateEnd = Literal["included", "excluded"]


@asynccontextmanager
async def source(date_end: DateEnd = "excluded") -> AsyncIterator[tuple[Source, Served]]:
    """A source whose account has one station of five modules, and the truth about them."""
    settings = NetatmoSettings(limits=UNLIMITED, reading=Reading(date_end=date_end))
    world = World.of(estate(NOW, days=DAYS, nulls=0.05, ragged=0.05, gaps=(GAP,)), netatmo=settings)
    clock = TurnedClock(NOW)
    async with serve(world, clock) as served:
        pair = served.netatmo.logins.current("default")
        assert pair
        async with wired(served.netatmo_url, keeper=Keeper(pair.access), clock=clock) as connected:
            yield StationSource(connected.client), served


def truth(served: Served, module: Module, window: Window) -> list[Row]:
    """What the simulated Netatmo holds, in the order of the module's measures."""
    names = served.house.module(module.id).measures
    rows = served.house.rows(module.id, window.begin, window.end or NOW + 1, NOW)
    return [Row(row.time, tuple(row.values[names.index(each)] for each in module.measures)) for row in rows]


async def all_rows(source: Source, module: Module, window: Window) -> tuple[list[Row], int]:
    """Every row of a window, page after page, and how many pages that took."""
    rows, pages = list[Row](), 0
    while True:
        page = await source.page(module, module.measures, window, Lane.HISTORY)
        rows, pages = [*rows, *page.rows], pages + 1
        assert page.aside == 0
        if not page.full or page.last is None:
            return rows, pages
        window = Window(page.last + 1, window.end)


async def test_a_survey_finds_every_module_of_the_house() -> None:
    async with source() as (netatmo, served):
        survey = await netatmo.survey()

    assert [(module.id, module.kind, module.name) for module in survey.modules] == [
        (unit.id, unit.kind, unit.name) for unit in served.house.modules
    ]
    assert [set(module.measures) for module in survey.modules] == [
        set(unit.measures) for unit in served.house.modules
    ]
    assert {module.station for module in survey.modules} == {served.house.stations[0].base.id}
    assert survey.server_time == NOW


@pytest.mark.parametrize("date_end", ["included", "excluded"])
async def test_every_row_comes_once_whatever_date_end_means(date_end: DateEnd) -> None:
    """Over a gap, with nulls and ragged rows, in two windows that meet."""
    async with source(date_end) as (netatmo, served):
        for module in (await netatmo.survey()).modules:
            # in the midst of the rows, and at one of them
            middle = truth(served, module, Window(BEGIN))[700].time
            before, _ = await all_rows(netatmo, module, Window(BEGIN, middle))
            after, _ = await all_rows(netatmo, module, Window(middle))

            assert before + after == truth(served, module, Window(BEGIN))


async def test_pages_are_as_few_as_the_rows_allow() -> None:
    async with source() as (netatmo, served):
        module = (await netatmo.survey()).modules[0]
        rows, pages = await all_rows(netatmo, module, Window(BEGIN))

    assert PAGE_ROWS < len(rows) == len(truth(served, module, Window(BEGIN)))
    assert pages == 2


async def test_a_limit_that_is_reached_is_waited_for() -> None:
    async with source() as (netatmo, served):
        served.netatmo.faults.add(Fault.QUOTA_429, "/api/getstationsdata", times=2)
        began = served.clock.monotonic()
        survey = await netatmo.survey()

    assert survey.modules
    assert served.clock.monotonic() - began >= 1200


async def test_one_that_is_reached_for_ever_is_told_after_hours() -> None:
    async with source() as (netatmo, served):
        served.netatmo.faults.add(Fault.QUOTA_429, "/api/getstationsdata")
        with pytest.raises(QuotaReached):
            await netatmo.survey()

    assert served.netatmo.ledger.counts["/api/getstationsdata"] == REFUSALS
