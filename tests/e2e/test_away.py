"""A destination that gives no answer delays nobody but itself."""

from pathlib import Path

from netaflux.core.errors import DestinationDown
from netaflux.core.model import DestinationId, DestinationName
from tests.e2e.freshness import HOUR, told, uploading, watched
from tests.e2e.household import NOW
from tests.virtual import VirtualClock, daemon, run_virtually

AWAY = DestinationName("away")


def test_a_destination_that_gives_no_answer_makes_no_other_wait(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with watched(clock, tmp_path, uploading(3)) as seen:
            seen.home.sections["destinations.away"] = dict(seen.home.sections["destinations.fluxtream"])
            seen.home.sections["destinations.away"]["type"] = "fluxtream"
            async with seen.home.app() as app:

                async def silence() -> DestinationId:
                    await clock.sleep(60)
                    raise DestinationDown("it gives no answer")

                app.doors[AWAY].destination.identify = silence  # type: ignore[method-assign]
                async with daemon(app):
                    await clock.sleep(4 * HOUR)

            waits = seen.waits(NOW + HOUR, clock.now() - 1300, newest=True)
            assert max(waits) < 47, told(waits)

    run_virtually(main, now=NOW)
