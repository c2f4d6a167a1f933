import asyncio
from collections.abc import AsyncIterator

import pytest

from netaflux.core.errors import (
    NetafluxError,
    StateError,
)
from tests.netatmo.token_world import (
    HOUR,
    REDIRECT,
    THREE_HOURS,
    RotatingNetatmo,
    TokenWorld,
    sending,
    started,
    token_world,
    until,
)


@pytest.fixture
async def world() -> AsyncIterator[TokenWorld]:
    """Whoever sleeps turns the clock."""
    async with token_world() as world:
        yield world


@pytest.fixture
async def still() -> AsyncIterator[TokenWorld]:
    """Only the test turns the clock."""
    async with token_world(hurried=False) as world:
        yield world


# The disk


async def test_no_token_is_spent_when_the_intent_cannot_be_saved(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.store.broken = 3
    with pytest.raises(StateError, match="disk is full"):
        await world.call(keeper)
    assert world.netatmo.posts == []

    world.clock.turn(10)
    with pytest.raises(StateError):
        await world.call(keeper)
    world.store.broken = 0
    world.clock.turn(10)
    assert await world.call(keeper) == world.netatmo.access


async def test_a_pair_that_cannot_be_saved_is_kept_and_not_lent(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    calling, release = await sending(still, keeper)
    still.store.broken = 4
    release.set()
    with pytest.raises(StateError, match="disk is full"):
        await calling

    for rest in (1, 2, 4, 8):
        await until(lambda: still.clock.sleepers)
        for attempt in (keeper.borrowed().__aenter__, lambda: keeper.adopt_refresh("canary-pasted")):
            with pytest.raises(StateError):
                await attempt()
        assert keeper.state == "unsaved"
        still.clock.turn(rest)
    await until(lambda: keeper.state != "unsaved")

    assert await still.call(keeper) == still.netatmo.access
    assert still.store.failures == 4
    assert len(still.netatmo.posts) == 1
    assert still.store.record.pair == keeper.pair
    assert still.told.names == ["tokens.refreshed"]


async def test_a_store_with_a_bug_does_not_take_the_pair_with_it(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    calling, release = await sending(still, keeper)
    still.store.broken, still.store.error = 1, ZeroDivisionError("canary-refresh")
    release.set()
    with pytest.raises(StateError, match="ZeroDivisionError") as caught:
        await calling
    await until(lambda: still.clock.sleepers)
    still.clock.turn(1)
    await until(lambda: keeper.state == "ok")

    assert "canary" not in str(caught.value)
    assert await still.call(keeper) == still.netatmo.access


async def test_a_refusal_that_cannot_be_saved_is_a_matter_of_the_disk(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    calling, release = await sending(world, keeper, RotatingNetatmo.refusing)
    world.store.broken = 1
    release.set()
    with pytest.raises(StateError):
        await calling
    world.clock.turn(HOUR)

    assert await world.call(keeper) == world.netatmo.access


# Closing


async def test_what_calls_have_shown_is_kept_over_a_restart(world: TokenWorld) -> None:
    keeper = world.keeper()
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])
    await world.call(keeper)
    await keeper.close()

    assert world.store.record.worked


async def test_a_full_disk_does_not_keep_us_from_closing(world: TokenWorld) -> None:
    keeper = world.keeper()
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])
    await world.call(keeper)
    world.store.broken = 1
    await keeper.close()

    assert world.store.failures == 1


async def test_an_intent_that_was_not_saved_is_none_at_the_next_start(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.store.broken = 1
    with pytest.raises(StateError):
        await world.call(keeper)
    await keeper.close()

    assert world.store.record.started().crashed == ()


async def test_closing_waits_for_the_answer_and_saves_it(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    calling, release = await sending(still, keeper)
    calling.cancel()
    closing = started(keeper.close())
    await asyncio.sleep(0.01)
    early = closing.done()
    release.set()
    await closing

    assert not early
    assert still.store.record.pair == keeper.pair
    assert keeper.pair is not None
    assert keeper.pair.refresh == still.netatmo.refresh


async def test_closing_waits_for_nothing_else(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    await still.call(keeper)
    posts = len(still.netatmo.posts)
    adopting = started(keeper.adopt_code("canary-code", REDIRECT, ["read_station"]))
    await until(lambda: still.clock.sleepers)
    await keeper.close()

    with pytest.raises(NetafluxError, match="stopping"):
        await adopting
    with pytest.raises(NetafluxError, match="stopping"):
        await still.call(keeper)
    assert len(still.netatmo.posts) == posts


async def test_closing_does_not_wait_for_calls_in_flight(still: TokenWorld) -> None:
    keeper = await still.settled()
    async with keeper.borrowed():
        still.clock.turn(THREE_HOURS)
        calling = started(still.call(keeper))
        await until(lambda: still.clock.sleepers)
        await keeper.close()

    with pytest.raises(NetafluxError, match="stopping"):
        await calling
    assert still.netatmo.posts == []


async def test_closing_ends_a_wait_for_authorization(still: TokenWorld) -> None:
    keeper = still.keeper()
    waiting = started(keeper.wait_authorized())
    await asyncio.sleep(0.01)
    await keeper.close()

    with pytest.raises(NetafluxError, match="stopping"):
        await waiting


@pytest.mark.parametrize("mended", [True, False])
async def test_closing_tries_once_more_to_save_a_pair(still: TokenWorld, mended: bool) -> None:  # noqa: FBT001 - a table's column
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    calling, release = await sending(still, keeper)
    still.store.broken = 1 if mended else 99
    release.set()
    with pytest.raises(StateError):
        await calling

    if mended:
        await keeper.close()
    else:
        with pytest.raises(StateError, match="disk is full"):
            await keeper.close()

    pair = still.store.record.pair
    assert pair is not None
    assert (pair.refresh == still.netatmo.refresh) is mended
