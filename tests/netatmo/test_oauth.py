from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import (
    GrantRefused,
    NetafluxError,
    NotAuthorized,
    Unreachable,
    UpstreamFault,
    UsageError,
)
from netaflux.netatmo.oauth import authorize_url, parse_redirect
from tests.netatmo.token_world import (
    CLIENT_ID,
    CLIENT_SECRET,
    PAGE,
    REDIRECT,
    TokenWorld,
    answering,
    cut,
    json,
    lost,
    refusing,
    token_world,
)

PAIR = {"access_token": "5e|a", "refresh_token": "5e|r"}


@pytest.fixture
async def world() -> AsyncIterator[TokenWorld]:
    async with token_world() as world:
        yield world


# The token endpoint


async def test_a_refresh_brings_a_new_pair(world: TokenWorld) -> None:
    pair = await world.endpoint().refresh(world.netatmo.refresh)

    assert (pair.access, pair.refresh) == (world.netatmo.access, world.netatmo.refresh)
    assert (pair.scopes, pair.client_id, pair.lifetime) == (("read_station",), CLIENT_ID, 10_800)
    assert pair.expires_at == world.clock.now() + 10_800


async def test_a_refresh_is_a_form_with_the_secret_in_it(world: TokenWorld) -> None:
    token = world.netatmo.refresh
    await world.endpoint().refresh(token)

    form, headers, _ = world.netatmo.posts[0]
    assert form == {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in headers


async def test_a_code_is_exchanged_with_what_it_was_asked_for(world: TokenWorld) -> None:
    pair = await world.endpoint().exchange("canary-code", REDIRECT, ["read_station", "read_camera"])

    form = world.netatmo.posts[0].form
    assert pair.refresh == world.netatmo.refresh
    assert form == {
        "grant_type": "authorization_code",
        "code": "canary-code",
        "redirect_uri": REDIRECT,
        "scope": "read_station read_camera",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"expires_in": 10800, "expire_in": 10800}, 10800),
        ({"expires_in": 60}, 60),
        ({"expire_in": 60}, 60),
        ({"expires_in": None, "expire_in": 60}, 60),
        ({"expires_in": "60"}, 60),
        ({"expires_in": 59.5}, 59.5),
        ({}, 10800),
        ({"expires_in": 0}, 10800),
        ({"expires_in": -5}, 10800),
        ({"expires_in": True}, 10800),
        ({"expires_in": "soon"}, 10800),
        ({"expires_in": [60]}, 10800),
        ({"expires_in": 1e300}, 10800),
    ],
)
async def test_a_pair_is_kept_whatever_is_said_of_its_expiry(
    world: TokenWorld, said: dict[str, object], seconds: float
) -> None:
    world.netatmo.mood = answering(200, json({**PAIR, **said}))

    pair = await world.endpoint().refresh("r")

    assert (pair.lifetime, pair.expires_at - world.clock.now()) == (seconds, seconds)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        (["read_station", "read_camera"], ("read_station", "read_camera")),
        ("read_station read_camera", ("read_station", "read_camera")),
        (["read_station", None, 7], ("read_station",)),
        (None, ()),
        (7, ()),
    ],
)
async def test_scopes_come_as_a_list_or_a_string(
    world: TokenWorld, scope: object, scopes: tuple[str, ...]
) -> None:
    world.netatmo.mood = answering(200, json({**PAIR, "scope": scope}))

    assert (await world.endpoint().refresh("r")).scopes == scopes


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "word",
    [
        "invalid_grant",
        "invalid_client",
        "unauthorized_client",
        "invalid_request",
        "invalid_scope",
        "unsupported_grant_type",
        "redirect_uri_mismatch",
    ],
)
async def test_a_definite_no_is_a_refusal(world: TokenWorld, word: str, status: int) -> None:
    world.netatmo.mood = refusing(word, status)

    with pytest.raises(GrantRefused) as caught:
        await world.endpoint().refresh("r")

    assert (caught.value.error, caught.value.status) == (word, status)


async def test_netatmos_own_code_for_an_invalid_refresh_token_is_one_too(world: TokenWorld) -> None:
    body = json({"error": {"code": 30, "message": "Invalid refresh token"}})
    world.netatmo.mood = answering(403, body)

    with pytest.raises(GrantRefused) as caught:
        await world.endpoint().refresh("r")

    assert caught.value.error == "invalid_grant"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, PAGE),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"null"),
        (200, json({"access_token": "5e|canary"})),
        (200, json({"refresh_token": "5e|canary"})),
        (200, json({"access_token": "5e|canary", "refresh_token": None})),
        (200, json({"access_token": "", "refresh_token": "5e|canary"})),
        (200, json({"access_token": "5e|canary\r\nX: y", "refresh_token": "5e|canary"})),
        (200, json({"access_token": "5e|canary", "refresh_token": "5e|canary\0"})),
        (200, json({"access_token": "5e|canary", "refresh_token": "5é|canary"})),
        (200, b'{"access_token": "5e|canary", "refresh_token": "5e'),
        (200, json({"error": "invalid_grant"})),
        (204, b""),
        (302, b""),
        (400, b""),
        (400, PAGE),
        (400, json({"error": "too_many_connections"})),
        (400, json({"error": None})),
        (400, json({"error": ["invalid_grant"]})),
        (400, json({"error": {"code": [30]}})),
        (403, PAGE),
        (403, json({"error": {"code": 26, "message": "User usage reached"}})),
        (404, json({"error": "invalid_grant"})),
        (429, json({"error": "invalid_grant"})),
        (429, PAGE),
        (500, json({"error": "invalid_grant"})),
        (500, json({"error": {"code": 30}})),
        (503, PAGE),
    ],
)
async def test_everything_else_is_a_fault_and_says_nothing_of_the_token(
    world: TokenWorld, status: int, body: bytes
) -> None:
    world.netatmo.mood = answering(status, body)

    with pytest.raises(UpstreamFault) as caught:
        await world.endpoint().refresh("canary-refresh")

    assert caught.value.status == status
    assert "canary" not in str(caught.value)


async def test_a_fault_carries_netatmos_code(world: TokenWorld) -> None:
    world.netatmo.mood = answering(403, json({"error": {"code": 26, "message": "usage"}}))

    with pytest.raises(UpstreamFault, match="HTTP 403, code 26") as caught:
        await world.endpoint().refresh("r")

    assert caught.value.code == 26


@pytest.mark.parametrize("mood", [cut, lost])
async def test_half_an_answer_is_none(world: TokenWorld, mood: object) -> None:
    world.netatmo.moods.append(mood)  # type: ignore[arg-type]  # pytest's tables have no types

    with pytest.raises(Unreachable) as caught:
        await world.endpoint().refresh("canary-refresh")

    assert caught.value.sent
    assert "canary" not in str(caught.value)


async def test_what_could_not_connect_was_never_sent(world: TokenWorld) -> None:
    world.url = "http://127.0.0.1:1"

    with pytest.raises(Unreachable) as caught:
        await world.endpoint().refresh("r")

    assert not caught.value.sent


# The page, and what comes back


def test_the_page_is_asked_for_exactly_what_is_wanted() -> None:
    url = authorize_url("https://api.netatmo.com/", "5f00", REDIRECT, ["read_station", "read_camera"], "s&t")

    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://api.netatmo.com/oauth2/authorize"
    assert "%20" in parts.query
    assert dict(parse_qsl(parts.query)) == {
        "client_id": "5f00",
        "redirect_uri": REDIRECT,
        "scope": "read_station read_camera",
        "state": "s&t",
    }


@pytest.mark.parametrize(
    "pasted",
    [
        f"{REDIRECT}?state=secret&code=5e7c",
        f"{REDIRECT}?code=5e7c&state=secret",
        f"  {REDIRECT}?state=secret&code=5e7c\n",
        f'"{REDIRECT}?state=secret&code=5e7c"',
        f"<{REDIRECT}?state=secret&code=5e7c>",
        f"{REDIRECT}?state=sec\n  ret&code=5e7c",
        f"{REDIRECT}?state=secret&code=5e7c#",
        "https://example.org/?state=secret&code=5e7c&extra=",
    ],
)
def test_a_pasted_address_gives_its_code(pasted: str) -> None:
    assert parse_redirect(pasted, "secret") == "5e7c"


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "5e7c",
        "?state=secret&code=5e7c",
        "state=secret&code=5e7c",
        "javascript:alert(1)?state=secret&code=5e7c",
        REDIRECT,
        f"{REDIRECT}?code=5e7c",
        f"{REDIRECT}?state=secret",
        f"{REDIRECT}?state=secret&code=",
        f"{REDIRECT}?state=secret&code=5e7c&code=other",
        f"{REDIRECT}?state=secret&state=other&code=5e7c",
        f"{REDIRECT}?state=secret&code=5e%007c",
        f"{REDIRECT}?state=secret&code=%C3%BC",
        "http://[::1?state=secret&code=5e7c",
        f"{REDIRECT}?{'a=1&' * 100}state=secret&code=5e7c",
    ],
)
def test_anything_else_is_asked_for_again(pasted: str) -> None:
    with pytest.raises(UsageError, match="not the address") as caught:
        parse_redirect(pasted, "secret")

    assert "address line" in caught.value.remedy


@pytest.mark.parametrize("state", ["other", "secre", "secrets", "SECRET", "%00", "ü"])
def test_another_state_is_another_attempt(state: str) -> None:
    for rest in ("code=5e7c", "error=access_denied"):
        with pytest.raises(UsageError, match="another attempt"):
            parse_redirect(f"{REDIRECT}?state={state}&{rest}", "secret")


def test_no_state_at_all_fits_no_expectation() -> None:
    with pytest.raises(UsageError):
        parse_redirect(f"{REDIRECT}?state=&code=5e7c", "")


def test_a_refusal_without_the_state_is_nobodys() -> None:
    """Or any page that is open in the browser could end the attempt."""
    with pytest.raises(UsageError):
        parse_redirect(f"{REDIRECT}?error=access_denied", "secret")


def test_a_refusal_on_the_page_is_said() -> None:
    with pytest.raises(NotAuthorized, match="Access was refused") as caught:
        parse_redirect(f"{REDIRECT}?error=access_denied&state=secret", "secret")

    assert "netaflux authorize" in caught.value.remedy


@pytest.mark.parametrize(
    ("error", "said"),
    [("redirect_uri_mismatch", "redirect_uri_mismatch"), ("%1B%5B31m", "an error"), ("a" * 50, "an error")],
)
def test_another_error_on_the_page_is_said_if_it_is_a_word(error: str, said: str) -> None:
    with pytest.raises(NotAuthorized, match=f"answered {said}$"):
        parse_redirect(f"{REDIRECT}?error={error}&state=secret", "secret")


words = st.sampled_from(
    [
        "http://",
        "localhost",
        "?",
        "&",
        "=",
        "state",
        "code",
        "error",
        "secret",
        "%",
        "#",
        "[",
        "]",
        ";",
        "\ud800",
    ]
)


@given(st.one_of(st.text(), st.lists(words | st.text(max_size=3), max_size=14).map("".join)))
def test_whatever_is_pasted_is_a_code_or_an_error_of_ours(pasted: str) -> None:
    with suppress(NetafluxError):
        assert parse_redirect(pasted, "secret").isprintable()
