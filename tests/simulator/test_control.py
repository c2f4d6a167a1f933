"""The strings that another process can pull."""

from typing import Any

from netaflux.simulator import Cell, Served
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Answer, Caller


async def netatmo(caller: Caller, method: str, string: str, **given: Any) -> Answer:
    url = f"{caller.served.netatmo_url}/_sim/{string}"
    return await caller.call(method, url, **({"json": given} if method == "POST" else {"params": given}))


async def fluxtream(caller: Caller, method: str, string: str, **given: Any) -> Answer:
    url = f"{caller.served.fluxtream_url}/_sim/{string}"
    return await caller.call(method, url, **({"json": given} if method == "POST" else {"params": given}))


async def test_the_ledger_can_be_read_and_reading_it_is_no_call(caller: Caller) -> None:
    await caller.measure()
    await caller.measure(date_begin=5)

    told = (await netatmo(caller, "GET", "ledger", since=1)).json
    assert told["counts"] == {"/api/getmeasure": 2}
    assert [call["params"]["date_begin"] for call in told["calls"]] == ["5"]
    assert {"user": "default", "seconds": 10, "calls": 2} in told["busiest"]


async def test_faults_can_be_posted_counted_and_cleared(caller: Caller) -> None:
    rule = {"fault": "503", "where": "/api/*", "times": 5}
    assert (await netatmo(caller, "POST", "faults", **rule)).json["fault"] == "503"

    assert (await caller.measure()).status == 503
    told = (await netatmo(caller, "GET", "faults")).json
    assert told["struck"] == [{"fault": "503", "endpoint": "/api/getmeasure", "times": 1}]
    assert told["rules"][0]["struck"] == 1

    await netatmo(caller, "DELETE", "faults")
    assert (await caller.measure()).status == 200


async def test_nonsense_is_refused_with_a_reason(caller: Caller) -> None:
    for string, given in (
        ("faults", {"fault": "meteorite"}),
        ("faults", {"fault": "500", "whence": "x"}),
        ("tokens", {"account": "nobody"}),
        ("limits", {"per_day": 5}),
        ("house", {"account": "default", "module": "x", "set": {}}),
    ):
        answer = await netatmo(caller, "POST", string, **given)
        assert answer.status == 400
        assert answer.json["error"]


async def test_a_fresh_refresh_token_can_be_had(caller: Caller, served: Served) -> None:
    told = (await netatmo(caller, "POST", "tokens", account="default", scopes=["read_station"])).json

    assert (await caller.refresh(served.refresh_tokens["default"])).status == 400
    assert (await caller.refresh(told["refresh"])).status == 200


async def test_the_state_tells_the_tokens_in_force(caller: Caller, served: Served) -> None:
    token = (await caller.refresh(served.refresh_tokens["default"])).json["refresh_token"]

    told = (await netatmo(caller, "GET", "state")).json
    assert told["now"] == NOW
    assert told["accounts"]["default"]["refresh"] == token
    assert told["accounts"]["default"]["issued"] == 2


async def test_tokens_can_expire_and_be_revoked(caller: Caller, served: Served) -> None:
    await netatmo(caller, "POST", "expire", account="default")
    assert (await caller.measure()).code == 3

    await netatmo(caller, "POST", "revoke", account="default")
    assert (await caller.refresh(served.refresh_tokens["default"])).status == 400
    assert (await netatmo(caller, "GET", "state")).json["accounts"]["default"] == {"issued": 1}


async def test_consent_and_limits_can_be_changed(caller: Caller, served: Served) -> None:
    await netatmo(caller, "POST", "consent", mode="refuse")
    told = (await netatmo(caller, "POST", "limits", user_per_10_seconds=1)).json

    await caller.measure()
    assert (await caller.measure()).code == 26
    assert served.netatmo.consent.mode == "refuse"
    assert told["user_per_hour"] == 500


async def test_the_house_can_be_changed_and_its_truth_read(
    caller: Caller, served: Served, clock: TurnedClock
) -> None:
    base = served.house.modules[0].id
    time = served.house.rows(base, NOW - 600, NOW, NOW)[0].time
    odd = {
        "name": "Cellar",
        "gaps": [[0, NOW - 600]],
        "changes": [[time, "Humidity", None, NOW + 5]],
        "late": [[NOW - 300, NOW, NOW + 50]],
        "extras": [NOW - 590],
        "hidden": ["place"],
    }
    await netatmo(caller, "POST", "house", account="default", module=base, set=odd)
    clock.time += 10

    told = (await netatmo(caller, "GET", "rows", account="default", module=base)).json
    now = served.house.rows(base, 0, NOW + 10, NOW + 10)
    assert told["rows"] == [[row.time, list(row.values)] for row in now]
    assert NOW - 590 in [row.time for row in now]
    assert [row.values[2] for row in now if row.time == time] == [None]
    assert not [row for row in now if NOW - 300 <= row.time < NOW]
    shown = (await caller.api("getstationsdata")).json["body"]["devices"][0]
    assert shown["module_name"] == "Cellar"
    assert "place" not in shown


async def test_the_store_can_be_read_and_cells_planted(caller: Caller, served: Served) -> None:
    await caller.upload([[NOW, 1, 2], [NOW + 1, 3, 4]], ["Temp_F", "RH"])
    cell = {"device": "Netatmo_Porch", "channel": "RH"}
    await fluxtream(caller, "POST", "cells", **cell, time=NOW, value=None)
    await fluxtream(caller, "POST", "cells", **cell, time=NOW + 1, value=99)

    told = (await fluxtream(caller, "GET", "store", channel="RH")).json
    assert told == [{"guest": 7, **cell, "values": {str(NOW + 1): 99}}]
    assert len((await fluxtream(caller, "GET", "store")).json) == 2
    assert served.fluxtream.store.values[Cell(7, "Netatmo_Porch", "RH")] == {NOW + 1: 99}


async def test_the_uploads_and_the_state_can_be_read(caller: Caller) -> None:
    await caller.upload([[NOW, 1]])
    await caller.upload([[NOW, 1], [NOW, 2]])

    uploads = (await fluxtream(caller, "GET", "uploads", since=1)).json
    state = (await fluxtream(caller, "GET", "state")).json
    assert [(upload["number"], upload["rows"], upload["outcome"]) for upload in uploads] == [(2, 2, "OK")]
    assert state == {
        "guests": {"anne": 7},
        "sessions": 2,
        "doubles": 1,
        "again": 1,
        "uploads": 2,
        "in_flight": 0,
    }


async def test_chosen_rows_can_be_refused(caller: Caller) -> None:
    await fluxtream(caller, "POST", "refused", times=[NOW])

    assert (await caller.upload([[NOW, 1]])).json["result"] == "KO"
    assert (await fluxtream(caller, "GET", "ledger")).json["counts"] == {"/api/bodytrack/upload": 1}
