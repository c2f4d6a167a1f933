import asyncio
from collections.abc import AsyncIterator

import pytest

from netaflux.core.errors import (
    NetafluxError,
    NotAuthorized,
    StateError,
    Unreachable,
    UpstreamFault,
)
from netaflux.core.events import AuthorizationRestored
from netaflux.core.grants import (
    LOST_IN_WINDOW,
    NEVER_AUTHORIZED,
    OTHER_CLIENT,
    REVOKED,
    SEED_REFUSED,
    USED_ELSEWHERE,
)
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
    lost,
    needed,
    poll,
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
    began = world.clock.monotonic()

    await keeper.wait_authorized()

    assert world.clock.monotonic() - began <= HOUR
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


async def test_a_pair_that_was_only_shown_has_never_worked(world: TokenWorld) -> None:
    keeper = world.keeper()
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])

    assert (await keeper.valid_pair()).access == world.netatmo.access
    await keeper.close()
    assert not world.store.record.worked


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


async def test_a_first_authorization_is_told_as_what_it_is(world: TokenWorld) -> None:
    """As the command line does it, without anybody having asked for a token before."""
    await world.keeper().adopt_code("canary-code", REDIRECT, ["read_station"])

    assert world.told.names == ["tokens.refreshed", "authorization.restored"]


async def test_a_second_loss_is_told_again(world: TokenWorld) -> None:
    keeper = await world.settled()
    for code in ("canary-code", "canary-code-2"):
        world.netatmo.codes.add(code)
        world.clock.turn(THREE_HOURS)
        world.netatmo.rotate()
        await poll(world, keeper, seconds=30 * HOUR, every=600)
        await keeper.adopt_code(code, REDIRECT, ["read_station"])
        await world.call(keeper)

    assert needed(world) == [REVOKED, REVOKED]


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


async def test_an_app_that_is_accepted_again_is_well(world: TokenWorld) -> None:
    keeper = await world.settled()
    world.clock.turn(THREE_HOURS)
    world.netatmo.moods.append(refusing("invalid_client"))
    with pytest.raises(NotAuthorized):
        await world.call(keeper)

    await keeper.wait_authorized()

    assert (keeper.needs_person, keeper.state) == (False, "ok")
    assert world.told[-1] == AuthorizationRestored(account=ANNE)


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


async def test_a_pasted_token_that_does_not_help_either_is_told(world: TokenWorld) -> None:
    """The loss was told by an earlier process; but since then somebody has done something about it."""
    with pytest.raises(NotAuthorized):
        await world.call(world.keeper(seed="canary-old"))
    for _ in range(2):
        with pytest.raises(NotAuthorized):
            await world.call(world.keeper(seed="canary-older"))

    assert needed(world) == [SEED_REFUSED, SEED_REFUSED]


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


async def test_a_record_that_cannot_be_read_gives_way_to_a_new_authorization(world: TokenWorld) -> None:
    """Otherwise the remedy that is told would not help."""
    world.store.damaged = True
    keeper = world.keeper()

    with pytest.raises(StateError):
        await world.call(keeper)
    await keeper.adopt_code("canary-code", REDIRECT, ["read_station"])

    assert await world.call(keeper) == world.netatmo.access
    assert world.store.record.pair is not None
