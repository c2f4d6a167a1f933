"""A destination that gives no answer delays nobody but itself."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from netaflux.core.errors import DestinationDown
from netaflux.core.model import DestinationId, DestinationName
from tests.e2e.freshness import HOUR, told, uploading, watched
from tests.e2e.household import NOW
from tests.virtual import VirtualClock, daemon, run_virtually

AWAY = DestinationName("away")


def down() -> NoReturn:
    raise DestinationDown("it gives no answer")


def crash() -> NoReturn:
    raise RuntimeError("nobody has thought of this")


@pytest.mark.parametrize("end", [down, crash])
def test_a_destination_that_gives_no_answer_makes_no_other_wait(
    tmp_path: Path, end: Callable[[], NoReturn]
) -> None:
    """After a minute of silence it is down, or has a bug: the others notice neither."""

    async def main(clock: VirtualClock) -> None:
        async with watched(clock, tmp_path, uploading(3)) as seen:
            seen.home.sections["destinations.away"] = dict(seen.home.sections["destinations.fluxtream"])
            seen.home.sections["destinations.away"]["type"] = "fluxtream"
            async with seen.home.app() as app:

                async def silence() -> DestinationId:
                    await clock.sleep(60)
                    end()

                app.doors[AWAY].destination.identify = silence  # type: ignore[method-assign]
                async with daemon(app):
                    await clock.sleep(4 * HOUR)

            waits = seen.waits(NOW + HOUR, clock.now() - 1300, newest=True)
            assert max(waits) < 47, told(waits)

    run_virtually(main, now=NOW)
