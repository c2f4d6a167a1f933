"""What fails for days is told when it begins, once a day while it lasts, and when it is over."""

from collections import Counter
from pathlib import Path

import pytest

from netaflux.core.events import FailuresCounted, PollRecovered
from netaflux.core.model import AccountName
from netaflux.simulator import Fault
from tests.e2e.freshness import DAY, HOUR, uploading, watched
from tests.e2e.household import NOW
from tests.virtual import VirtualClock, daemon, run_virtually

DAYS = 2
DEFAULT = AccountName("default")
TELL = {"account.failed", "account.recovered", "destination.failed", "destination.recovered"}
TELL |= {"poll.failed", "poll.recovered", "failures.counted"}


@pytest.mark.parametrize(
    ("netatmo", "where", "begins", "counted", "ends"),
    [
        (True, "/api/*", "account.failed", "account default/stations", "account.recovered"),
        (True, "/api/getmeasure", "poll.failed", "module", "poll.recovered"),
        (False, "*", "destination.failed", "destination fluxtream", "destination.recovered"),
    ],
)
def test_a_failure_is_told_then_counted_once_a_day_then_its_end(
    tmp_path: Path, where: str, begins: str, counted: str, ends: str, *, netatmo: bool
) -> None:
    async def main(clock: VirtualClock) -> None:
        async with watched(clock, tmp_path, uploading(1)) as seen:
            served = seen.home.served
            faults = served.netatmo.faults if netatmo else served.fluxtream.faults
            async with seen.home.app() as app, daemon(app):
                await clock.sleep(HOUR)
                faults.add(Fault.ERROR_503, where)
                await clock.sleep((DAYS + 0.5) * DAY)
                faults.clear()
                await clock.sleep(3 * HOUR)
            told = Counter(event.name for event in seen.home.listener.events if event.name in TELL)
            again = seen.home.told(FailuresCounted)

            assert told[begins] == told[ends] == 1
            assert told["failures.counted"] == DAYS
            assert all(event.subject.startswith(counted) for event in again)
            assert [event.failures for event in again] == sorted({event.failures for event in again})
            assert again[0].failures > 3

    run_virtually(main, now=NOW)


@pytest.mark.parametrize("where", ["/api/*", "/api/getmeasure"])
def test_status_tells_why_it_fails_just_now(tmp_path: Path, where: str) -> None:
    """What began as one trouble may have become another, with another remedy."""

    async def main(clock: VirtualClock) -> None:
        async with watched(clock, tmp_path, uploading(1)) as seen:
            faults = seen.home.served.netatmo.faults
            async with seen.home.app() as app, daemon(app):
                await clock.sleep(HOUR)
                (module,) = app.record.polled
                faults.add(Fault.ERROR_503, where)
                await clock.sleep(2 * HOUR)
                first = app.record.trouble(module, DEFAULT, "stations")
                faults.clear()
                faults.add(Fault.RESET_BEFORE, where)
                await clock.sleep(2 * HOUR)
                then = app.record.trouble(module, DEFAULT, "stations")

            assert first is not None
            assert then is not None
            assert "HTTP 503" in str(first["reason"])
            assert "gives no answer" in str(then["reason"])
            assert then["since"] == first["since"]
            assert int(str(then["count"])) > int(str(first["count"])) > 1

    run_virtually(main, now=NOW)


def test_a_module_whose_past_alone_failed_has_recovered_when_that_succeeds(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with watched(clock, tmp_path, uploading(1, days=20)) as seen:
            # the first call is of the live end, those after it are of the past
            faults = seen.home.served.netatmo.faults
            failing = faults.add(Fault.ERROR_503, "/api/getmeasure", after=1, times=3)
            async with seen.home.app() as app, daemon(app):
                await clock.sleep(6 * HOUR)
            told = [event.name for event in seen.home.listener.events if event.name in TELL]

            assert failing.struck == 3
            assert told == ["poll.failed", "poll.recovered"]
            assert seen.home.told(PollRecovered)[0].failures > 0

    run_virtually(main, now=NOW)
