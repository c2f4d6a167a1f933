from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from netaflux.core.errors import (
    Unreachable,
    UpstreamFault,
)
from tests.netatmo.token_world import (
    HOUR,
    PAGE,
    THREE_HOURS,
    Mood,
    TokenWorld,
    answering,
    cut,
    json,
    needed,
    poll,
    refusing,
    token_world,
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


@pytest.mark.parametrize(
    "mood",
    [
        answering(500, b""),
        answering(500, json({"error": "invalid_grant"})),
        answering(503, PAGE, "text/html"),
        answering(200, b""),
        answering(200, PAGE, "text/html"),
        answering(200, json({"access_token": "5e|half"})),
        answering(200, b'{"access_token": "5e|half", "refre'),
        answering(403, PAGE, "text/html"),
        answering(429, b"{}"),
        cut,
    ],
    ids=["500", "500 invalid_grant", "503", "empty", "HTML", "half a pair", "torn", "403", "429", "cut"],
)
async def test_an_answer_that_is_none_costs_nothing_but_time(world: TokenWorld, mood: Mood) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    before = world.store.record.pair
    world.netatmo.mood = mood

    succeeded = await poll(world, keeper, seconds=600, every=1)

    times = [post.at for post in world.netatmo.posts]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert (succeeded, world.store.record.pair) == (0, before)
    assert len(times) == 5
    assert min(gaps) >= 30
    assert needed(world) == []

    world.netatmo.mood = None
    world.clock.turn(300)
    assert await world.call(keeper) == world.netatmo.access


async def test_a_server_that_cannot_be_reached_leaves_no_doubt(world: TokenWorld) -> None:
    await (await world.settled()).close()
    world.clock.turn(THREE_HOURS)
    url, world.url = world.url, "http://127.0.0.1:1"
    with pytest.raises(Unreachable, match=r"has no access token: .*; the next try is in 30 s$"):
        await world.call(world.keeper())
    world.url = url

    assert not world.store.record.doubtful(world.netatmo.refresh)
    assert await world.call(world.keeper()) == world.netatmo.access


async def test_the_old_token_is_lent_as_long_as_it_is_good(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS - 600)
    world.netatmo.mood = answering(503, PAGE, "text/html")

    assert await poll(world, keeper, seconds=480, every=60) == 8
    assert len(world.netatmo.posts) >= 3


async def test_a_server_that_asks_for_time_gets_it(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = answering(503, PAGE, retry_after="900")
    await poll(world, keeper, seconds=899, every=1)

    assert len(world.netatmo.posts) == 1


async def test_a_server_that_asks_for_a_week_gets_an_hour(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = answering(503, PAGE, retry_after="604800")
    await poll(world, keeper, seconds=2 * HOUR, every=60)

    assert len(world.netatmo.posts) == 2


async def test_an_hour_of_bogus_refusals_ends_without_a_hand(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_grant")

    assert await poll(world, keeper, seconds=HOUR, every=20) == 0
    posts = len(world.netatmo.posts)
    with pytest.raises(UpstreamFault, match="invalid_grant"):
        await world.call(keeper)
    world.netatmo.mood = None
    world.clock.turn(HOUR)

    assert await world.call(keeper) == world.netatmo.access
    assert posts == 4
    assert needed(world) == []
    assert world.store.record.refused_since is None


async def test_bogus_refusals_over_restarts_end_without_a_hand(world: TokenWorld) -> None:
    """Down for two days just after a refusal: the pair is tried again before anything is given up."""
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.moods.append(refusing("invalid_grant"))
    with pytest.raises(UpstreamFault):
        await world.call(keeper)
    await keeper.close()
    world.clock.turn(48 * HOUR)

    assert await world.call(world.keeper()) == world.netatmo.access
    assert len(world.netatmo.posts) == 2


async def test_lost_answers_and_bogus_refusals_together_have_their_day_too(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = cut
    await poll(world, keeper, seconds=HOUR, every=20)
    world.netatmo.mood = refusing("invalid_grant")
    await poll(world, keeper, seconds=HOUR, every=20)
    world.netatmo.mood = None
    world.clock.turn(HOUR)

    assert await world.call(keeper) == world.netatmo.access
    assert needed(world) == []
