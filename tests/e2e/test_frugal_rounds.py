"""What goes wrong for long is not asked for again and again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from netaflux.app import App
from netaflux.core.errors import UpstreamFault
from netaflux.core.model import AccountName, SourceName, Survey
from netaflux.flow.account import Account
from netaflux.flow.errand import Carried
from netaflux.simulator import Fault
from tests.e2e.freshness import HOUR, Watched, busiest_hour, uploading, watched
from tests.e2e.household import NOW
from tests.virtual import VirtualClock, daemon, run_virtually


def living(
    folder: Path, scenario: Callable[[VirtualClock, Watched, App], Awaitable[None]], *, modules: int
) -> None:
    async def main(clock: VirtualClock) -> None:
        async with (
            watched(clock, folder, uploading(modules)) as seen,
            seen.home.app() as app,
            daemon(app),
        ):
            await clock.sleep(HOUR)
            await scenario(clock, seen, app)

    run_virtually(main, now=NOW)


def _account(app: App) -> Account:
    return app.accounts[AccountName("default")].kinds[SourceName.STATIONS]


def test_modules_that_vanish_one_by_one_cost_no_surveys_of_their_own(tmp_path: Path) -> None:
    async def scenario(clock: VirtualClock, seen: Watched, app: App) -> None:
        source, gone = _account(app)._source, 0
        survey = source.survey

        async def shrunk() -> Survey:
            found = await survey()
            return replace(found, modules=found.modules[: len(found.modules) - gone])

        source.survey = shrunk  # type: ignore[method-assign]  # to take modules away
        for gone in range(1, 5):  # noqa: B007 - seen by `shrunk`
            app_round = clock.now()
            await clock.sleep(700)
        begin = app_round + 700
        await clock.sleep(4 * HOUR)

        surveys = [call for call in seen.calls(begin) if call.endpoint == "/api/getstationsdata"]
        assert len(surveys) <= 4 * 6 * 1.5

    living(tmp_path, scenario, modules=6)


def test_a_past_that_cannot_be_had_is_tried_hourly(tmp_path: Path) -> None:
    async def scenario(clock: VirtualClock, seen: Watched, app: App) -> None:
        tries = 0

        async def refused(*_: object, **__: object) -> Carried:
            nonlocal tries
            tries += 1
            raise UpstreamFault("Netatmo fails")

        _account(app).catch_up = refused  # type: ignore[method-assign]  # to count
        await clock.sleep(12 * HOUR)

        assert 12 <= tries <= 16

    living(tmp_path, scenario, modules=1)


def test_while_all_calls_for_rows_fail_they_are_few_and_newest_rows_come_all_the_same(tmp_path: Path) -> None:
    async def scenario(clock: VirtualClock, seen: Watched, app: App) -> None:
        seen.home.served.netatmo.faults.add(Fault.ERROR_500, "/api/getmeasure")
        begin = clock.now()
        await clock.sleep(4 * HOUR)

        assert busiest_hour(seen.calls(begin + HOUR)) <= 110
        assert busiest_hour(seen.calls(begin)) <= 180
        # the newest rows come from the surveys, nearly as soon as ever
        assert max(seen.waits(begin + HOUR, clock.now() - 1300, newest=True)) <= 75

    living(tmp_path, scenario, modules=12)
