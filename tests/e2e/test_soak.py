"""A daemon's life of days, or in `prove` of months: nothing of it grows but by the rows that it keeps."""

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from netaflux.simulator import FluxtreamSettings, House, Uploads, World, estate
from netaflux.state.open import DATABASE
from tests.e2e.household import NOW, Household, household, roomy
from tests.virtual import VirtualClock, daemon, run_virtually, until

HOUR, DAY = 3600, 86_400
MODULES, DAYS = 12, 4
ROWS = MODULES * 288
"""A day's."""
BYTES = 120
"""What the time and the values of a row take on the disk."""
KEPT = 16
"""Days after which nothing is kept of a row but that it is there."""


class Figures(NamedTuple):
    """What a day's end finds."""

    objects: int
    """Of netaflux's own kinds, in memory."""
    everything: int
    """Whatever the collector knows, the simulated world's own included."""
    handles: int
    database: int
    """Bytes."""
    calls: int
    """To Netatmo on that day."""


def uploading() -> House:
    """A station that uploads every hour: rows are as many as ever, and the days pass sooner."""
    house = estate(NOW, modules=MODULES, days=1, missed=0.02)
    (station,) = house.stations
    house.put(replace(station, uploads=Uploads(int(NOW - DAY), every=HOUR)))
    return house


def is_ours(thing: object) -> bool:
    name = str(type(thing).__module__)
    return name.startswith("netaflux.") and not name.startswith("netaflux.simulator")


def in_memory() -> tuple[int, int]:
    """How many things of netaflux's own kinds there are, and of all kinds that the collector knows."""
    gc.collect()
    things = gc.get_objects()
    return sum(map(is_ours, things)), len(things)


def figures(home: Household, calls: int, before: tuple[int, int]) -> Figures:
    """What there is now; `before` is what other tests have left in memory."""
    (ours, everything), state = in_memory(), home.folder / "state"
    return Figures(
        objects=ours - before[0],
        everything=everything - before[1],
        handles=len(list(Path("/proc/self/fd").iterdir())),
        database=sum(file.stat().st_size for file in state.glob(f"{DATABASE}*")),
        calls=home.served.netatmo.ledger.counts.total() - calls,
    )


@pytest.mark.timeout(1200)
def test_a_long_life_grows_by_nothing_but_its_rows(tmp_path: Path, scale: int, record_property: Any) -> None:
    days = DAYS if scale == 1 else max(14, 6 * scale)

    async def main(clock: VirtualClock) -> None:
        world = World.of(uploading(), netatmo=roomy(keep_calls=1), fluxtream=FluxtreamSettings(keep_calls=1))
        found, before = list[Figures](), in_memory()
        async with household(world, tmp_path, clock=clock) as home:
            home.mirror_all(channels=["Temp_C", "RH", "Rain", "WindStrength"])
            async with home.app() as app, daemon(app) as rounds:
                for _ in range(days):
                    calls = home.served.netatmo.ledger.counts.total()
                    await clock.sleep(DAY)
                    home.listener.events.clear()
                    found.append(figures(home, calls, before))
                rounds.ring_all()
                await until(clock, rounds.caught_up)
            record_property("first day", found[0])
            record_property("last day", found[-1])
            assert home.differences() == []
            assert_flat(found)

    run_virtually(main, now=NOW)


def assert_flat(found: Sequence[Figures]) -> None:
    first, last = found[0], found[-1]
    # what is at hand at a day's end differs by a poll's worth; one object a row would be thousands
    assert max(each.objects for each in found) <= 1.5 * min(each.objects for each in found), found
    # the simulated world keeps rows of a week at hand; of netaflux there is nothing in it that grows
    assert max(each.everything for each in found) <= first.everything + 7 * ROWS, found
    assert max(each.handles for each in found) <= first.handles + 4, found
    # the first day fetches a day of history, too; once a week looking back is dearer
    assert max(each.calls for each in found) <= 1.25 * first.calls, found
    assert last.database <= first.database + min(len(found), KEPT) * ROWS * BYTES, found
    if len(found) > 2 * KEPT:
        assert last.database <= 1.1 * found[KEPT].database, found
