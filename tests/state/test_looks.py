"""Gaps are noticed in the transaction that stores the rows, and survive a restart with what was looked at."""

from pathlib import Path

from netaflux.core.lookback import Gap, Looks
from netaflux.core.measures import TEMPERATURE
from netaflux.core.model import ModuleId, Page, Row, Window
from netaflux.state.coverage import StoredCoverage
from netaflux.state.database import Database
from tests.fakes import TurnedClock

PORCH = ModuleId("02:00:00:00:00:01")
T = 1_700_000_000
DAY = 86_400


def page(*times: int) -> Page:
    return Page((TEMPERATURE,), Window(times[0]), [Row(time, (21.5,)) for time in times], len(times))


async def test_what_was_noticed_and_looked_at_is_there_after_a_restart(tmp_path: Path) -> None:
    clock = TurnedClock(T)
    async with Database.open(tmp_path / "db") as database:
        coverage = await StoredCoverage.open(database, clock)
        assert coverage.looks(PORCH) == Looks()
        await coverage.admit(PORCH, page(T, T + 300, T + 9000, T + 9300), [])
        await coverage.looked(PORCH, T + 9300, [Window(T + 5700)])
        noticed = coverage.looks(PORCH)
    async with Database.open(tmp_path / "db") as database:
        again = await StoredCoverage.open(database, clock)

        assert again.looks(PORCH) == noticed == Looks(T + 9300, T + 9300, (Gap(T + 300, T + 9000),))


async def test_a_gap_between_two_pages_is_one_too_and_is_gone_once_it_is_filled(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "db") as database:
        coverage = await StoredCoverage.open(database, TurnedClock(T))
        await coverage.admit(PORCH, page(T, T + 300), [])
        await coverage.admit(PORCH, page(T + 5 * DAY, T + 5 * DAY + 300), [])
        assert coverage.looks(PORCH).gaps == (Gap(T + 300, T + 5 * DAY),)

        await coverage.admit(PORCH, page(*range(T + 600, T + 5 * DAY, 300)), [])

        assert coverage.looks(PORCH).gaps == ()


async def test_rows_that_are_known_already_change_nothing(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "db") as database:
        coverage = await StoredCoverage.open(database, TurnedClock(T))
        await coverage.admit(PORCH, page(T, T + 9000), [])
        await coverage.looked(PORCH, T + 9000 + 8 * DAY, [Window(T)])
        assert coverage.looks(PORCH).gaps == ()

        await coverage.admit(PORCH, page(T, T + 9000), [])

        assert coverage.looks(PORCH).gaps == ()
