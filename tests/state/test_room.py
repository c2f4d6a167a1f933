"""While nothing can be recorded, nothing is to be fetched; and what is delivered waits to be recorded."""

import asyncio
from pathlib import Path

import pytest

from netaflux.core.errors import StateError
from netaflux.core.spans import Spans
from netaflux.state import database as database_module
from netaflux.state.database import Database
from netaflux.state.open import State, open_state
from netaflux.state.room import room_lacking, try_room
from tests.state.samples import BASEMENT, MODULE, StillClock, largest_file, page, series

TEMP = series("Temp_C")
MORE_THAN_THERE_IS = 1 << 60


async def broken(database: Database) -> None:
    """A write has failed."""
    with largest_file(0), pytest.raises(StateError):
        await database.probe()


def test_a_disk_with_room_lacks_none(tmp_path: Path) -> None:
    assert room_lacking(tmp_path, 1) == ""
    try_room(tmp_path, 1)

    assert list(tmp_path.iterdir()) == []


def test_what_is_lacking_is_said_in_words(tmp_path: Path) -> None:
    assert "the disk is nearly full" in room_lacking(tmp_path, MORE_THAN_THERE_IS)
    with pytest.raises(OSError, match="nearly full"):
        try_room(tmp_path, MORE_THAN_THERE_IS)


def test_a_disk_that_does_not_tell_is_left_to_whoever_writes(tmp_path: Path) -> None:
    assert room_lacking(tmp_path / "not there", MORE_THAN_THERE_IS) == ""


def test_a_trial_writes_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "room.tmp").symlink_to(tmp_path / "theirs")

    try_room(tmp_path, 1)

    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        try_room(tmp_path, 1)

    assert list(tmp_path.iterdir()) == []


async def test_room_is_there_as_long_as_nothing_says_otherwise(database: Database) -> None:
    database.require_room()

    assert not database.troubled.is_set()


async def test_after_a_failed_write_nothing_is_to_be_fetched_until_one_succeeds(database: Database) -> None:
    await broken(database)

    with pytest.raises(StateError, match="input/output error"):
        database.require_room()
    with largest_file(0):
        assert not await database.recovers()
    with pytest.raises(StateError):
        database.require_room()
    assert await database.recovers()
    database.require_room()


async def test_a_disk_that_is_nearly_full_counts_as_full(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better to stop before the pages that are on their way find no place."""
    monkeypatch.setattr(database_module, "SPARE_ROOM", MORE_THAN_THERE_IS)
    with pytest.raises(StateError, match="nearly full"):
        database.require_room()
    assert not await database.recovers()

    monkeypatch.undo()
    assert await database.recovers()


async def test_a_failure_that_is_not_the_disk_s_is_no_trouble(database: Database) -> None:
    with pytest.raises(StateError):
        await database.run(lambda connection: connection.execute("SELECT * FROM nowhere").fetchall())

    database.require_room()
    assert not database.damaged.is_set()


async def test_what_was_delivered_is_recorded_as_soon_as_there_is_room(state: State) -> None:
    """And before what is admitted after it, or it would fill the holes that are cut then."""
    state.database.watched = True
    with largest_file(0):
        growing = asyncio.create_task(state.coverage.grow({TEMP: Spans((1, 9))}))
        await state.database.troubled.wait()
    admitting = asyncio.create_task(state.coverage.admit(MODULE, page({5: [1.0]}), [BASEMENT]))
    await asyncio.sleep(0.05)
    assert not growing.done()
    assert not admitting.done()

    assert await state.database.recovers()
    await asyncio.gather(growing, admitting)

    assert state.coverage.covered(TEMP).pairs == ((1, 4), (6, 9))


async def test_where_nobody_sees_to_the_disk_nobody_waits_for_it(state: State) -> None:
    with largest_file(0), pytest.raises(StateError):
        await state.coverage.grow({TEMP: Spans((1, 9))})

    assert not state.coverage.covered(TEMP)


async def test_whoever_waits_is_let_go_when_nobody_sees_to_the_disk_any_more(
    directory: Path, clock: StillClock
) -> None:
    async with open_state(directory, clock) as state:
        state.database.watched = True
        with largest_file(0):
            growing = asyncio.create_task(state.coverage.grow({TEMP: Spans((1, 9))}))
            await state.database.troubled.wait()
            await asyncio.sleep(0.05)
            state.database.unwatched()
            with pytest.raises(StateError):
                await growing
