"""Notices: damped, told once and once over, in order, and remembered."""

import json
from collections.abc import Mapping
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as some

from netaflux.core.notices import (
    GONE_FOR,
    HOLDS_FOR,
    WELL_FOR,
    Board,
    Kind,
    Look,
    Matter,
    Notice,
    Sight,
    battery,
    beyond,
)

NOW = 1_700_000_000.0
WELL, HOLDS, UNKNOWN = Look.WELL, Look.HOLDS, Look.UNKNOWN
URL, COMMAND = "url", "command"


def sight(look: Look, kind: Kind = Kind.LAG, subject: str = "Porch") -> Sight:
    return Sight(
        matter=Matter(kind, subject),
        look=look,
        name=subject,
        text=f"{subject} is behind",
        remedy="look",
        over=f"{subject} has caught up",
    )


def see(board: Board, at: float, *sights: Sight, complete: bool = True) -> None:
    board.see(sights, now=NOW + at, monotonic=at, complete=complete)


def tell(board: Board, channel: str = URL) -> list[tuple[str, str]]:
    """What a channel that takes everything is told."""
    told = []
    for telling in board.due(channel):
        told.append((str(telling.facts["event"]), str(telling.facts["subject"])))
        board.told(channel, telling)
    return told


def opened(*kinds: Kind) -> Board:
    """A board with these open, and told to the URL."""
    board = Board()
    for kind in kinds:
        for at in (0.0, HOLDS_FOR[kind]):
            see(board, at, sight(HOLDS, kind), complete=False)
    tell(board)
    return board


# damped


@pytest.mark.parametrize("kind", Kind)
def test_what_holds_long_enough_is_told_once(kind: Kind) -> None:
    board, told = Board(), list[list[tuple[str, str]]]()
    for at in (0.0, HOLDS_FOR[kind] - 1, HOLDS_FOR[kind], HOLDS_FOR[kind] + 60):
        see(board, at, sight(HOLDS, kind))
        told.append(tell(board))

    first = [("opened", "Porch")]
    assert list(chain(*told)) == first
    assert told[2] == first or HOLDS_FOR[kind] == 0


@pytest.mark.parametrize("kind", Kind)
def test_what_is_well_long_enough_is_over_once(kind: Kind) -> None:
    board, told = opened(kind), list[list[tuple[str, str]]]()
    for at in (5000.0, 5000 + WELL_FOR[kind] - 1, 5000 + WELL_FOR[kind], 5000 + WELL_FOR[kind] + 60):
        see(board, at, sight(WELL, kind))
        told.append(tell(board))

    over = [("over", "Porch")]
    assert list(chain(*told)) == over
    assert told[2] == over or WELL_FOR[kind] == 0


def test_what_comes_and_goes_at_short_intervals_is_not_told() -> None:
    board = Board()
    for at in range(0, 86400, 300):
        see(board, at, sight(HOLDS if at % 600 else WELL))

    assert tell(board) == []


def test_what_nobody_can_tell_changes_nothing() -> None:
    before, after = Board(), opened(Kind.LAG)
    see(before, 0, sight(HOLDS))
    see(before, 300, sight(UNKNOWN))
    see(before, 600, sight(HOLDS))
    for at in range(0, 86400, 600):
        see(after, at, sight(UNKNOWN))

    assert tell(before) == [("opened", "Porch")]
    assert [notice.name for notice in after.open] == ["Porch"]


@pytest.mark.parametrize(
    ("percent", "look"),
    [(None, UNKNOWN), (0, HOLDS), (19, HOLDS), (20, UNKNOWN), (29, UNKNOWN), (30, WELL), (100, WELL)],
)
def test_a_battery_is_well_only_when_it_is_clearly_above_what_is_low(percent: int | None, look: Look) -> None:
    assert battery(percent, 20) is look


def test_a_full_battery_is_well_however_early_one_wants_to_know() -> None:
    assert battery(100, 95) is WELL


@pytest.mark.parametrize(("seconds", "look"), [(101, HOLDS), (100, UNKNOWN), (51, UNKNOWN), (50, WELL)])
def test_what_took_too_long_is_well_below_half_of_that(seconds: float, look: Look) -> None:
    assert beyond(seconds, 100) is look


# gone


def test_what_is_not_looked_at_any_more_is_over_after_a_while() -> None:
    board = opened(Kind.LAG)

    see(board, 1000)
    see(board, 1000 + GONE_FOR - 1)
    assert tell(board) == []

    see(board, 1000 + GONE_FOR)
    assert tell(board) == [("over", "Porch")]


def test_what_has_not_been_seen_yet_is_not_gone() -> None:
    board = opened(Kind.LAG)
    for at in range(1000, 90_000, 600):
        see(board, at, complete=False)

    assert tell(board) == []
    assert board.open


def test_what_began_and_vanished_begins_anew() -> None:
    board = Board()
    see(board, 0, sight(HOLDS))
    see(board, 300)
    see(board, 600, sight(HOLDS))

    assert tell(board) == []


# told


def test_channels_are_told_each_by_itself_and_in_order() -> None:
    board = Board()
    see(board, 0, sight(HOLDS, Kind.ROWS_REFUSED, "first"))
    see(board, 1, sight(HOLDS, Kind.ROWS_REFUSED, "first"), sight(HOLDS, Kind.AUTHORIZATION, "second"))
    assert tell(board, URL) == [("opened", "first"), ("opened", "second")]

    see(board, 2, sight(WELL, Kind.ROWS_REFUSED, "first"), sight(HOLDS, Kind.AUTHORIZATION, "second"))

    assert tell(board, URL) == [("over", "first")]
    # it was never told that it began
    assert tell(board, COMMAND) == [("opened", "second")]


def test_what_is_over_before_anybody_was_told_is_forgotten() -> None:
    board = Board()
    see(board, 0, sight(HOLDS, Kind.AUTHORIZATION))
    see(board, 1, sight(WELL, Kind.AUTHORIZATION))

    assert tell(board) == []
    assert set(board.unsaved().values()) == {None}


def test_what_begins_again_before_its_end_was_told_was_never_over() -> None:
    board = opened(Kind.AUTHORIZATION)
    see(board, 1, sight(WELL, Kind.AUTHORIZATION))
    see(board, 2, sight(HOLDS, Kind.AUTHORIZATION))

    assert tell(board) == []
    assert len(board.open) == 1


def test_what_begins_again_after_its_end_was_told_is_told_again() -> None:
    board = opened(Kind.AUTHORIZATION)
    see(board, 1, sight(WELL, Kind.AUTHORIZATION))
    assert tell(board) == [("over", "Porch")]

    see(board, 2, sight(HOLDS, Kind.AUTHORIZATION))

    assert tell(board) == [("opened", "Porch")]


def test_what_is_over_is_kept_until_every_channel_that_there_is_has_told_it() -> None:
    board = opened(Kind.AUTHORIZATION)
    tell(board, COMMAND)
    see(board, 1, sight(WELL, Kind.AUTHORIZATION))
    tell(board, URL)

    board.settle([URL, COMMAND])
    assert tell(board, COMMAND) == [("over", "Porch")]

    board.settle([URL, COMMAND])
    assert list(board.unsaved().values()) == [None]


def test_a_channel_that_is_not_configured_any_more_holds_nothing_up() -> None:
    board = opened(Kind.AUTHORIZATION)
    see(board, 1, sight(WELL, Kind.AUTHORIZATION))

    board.settle([COMMAND])

    assert list(board.unsaved().values()) == [None]


# remembered


def kept(board: Board, disk: dict[Matter, Notice]) -> None:
    """What another process will find, written as JSON and read again."""
    for matter, notice in board.unsaved().items():
        disk.pop(matter, None)
        if notice is not None:
            disk[matter] = Notice.from_json(matter, json.loads(json.dumps(notice.to_json())))
    board.saved(board.unsaved())


def test_changes_are_unsaved_until_just_they_were_saved() -> None:
    board = opened(Kind.LAG)
    changes = board.unsaved()
    see(board, 5000, sight(WELL))
    see(board, 6000, sight(WELL))

    board.saved(changes)
    assert [notice.over_at for notice in board.unsaved().values() if notice] == [NOW + 6000]

    board.saved(board.unsaved())
    assert board.unsaved() == {}


Step = tuple[Mapping[str, Look], bool, bool]
LOOKS = some.fixed_dictionaries({name: some.sampled_from(Look) for name in "ab"})


@given(some.lists(some.tuples(LOOKS, some.booleans(), some.booleans()), max_size=40))
def test_whatever_happens_each_is_told_and_over_in_turns(steps: list[Step]) -> None:
    """Restarts and deaf channels included: nothing is told twice, and no end without its beginning."""
    disk: dict[Matter, Notice] = {}
    board = Board()
    told: dict[str, list[str]] = {"a": [], "b": []}
    for number, (looks, restarted, deaf) in enumerate(steps):
        if restarted:
            board = Board(disk.values())
        see(board, number * 600, *(sight(look, Kind.LAG, name) for name, look in looks.items()))
        for event, name in [] if deaf else tell(board):
            told[name].append(event)
        board.settle([URL])
        kept(board, disk)

    for events in told.values():
        assert events == ["opened", "over"] * (len(events) // 2) + ["opened"] * (len(events) % 2)
