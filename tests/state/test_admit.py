import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from netaflux.core.errors import StateError
from netaflux.core.model import Admitted, Number, Page, Row
from netaflux.core.spans import Spans
from netaflux.state.open import State, open_state
from netaflux.state.source_rows import RETENTION
from tests.state.samples import BASEMENT, MODULE, StillClock, largest_file, page, series

TEMP, RH, ATTIC = series("Temp_C"), series("RH"), series("Temp_C", device="Attic")
BOTH = ("Temperature", "Humidity")
DAY = 86_400


async def news(state: State, fetched: Page) -> list[int]:
    """The times of the page's rows that are new or other."""
    return list((await state.coverage.admit(MODULE, fetched, [BASEMENT])).news)


async def late(state: State, fetched: Page) -> list[int]:
    """The times of the page's rows that came, or changed, after they were covered."""
    return list((await state.coverage.admit(MODULE, fetched, [BASEMENT])).late)


async def kept(state: State) -> dict[int, dict[str, Number | None]]:
    """The source rows in the database."""
    rows = await state.database.run(
        lambda connection: connection.execute("SELECT time, measures FROM source_rows").fetchall()
    )
    return {time: json.loads(text) for time, text in rows}


async def test_rows_are_kept_with_what_was_fetched_of_them(state: State) -> None:
    await state.coverage.admit(MODULE, page({100: [15.9, 57], 400: [None, 57.5]}, BOTH), [])

    assert await kept(state) == {
        100: {"Temperature": 15.9, "Humidity": 57},
        400: {"Temperature": None, "Humidity": 57.5},
    }


async def test_rows_at_the_live_end_are_not_late(state: State) -> None:
    await state.coverage.grow({TEMP: Spans((1, 399))})

    assert await late(state, page({400: [15.9], 700: [15.9]})) == []
    assert state.coverage.covered(TEMP) == Spans((1, 399))


async def test_a_row_that_appears_among_delivered_ones_is_cut_out(state: State) -> None:
    await state.coverage.admit(MODULE, page({100: [15.9], 700: [15.9]}), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, 700)), RH: Spans((1, 300))})

    fetched = page({100: [15.9], 250: [1.0], 400: [2.0], 700: [15.9]})

    assert await late(state, fetched) == [250, 400]
    assert state.coverage.covered(TEMP) == Spans((1, 249), (251, 399), (401, 700))
    assert state.coverage.covered(RH) == Spans((1, 249), (251, 300))


async def test_the_hole_is_there_after_a_restart_and_the_row_is_no_news_any_more(
    directory: Path, clock: StillClock
) -> None:
    async with open_state(directory, clock) as state:
        await state.coverage.grow({TEMP: Spans((1, 700))})
        await state.coverage.admit(MODULE, page({250: [1.0]}), [BASEMENT])

    async with open_state(directory, clock) as state:
        assert state.coverage.covered(TEMP) == Spans((1, 249), (251, 700))
        await state.coverage.grow({TEMP: Spans((250, 250))})
        assert await late(state, page({250: [1.0]})) == []
        assert state.coverage.covered(TEMP) == Spans((1, 700))


async def test_rows_are_news_also_where_nothing_is_covered(state: State) -> None:
    """Their old values may just be on their way."""
    await state.coverage.admit(MODULE, page({100: [15.9], 400: [15.9]}), [BASEMENT])

    assert await news(state, page({100: [16.0], 400: [15.9], 700: [15.9]})) == [100, 700]


async def test_every_channel_and_destination_of_the_device_is_cut(state: State) -> None:
    all_of_it = [TEMP, RH, series("CO2"), series("Temp_C", destination="one that is away")]
    await state.coverage.grow({one: Spans((1, 700)) for one in all_of_it})

    await state.coverage.admit(MODULE, page({250: [1.0]}), [BASEMENT])

    assert {state.coverage.covered(one) for one in all_of_it} == {Spans((1, 249), (251, 700))}


async def test_what_shares_the_transaction_is_cut_too(state: State) -> None:
    """The mirror does not know yet of what was acknowledged a moment ago."""
    _, admitted = await asyncio.gather(
        state.coverage.grow({TEMP: Spans((1, 700))}),
        state.coverage.admit(MODULE, page({250: [1.0]}), [BASEMENT]),
    )

    assert admitted == Admitted([250], [250])
    assert state.coverage.covered(TEMP) == Spans((1, 249), (251, 700))


async def test_only_the_devices_of_the_module_are_cut(state: State) -> None:
    await state.coverage.grow({TEMP: Spans((1, 700)), ATTIC: Spans((1, 700))})

    await state.coverage.admit(MODULE, page({250: [1.0]}), [BASEMENT])

    assert state.coverage.covered(ATTIC) == Spans((1, 700))


@pytest.mark.parametrize(
    ("stored", "fetched", "is_news", "known"),
    [
        ([15.9, 57], [15.9, 57], False, [15.9, 57]),
        ([15.9, 57], [15.9, 58], True, [15.9, 58]),
        ([15.9, 57], [15.9, 57.0], False, [15.9, 57]),
        ([15.9, 57], [0, 57], True, [0, 57]),
        ([15.9, None], [15.9, 57], True, [15.9, 57]),  # known to have been null: delivered without it
        ([15.9, 57], [15.9, None], False, [15.9, 57]),
        ([15.9, 57], [16.0, None], True, [16.0, 57]),
        ([15.9, None], [15.9, None], False, [15.9, None]),
    ],
)
async def test_a_row_is_news_where_a_value_is_another(
    state: State,
    stored: Sequence[Number | None],
    fetched: Sequence[Number | None],
    is_news: bool,  # noqa: FBT001 - a column of the table
    known: Sequence[Number | None],
) -> None:
    await state.coverage.admit(MODULE, page({100: stored}, BOTH), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, 700))})

    assert await late(state, page({100: fetched}, BOTH)) == ([100] if is_news else [])
    assert await kept(state) == {100: dict(zip(BOTH, known, strict=True))}


@pytest.mark.parametrize("value", [57, None])
async def test_a_measure_fetched_for_the_first_time_is_no_news_but_remembered(
    state: State, value: Number | None
) -> None:
    """As for a channel that is new: the others need not be sent again."""
    await state.coverage.admit(MODULE, page({100: [15.9]}), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, 700))})

    assert await late(state, page({100: [15.9, value]}, BOTH)) == []
    assert await kept(state) == {100: {"Temperature": 15.9, "Humidity": value}}
    assert await late(state, page({100: [58]}, ("Humidity",))) == [100]


async def test_a_row_of_nulls_is_a_row(state: State) -> None:
    await state.coverage.grow({TEMP: Spans((1, 700))})

    assert await late(state, page({100: [None]})) == [100]
    assert await late(state, page({100: [None]})) == []


async def test_numbers_come_back_to_the_last_bit(state: State) -> None:
    values = [0.1 + 0.2, 1e-320, -0.0, 1.7976931348623157e308, 2**53 + 1]
    measures = [f"M{index}" for index in range(len(values))]
    await state.coverage.grow({TEMP: Spans((1, 700))})
    await state.coverage.admit(MODULE, page({100: values}, measures), [BASEMENT])

    assert list((await kept(state))[100].values()) == values
    assert await late(state, page({100: values}, measures)) == []


async def test_the_newest_row_ever_seen_only_rises(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        assert state.coverage.newest(MODULE) is None
        await state.coverage.admit(MODULE, page({400: [1.0], 700: [1.0]}), [])
        await state.coverage.admit(MODULE, page({100: [1.0]}), [])
        assert state.coverage.newest(MODULE) == 700

    async with open_state(directory, clock) as state:
        assert state.coverage.newest(MODULE) == 700


async def test_the_newest_row_is_there_to_look_at(state: State) -> None:
    assert await state.coverage.newest_row(MODULE) is None

    await state.coverage.admit(MODULE, page({400: [1.0, 1], 700: [15.9, None]}, BOTH), [])

    assert await state.coverage.newest_row(MODULE) == (BOTH, Row(700, (15.9, None)))


async def test_an_empty_page_is_nothing(state: State) -> None:
    before = state.database.commits

    assert await state.coverage.admit(MODULE, page({}), [BASEMENT], newest_hint=900) == Admitted()
    assert state.coverage.newest(MODULE) is None
    assert state.database.commits == before


async def test_rows_are_kept_for_fifteen_days_of_device_time(state: State) -> None:
    await state.coverage.admit(MODULE, page({DAY: [1.0], 2 * DAY: [2.0]}), [])

    await state.coverage.admit(MODULE, page({2 * DAY + RETENTION: [3.0]}), [])

    assert RETENTION == 15 * DAY
    assert set(await kept(state)) == {2 * DAY, 2 * DAY + RETENTION}


async def test_a_page_longer_than_that_keeps_its_end_only(state: State) -> None:
    await state.coverage.admit(MODULE, page({1: [1.0], RETENTION: [2.0], RETENTION + 2: [3.0]}), [])

    assert set(await kept(state)) == {RETENTION, RETENTION + 2}


async def test_a_row_long_dropped_is_never_taken_for_a_new_one(state: State) -> None:
    await state.coverage.admit(MODULE, page({100: [1.0]}), [BASEMENT])
    await state.coverage.admit(MODULE, page({100 + DAY + RETENTION: [2.0]}), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, 100 + DAY + RETENTION))})

    assert await state.coverage.admit(MODULE, page({50: [5.0], 100: [6.0]}), [BASEMENT]) == Admitted()
    assert state.coverage.covered(TEMP) == Spans((1, 100 + DAY + RETENTION))


async def test_a_row_in_a_known_gap_is_new_however_old_it_is(state: State) -> None:
    """A module was silent for weeks, and its rows come after all; that there were none is known."""
    end = 100 + DAY + RETENTION
    await state.coverage.admit(MODULE, page({100: [1.0]}), [BASEMENT])
    await state.coverage.admit(MODULE, page({end: [2.0]}), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, end))})

    admitted = await state.coverage.admit(MODULE, page({100: [5.0], 200: [6.0], end: [2.0]}), [BASEMENT])

    assert admitted == Admitted(news=[200], late=[200])
    assert state.coverage.covered(TEMP) == Spans((1, 199), (201, end))


async def test_what_has_filled_a_gap_is_no_news_again(state: State) -> None:
    end = 100 + DAY + RETENTION
    await state.coverage.admit(MODULE, page({100: [1.0]}), [BASEMENT])
    await state.coverage.admit(MODULE, page({end: [2.0]}), [BASEMENT])
    await state.coverage.admit(MODULE, page({200: [6.0], 300: [6.0]}), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, end))})

    assert await state.coverage.admit(MODULE, page({200: [6.0], 300: [6.0]}), [BASEMENT]) == Admitted()


async def test_a_page_that_is_too_old_costs_no_commit(state: State) -> None:
    await state.coverage.admit(MODULE, page({2 * RETENTION: [1.0]}), [BASEMENT])
    before = state.database.commits

    await state.coverage.admit(MODULE, page({time: [1.0] for time in range(0, 1024 * 300, 300)}), [BASEMENT])

    assert state.database.commits == before


async def test_a_page_half_too_old_counts_from_there_on(state: State) -> None:
    since = 1000
    await state.coverage.admit(MODULE, page({since + RETENTION: [1.0]}), [BASEMENT])
    await state.coverage.grow({TEMP: Spans((1, since + RETENTION))})

    assert await late(state, page({since - 1: [1.0], since: [1.0]})) == [since]


async def test_a_page_that_is_known_already_writes_nothing(state: State) -> None:
    await state.coverage.admit(MODULE, page({100: [15.9], 400: [None]}), [BASEMENT])
    changes = await state.database.run(lambda connection: connection.total_changes)

    await state.coverage.admit(MODULE, page({100: [15.9], 400: [None]}), [BASEMENT])

    assert await state.database.run(lambda connection: connection.total_changes) == changes


async def test_a_hint_of_where_the_rows_end_spares_a_backfill_the_keeping(
    directory: Path, clock: StillClock
) -> None:
    hint = 1_690_000_000
    since = hint - RETENTION
    async with open_state(directory, clock) as state:
        await state.coverage.admit(MODULE, page({1000: [1.0], 2000: [1.0]}), [BASEMENT], newest_hint=hint)
        assert state.coverage.newest(MODULE) == 2000
        assert await kept(state) == {}

    async with open_state(directory, clock) as state:
        await state.coverage.admit(MODULE, page({3000: [1.0]}), [BASEMENT], newest_hint=hint)
        assert state.coverage.newest(MODULE) == 3000
        await state.coverage.admit(
            MODULE, page({since - 1: [1.0], since: [1.0]}), [BASEMENT], newest_hint=hint
        )
        assert set(await kept(state)) == {since}


async def test_a_hint_counts_for_a_new_module_only(state: State) -> None:
    await state.coverage.admit(MODULE, page({1000: [1.0]}), [BASEMENT])

    await state.coverage.admit(MODULE, page({2000: [1.0]}), [BASEMENT], newest_hint=1_690_000_000)

    assert set(await kept(state)) == {1000, 2000}


async def test_a_hint_from_the_future_counts_as_now(state: State, clock: StillClock) -> None:
    recent = int(clock.now()) - DAY

    await state.coverage.admit(MODULE, page({recent: [1.0]}), [BASEMENT], newest_hint=2_082_758_400)

    assert set(await kept(state)) == {recent}


async def test_a_page_that_was_not_committed_changes_nothing(state: State) -> None:
    await state.coverage.grow({TEMP: Spans((1, 700))})

    with largest_file(0), pytest.raises(StateError):
        await state.coverage.admit(MODULE, page({250: [1.0]}), [BASEMENT])

    assert state.coverage.covered(TEMP) == Spans((1, 700))
    assert state.coverage.newest(MODULE) is None
    assert await late(state, page({250: [1.0]})) == [250]
