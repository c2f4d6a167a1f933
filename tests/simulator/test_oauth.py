"""Authorization and tokens: both of a pair die when the next is given."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from netaflux.simulator import Account, App, NetatmoSettings, Served, World, estate
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Caller

BACK = "http://localhost:8977/callback"


async def authorize(caller: Caller, **changed: str) -> dict[str, str]:
    """What the browser brings back."""
    app = caller.served.netatmo.settings.app
    query = {
        "client_id": app.client_id,
        "redirect_uri": BACK,
        "scope": "read_station read_thermostat",
        "state": "mine",
        **changed,
    }
    answer = await caller.call("GET", f"{caller.served.netatmo_url}/oauth2/authorize?{urlencode(query)}")
    assert answer.status == 302
    back = urlsplit(answer.headers["Location"])
    assert answer.headers["Location"].startswith(query["redirect_uri"])
    return {name: values[0] for name, values in parse_qs(back.query).items()}


async def test_a_refresh_gives_a_pair_in_netatmos_shape(caller: Caller) -> None:
    answer = await caller.refresh(caller.served.refresh_tokens["default"])

    told = answer.json
    assert answer.status == 200
    assert told["expires_in"] == told["expire_in"] == 10_800
    assert told["scope"] == list(caller.served.world.accounts[0].scopes)
    for name in ("access_token", "refresh_token"):
        user, _, secret = told[name].partition("|")
        assert len(user) == 24
        assert int(secret, 16)


async def test_a_refresh_kills_both_tokens_of_the_old_pair(caller: Caller) -> None:
    old = caller.netatmo_headers
    first = caller.served.refresh_tokens["default"]
    assert (await caller.api("getstationsdata", headers=old)).status == 200

    assert (await caller.refresh(first)).status == 200

    dead = await caller.api("getstationsdata", headers=old)
    spent = await caller.refresh(first)
    assert (dead.status, dead.code) == (403, 2)
    assert (spent.status, spent.json) == (400, {"error": "invalid_grant"})
    assert (await caller.api("getstationsdata")).status == 200


async def test_an_expired_access_token_is_told_from_an_invalid_one(
    caller: Caller, clock: TurnedClock
) -> None:
    clock.time += 10_799
    assert (await caller.api("getstationsdata")).status == 200

    clock.time += 1
    expired = await caller.api("getstationsdata")
    assert (expired.status, expired.code) == (403, 3)


async def test_refreshing_works_long_after_the_access_token_has_expired(
    caller: Caller, clock: TurnedClock
) -> None:
    clock.time += 30 * 86_400

    assert (await caller.refresh(caller.served.refresh_tokens["default"])).status == 200


async def test_a_call_without_a_token_says_so(caller: Caller) -> None:
    answer = await caller.api("getstationsdata", headers={"X-Nothing": "1"})

    assert (answer.status, answer.code) == (400, 1)


async def test_a_token_in_the_query_is_no_token(caller: Caller) -> None:
    access = caller.netatmo_headers["Authorization"].split()[1]
    answer = await caller.api("getstationsdata", headers={"X-Nothing": "1"}, access_token=access)

    assert answer.code == 1


async def test_a_missing_scope_is_forbidden_and_not_a_matter_of_tokens(caller: Caller) -> None:
    caller.served.netatmo.logins.issue("default", ["read_camera"])

    for endpoint in ("getstationsdata", "getmeasure"):
        answer = await caller.api(endpoint)
        assert (answer.status, answer.code) == (403, 13)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", "username": "anne", "password": "x"}, "unauthorized_client"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "1|2"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "nobody's"}, "invalid_grant"),
        ({"grant_type": "magic"}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
async def test_a_bad_grant_is_refused_in_oauths_words(
    caller: Caller, form: dict[str, str], error: str
) -> None:
    answer = await caller.token(**form)

    assert (answer.status, answer.json) == (400, {"error": error})


@pytest.mark.parametrize("wrong", [{"client_secret": "x"}, {"client_id": "x"}, {"client_secret": "ü"}])
async def test_a_wrong_client_spends_nothing(caller: Caller, wrong: dict[str, str]) -> None:
    token = caller.served.refresh_tokens["default"]
    answer = await caller.token(grant_type="refresh_token", refresh_token=token, **wrong)

    assert (answer.status, answer.json) == (400, {"error": "invalid_client"})
    assert (await caller.refresh(token)).status == 200


async def test_a_code_comes_back_with_the_state_and_is_good_once(caller: Caller) -> None:
    back = await authorize(caller)

    form = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": BACK}
    first, second = await caller.token(**form), await caller.token(**form)
    assert back["state"] == "mine"
    assert first.json["scope"] == ["read_station", "read_thermostat"]
    assert second.json == {"error": "invalid_grant"}
    assert (await caller.api("getstationsdata")).status == 200


async def test_a_code_is_bound_to_where_it_was_sent(caller: Caller) -> None:
    back = await authorize(caller)

    answer = await caller.token(
        grant_type="authorization_code", code=back["code"], redirect_uri="http://elsewhere/"
    )
    assert answer.json == {"error": "redirect_uri_mismatch"}


async def test_a_code_does_not_live_long(caller: Caller, clock: TurnedClock) -> None:
    back = await authorize(caller)
    clock.time += 601

    answer = await caller.token(grant_type="authorization_code", code=back["code"], redirect_uri=BACK)
    assert answer.json == {"error": "invalid_grant"}


async def test_a_person_can_refuse(caller: Caller) -> None:
    caller.served.netatmo.consent.mode = "refuse"

    assert await authorize(caller) == {"state": "mine", "error": "access_denied"}


async def test_a_wrong_state_can_come_back(caller: Caller) -> None:
    caller.served.netatmo.consent.mode = "wrong state"

    back = await authorize(caller)
    assert back["state"] != "mine"
    assert back["code"]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uri": "http://elsewhere/"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "nowhere"}, "invalid_request"),
        ({"client_id": "x"}, "invalid_client"),
    ],
)
async def test_the_page_refuses_whom_it_does_not_know(
    caller: Caller, changed: dict[str, str], error: str
) -> None:
    app = App(redirect_uris=(BACK,))
    caller.served.netatmo.settings = NetatmoSettings(app=app)
    query = urlencode({"client_id": app.client_id, "redirect_uri": BACK, **changed})

    answer = await caller.call("GET", f"{caller.served.netatmo_url}/oauth2/authorize?{query}")
    assert (answer.status, answer.json) == (400, {"error": error})


class TestTwoAccounts:
    @pytest.fixture
    def world(self) -> World:
        houses = {"default": estate(NOW, days=1), "holiday": estate(NOW, days=1, first=1)}
        one = World.of(houses["default"])
        accounts = [Account(name, house) for name, house in houses.items()]
        return World(accounts=accounts, users=one.users)

    async def test_each_has_tokens_and_a_house_of_its_own(self, caller: Caller, served: Served) -> None:
        await caller.refresh(served.refresh_tokens["default"])
        other = served.netatmo.logins.current("holiday")
        assert other is not None
        headers = {"Authorization": f"Bearer {other.access}"}

        answer = await caller.api("getstationsdata", headers=headers)
        foreign = await caller.api(
            "getmeasure",
            headers=headers,
            device_id=served.house.stations[0].base.id,
            scale="max",
            type="Temperature",
        )
        assert [device["home_name"] for device in answer.json["body"]["devices"]] == ["House 2"]
        assert (foreign.status, foreign.code) == (404, 9)


async def test_every_pair_that_was_given_is_remembered(caller: Caller, served: Served) -> None:
    token = served.refresh_tokens["default"]
    for _ in range(3):
        token = (await caller.refresh(token)).json["refresh_token"]

    assert len(served.netatmo.logins.issued["default"]) == 4
    assert served.netatmo.logins.issued["default"][-1].refresh == token
