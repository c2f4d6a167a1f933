from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.grants import (
    LOST_IN_WINDOW,
    NEVER_AUTHORIZED,
    OTHER_CLIENT,
    PATIENCE,
    REVOKED,
    SEED_REFUSED,
    UNANSWERED_RESTS,
    USED_ELSEWHERE,
    Attempt,
    Lend,
    Mend,
    PersonNeeded,
    Situation,
    Step,
    Wait,
    back_off,
    next_step,
    person_needed,
)
from netaflux.core.tokens import Role, TokenPair, TokenRecord, fingerprint, spent_mark

APP = "app"
PAIR = TokenPair("access", "refresh", 100_000.0, ("read_station",), APP)
HELD = TokenRecord(pair=PAIR, previous_refresh="before", worked=True)
FRESH, DUE, EXPIRED = 90_000.0, 99_500.0, 100_001.0
REFUSED = replace(HELD, refused_since=EXPIRED)
LONG_AFTER = EXPIRED + PATIENCE


def at(now: float, **more: object) -> Situation:
    return replace(Situation(now=now, client_id=APP), **more)  # type: ignore[arg-type]  # a table of fields


CASES: list[tuple[str, TokenRecord, Situation, Step]] = [
    ("a good token is lent", HELD, at(FRESH), Lend(PAIR)),
    ("one that is due is refreshed", HELD, at(DUE), Attempt(Role.PAIR, "refresh")),
    ("an early refresh does not wait", HELD, at(DUE, gap=20), Lend(PAIR)),
    ("nor does it keep off what still works", HELD, at(DUE, rest=60), Lend(PAIR)),
    ("an expired one is refreshed", HELD, at(EXPIRED), Attempt(Role.PAIR, "refresh")),
    ("also when it has to wait a moment", HELD, at(EXPIRED, gap=20), Attempt(Role.PAIR, "refresh")),
    ("after a failure later", HELD, at(EXPIRED, rest=60), Wait(60)),
    ("a rejected one is refreshed", HELD.rejecting(FRESH), at(FRESH), Attempt(Role.PAIR, "refresh")),
    ("a refused pair is tried on", REFUSED, at(EXPIRED + 300), Attempt(Role.PAIR, "refresh")),
    ("slowly", REFUSED, at(EXPIRED + 10, rest=290), Wait(290)),
    (
        "a refused pair that is still good is lent",
        replace(HELD, refused_since=DUE),
        at(DUE + 1, rest=299),
        Lend(PAIR),
    ),
    (
        "a fresh seed helps out at once",
        REFUSED,
        at(EXPIRED, seed="seed", refused=True),
        Attempt(Role.SEED, "seed"),
    ),
    ("but not as long as the pair works", HELD, at(EXPIRED, seed="seed"), Attempt(Role.PAIR, "refresh")),
    (
        "a spent seed does not",
        replace(REFUSED, spent=(spent_mark(APP, "seed"),)),
        at(EXPIRED, seed="seed"),
        Attempt(Role.PAIR, "refresh"),
    ),
    (
        "nor the refused token pasted as a seed",
        REFUSED,
        at(EXPIRED, seed="refresh"),
        Attempt(Role.PAIR, "refresh"),
    ),
    (
        "after a day the previous token is tried",
        REFUSED,
        at(LONG_AFTER, refused=True),
        Attempt(Role.PREVIOUS, "before"),
    ),
    (
        "but only by a process that saw the pair refused",
        REFUSED,
        at(LONG_AFTER),
        Attempt(Role.PAIR, "refresh"),
    ),
    (
        "and only once",
        replace(REFUSED, previous_tried=True),
        at(LONG_AFTER, refused=True),
        Attempt(Role.PAIR, "refresh"),
    ),
    (
        "then a person is needed",
        replace(REFUSED, previous_tried=True),
        at(LONG_AFTER, rest=3000),
        PersonNeeded(REVOKED, lasting=True),
    ),
    (
        "a pair that never worked is reported at once",
        replace(REFUSED, worked=False),
        at(EXPIRED, rest=300),
        PersonNeeded(REVOKED, lasting=True),
    ),
    (
        "so is one whose successor a crash has lost",
        replace(REFUSED, crashed=(fingerprint("refresh"),)),
        at(EXPIRED, rest=300),
        PersonNeeded(LOST_IN_WINDOW, lasting=True),
    ),
    ("an answer that was lost in an outage has its day", REFUSED, at(EXPIRED, rest=300), Wait(300)),
    ("nobody has authorized yet", TokenRecord(), at(FRESH), PersonNeeded(NEVER_AUTHORIZED)),
    ("a seed starts it", TokenRecord(), at(FRESH, seed="seed"), Attempt(Role.SEED, "seed")),
    ("an empty seed is none", TokenRecord(), at(FRESH, seed=""), PersonNeeded(NEVER_AUTHORIZED)),
    (
        "a seed is tried once",
        TokenRecord(spent=(spent_mark(APP, "seed"),)),
        at(FRESH, seed="seed"),
        PersonNeeded(SEED_REFUSED, lasting=True),
    ),
    (
        "a seed may be lost as well",
        TokenRecord(spent=(spent_mark(APP, "seed"),), crashed=(fingerprint("seed"),)),
        at(FRESH, seed="seed"),
        PersonNeeded(LOST_IN_WINDOW, lasting=True),
    ),
    (
        "another app's pair is not used",
        replace(HELD, pair=replace(PAIR, client_id="other")),
        at(FRESH),
        PersonNeeded(OTHER_CLIENT),
    ),
    (
        "a seed goes before another app's pair",
        replace(HELD, pair=replace(PAIR, client_id="other")),
        at(FRESH, seed="seed"),
        Attempt(Role.SEED, "seed"),
    ),
    (
        "a clock that was set back changes nothing",
        replace(HELD, refused_since=9e9),
        at(EXPIRED, rest=1, refused=True),
        Wait(1),
    ),
]


@pytest.mark.parametrize(
    ("record", "situation", "step"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_done_next(record: TokenRecord, situation: Situation, step: Step) -> None:
    assert next_step(record, situation) == step


@pytest.mark.parametrize(
    ("record", "suspicion"),
    [
        (replace(REFUSED, unanswered=(fingerprint("refresh"),)), LOST_IN_WINDOW),
        (replace(REFUSED, crashed=(fingerprint("refresh"),)), LOST_IN_WINDOW),
        (replace(REFUSED, unanswered=(fingerprint("another"),)), REVOKED),
        (REFUSED.rejecting(FRESH), USED_ELSEWHERE),
        (REFUSED.rejecting(EXPIRED), REVOKED),
        (replace(REFUSED, lost="as told before"), "as told before"),
    ],
)
def test_the_suspicion_follows_the_evidence(record: TokenRecord, suspicion: str) -> None:
    person = person_needed(replace(record, previous_tried=True), at(LONG_AFTER))

    assert person == PersonNeeded(suspicion, lasting=True)


@pytest.mark.parametrize("word", ["invalid_client", "unauthorized_client"])
def test_an_app_that_netatmo_does_not_know_is_a_matter_of_the_configuration(word: str) -> None:
    person = person_needed(HELD, at(FRESH, client_refused=word))

    assert person is not None
    assert (person.mend, person.lasting) == (Mend.CLIENT, False)
    assert word in person.suspicion


def test_a_good_token_is_lent_whatever_else_is_wrong() -> None:
    assert next_step(HELD, at(DUE, client_refused="invalid_client", rest=300)) == Lend(PAIR)


def test_back_off_grows_to_its_last_step_and_stays_there() -> None:
    rests = [back_off(UNANSWERED_RESTS, failures, 0.0) for failures in (1, 2, 3, 4, 5, 1000)]

    assert rests == [30, 60, 120, 300, 300, 300]


def test_chance_spreads_a_back_off_by_a_quarter() -> None:
    assert back_off(UNANSWERED_RESTS, 1, 1.0) == 37.5


def test_no_refresh_token_shows_in_a_repr() -> None:
    situation = at(FRESH, seed="canary-seed")

    assert "canary" not in repr(situation)
    assert "canary" not in repr(Attempt(Role.SEED, "canary-seed"))


moments = st.sampled_from([FRESH, DUE, EXPIRED, EXPIRED + 3600, LONG_AFTER])
tokens = st.sampled_from(["refresh", "before", "seed", "other"])
fingerprints = st.lists(tokens.map(fingerprint), max_size=2).map(tuple)
some_records = st.builds(
    TokenRecord,
    pair=st.none() | st.just(PAIR) | st.just(replace(PAIR, client_id="other")),
    previous_refresh=st.none() | tokens,
    worked=st.booleans(),
    rejected_at=st.none() | moments,
    unanswered=fingerprints,
    crashed=fingerprints,
    refused_since=st.none() | moments,
    previous_tried=st.booleans(),
    spent=st.lists(tokens.map(lambda token: spent_mark(APP, token)), max_size=2).map(tuple),
    lost=st.none() | st.just(REVOKED),
)
situations = st.builds(
    Situation,
    now=moments,
    client_id=st.just(APP),
    seed=st.none() | tokens,
    rest=st.sampled_from([0.0, 17.0]),
    gap=st.sampled_from([0.0, 17.0]),
    refused=st.booleans(),
    client_refused=st.sampled_from(["", "invalid_client"]),
)


@given(some_records, situations)
def test_a_step_is_always_one_that_can_be_done(record: TokenRecord, situation: Situation) -> None:
    """No lending of what the API would refuse, no POST during a rest, no wait that is none."""
    match next_step(record, situation):
        case Lend(pair):
            assert pair.client_id == APP
            assert record.rejected_at is None
            assert situation.now < pair.expires_at
        case Attempt(role, token):
            assert situation.rest <= 0
            assert role is not Role.SEED or spent_mark(APP, token) not in record.spent
            assert role is not Role.PREVIOUS or not record.previous_tried
        case Wait(seconds):
            assert seconds > 0
        case PersonNeeded(suspicion):
            assert suspicion


@given(some_records, situations)
def test_what_can_be_lent_is_never_withheld(record: TokenRecord, situation: Situation) -> None:
    step = next_step(record, situation)

    if record.lendable(APP, situation.now):
        assert isinstance(step, Lend | Attempt)
