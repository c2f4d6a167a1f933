"""Faults strike where, whom and as often as asked, and are counted."""

import asyncio
import subprocess
import sys
from signal import SIGKILL

import aiohttp
import pytest

from netaflux.simulator import Fault, Faults, Served
from tests.simulator.conftest import Caller

MEASURE = "/api/getmeasure"
TOKEN = "/oauth2/token"


@pytest.mark.parametrize(
    ("fault", "status", "begin"),
    [
        (Fault.ERROR_500, 500, b"<html>"),
        (Fault.ERROR_502, 502, b"<html>"),
        (Fault.ERROR_503, 503, b"<html>"),
        (Fault.UNAVAILABLE, 503, b'{"error":{"code":50,'),
        (Fault.HTML_200, 200, b"<html>"),
        (Fault.HTML_403, 403, b"<html>"),
        (Fault.QUOTA_403, 403, b'{"error":{"code":26,'),
        (Fault.QUOTA_429, 429, b'{"error":{"code":26,'),
        (Fault.BUSY, 429, b'{"error":{"code":11,'),
        (Fault.UNAUTHORIZED, 401, b"<html>"),
        (Fault.ERRORS, 200, b'{"body":{"errors":[{"code":6,'),
        (Fault.HOME_ERRORS, 200, b'{"body":{"home":{"id":"5d0000000000000000000001","errors":['),
    ],
)
async def test_another_answer_instead(
    caller: Caller, served: Served, fault: Fault, status: int, begin: bytes
) -> None:
    served.netatmo.faults.add(fault, MEASURE, times=1)

    struck, next_one = await caller.measure(), await caller.measure()
    assert struck.status == status
    assert struck.body.startswith(begin)
    assert next_one.status == 200
    assert served.netatmo.faults.count(fault, "/api/*") == 1
    assert [call.fault for call in served.netatmo.ledger.calls] == [fault, None]


async def test_a_refusal_can_say_when_to_come_back(caller: Caller, served: Served) -> None:
    served.netatmo.faults.add(Fault.BUSY, times=1, retry_after=12)

    assert (await caller.measure()).headers["Retry-After"] == "12"


async def test_a_connection_can_be_reset_before_anything_is_done(caller: Caller, served: Served) -> None:
    served.netatmo.faults.add(Fault.RESET_BEFORE, TOKEN, times=1)
    token = served.refresh_tokens["default"]

    with pytest.raises(aiohttp.ClientOSError):
        await caller.refresh(token)
    assert (await caller.refresh(token)).status == 200


async def test_the_answer_of_a_rotation_can_be_lost(caller: Caller, served: Served) -> None:
    """The account is then locked out, as with the real one."""
    served.netatmo.faults.add(Fault.RESET_AFTER, TOKEN, times=1)
    token = served.refresh_tokens["default"]

    with pytest.raises(aiohttp.ClientOSError):
        await caller.refresh(token)
    assert (await caller.refresh(token)).json == {"error": "invalid_grant"}
    assert len(served.netatmo.logins.issued["default"]) == 2
    assert [call.status for call in served.netatmo.ledger.calls] == [0, 400]


async def test_a_bogus_invalid_grant_spends_nothing(caller: Caller, served: Served) -> None:
    served.netatmo.faults.add(Fault.INVALID_GRANT, TOKEN, times=1)
    token = served.refresh_tokens["default"]

    bogus = await caller.refresh(token)
    assert (bogus.status, bogus.json) == (400, {"error": "invalid_grant"})
    assert (await caller.refresh(token)).status == 200


async def test_a_body_can_be_cut(caller: Caller, served: Served) -> None:
    served.netatmo.faults.add(Fault.TRUNCATED, MEASURE)

    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.measure(date_begin=0)


async def test_a_body_can_drip(caller: Caller, served: Served) -> None:
    whole = await caller.measure(date_begin=0)
    served.netatmo.faults.add(Fault.DRIP, MEASURE, seconds=100)
    began = served.clock.now()

    dripped = await caller.measure(date_begin=0)
    assert dripped.json["body"] == whole.json["body"]
    assert served.clock.now() == pytest.approx(began + 100)


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HANG_AFTER])
async def test_a_call_can_hang_until_the_caller_gives_up(
    caller: Caller, served: Served, fault: Fault
) -> None:
    served.netatmo.faults.add(fault, times=1)

    with pytest.raises(TimeoutError):
        await caller.call(
            "GET",
            f"{served.netatmo_url}/api/getstationsdata",
            headers=caller.netatmo_headers,
            timeout=aiohttp.ClientTimeout(total=0.1),
        )
    while served.in_flight:  # noqa: ASYNC110 - the server's loop is ours, and has yet to see the farewell
        await asyncio.sleep(0)
    assert (await caller.measure()).status == 200


def test_chance_is_the_same_with_the_same_seed() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add("500", share=0.3)
        return [faults.strike(MEASURE, "anne", {}) is not None for _ in range(1000)]

    assert struck(1) == struck(1) != struck(2)
    assert 250 < sum(struck(1)) < 350


def test_a_rule_strikes_only_whom_it_is_meant_for() -> None:
    faults = Faults()
    faults.add(Fault.ERROR_500, "/api/get*", user="anne", holding="02:00", after=1, times=2)
    calls = [
        ("/oauth2/token", "anne", {"x": "02:00"}),
        (MEASURE, "bob", {"x": "02:00"}),
        (MEASURE, "anne", {"x": "03:00"}),
        (MEASURE, "anne", {"x": "02:00"}),  # the first that matches goes free
        (MEASURE, "anne", {"x": "02:00:01"}),
        (MEASURE, "anne", {"x": "02:00:02"}),
        (MEASURE, "anne", {"x": "02:00:03"}),  # twice is enough
    ]

    assert [faults.strike(*call) is not None for call in calls] == [False] * 4 + [True] * 2 + [False]
    assert faults.count(Fault.ERROR_500) == 2


def test_cleared_faults_strike_no_more_and_stay_counted() -> None:
    faults = Faults()
    faults.add("429/11")
    faults.strike(MEASURE, "anne", {})
    faults.clear()

    assert faults.strike(MEASURE, "anne", {}) is None
    assert faults.count("429/11") == 1


def test_there_is_no_unknown_fault() -> None:
    with pytest.raises(ValueError, match="meteorite"):
        Faults().add("meteorite")


@pytest.mark.parametrize("pid", [0, -1, 1])
def test_nothing_but_one_process_can_be_killed(pid: int) -> None:
    with pytest.raises(ValueError, match="needs the pid"):
        Faults().add(Fault.KILL_DONE, pid=pid)


@pytest.mark.parametrize("moment", [Fault.KILL_BEFORE, Fault.KILL_DONE, Fault.KILL_ANSWERED])
async def test_a_process_can_be_killed_at_a_chosen_call(
    caller: Caller, served: Served, moment: Fault
) -> None:
    """The work of the call is done in any case."""
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])  # noqa: ASYNC220 - short
    served.netatmo.faults.add(moment, TOKEN, after=1, times=1, pid=victim.pid, seconds=5)
    began = served.clock.now()

    first = await caller.refresh(served.refresh_tokens["default"])
    assert victim.poll() is None
    second = await caller.refresh(first.json["refresh_token"])

    assert await asyncio.to_thread(victim.wait, 10) == -SIGKILL
    assert second.status == 200
    assert len(served.netatmo.logins.issued["default"]) == 3
    assert served.netatmo.faults.count(moment) == 1
    assert served.clock.now() == began + 5
