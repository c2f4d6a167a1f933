import asyncio
from pathlib import Path

import pytest

from netaflux.core.errors import StateError
from netaflux.core.model import ChannelName, DestinationId, DeviceName, Row, SetAside
from netaflux.core.spans import Spans
from netaflux.state.open import State, open_state
from tests.state.samples import BASEMENT, MODULE, StillClock, largest_file, page, series

TEMP, RH = series("Temp_C"), series("RH")


def refused(time: int, reason: str = "no", device: str = "Basement") -> SetAside:
    channels = (ChannelName("Temp_C"), ChannelName("RH"))
    return SetAside(DestinationId("flux#7"), DeviceName(device), channels, Row(time, (15.9, None)), reason)


async def written(state: State) -> list[tuple[object, ...]]:
    query = 'SELECT channel, begin, "end" FROM coverage ORDER BY 1, 2'
    return await state.database.run(lambda connection: connection.execute(query).fetchall())


async def test_a_series_never_seen_is_not_covered(state: State) -> None:
    assert state.coverage.covered(TEMP) == Spans()


async def test_what_is_grown_is_covered_also_after_a_restart(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.coverage.grow({TEMP: Spans((1, 4), (9, 9)), RH: Spans((2, 3))})
        assert state.coverage.covered(TEMP) == Spans((1, 4), (9, 9))

    async with open_state(directory, clock) as state:
        assert state.coverage.covered(TEMP) == Spans((1, 4), (9, 9))
        assert state.coverage.covered(RH) == Spans((2, 3))


async def test_spans_that_touch_become_one(state: State) -> None:
    await state.coverage.grow({TEMP: Spans((1, 4), (20, 30))})

    await state.coverage.grow({TEMP: Spans((5, 9), (15, 19))})

    assert state.coverage.covered(TEMP) == Spans((1, 9), (15, 30))
    assert await written(state) == [("Temp_C", 1, 9), ("Temp_C", 15, 30)]


async def test_what_was_covered_already_writes_nothing(state: State) -> None:
    await state.coverage.grow({TEMP: Spans((1, 40))})
    changes = await state.database.run(lambda connection: connection.total_changes)

    await state.coverage.grow({TEMP: Spans((5, 9), (20, 40))})

    assert await state.database.run(lambda connection: connection.total_changes) == changes


async def test_growing_by_nothing_costs_no_commit(state: State) -> None:
    before = state.database.commits

    await state.coverage.grow({TEMP: Spans()})

    assert state.database.commits == before


async def test_many_grow_at_once_without_losing_one(state: State) -> None:
    await asyncio.gather(
        *(state.coverage.grow({TEMP: Spans((begin, begin + 9))}) for begin in range(0, 1000, 10))
    )

    assert state.coverage.covered(TEMP) == Spans((0, 999))
    assert await written(state) == [("Temp_C", 0, 999)]


async def test_what_is_acknowledged_while_the_disk_is_busy_is_recorded_together(state: State) -> None:
    """The first goes at once, all others while that is being committed; a commit is a wait for the disk."""
    before = state.database.commits

    await asyncio.gather(
        *(state.coverage.grow({TEMP: Spans((begin, begin + 9))}) for begin in range(0, 1000, 20))
    )

    assert state.database.commits <= before + 2
    assert len(state.coverage.covered(TEMP).pairs) == 50


async def test_a_hole_is_cut_after_all_that_was_acknowledged_before(state: State) -> None:
    """Else what waits to be recorded, with the old value, would fill the hole of the new one."""
    await state.coverage.admit(MODULE, page({100: (20.5,), 200: (20.5,), 300: (20.5,)}), {BASEMENT})
    growths = [
        asyncio.ensure_future(state.coverage.grow({TEMP: Spans((time, time))})) for time in (100, 200, 300)
    ]
    await asyncio.sleep(0)
    assert state.coverage.covered(TEMP) == Spans()

    await state.coverage.admit(MODULE, page({300: (21.0,)}), {BASEMENT})
    await asyncio.gather(*growths)

    assert state.coverage.covered(TEMP) == Spans((100, 100), (200, 200))


async def test_whoever_stops_waiting_takes_nothing_back(state: State) -> None:
    growths = [
        asyncio.ensure_future(state.coverage.grow({TEMP: Spans((time, time))})) for time in (10, 20, 30)
    ]
    await asyncio.sleep(0)
    for growth in growths[1:]:
        growth.cancel()
    await asyncio.wait(growths)
    await state.coverage.grow({TEMP: Spans((40, 40))})

    assert state.coverage.covered(TEMP) == Spans((10, 10), (20, 20), (30, 30), (40, 40))


async def test_what_was_not_committed_is_not_covered(state: State) -> None:
    await state.coverage.grow({TEMP: Spans((1, 4))})

    with largest_file(0), pytest.raises(StateError):
        await state.coverage.grow({TEMP: Spans((5, 9)), RH: Spans((5, 9))})

    assert state.coverage.covered(TEMP) == Spans((1, 4))
    assert state.coverage.covered(RH) == Spans()


async def test_a_wait_that_is_cancelled_leaves_the_mirror_true(state: State) -> None:
    growing = asyncio.ensure_future(state.coverage.grow({TEMP: Spans((1, 4))}))
    await asyncio.sleep(0)
    growing.cancel()
    await asyncio.wait([growing])
    await state.database.probe()

    assert growing.cancelled()
    assert state.coverage.covered(TEMP) == Spans((1, 4))


async def test_rows_set_aside_are_listed_newest_first_and_counted(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.coverage.grow({TEMP: Spans((1, 9))}, [refused(3), refused(7), refused(5, device="Attic")])

    async with open_state(directory, clock) as state:
        assert await state.rows_aside.newest() == [refused(7), refused(5, device="Attic"), refused(3)]
        assert await state.rows_aside.newest(limit=1) == [refused(7)]
        counted = {("flux#7", "Basement"): 2, ("flux#7", "Attic"): 1}
        assert await state.rows_aside.counts() == counted
        assert await state.rows_aside.refused_since(clock.now() - 1) == counted
        assert await state.rows_aside.refused_since(clock.now()) == {}


async def test_a_row_refused_again_stands_there_once_with_the_newest_reason(state: State) -> None:
    await state.coverage.grow({}, [refused(3)])
    await state.coverage.grow({}, [refused(3, "still no")])

    assert await state.rows_aside.newest() == [refused(3, "still no")]


async def test_a_refused_row_that_has_changed_will_be_sent_again_and_stands_aside_no_more(
    state: State,
) -> None:
    await state.coverage.admit(MODULE, page({3: [15.9], 7: [15.9]}), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, 9))}, [refused(3), refused(7), refused(7, device="Attic")])

    await state.coverage.admit(MODULE, page({3: [15.9], 7: [16.0]}), [BASEMENT])

    assert await state.rows_aside.newest() == [refused(7, device="Attic"), refused(3)]
