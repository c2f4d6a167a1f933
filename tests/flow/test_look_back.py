"""Rows that come very late are found by looking back, at no cost where one page reaches there."""

import pytest

from netaflux.core.errors import UpstreamFault
from netaflux.core.events import RowsArrivedLate
from netaflux.core.model import PAGE_ROWS
from tests.flow.scene import ONE, STEP, Scene, at

HOUR, DAY = 3600 // STEP, 86_400 // STEP


def scene() -> Scene:
    """A porch with three weeks of rows, all delivered."""
    played = Scene(page_rows=PAGE_ROWS)
    played.measure(*range(21 * DAY))
    return played


async def passing(played: Scene, first: int, last: int) -> None:
    """Rows come in good time, and are fetched every ten minutes."""
    for number in range(first, last, 12):
        played.measure(*range(number, number + 12))
        await played.sync()


async def test_looking_back_two_days_costs_no_call() -> None:
    played = scene()
    await played.sync()
    calls = len(played.source.calls)

    await passing(played, 21 * DAY, 24 * DAY)

    polls = played.source.calls[calls:]
    assert len(polls) == 3 * DAY // 12
    assert {window.end for _, window in polls} == {None}


async def test_what_comes_a_day_late_arrives() -> None:
    played = scene()
    late = 21 * DAY - 3 * HOUR
    row = played.source.rows[played.module.id].pop(at(late))
    await played.sync()
    played.source.rows[played.module.id][at(late)] = row

    await passing(played, 21 * DAY, 21 * DAY + 12 * HOUR)
    assert late not in played.rows()
    await passing(played, 21 * DAY + 12 * HOUR, 22 * DAY + HOUR)

    assert late in played.rows()
    assert [event.first for event in played.told(RowsArrivedLate)] == [at(late)]


async def test_what_comes_ten_days_late_arrives_within_a_week() -> None:
    played = scene()
    late = 21 * DAY - 4 * DAY
    row = played.source.rows[played.module.id].pop(at(late))
    await played.sync()
    played.source.rows[played.module.id][at(late)] = row

    await passing(played, 21 * DAY, 28 * DAY + HOUR)

    assert late in played.rows()


async def test_a_gap_that_is_filled_later_is_looked_at_after_an_hour() -> None:
    played = scene()
    await played.sync()
    begin, end = 21 * DAY, 21 * DAY + 6 * HOUR
    played.measure(*range(end, end + 2))
    await played.sync()
    played.measure(*range(begin, end))

    await passing(played, end + 2, end + HOUR + 14)

    assert set(range(begin, end)) <= set(played.rows())


async def test_a_gap_of_weeks_is_filled_too_when_its_rows_come_in_the_end() -> None:
    """They are older than the rows that are kept to be compared."""
    played = scene()
    await played.sync()
    begin, end = 21 * DAY, 42 * DAY
    played.measure(*range(end, end + 2))
    await played.sync()
    played.measure(*range(begin, end))

    await passing(played, end + 2, end + HOUR + 14)

    assert set(range(begin, end)) <= set(played.rows())
    assert set(played.to[ONE].writes.values()) == {1}


async def test_looking_back_is_due_until_it_has_succeeded() -> None:
    played = scene()
    await played.sync()
    played.measure(*range(21 * DAY, 28 * DAY + 1))
    await played.poll()
    played.source.failing = True
    with pytest.raises(UpstreamFault):
        await played.account.catch_up(played.module.id)
    assert played.state.looks(played.module.id).week == at(21 * DAY - 1)

    played.source.failing = False
    await played.account.catch_up(played.module.id)

    assert played.state.looks(played.module.id).week == at(28 * DAY)


async def test_two_weeks_are_looked_at_once_below_what_the_poll_reaches() -> None:
    played = scene()
    await played.sync()
    await passing(played, 21 * DAY, 28 * DAY - 12)
    played.source.calls.clear()

    await passing(played, 28 * DAY - 12, 28 * DAY + 12)

    bounded = [window for _, window in played.source.calls if window.end is not None]
    assert bounded[0].begin == at(28 * DAY - 1 - 14 * DAY)
    assert bounded[-1].end == at(28 * DAY - 1 - 2 * DAY)
    assert len(bounded) <= 12 * DAY / PAGE_ROWS + 2
