"""What a house has measured, at any moment."""

from itertools import pairwise
from typing import Any

import pytest

from netaflux.simulator import Change, House, Late, Module, Span, Station, Uploads, estate

NOW = 1_700_000_000
DAY = 86_400


def house_with(**odd: Any) -> House:
    """One base unit with a day of history."""
    return estate(NOW, modules=1, days=1, **odd)


def times(house: House, begin: float = 0, end: float = float("inf"), at: float = NOW) -> list[int]:
    return [row.time for row in house.rows(house.modules[0].id, begin, end, at)]


def test_rows_are_there_from_their_own_moment_on() -> None:
    house = house_with()

    assert len(times(house)) == 288
    assert times(house, at=NOW + 600)[:288] == times(house)
    assert len(times(house, at=NOW + 600)) == 290


def test_a_window_holds_its_begin_and_not_its_end() -> None:
    house = house_with()
    first, second, third, *_ = times(house)

    assert times(house, first, third) == [first, second]


def test_a_gap_stays_a_gap_and_the_rest_does_not_move() -> None:
    whole = times(house_with())
    gap = Span(NOW - 40_000, NOW - 20_000)

    assert times(house_with(gaps=(gap,))) == [t for t in whole if not gap.begin <= t < gap.end]


@pytest.mark.parametrize("late", [3, 30, 300])
def test_the_newest_row_is_the_newest_that_is_there(late: int) -> None:
    """However long the stretch after it that has not come yet, and though a gap lies before."""
    gap = Span(NOW - 90 * 3600, NOW - 80 * 3600)
    house = estate(NOW, modules=1, days=20, gaps=(gap,), late=(Late(NOW - late * 3600, NOW, NOW + 1),))

    newest = house.history(house.modules[0].id).newest(NOW)
    assert newest is not None
    assert newest.time == times(house)[-1]


def test_an_open_gap_ends_a_history() -> None:
    house = house_with(gaps=(Span(NOW - 3600),))

    newest = house.history(house.modules[0].id).newest(NOW)
    assert newest is not None
    assert newest.time == times(house)[-1] < NOW - 3600


def test_rows_on_demand_stand_between_the_others() -> None:
    whole = times(house_with())
    between = whole[10] + 16

    assert times(house_with(extras=(between, whole[20]))) == sorted([*whole, between])


def test_a_late_row_is_seen_from_its_moment_on() -> None:
    house = house_with()
    late = times(house)[100]
    house.change(house.modules[0].id, late=(Late(late, late + 1, NOW + 50),))

    assert late not in times(house, at=NOW + 49)
    assert late in times(house, at=NOW + 50)


def test_a_row_can_come_from_the_future() -> None:
    """As a module with a wrong clock would send it."""
    doomsday = 2_082_758_400
    house = house_with(extras=(doomsday,), late=(Late(doomsday, doomsday + 1, NOW),))

    assert times(house)[-1] == doomsday
    newest = house.history(house.modules[0].id).newest(NOW)
    assert newest is not None
    assert newest.time == doomsday


def test_a_cell_can_change_from_a_moment_on() -> None:
    house = house_with()
    row = house.rows(house.modules[0].id, 0, NOW, NOW)[7]
    house.change(house.modules[0].id, changes=(Change(row.time, "Humidity", 0, NOW + 10),))

    before = house.history(house.modules[0].id).row(row.time, NOW + 9)
    after = house.history(house.modules[0].id).row(row.time, NOW + 10)
    assert before == row
    assert after.values == (*row.values[:2], 0, *row.values[3:])


def test_nulls_and_ragged_rows_take_their_share_and_nothing_else() -> None:
    plain, odd = house_with(), house_with(nulls=0.05, ragged=0.05)
    pairs = list(
        zip(
            plain.rows(plain.modules[0].id, 0, NOW, NOW),
            odd.rows(odd.modules[0].id, 0, NOW, NOW),
            strict=True,
        )
    )

    lost = sum(cell is None for _, row in pairs for cell in row.values)
    ragged = sum(set(row.values[1:]) == {None} for _, row in pairs)
    assert 60 < lost < 250
    assert 5 < ragged < 30
    for whole, holed in pairs:
        assert all(hole in (None, cell) for cell, hole in zip(whole.values, holed.values, strict=True))


def uploading(**odd: Any) -> House:
    """A module that measures twice in each upload."""
    module = Module(id="70:ee:50:00:00:09", kind="NAMain", set_up=NOW - DAY, step=302.5, **odd)
    return House([Station(base=module, uploads=Uploads(NOW - DAY, seed=4))])


def test_a_station_uploads_two_rows_at_a_time() -> None:
    house = uploading()
    history = house.history(house.modules[0].id)
    seen = [history.visible_from(time) for time in times(house, at=NOW)]

    uploads = sorted(set(seen))
    assert all(visible >= time for time, visible in zip(times(house), seen, strict=True))
    assert len(seen) / len(uploads) == pytest.approx(2, abs=0.05)
    assert all(565 <= later - earlier <= 645 for earlier, later in pairwise(uploads))


def test_a_row_that_the_radio_missed_comes_with_the_next_upload() -> None:
    prompt, missed = uploading(), uploading(missed=0.05)
    moments = times(prompt)

    history, other = (house.history(house.modules[0].id) for house in (prompt, missed))
    late = [other.visible_from(time) - history.visible_from(time) for time in moments]
    assert 5 < sum(one > 0 for one in late) < 30
    assert all(one == 0 or 560 < one < 650 for one in late)


def test_what_is_settled_changes_no_more() -> None:
    house = uploading(missed=0.2)
    history = house.history(house.modules[0].id)
    settled = history.settled(NOW)

    assert history.rows(0, settled, NOW) == history.rows(0, settled, NOW + 10 * DAY)
    assert settled > NOW - 2000


def test_nothing_is_settled_that_a_late_row_will_still_change() -> None:
    house = house_with(late=(Late(NOW - 5000, NOW - 4000, NOW + 50),))
    history = house.history(house.modules[0].id)

    assert history.settled(NOW) == NOW - 5000
    assert history.settled(NOW + 50) == NOW + 50


def test_an_unknown_id_is_nobodys() -> None:
    with pytest.raises(KeyError):
        house_with().module("70:ee:50:ff:ff:ff")


def test_estates_can_stand_side_by_side() -> None:
    one, other = estate(NOW, stations=2, modules=7), estate(NOW, stations=2, modules=7, first=2)

    ids = {module.id for house in (one, other) for module in house.modules}
    assert len(ids) == 28
    assert [module.kind for module in one.modules[:7]] == [
        "NAMain",
        "NAModule1",
        "NAModule2",
        "NAModule3",
        "NAModule4",
        "NAModule4",
        "NAModule4",
    ]
