from typing import Any

import pytest

from netaflux.simulator import World
from netaflux.simulator.accounts import ALL_SCOPES
from netaflux.simulator.guard import PICTURE_LIFETIME
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Caller
from tests.simulator.guarded import ANNE, DRIVE, HALL, HOME, guarded_house


@pytest.fixture
def world() -> World:
    return World.of(guarded_house(NOW), scopes=ALL_SCOPES)


async def test_events_come_in_pages_that_begin_with_the_one_asked_for(caller: Caller) -> None:
    first = (await caller.api("getevents", home_id=HOME)).json["body"]["home"]
    second = (await caller.api("getevents", home_id=HOME, event_id=first["events"][-1]["id"])).json["body"][
        "home"
    ]

    assert first["id"] == HOME
    assert len(first["events"]) == 30
    assert second["events"][0]["id"] == first["events"][-1]["id"]
    assert len({each["id"] for each in (*first["events"], *second["events"])}) == 59


async def test_a_server_can_be_told_to_repeat_its_first_page(caller: Caller) -> None:
    first = (await caller.api("getevents", home_id=HOME)).json["body"]
    url = f"{caller.served.netatmo_url}/_sim/watch"
    await caller.call("POST", url, json={"repeats": True})

    again = await caller.api("getevents", home_id=HOME, event_id=first["home"]["events"][-1]["id"])

    assert again.json["body"]["home"]["events"][0]["id"] == first["home"]["events"][0]["id"]


@pytest.mark.parametrize(
    ("params", "code"),
    [({}, 10), ({"home_id": "5d99"}, 21), ({"home_id": HOME, "event_id": "f" * 24}, 21)],
)
async def test_a_wrong_question_about_events_is_refused(
    caller: Caller, params: dict[str, Any], code: int
) -> None:
    answer = await caller.api("getevents", **params)

    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("endpoint", ["getevents", "homesdata", "homestatus"])
async def test_without_a_scope_for_it_a_home_is_nobodys_business(caller: Caller, endpoint: str) -> None:
    caller.served.netatmo.logins.issue("default")

    answer = await caller.api(endpoint, home_id=HOME)

    assert (answer.status, answer.code) == (403, 13)


async def test_gethomedata_is_closed_unless_told_otherwise(caller: Caller) -> None:
    closed = await caller.api("gethomedata")
    caller.served.netatmo.watch.serves_old = True
    opened = await caller.api("gethomedata", size=5)

    (home,) = opened.json["body"]["homes"]
    assert (closed.status, closed.code) == (403, 13)
    assert [each["id"] for each in home["cameras"]] == [HALL, DRIVE]
    assert len(home["events"]) == 5
    assert {each["camera_id"] for each in home["events"]} <= {HALL, DRIVE}


async def test_a_pictures_address_is_good_for_some_minutes(caller: Caller, clock: TurnedClock) -> None:
    events = (await caller.api("getevents", home_id=HOME)).json["body"]["home"]["events"]
    url = next(each["snapshot"]["url"] for each in events if "snapshot" in each)

    fresh = await caller.call("GET", url)
    forged = await caller.call("GET", url.replace("se=1", "se=2"))
    await clock.sleep(PICTURE_LIFETIME)
    expired = await caller.call("GET", url)

    assert (fresh.status, forged.status, expired.status) == (200, 403, 403)
    assert fresh.headers["Content-Type"] == "image/jpeg"


async def test_a_camera_that_cannot_be_reached_is_among_the_errors_alone(caller: Caller) -> None:
    caller.served.house.guards[HOME].lenses[HALL].reachable = False

    body = (await caller.api("homestatus", home_id=HOME)).json["body"]

    assert body["errors"] == [{"code": 6, "id": HALL}]
    assert [each["id"] for each in body["home"]["modules"]] == [DRIVE]


async def test_a_person_is_marked_away(caller: Caller) -> None:
    url = f"{caller.served.netatmo_url}/api/setpersonsaway"
    form = {"home_id": HOME, "person_id": ANNE}

    done = await caller.call("POST", url, data=form, headers=caller.netatmo_headers)
    unknown = await caller.call("POST", url, data={**form, "person_id": "x"}, headers=caller.netatmo_headers)

    assert (done.status, unknown.status, unknown.code) == (200, 400, 21)
    assert caller.served.house.guards[HOME].faces[ANNE].away
