import asyncio
import gc
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from netaflux.core.errors import (
    NetafluxError,
    NotAuthorized,
    TokenRejected,
    UpstreamFault,
)
from netaflux.core.events import CallMade, ErrorMet, TokensRefreshed
from netaflux.core.grants import (
    NEVER_AUTHORIZED,
    REVOKED,
)
from netaflux.core.tokens import fingerprint
from netaflux.netatmo.standing import Standing
from netaflux.state.open import open_state
from tests.netatmo.token_world import (
    ANNE,
    HOUR,
    PAGE,
    REDIRECT,
    THREE_HOURS,
    Mood,
    TokenWorld,
    answering,
    cut,
    json,
    needed,
    refusing,
    sending,
    started,
    token_world,
    until,
)

AUTHORIZE = "Run `netaflux authorize --account anne`."


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


# Rotation


async def test_fifty_restarts_with_an_expired_token_never_lose_the_account(
    world: TokenWorld, tmp_path: Path
) -> None:
    """The stored refresh token is always the newest that the server gave."""
    seed, stored = world.netatmo.refresh, []
    for _ in range(51):
        async with open_state(tmp_path, world.clock) as state:
            record = await state.tokens.load(ANNE)
            stored.append(record.pair is not None and record.pair.refresh == world.netatmo.refresh)
            keeper = world.keeper(seed=seed, store=state.tokens)
            await world.call(keeper)
            await keeper.close()
        world.clock.turn(THREE_HOURS + 1)

    assert stored == [False] + [True] * 50
    assert len(world.netatmo.posts) == 51
    assert needed(world) == []


async def test_a_token_is_used_until_ten_minutes_before_its_end(world: TokenWorld) -> None:
    keeper = await world.settled()
    first = world.netatmo.access

    world.clock.turn(THREE_HOURS - 600 - 60 - 1)
    before = await world.call(keeper)
    world.clock.turn(1)
    after = await world.call(keeper)

    assert (before, after) == (first, world.netatmo.access)
    assert len(world.netatmo.posts) == 1
    assert world.told == [TokensRefreshed(account=ANNE, expires_in=THREE_HOURS)]


@pytest.mark.parametrize(
    ("mood", "kind"),
    [
        (refusing("invalid_grant"), "GrantRefused"),
        (answering(503, PAGE), "UpstreamFault"),
        (cut, "Unreachable"),
    ],
)
async def test_each_token_post_and_each_failure_of_one_is_told(
    world: TokenWorld, mood: Mood, kind: str
) -> None:
    keeper = await world.settled()
    world.netatmo.mood = mood
    world.clock.turn(THREE_HOURS)
    with pytest.raises(NetafluxError):
        await world.call(keeper)

    calls = [event for event in world.told.counted if isinstance(event, CallMade)]
    errors = [event.kind for event in world.told.counted if isinstance(event, ErrorMet)]
    assert calls == [CallMade(account=ANNE, endpoint="oauth2/token")] * len(world.netatmo.posts)
    assert errors == [kind] * len(calls)


async def test_fifty_calls_at_once_refresh_once(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)

    used = await asyncio.gather(*(world.call(keeper) for _ in range(50)))

    assert set(used) == {world.netatmo.access}
    assert len(world.netatmo.posts) == 1


async def test_the_first_calls_of_a_process_refresh_once_too(world: TokenWorld) -> None:
    await (await world.settled()).close()
    world.clock.turn(THREE_HOURS)
    keeper = world.keeper()

    used = await asyncio.gather(*(world.call(keeper) for _ in range(5)))

    assert set(used) == {world.netatmo.access}
    assert len(world.netatmo.posts) == 1


async def test_a_load_that_comes_late_does_not_bring_old_tokens_back(world: TokenWorld) -> None:
    await (await world.settled()).close()
    world.clock.turn(THREE_HOURS)
    keeper = world.keeper()
    early, late = asyncio.Event(), asyncio.Event()
    world.store.slow_loads.extend([early, late])
    calls = [started(world.call(keeper)) for _ in range(2)]
    await until(lambda: not world.store.slow_loads)
    early.set()
    await calls[0]
    late.set()

    assert await calls[1] == world.netatmo.access
    assert len(world.netatmo.posts) == 1


async def test_a_new_pair_is_on_disk_before_it_is_lent(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)

    async with keeper.borrowed() as access:
        pair = world.store.record.pair

    assert pair is not None
    assert pair.access == access


async def test_the_intent_is_on_disk_when_the_token_is_sent(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    calling, release = await sending(still, keeper)
    during = still.store.record.intent
    release.set()
    await calling

    assert during is not None
    assert still.store.record.intent is None


async def test_a_refresh_waits_for_the_calls_in_flight(still: TokenWorld) -> None:
    keeper = await still.settled()
    async with keeper.borrowed():
        still.clock.turn(THREE_HOURS)
        calling = started(still.call(keeper))
        await until(lambda: still.clock.sleepers)
        while_lent = len(still.netatmo.posts)
    await calling

    assert (while_lent, len(still.netatmo.posts)) == (0, 1)


async def test_a_refresh_waits_a_minute_and_no_more(still: TokenWorld) -> None:
    keeper = await still.settled()
    async with keeper.borrowed():
        still.clock.turn(THREE_HOURS)
        calling = started(still.call(keeper))
        await until(lambda: still.clock.sleepers)
        still.clock.turn(60)
        await calling

    assert len(still.netatmo.posts) == 1


async def test_nothing_is_lent_while_a_refresh_is_going_on(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS - 300)
    first, release = await sending(still, keeper)
    calls = [first, *(started(still.call(keeper)) for _ in range(3))]
    await asyncio.sleep(0.02)
    early = [call.done() for call in calls]
    state = keeper.state
    release.set()

    assert early == [False] * 4
    assert state == "refreshing"
    assert set(await asyncio.gather(*calls)) == {still.netatmo.access}


async def test_a_caller_that_gives_up_does_not_disturb_the_refresh(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    first, release = await sending(still, keeper)
    calls = [first, *(started(still.call(keeper)) for _ in range(4))]
    await asyncio.sleep(0.01)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    release.set()

    assert await still.call(keeper) == still.netatmo.access
    assert len(still.netatmo.posts) == 1


# What the API says of the access token


async def test_a_rejected_token_is_refreshed_and_the_call_repeated(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.netatmo.access = "5e|rotated by a restart of theirs"

    assert await world.persistent_call(keeper) == world.netatmo.access
    assert len(world.netatmo.posts) == 1


async def test_a_token_that_is_no_longer_current_may_be_rejected_freely(world: TokenWorld) -> None:
    keeper = await world.settled()
    old = await world.call(keeper)
    world.clock.turn(THREE_HOURS)
    await world.call(keeper)

    keeper.rejected(old)
    await world.call(keeper)

    assert len(world.netatmo.posts) == 1


async def test_many_rejections_of_one_token_are_one_refresh(world: TokenWorld) -> None:
    keeper = await world.settled()
    access = await world.call(keeper)
    for _ in range(10):
        keeper.rejected(access)

    await world.call(keeper)

    assert len(world.netatmo.posts) == 1


async def test_rejections_long_apart_are_no_series(world: TokenWorld) -> None:
    keeper = await world.settled()
    for pause in (0, 1200, 60):
        world.clock.turn(pause)
        world.netatmo.access = "5e|rotated by a restart of theirs"

        assert await world.persistent_call(keeper) == world.netatmo.access


async def test_an_api_that_rejects_all_tokens_does_not_make_us_rotate_on_and_on(world: TokenWorld) -> None:
    keeper = await world.settled()

    async def rejected_call() -> None:
        async with keeper.borrowed() as access:
            pass
        keeper.rejected(access)
        raise TokenRejected("Netatmo rejects the access token")

    for _ in range(600):
        world.clock.turn(1)
        with pytest.raises((TokenRejected, UpstreamFault)):
            await rejected_call()

    assert 4 <= len(world.netatmo.posts) <= 6


async def test_a_clock_that_is_set_back_does_not_keep_an_expired_token(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.clock.wall -= 3 * HOUR
    world.netatmo.access = "5e|expired"

    assert await world.persistent_call(keeper) == world.netatmo.access


# What is said


async def test_a_keeper_says_how_it_stands(world: TokenWorld) -> None:
    keeper = world.keeper()
    states = [keeper.state]
    await keeper.adopt_refresh(world.netatmo.refresh)
    states.append(keeper.state)
    good = keeper.standing
    world.clock.turn(THREE_HOURS)
    states.append(keeper.state)
    world.netatmo.mood = answering(503, PAGE)
    with pytest.raises(UpstreamFault):
        await world.call(keeper)
    states.append(keeper.state)

    assert states == ["unauthorized", "ok", "due", "waiting"]
    assert keeper.pair is not None
    assert good == Standing(
        state="ok",
        expires_at=keeper.pair.expires_at,
        scopes=("read_station",),
        refresh_fingerprint=fingerprint(world.netatmo.refresh),
    )
    assert (keeper.expires_at, keeper.scopes) == (good.expires_at, good.scopes)


async def test_a_keeper_says_what_a_person_has_to_do(world: TokenWorld) -> None:
    keeper = world.keeper()
    await keeper.load()

    assert (keeper.suspicion, keeper.remedy) == (NEVER_AUTHORIZED, AUTHORIZE)
    assert (keeper.expires_at, keeper.scopes) == (None, ())


async def test_a_loss_is_known_before_anything_is_tried(world: TokenWorld) -> None:
    keeper = world.keeper()
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_grant")
    with pytest.raises(NotAuthorized):
        await world.call(keeper)
    posts = len(world.netatmo.posts)
    again = world.keeper()
    await again.load()

    assert again.needs_person
    assert (again.suspicion, len(world.netatmo.posts)) == (REVOKED, posts)


async def test_no_secret_shows_anywhere(world: TokenWorld) -> None:
    """In no repr, no event, no error and no traceback of anything that goes wrong."""
    keeper = await world.settled(seed="canary-seed")
    said: list[str] = []
    moods: list[Mood] = [
        refusing("invalid_grant"),
        refusing("invalid_client"),
        refusing("canary-word"),
        answering(200, json({"access_token": "canary"})),
        answering(503, b"canary"),
        cut,
    ]
    for mood in moods:
        world.netatmo.mood = mood
        world.clock.turn(THREE_HOURS)
        for attempt in (
            keeper.borrowed().__aenter__,
            lambda: keeper.adopt_code("canary-code", REDIRECT, ["read_station"]),
            lambda: keeper.adopt_refresh("canary-pasted"),
        ):
            with pytest.raises(NetafluxError) as caught:
                await attempt()
            error = caught.value
            said += ["".join(traceback.format_exception(error)), repr(error), error.message, error.remedy]
        said += [repr(keeper.standing), repr(keeper.pair), repr(world.store.record), repr(keeper)]
    said += [repr(event) for event in [*world.told, *world.told.counted]]

    lines = [line for text in said for line in text.splitlines() if not line.startswith("    ")]
    assert len(lines) > 100
    assert not [line for line in lines if "canary" in line]


async def test_nothing_is_left_running(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    await world.call(keeper)
    await keeper.close()
    gc.collect()

    assert [task for task in asyncio.all_tasks() if "tokens of" in task.get_name()] == []
