import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.tokens import Intent, Role, TokenPair, TokenRecord, fingerprint, spent_mark

APP = "app"
OLD = TokenPair("access-1", "refresh-1", 10_800.0, ("read_station",), APP)
NEW = TokenPair("access-2", "refresh-2", 21_600.0, ("read_station",), APP)
HELD = TokenRecord(pair=OLD, worked=True)

texts = st.text(max_size=8)
moments = st.floats(0, 1e10)
marks = st.lists(texts, max_size=3).map(tuple)
pairs = st.builds(TokenPair, texts, texts, moments, marks, texts, moments)
records = st.builds(
    TokenRecord,
    pair=st.none() | pairs,
    previous_refresh=st.none() | texts,
    worked=st.booleans(),
    rejected_at=st.none() | moments,
    intent=st.none() | st.builds(Intent, texts, moments),
    unanswered=marks,
    crashed=marks,
    refused_since=st.none() | moments,
    previous_tried=st.booleans(),
    spent=marks,
    lost=st.none() | texts,
)


@given(records)
def test_a_record_comes_back_from_json_as_it_went(record: TokenRecord) -> None:
    assert TokenRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_what_a_later_version_wrote_beside_is_left_out() -> None:
    assert TokenRecord.from_json({**HELD.to_json(), "invented_later": 1}) == HELD


def test_no_token_shows_in_a_repr() -> None:
    record = replace(HELD, previous_refresh="refresh-0").intending("refresh-1", 5.0)

    assert not any(secret in repr(record) for secret in ("access-1", "refresh-1", "refresh-0"))


def test_an_access_token_is_replaced_ten_minutes_early() -> None:
    assert OLD.refresh_at == OLD.expires_at - 600


def test_a_short_life_is_renewed_at_its_half() -> None:
    pair = TokenPair("a", "r", 1_060.0, (), APP, lifetime=60.0)

    assert pair.refresh_at == 1_030


@pytest.mark.parametrize(
    ("record", "now", "lent"),
    [
        (HELD, 10_799.0, True),
        (HELD, 10_800.0, False),
        (HELD.rejecting(5.0), 10.0, False),
        (replace(HELD, refused_since=5.0), 10.0, True),
        (TokenRecord(), 10.0, False),
    ],
)
def test_only_a_token_that_the_api_takes_is_lent(record: TokenRecord, now: float, lent: bool) -> None:  # noqa: FBT001 - a table's column
    assert (record.lendable(APP, now) is not None) is lent


def test_a_pair_of_another_app_is_none_of_ours() -> None:
    assert HELD.pair_of("other") is None
    assert HELD.lendable("other", 10.0) is None


def test_an_intent_found_at_start_is_a_crash() -> None:
    record = HELD.intending("refresh-1", 5.0).started()

    assert record.intent is None
    assert record.crashed == (fingerprint("refresh-1"),)
    assert record.doubtful("refresh-1")


def test_a_start_without_an_intent_is_no_crash() -> None:
    assert HELD.started() == HELD


def test_a_post_without_an_answer_leaves_a_doubt_and_no_crash() -> None:
    record = HELD.intending("refresh-1", 5.0).without_answer().started()

    assert record.doubtful("refresh-1")
    assert record.crashed == ()


def test_a_post_that_never_left_leaves_no_doubt() -> None:
    assert HELD.intending("refresh-1", 5.0).dismissed() == HELD


def test_a_doubt_is_kept_over_the_next_intents() -> None:
    record = HELD.intending("refresh-1", 5.0).without_answer().intending("refresh-1", 35.0)

    assert record.doubtful("refresh-1")


def test_a_refusal_forgets_no_token() -> None:
    record = HELD
    for role in Role:
        record = record.intending("refresh-1", 5.0).refused(role, "refresh-1", client_id=APP, now=6.0)

    assert (record.pair, record.worked, record.intent) == (OLD, True, None)


def test_a_pair_is_refused_since_its_first_refusal() -> None:
    record = HELD
    for now in (7.0, 400.0):
        record = record.refused(Role.PAIR, "refresh-1", client_id=APP, now=now)

    assert record.refused_since == 7


def test_a_clock_that_was_ahead_does_not_make_patience_endless() -> None:
    record = replace(HELD, refused_since=9e9).refused(Role.PAIR, "refresh-1", client_id=APP, now=5.0)

    assert record.refused_since == 5


def test_a_refused_seed_is_spent_for_this_app_only() -> None:
    record = TokenRecord().refused(Role.SEED, "seed", client_id=APP, now=5.0)

    assert record.spent == (spent_mark(APP, "seed"),)
    assert spent_mark("other", "seed") not in record.spent


def test_a_refused_previous_token_is_not_tried_again() -> None:
    assert HELD.refused(Role.PREVIOUS, "refresh-0", client_id=APP, now=5.0).previous_tried


def test_a_new_pair_ends_all_doubt() -> None:
    record = replace(
        HELD,
        crashed=("c",),
        unanswered=("u",),
        refused_since=5.0,
        previous_tried=True,
        lost="revoked",
        rejected_at=4.0,
        spent=("s",),
    )

    granted = record.intending("refresh-1", 6.0).granted(NEW, for_refresh="refresh-1")

    assert granted == TokenRecord(pair=NEW, previous_refresh="refresh-1", worked=True, spent=("s",))


def test_a_pair_for_a_code_has_yet_to_work() -> None:
    granted = HELD.granted(NEW, for_refresh=None)

    assert (granted.worked, granted.previous_refresh) == (False, "refresh-1")
    assert granted.accepted().worked


def test_a_pair_of_another_app_is_no_predecessor() -> None:
    granted = HELD.granted(replace(NEW, client_id="other"), for_refresh=None)

    assert granted.previous_refresh is None


@pytest.mark.parametrize(("at", "early"), [(100.0, True), (10_700.0, False)])
def test_a_token_dies_early_only_if_it_would_have_lived_on(at: float, early: bool) -> None:  # noqa: FBT001 - a table's column
    assert HELD.rejecting(at).died_early is early
