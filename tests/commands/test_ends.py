"""Until when something shall last, as people write it."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from netaflux.commands.ends import end_of
from netaflux.core.errors import UsageError

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("now", "until", "minutes"),
    [
        (at("2026-06-01T10:00"), "22:30", 750),
        (at("2026-06-01T22:30"), "22:30", 1440),
        # the clocks are turned back from 03:00 to 02:00
        (at("2026-10-25T01:50"), "02:30", 40),
        (at("2026-10-25T02:10"), "02:30", 20),
        (at("2026-10-25T02:40"), "02:30", 50),
        (at("2026-10-25T02:10", fold=1), "02:30", 20),
        (at("2026-10-25T02:40", fold=1), "02:30", 1430),
        # and forward from 02:00 to 03:00
        (at("2026-03-29T01:50"), "03:30", 40),
        (at("2026-03-28T22:00"), "07:00", 480),
    ],
)
def test_a_time_of_day_is_the_next_one_that_the_clocks_show(now: float, until: str, minutes: int) -> None:
    assert end_of(until, now, "Europe/Berlin") == now + minutes * 60


@pytest.mark.parametrize("text", ["99999999d", "soon", "25:00", "setup", "-2h"])
def test_what_is_no_end_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--until"):
        end_of(text, at("2026-06-01T10:00"), "Europe/Berlin")
