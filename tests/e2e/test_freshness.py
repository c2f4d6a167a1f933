"""A station of twelve modules on the virtual clock: how soon its rows arrive, and how many calls that takes.

Uploads come every 605 ± 5 s and can be had 0 to 30 s later. Polled plainly every ten minutes, such a station
takes 72 calls an hour, and a newest row waits 296 s in the median; every five minutes, 144 calls and 136 s.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from netaflux.core.events import CadenceRestored, CadenceStretched, EarlyRowsStopped
from netaflux.simulator import Fault, NetatmoSettings, Showing
from tests.e2e.freshness import DAY, HOUR, Watched, busiest_hour, told, uploading, watched
from tests.e2e.household import NOW
from tests.virtual import VirtualClock, daemon, run_virtually

SPANS = [
    pytest.param(8 * HOUR, id="8h"),
    pytest.param(7 * DAY, id="7d", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
]
TIGHT = {"per_10_seconds": 20, "per_hour": 160, "app_per_10_seconds": 20, "app_per_hour": 160}
SHORT = {"per_10_seconds": 20, "per_hour": 40, "app_per_10_seconds": 20, "app_per_hour": 40}


@dataclass
class Lived:
    """A while of a daemon's life, after its first hour: that one fetches what lay there before."""

    seen: Watched
    begin: float
    end: float

    def waits(self, *, newest: bool = False, margin: float = 1300) -> list[float]:
        """See `Watched.waits`; rows of the last minutes are still on their way."""
        return self.seen.waits(self.begin, self.end - margin, newest=newest)

    @property
    def calls_per_hour(self) -> float:
        """In the mean."""
        return len(self.seen.calls(self.begin)) * HOUR / (self.end - self.begin)

    @property
    def busiest_hour(self) -> int:
        """The most calls of any hour."""
        return busiest_hour(self.seen.calls(self.begin))

    def figures(self, waits: list[float]) -> str:
        """For the person who reads why a test failed."""
        return f"{told(waits)}; {self.calls_per_hour:.1f} calls an hour, {self.busiest_hour} in the busiest"


@asynccontextmanager
async def living(
    clock: VirtualClock,
    folder: Path,
    span: float,
    *,
    limits: dict[str, int] | None = None,
    skew: int = 0,
    **odd: Any,
) -> AsyncIterator[Lived]:
    settings = NetatmoSettings(showing=Showing(skew=skew, derived=False))
    async with watched(clock, folder, uploading(12, **odd), settings) as seen:
        if limits:
            seen.home.sections["netatmo.limits"] = limits
        async with seen.home.app() as app, daemon(app):
            await clock.sleep(HOUR + span)
            yield Lived(seen, NOW + HOUR, clock.now())


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("missed", [0, 0.05], ids=["plain", "radio"])
def test_newest_rows_arrive_within_seconds_and_all_within_eleven_minutes(
    tmp_path: Path, span: float, missed: float
) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path, span, missed=missed) as life:
            every, newest = life.waits(), life.waits(newest=True)

            assert len(every) > 12 * (span - 1300) / 300 * 0.98
            assert median(newest) <= 20, life.figures(newest)
            assert max(every) <= 11 * 60, life.figures(every)
            assert life.calls_per_hour <= 86, life.figures(every)
            assert life.busiest_hour <= 90, life.figures(every)
            assert not life.seen.home.told(EarlyRowsStopped)

    run_virtually(main, now=NOW)


@pytest.mark.parametrize("span", SPANS)
def test_a_thrifty_account_gets_its_newest_rows_as_soon_and_the_rows_between_within_an_hour(
    tmp_path: Path, span: float
) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path, span, limits=SHORT, missed=0.05) as life:
            every, newest = life.waits(margin=65 * 60), life.waits(newest=True)

            assert median(newest) <= 20, life.figures(newest)
            assert max(every) <= 65 * 60, life.figures(every)
            assert life.calls_per_hour <= 20, life.figures(every)
            assert life.busiest_hour <= 24, life.figures(every)
            assert [told.hours for told in life.seen.home.told(CadenceStretched)] == [1]

    run_virtually(main, now=NOW)


@pytest.mark.parametrize("limits", [None, SHORT], ids=["roomy", "thrifty"])
def test_where_surveys_tell_another_time_no_row_arrives_that_getmeasure_did_not_give(
    tmp_path: Path, limits: dict[str, int] | None
) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path, 6 * HOUR, limits=limits, skew=1) as life:
            home = life.seen.home
            real = {
                (device["name"], row.time)
                for device in home.devices
                for row in home.served.house.rows(device["module"], 0, life.end, life.end)
            }

            assert life.seen.arrived.keys() <= real
            assert max(life.waits(margin=65 * 60)) <= (65 if limits else 11) * 60
            assert life.busiest_hour <= (24 if limits else 90)
            assert {event.module for event in home.told(EarlyRowsStopped)} == {
                device["module"] for device in home.devices
            }

    run_virtually(main, now=NOW)


def test_thrift_begins_with_a_refusal_and_ends_by_itself(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path, HOUR) as life:
            home = life.seen.home
            home.served.netatmo.faults.add(Fault.QUOTA_429, "/api/getmeasure", times=1)
            refused = clock.now()
            await clock.sleep(2 * HOUR)
            assert [event.hours for event in home.told(CadenceStretched)] == [1]
            assert not home.told(CadenceRestored)
            # half of what was made in the hour before the refusal
            assert len(life.seen.calls(refused + 900)) <= 45

            await clock.sleep(4 * HOUR)

            assert len(home.told(CadenceRestored)) == 1
            assert len(life.seen.calls(clock.now() - HOUR)) > 70
            assert max(life.seen.waits(life.begin, clock.now() - 1300)) <= 80 * 60

    run_virtually(main, now=NOW)


@pytest.mark.parametrize(
    ("limits", "history"),
    [
        pytest.param(TIGHT, 50, id="tight"),
        pytest.param(None, 250, id="default", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_a_backfill_beside_it_delays_no_row_by_more_than_fifteen_seconds(
    tmp_path: Path, limits: dict[str, int] | None, history: int
) -> None:
    """Years of twelve modules, which take all the while."""

    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path, 3 * HOUR, limits=limits, days=900) as life:
            waits, calls = life.waits(), life.seen.calls(clock.now() - HOUR)

            assert max(waits) <= 47 + 15, life.figures(waits)
            assert len(calls) > 72 + history, "the backfill goes on all the time"

    run_virtually(main, now=NOW)
