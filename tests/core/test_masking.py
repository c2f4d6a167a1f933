import base64
import json
from enum import Enum
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import SecretStr

from netaflux.core.masking import MASK, PASSING, Masks, printable

CANARY = "c4nary Bird/+é\"'\\"
TOKEN = "5f1e2d3c4b5a69788796a5b4|0123456789abcdef0123456789abcdef"
BASIC = base64.b64encode(b"anne:hunter22").decode()

HOLD_A_SECRET = [
    (f"Authorization: Bearer {TOKEN}", f"Authorization: Bearer {MASK}"),
    (f"curl -H 'authorization: basic {BASIC}'", f"curl -H 'authorization: basic {MASK}'"),
    (
        f"GET /api/getmeasure?access_token={TOKEN}&scale=max",
        f"GET /api/getmeasure?access_token={MASK}&scale=max",
    ),
    ("grant_type=refresh_token&refresh_token=abc%7Cdef", f"grant_type=refresh_token&refresh_token={MASK}"),
    ("client_secret=s3cret&client_id=5f", f"client_secret={MASK}&client_id=5f"),
    ('{"access_token": "abc", "expires_in": 10800}', f'{{"access_token": {MASK}, "expires_in": 10800}}'),
    ("{'refresh_token': 'it\\'s mine', 'scope': []}", f"{{'refresh_token': {MASK}, 'scope': []}}"),
    (r"body={\"refresh_token\":\"abc def\",\"a\":1}", rf"body={{\"refresh_token\":{MASK},\"a\":1}}"),
    ('password = "two words"', f"password = {MASK}"),
    (
        "http://localhost:8977/callback?state=x&code=0123456789abcdef",
        f"http://localhost:8977/callback?state=x&code={MASK}",
    ),
    (f"the pair {TOKEN} is spent", f"the pair {MASK} is spent"),
    (quote(TOKEN, safe=""), MASK),
    ("https://anne:hunter22@fluxtream.example.org/api", f"https://{MASK}@fluxtream.example.org/api"),
]


@pytest.mark.parametrize(("text", "expected"), HOLD_A_SECRET)
def test_the_usual_forms_of_secrets_are_masked(text: str, expected: str) -> None:
    assert Masks().text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "destinations.fluxtream.password: is missing",
        "Basic authentication is not offered",
        "Netatmo answers 403, code=26: User usage reached",
        "70:ee:50:00:00:01",
        "https://api.netatmo.com/api/getmeasure",
        "authorize again: the refresh token was used by another program",
    ],
)
def test_sentences_about_secrets_stay_as_they_are(text: str) -> None:
    assert Masks().text(text) == text


SPELLINGS = [
    CANARY,
    quote(CANARY),
    quote(CANARY, safe=""),
    quote_plus(CANARY),
    urlencode({"x": CANARY}),
    json.dumps({"x": CANARY}),
    json.dumps({"x": CANARY}, ensure_ascii=False),
    repr(CANARY),
    repr([CANARY]),
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_known_secret_is_masked_however_it_is_spelled(text: str) -> None:
    masks = Masks()
    masks.add([CANARY])

    assert MASK in masks.text(f"it is {text}, you know")
    assert "nary" not in masks.text(f"it is {text}, you know")


def test_a_secret_that_holds_another_is_masked_as_a_whole() -> None:
    masks = Masks()
    masks.add(["hunter", "hunter22"])

    assert masks.text("hunter22") == MASK


def test_a_secret_too_short_to_be_one_is_not_looked_for() -> None:
    masks = Masks()
    masks.add(["", "  ", "an"])

    assert masks.text("an answer") == "an answer"


def test_passing_secrets_give_way_to_newer_ones_and_lasting_ones_do_not() -> None:
    masks = Masks()
    masks.add(["for-good"])
    masks.add((f"token-{number:04}" for number in range(PASSING + 1)), passing=True)

    assert masks.text("for-good token-0000") == f"{MASK} token-0000"
    assert masks.text(f"token-0001 token-{PASSING:04}") == f"{MASK} {MASK}"


def test_a_passing_secret_that_is_seen_again_stays() -> None:
    masks = Masks()
    for number in range(3 * PASSING):
        masks.add([f"token-{number:04}", "still-in-use"], passing=True)

    assert masks.text("still-in-use token-0000") == f"{MASK} token-0000"


def test_the_tokens_of_a_dozen_accounts_are_masked_at_the_same_time() -> None:
    masks = Masks()
    tokens = [f"{account:x}-{kind}|of anne" for account in range(12) for kind in ("new", "old", "access")]
    for token in tokens:
        masks.add([token], passing=True)

    assert all(masks.text(f"is {token}") == f"is {MASK}" for token in tokens)


class Colour(Enum):
    RED = "red\n"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("access_token", "abc", MASK),
        ("Authorization", "Digest abc", MASK),
        ("Set-Cookie", "JSESSIONID=abc", MASK),
        ("password", SecretStr("abc"), MASK),
        ("code", "abc", MASK),
        ("client_secret", ["abc", {"x": "def"}], [MASK, {"x": MASK}]),
        ("body", {"access_token": "abc", "expires_in": 10800}, {"access_token": MASK, "expires_in": 10800}),
        ("x", {"y": [{"password": "abc"}, "Bearer abc"]}, {"y": [{"password": MASK}, f"Bearer {MASK}"]}),
        # numbers are no secrets, and tell what went wrong
        ("code", 26, 26),
        ("token_expires_in", 10800.5, 10800.5),
        ("password", None, None),
        # what is left is plain data
        ("rows", True, True),
        ("x", float("nan"), "nan"),
        ("x", Colour.RED, "red\\n"),
        ("x", (1, frozenset({"a"})), [1, ["a"]]),
        ("x", b"\x00", "b'\\x00'"),
        ("x", {1: "a\u202eb", "c\nd": 2}, {"1": "a\\u202eb", "c\\nd": 2}),
        ("x", Broken(), "<Broken: RuntimeError>"),
    ],
)
def test_values_are_plain_masked_and_escaped(key: str, value: object, expected: object) -> None:
    assert Masks().value(value, key) == expected


def test_what_goes_deeper_than_anybody_reads_is_shown_as_text() -> None:
    nested: list[object] = []
    nested.append(nested)

    json.dumps(Masks().value(nested))


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.binary(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text() | some.integers(), inner),
    max_leaves=10,
)


@given(ANYTHING, some.text())
def test_whatever_it_is_it_becomes_strict_json_on_one_line(value: object, key: str) -> None:
    shown = json.dumps(Masks().value(value, key), ensure_ascii=False, allow_nan=False)

    assert shown.isprintable()


@given(some.text())
def test_printable_text_is_what_it_says(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Séjour 23 °C", "Séjour 23 °C"),
        ("a\nb\r\n", "a\\nb\\r\\n"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\u2028\u202e\ud800", "\\u2028\\u202e\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected
