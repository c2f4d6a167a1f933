"""What pages tell of those to come."""

import pytest

from netaflux.core.events import PageFetched
from netaflux.core.model import Lane, ModuleId
from netaflux.core.progress import Learnt, Left, done

PORCH, ROOF = ModuleId("02:00:00:00:00:02"), ModuleId("06:00:00:00:00:03")
DAY = 86400


def page(
    rows: int, *, module: ModuleId = PORCH, begin: int = 0, step: int = 300, lane: Lane = Lane.HISTORY
) -> PageFetched:
    """So many rows from a moment on, after an empty stretch that was asked for, too."""
    first = last = None
    if rows:
        first, last = begin + DAY, begin + DAY + (rows - 1) * step
    return PageFetched(module=module, rows=rows, begin=begin, first=first, last=last, lane=lane)


def learnt(*pages: PageFetched, apart: float = 1.0) -> Learnt:
    known = Learnt()
    for number, each in enumerate(pages):
        known.saw(each, number * apart)
    return known


def test_before_the_first_rows_nobody_knows_what_is_left() -> None:
    assert Learnt().left({PORCH: DAY}) is None
    assert learnt(page(0), page(1)).left({PORCH: DAY}) is None


def test_where_nothing_is_lacking_nothing_is_left() -> None:
    assert Learnt().left({PORCH: 0}) == Left(0, 0)
    assert Learnt().left({}) == Left(0, 0)


def test_rows_to_come_lie_as_closely_as_those_before_each_modules_as_its_own() -> None:
    known = learnt(page(1024), page(1024, module=ROOF, step=600))

    assert known.left({PORCH: 30 * DAY, ROOF: 30 * DAY}) == Left(8640 + 4320, 9 + 5)


def test_a_module_without_rows_so_far_is_taken_to_be_like_the_others() -> None:
    assert learnt(page(1024)).left({ROOF: 30 * DAY}) == Left(8640, 9)


def test_a_gap_within_a_page_changes_little() -> None:
    known = learnt(page(1024), page(1024, step=9000), page(1024))

    assert known.left({PORCH: 30 * DAY}) == Left(8640, 9)


def test_a_call_takes_what_it_took_but_for_the_waits_before_some() -> None:
    known = Learnt()
    for moment in (0, 2, 4, 3604, 3606):
        known.saw(page(1024), moment)
    known.saw(page(13, lane=Lane.LIVE), 3607)

    assert known.pace == 2


def test_the_rate_is_that_of_the_last_minute() -> None:
    known = learnt(page(600), page(600))

    assert known.rows_per_second(1) == 1200
    assert known.rows_per_second(10) == 120
    assert known.rows_per_second(60.5) == 10
    assert known.rows_per_second(3600) == 0
    assert Learnt().rows_per_second(0) == 0


@pytest.mark.parametrize(
    ("lacking", "whole", "share"), [(0, 10, 1), (10, 10, 0), (12, 10, 0), (4, 10, 0.6), (0, 0, None)]
)
def test_what_is_done_is_a_share_of_all(lacking: int, whole: int, share: float | None) -> None:
    assert done(lacking, whole) == (share if share is None else pytest.approx(share))
