import asyncio
import gc
import traceback
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from netaflux.core.errors import (
    NetafluxError,
    NotAuthorized,
    StateError,
    TokenRejected,
    Unreachable,
    UpstreamFault,
)
from netaflux.core.events import AuthorizationNeeded, AuthorizationRestored, TokensRefreshed
from netaflux.core.grants import (
    LOST_IN_WINDOW,
    NEVER_AUTHORIZED,
    OTHER_CLIENT,
    REVOKED,
    SEED_REFUSED,
    USED_ELSEWHERE,
)
from netaflux.core.tokens import fingerprint
from netaflux.netatmo.standing import Standing
from netaflux.netatmo.tokens import TokenKeeper
from netaflux.state.open import open_state
from tests.netatmo.token_world import (
    ANNE,
    HOUR,
    THREE_HOURS,
    Mood,
    RotatingNetatmo,
    TokenWorld,
    answering,
    cut,
    held,
    json,
    lost,
    refusing,
    started,
    token_world,
    until,
)

REDIRECT = "http://localhost:8977/callback"
PAGE = b"<html><body>503 Service Temporarily Unavailable</body></html>"
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


def needed(world: TokenWorld) -> list[str]:
    """The suspicions that were told."""
    return [event.suspicion for event in world.told if isinstance(event, AuthorizationNeeded)]


async def poll(world: TokenWorld, keeper: TokenKeeper, *, seconds: float, every: float) -> int:
    """Call now and then, as a worker does that takes failures lightly; the calls that succeeded."""
    succeeded = 0
    end = world.clock.monotonic() + seconds
    while world.clock.monotonic() < end:
        world.clock.turn(every)
        try:
            await world.call(keeper)
            succeeded += 1
        except NetafluxError:
            continue
    return succeeded


async def sending(
    world: TokenWorld, keeper: TokenKeeper, then: Mood = RotatingNetatmo.granting
) -> tuple[asyncio.Task[str], asyncio.Event]:
    """A call whose refresh has arrived at Netatmo, and the event that lets Netatmo answer."""
    release, arrived = asyncio.Event(), asyncio.Event()
    world.netatmo.moods.append(held(release, arrived, then))
    calling = started(world.call(keeper))
    await arrived.wait()
    return calling, release


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


# Outages


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
    with pytest.raises(Unreachable, match="has no access token for 30 s"):
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


# When only a person can help


async def test_after_a_day_the_previous_token_is_tried_and_a_person_told_once(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    await world.call(keeper)
    previous = world.netatmo.posts[-1].form["refresh_token"]
    world.clock.turn(THREE_HOURS)
    world.netatmo.posts.clear()
    world.netatmo.mood = refusing("invalid_grant")

    await poll(world, keeper, seconds=72 * HOUR, every=300)

    tokens = [post.form["refresh_token"] for post in world.netatmo.posts]
    when = [post.at - world.netatmo.posts[0].at for post in world.netatmo.posts]
    assert needed(world) == [REVOKED]
    assert tokens.count(previous) == 1
    assert 24 * HOUR <= when[tokens.index(previous)] <= 26 * HOUR
    assert set(tokens) == {previous, world.netatmo.refresh}
    assert len(tokens) <= 80
    with pytest.raises(NotAuthorized, match="revoked") as caught:
        await world.call(keeper)
    assert caught.value.remedy == AUTHORIZE
    assert keeper.needs_person


async def test_an_outage_that_outlasts_all_patience_still_ends_without_a_hand(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_grant")
    await poll(world, keeper, seconds=30 * HOUR, every=600)
    assert needed(world) == [REVOKED]
    world.netatmo.mood = None

    await keeper.wait_authorized()

    assert await world.call(keeper) == world.netatmo.access
    assert world.told[-1] == AuthorizationRestored(account=ANNE)


async def test_a_restart_tells_a_loss_no_second_time(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_grant")
    await poll(world, keeper, seconds=30 * HOUR, every=600)
    again = world.keeper()
    with pytest.raises(NotAuthorized, match="revoked"):
        await world.call(again)

    assert needed(world) == [REVOKED]
    assert again.state == "unauthorized"


async def test_a_pair_that_another_program_used_up_is_suspected_so(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.netatmo.rotate()
    with pytest.raises(UpstreamFault):
        await world.persistent_call(keeper)
    await poll(world, keeper, seconds=30 * HOUR, every=600)

    assert needed(world) == [USED_ELSEWHERE]


async def test_a_pair_that_never_worked_is_reported_at_once(world: TokenWorld) -> None:
    keeper = world.keeper()
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_grant")

    with pytest.raises(NotAuthorized):
        await world.call(keeper)

    assert needed(world) == [REVOKED]


async def test_one_good_call_makes_a_pair_one_that_has_worked(world: TokenWorld) -> None:
    keeper = world.keeper()
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])
    await world.call(keeper)
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_grant")

    with pytest.raises(UpstreamFault):
        await world.call(keeper)

    assert needed(world) == []


async def test_a_crash_between_answer_and_commit_is_told_for_what_it_is(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    calling, release = await sending(world, keeper)
    on_disk = world.store.records[ANNE]
    release.set()
    await calling
    world.store.records[ANNE] = on_disk  # as a power cut leaves it: rotated there, not committed here
    world.told.clear()

    after = world.keeper()
    with pytest.raises(NotAuthorized, match="lost in the window") as caught:
        await world.call(after)

    assert caught.value.remedy == AUTHORIZE
    assert needed(world) == [LOST_IN_WINDOW]
    assert world.store.record.lost == LOST_IN_WINDOW


async def test_a_crash_before_the_post_is_no_loss(world: TokenWorld) -> None:
    keeper = await world.settled()
    await keeper.close()
    record = world.store.record.intending(world.netatmo.refresh, world.clock.now())
    await world.store.save(ANNE, record)
    world.clock.turn(THREE_HOURS)

    assert await world.call(world.keeper()) == world.netatmo.access
    assert world.store.record.crashed == ()
    assert needed(world) == []


async def test_an_answer_that_was_lost_on_the_way_is_suspected_in_the_end(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.moods.append(lost)
    await poll(world, keeper, seconds=30 * HOUR, every=600)

    assert needed(world) == [LOST_IN_WINDOW]


async def test_authorizing_wakes_whoever_waits(still: TokenWorld) -> None:
    keeper = still.keeper()
    with pytest.raises(NotAuthorized, match=NEVER_AUTHORIZED):
        await still.call(keeper)
    waiting = started(keeper.wait_authorized())
    await asyncio.sleep(0.01)
    early = waiting.done()

    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])
    await waiting

    assert not early
    assert await still.call(keeper) == still.netatmo.access
    assert still.told.names == ["authorization.needed", "tokens.refreshed", "authorization.restored"]


async def test_authorizing_recovers_a_lost_account(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.rotate()
    await poll(world, keeper, seconds=30 * HOUR, every=600)
    assert keeper.needs_person

    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])

    assert await world.call(keeper) == world.netatmo.access
    assert (keeper.needs_person, world.store.record.lost) == (False, None)
    assert world.told[-1] == AuthorizationRestored(account=ANNE)


async def test_authorizing_an_account_that_is_well_restores_nothing(world: TokenWorld) -> None:
    keeper = await world.settled()
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station", "read_camera"])

    assert world.told.names == ["tokens.refreshed"]


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        (refusing("invalid_grant"), NotAuthorized),
        (refusing("redirect_uri_mismatch"), NotAuthorized),
        (refusing("invalid_client"), NotAuthorized),
        (answering(503, PAGE), UpstreamFault),
        (cut, Unreachable),
    ],
)
async def test_a_failed_authorization_leaves_what_was_there(
    world: TokenWorld, mood: Mood, error: type[NetafluxError]
) -> None:
    keeper = await world.settled()
    pair = world.store.record.pair
    for _ in range(2):
        world.netatmo.moods.append(mood)
    with pytest.raises(error) as by_code:
        await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])
    with pytest.raises(error):
        await keeper.adopt_refresh("canary-pasted")

    assert by_code.value.remedy
    assert world.store.record.pair == pair
    assert await world.call(keeper) == world.netatmo.access
    assert not world.told


async def test_a_pasted_token_is_spent_at_once(world: TokenWorld) -> None:
    pasted = world.netatmo.refresh
    keeper = world.keeper(seed=pasted)
    await keeper.adopt_refresh(pasted)
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_grant")
    await poll(world, keeper, seconds=HOUR, every=60)

    assert [post.form["refresh_token"] for post in world.netatmo.posts].count(pasted) == 1


# The app itself


@pytest.mark.parametrize("word", ["invalid_client", "unauthorized_client"])
async def test_a_wrong_secret_is_a_matter_of_the_configuration(world: TokenWorld, word: str) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing(word)
    await poll(world, keeper, seconds=HOUR, every=60)
    with pytest.raises(NotAuthorized, match=word) as caught:
        await world.call(keeper)

    assert "client_secret" in caught.value.remedy
    assert len(needed(world)) == 1
    assert world.store.record.lost is None
    world.netatmo.mood = None
    assert await world.call(world.keeper()) == world.netatmo.access


async def test_a_wrong_secret_is_told_while_the_token_is_still_lent(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS - 600)
    world.netatmo.mood = refusing("invalid_client")

    await world.call(keeper)

    assert len(needed(world)) == 1
    assert keeper.needs_person


async def test_a_refusal_of_our_request_is_tried_on_and_said(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.mood = refusing("invalid_request")
    with pytest.raises(UpstreamFault, match="invalid_request"):
        await world.call(keeper)

    assert needed(world) == []
    world.netatmo.mood = None
    world.clock.turn(300)
    assert await world.call(keeper) == world.netatmo.access


async def test_the_pair_of_another_app_is_kept_but_not_used(world: TokenWorld) -> None:
    keeper = await world.settled()
    await keeper.close()
    pair = world.store.record.pair
    other = world.keeper(client_id="another")
    with pytest.raises(NotAuthorized, match=OTHER_CLIENT):
        await world.call(other)

    assert (world.netatmo.posts, world.store.record.pair) == ([], pair)
    assert await world.call(world.keeper()) == world.netatmo.access


async def test_a_new_app_starts_with_its_seed(world: TokenWorld) -> None:
    await (await world.settled()).close()
    world.netatmo.client_id = "another"
    keeper = world.keeper(client_id="another", seed=world.netatmo.refresh)

    assert await world.call(keeper) == world.netatmo.access
    assert keeper.pair is not None
    assert keeper.pair.client_id == "another"


# The seed


async def test_a_seed_is_tried_once_over_all_restarts(world: TokenWorld) -> None:
    for _ in range(3):
        with pytest.raises(NotAuthorized, match=SEED_REFUSED[:40]):
            await world.call(world.keeper(seed="canary-old"))

    assert len(world.netatmo.posts) == 1
    assert needed(world) == [SEED_REFUSED]


async def test_a_freshly_pasted_seed_is_never_ignored(world: TokenWorld) -> None:
    with pytest.raises(NotAuthorized):
        await world.call(world.keeper(seed="canary-old"))
    keeper = world.keeper(seed=world.netatmo.refresh)

    assert await world.call(keeper) == world.netatmo.access
    assert world.told[-1] == AuthorizationRestored(account=ANNE)


async def test_a_seed_refused_with_the_wrong_app_is_tried_with_the_right_one(world: TokenWorld) -> None:
    world.netatmo.mood = refusing("invalid_grant")
    with pytest.raises(NotAuthorized):
        await world.call(world.keeper(seed=world.netatmo.refresh, client_id="mistyped"))
    world.netatmo.mood = None

    assert await world.call(world.keeper(seed=world.netatmo.refresh)) == world.netatmo.access


async def test_a_seed_without_an_answer_is_tried_again(world: TokenWorld) -> None:
    seed = world.netatmo.refresh
    world.netatmo.moods.append(answering(503, PAGE))
    keeper = world.keeper(seed=seed)
    with pytest.raises(UpstreamFault):
        await world.call(keeper)
    world.clock.turn(30)

    assert await world.call(keeper) == world.netatmo.access


async def test_a_seed_is_left_alone_while_the_pair_works(world: TokenWorld) -> None:
    keeper = await world.settled(seed="canary-unused")
    world.clock.turn(THREE_HOURS)
    await world.call(keeper)

    assert "canary-unused" not in [post.form["refresh_token"] for post in world.netatmo.posts]


async def test_a_fresh_seed_replaces_a_refused_pair_at_once(world: TokenWorld) -> None:
    await (await world.settled()).close()
    world.clock.turn(THREE_HOURS)
    world.netatmo.rotate()
    keeper = world.keeper(seed=world.netatmo.refresh)

    assert await world.call(keeper) == world.netatmo.access
    times = [post.at for post in world.netatmo.posts]
    assert len(times) == 2
    assert times[1] - times[0] == 30
    assert needed(world) == []


async def test_two_posts_are_half_a_minute_apart(still: TokenWorld) -> None:
    keeper = await still.settled()
    still.clock.turn(THREE_HOURS)
    await still.call(keeper)
    adopting = started(keeper.adopt_code("canary-code", REDIRECT, ["read_station"]))
    await until(lambda: still.clock.sleepers)
    still.clock.turn(29)
    await asyncio.sleep(0.01)
    early = len(still.netatmo.posts)
    still.clock.turn(1)
    await adopting

    assert (early, len(still.netatmo.posts)) == (1, 2)


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
    said += [repr(event) for event in world.told]

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
