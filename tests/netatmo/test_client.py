import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aioresponses import aioresponses

from netaflux.core.caution import PROBE
from netaflux.core.errors import (
    Busy,
    NetafluxError,
    NotAuthorized,
    NotFound,
    QuotaReached,
    RequestRefused,
    ScopeDenied,
    TokenRejected,
    Unreachable,
    UpstreamFault,
)
from netaflux.core.events import CallMade, ErrorMet
from netaflux.core.model import Lane
from netaflux.netatmo.gate import Gate
from netaflux.simulator import Limits, Served, World, estate, serve
from tests.fakes import TurnedClock
from tests.netatmo.world import ANNE, Keeper, Wired, serving, wired

URL = "https://api.netatmo.invalid/api/getmeasure"
GOOD = {"status": "ok", "body": [], "time_server": 1763719200}
HTML = "<html><title>503 Service Temporarily Unavailable</title></html>"


def refusal(status: int, code: int, **headers: str) -> dict[str, Any]:
    """What aioresponses shall answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status": status, "payload": {"error": {"code": code, "message": "no"}}, "headers": named}


GOOD_ANSWER: dict[str, Any] = {"payload": GOOD}
EXPIRED = refusal(403, 3)


@asynccontextmanager
async def answering(*answers: dict[str, Any], keeper: Keeper | None = None) -> AsyncIterator[Wired]:
    """A client whose calls are answered so, one after the other; all of these must be asked for."""
    with aioresponses() as mocked:
        for each in answers:
            mocked.add(f"{URL}?scale=max", **each)
            mocked.add(URL, method="POST", **each)
        async with wired(keeper=keeper) as world:
            yield world
        asked = sum(len(calls) for calls in mocked.requests.values())
        assert asked == len(answers)
        assert world.permits == asked


# what is sent


async def test_a_read_arrives_as_it_was_meant() -> None:
    """Colons, commas and the bar of a token come through a real connection unharmed; no token in the URL."""
    arrived: list[web.Request] = []

    async def note(request: web.Request) -> web.Response:
        arrived.append(request)
        return web.json_response(GOOD)

    params = {"device_id": "70:ee:50:00:00:01", "type": "Temperature,CO2", "date_begin": "1763700000"}
    async with (
        serving({"getmeasure": note}) as url,
        wired(url, keeper=Keeper("5a|b3/+=")) as world,
    ):
        await world.client.call("getmeasure", params, lane=Lane.LIVE)

    assert [request.method for request in arrived] == ["GET"]
    assert dict(arrived[0].query) == params
    assert arrived[0].path == "/api/getmeasure"
    assert arrived[0].headers["Authorization"] == "Bearer 5a|b3/+="
    assert "b3" not in str(arrived[0].url)


async def test_a_write_is_posted_as_a_form() -> None:
    arrived: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    async def note(request: web.Request) -> web.Response:
        arrived.append((request.method, dict(await request.post()), dict(request.query)))
        return web.json_response({"status": "ok"})

    async with serving({"setstate": note}) as url, wired(url) as world:
        await world.client.call("setstate", {"mode": "away, 5|6"}, lane=Lane.LIVE, write=True)

    assert arrived == [("POST", {"mode": "away, 5|6"}, {})]


async def test_the_answer_is_handed_over_and_its_time_is_heard() -> None:
    async with answering(GOOD_ANSWER) as world:
        assert await world.measure() == GOOD
        await world.clock.sleep(7)

        assert world.client.time.now() == 1763719207


async def test_each_request_is_told_and_each_that_fails() -> None:
    """With the class of its error, also where the call succeeds in the end."""
    cut = {"exception": aiohttp.ServerDisconnectedError()}
    async with answering(EXPIRED, cut, refusal(429, 11), GOOD_ANSWER) as world:
        await world.measure()

    made = [event for event in world.listener.events if isinstance(event, CallMade)]
    met = [event.kind for event in world.listener.events if isinstance(event, ErrorMet)]
    assert made == [CallMade(account=ANNE, endpoint="getmeasure")] * 4
    assert met == ["TokenRejected", "Unreachable", "Busy"]


# tokens


async def test_a_rejected_token_is_told_and_the_call_repeated_with_the_next() -> None:
    async with answering(EXPIRED, GOOD_ANSWER) as world:
        assert await world.measure() == GOOD

    assert world.keeper.rejections == ["first"]
    assert world.pauses == []


async def test_a_second_rejection_is_an_error_and_costs_no_second_refresh() -> None:
    async with answering(EXPIRED, EXPIRED) as world:
        with pytest.raises(TokenRejected):
            await world.measure()

    assert world.keeper.rejections == ["first"]


async def test_a_proxy_s_403_is_no_rejected_token() -> None:
    html = {"status": 403, "body": HTML, "content_type": "text/html"}
    async with answering(html, GOOD_ANSWER) as world:
        await world.measure()

    assert world.keeper.rejections == []


@pytest.mark.parametrize(
    "failure",
    [NotAuthorized("authorize again"), UpstreamFault("in 300 s", retry_after=300), Unreachable("away")],
)
async def test_without_a_token_nothing_is_sent_repeated_or_closed(failure: NetafluxError) -> None:
    """The keeper knows best when to try again."""
    async with wired(keeper=Keeper(failure=failure)) as world:
        with pytest.raises(type(failure)) as caught:
            await world.measure()

        assert caught.value is failure
        assert world.gate.state().closed_until is None
        assert world.listener.events == []


async def test_no_call_holds_a_token_while_it_waits_for_its_permit() -> None:
    """A refresh would wait for the call, and the call maybe for an hour."""
    borrowed_at: list[float] = []
    async with answering(GOOD_ANSWER) as world:
        opens = world.clock.now() + 600
        await world.gate.pause(600, "usage reached")
        world.keeper.on_borrowing = lambda: borrowed_at.append(world.clock.now())
        await world.measure()

    assert borrowed_at == [opens]


async def test_the_token_shows_nowhere() -> None:
    canary = "5a00|canary"
    for answers in ([refusal(403, 13)], [{"exception": aiohttp.ClientError("cut")}] * 3):
        async with answering(*answers, keeper=Keeper(canary)) as world:
            with pytest.raises(NetafluxError) as caught:
                await world.measure()

            told = [caught.value, caught.value.__cause__, world.client, *world.listener.events]
            assert "canary" not in repr(told) + str(caught.value)


async def test_a_refusal_that_repeats_the_token_is_told_without_it() -> None:
    body = {"error": {"code": 26, "message": "too many calls with 5a00|canary"}}
    async with answering({"status": 429, "payload": body}, keeper=Keeper("5a00|canary")) as world:
        with pytest.raises(QuotaReached) as caught:
            await world.measure()

        assert "too many calls" in caught.value.message
        told = [caught.value, world.gate.state(), *world.listener.events]
        assert "canary" not in repr(told) + str(caught.value)


# what passes

PASSING: Mapping[str, dict[str, Any]] = {
    "a proxy's page": {"status": 503, "body": HTML, "content_type": "text/html"},
    "an internal error": refusal(500, 500),
    "a service that is away": refusal(503, 50),
    "a bad gateway": {"status": 502, "body": ""},
    "an overload": refusal(429, 11),
    "an overload without a word": {"status": 429, "body": HTML},
    "half an answer": {"body": '{"status":"ok","bo'},
    "a page that claims to be fine": {"body": HTML},
    "a broken connection": {"exception": aiohttp.ServerDisconnectedError()},
    "silence": {"exception": TimeoutError()},
}


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING.keys())
async def test_what_passes_is_tried_again_after_a_pause(answer: dict[str, Any]) -> None:
    async with answering(answer, answer, GOOD_ANSWER) as world:
        assert await world.measure() == GOOD

    assert [1 <= pause <= 3 for pause in world.pauses] == [True, True]
    assert world.gate.state().closed_until is None


async def test_after_three_attempts_the_failure_stands() -> None:
    async with answering(*[PASSING["an overload"]] * 3) as world:
        with pytest.raises(Busy):
            await world.measure()

    assert len(world.pauses) == 2


async def test_the_pauses_grow() -> None:
    async with answering(*[PASSING["an overload"]] * 3) as world:
        with pytest.raises(Busy):
            await world.measure()

    first, second = world.pauses
    assert 1 <= first <= 2 <= second <= 3


@pytest.mark.parametrize("status", [429, 503])
async def test_a_short_wish_to_wait_is_honoured(status: int) -> None:
    async with answering(refusal(status, 11, Retry_After="45"), GOOD_ANSWER) as world:
        await world.measure()

    assert world.pauses == [45]


@pytest.mark.parametrize(("status", "code", "error"), [(429, 11, Busy), (503, 50, UpstreamFault)])
async def test_a_long_wish_to_wait_closes_the_gate(
    status: int, code: int, error: type[NetafluxError]
) -> None:
    async with answering(refusal(status, code, Retry_After="300")) as world:
        with pytest.raises(error):
            await world.measure()
        closed_until = world.gate.state().closed_until

    assert closed_until == world.clock.now() + 300


async def test_a_server_that_is_silent_is_given_up_after_a_while() -> None:
    """Every attempt counts against the budget, for it may have arrived."""

    async def silent(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving({"getmeasure": silent}) as url, wired(url, total=0.05) as world:
        with pytest.raises(Unreachable):
            await world.measure()

        assert world.permits == 3


async def test_a_connection_that_is_cut_amid_the_answer_is_tried_again() -> None:
    body = b'{"status":"ok","body":[]}'
    lengths = iter([10, len(body)])

    async def cutting(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        sent = next(lengths)
        await response.write(body[:sent])
        if sent < len(body) and request.transport:
            request.transport.close()
        return response

    async with serving({"getmeasure": cutting}) as url, wired(url) as world:
        assert await world.measure() == {"status": "ok", "body": []}
        assert world.permits == 2


# what does not pass


@pytest.mark.parametrize(("status", "code"), [(429, 26), (403, 26), (429, 28), (429, 29)])
async def test_a_quota_closes_the_gate_for_ten_minutes(status: int, code: int) -> None:
    async with answering(refusal(status, code)) as world:
        with pytest.raises(QuotaReached):
            await world.measure()
        state = world.gate.state()

    assert state.closed_until == world.clock.now() + 600
    assert f"HTTP {status}, code {code}" in state.reason
    assert world.pauses == []


@pytest.mark.parametrize(("asked", "kept"), [("30", 30), ("120", 120), ("999999", 3600)])
async def test_a_quota_closes_the_gate_for_as_long_as_netatmo_asks_up_to_an_hour(
    asked: str, kept: int
) -> None:
    async with answering(refusal(429, 26, Retry_After=asked)) as world:
        with pytest.raises(QuotaReached):
            await world.measure()
        closed_until = world.gate.state().closed_until

    assert closed_until == world.clock.now() + kept


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, 13, ScopeDenied), (404, 9, NotFound), (400, 21, NotFound), (400, 10, RequestRefused)],
)
async def test_a_definite_no_is_not_asked_for_twice(
    status: int, code: int, error: type[NetafluxError]
) -> None:
    async with answering(refusal(status, code)) as world:
        with pytest.raises(error):
            await world.measure()

    assert world.keeper.rejections == []
    assert world.gate.state().closed_until is None


@pytest.mark.parametrize("answer", [*PASSING.values(), EXPIRED], ids=[*PASSING, "an expired token"])
async def test_a_write_is_never_repeated(answer: dict[str, Any]) -> None:
    async with answering(answer) as world:
        with pytest.raises(NetafluxError):
            await world.measure(write=True)

    assert world.keeper.rejections == (["first"] if answer is EXPIRED else [])


# at the door of a Netatmo that counts

FEW = Limits(user_per_10_seconds=3, user_per_hour=30)


@asynccontextmanager
async def throttled(**settings: Any) -> AsyncIterator[tuple[Wired, Served]]:
    """A client that thinks it may call far more often than Netatmo lets it."""
    clock = TurnedClock()
    one = World.of(estate(clock.now(), days=1))
    world = replace(one, netatmo=replace(one.netatmo, limits=FEW, **settings))
    async with serve(world, clock) as served:
        pair = served.netatmo.logins.current("default")
        assert pair is not None
        async with wired(served.netatmo_url, keeper=Keeper(pair.access), clock=clock) as wire:
            yield wire, served


async def surveyed(world: Wired, calls: int) -> None:
    for _ in range(calls):
        await world.client.call(PROBE, {}, lane=Lane.LIVE)


def arrivals(served: Served) -> list[tuple[str, int | str | None, float]]:
    """Each call's endpoint, Netatmo's code if it was refused, and the seconds since the first."""
    calls = served.netatmo.ledger.calls
    return [(call.endpoint.removeprefix("/api/"), call.code, call.time - calls[0].time) for call in calls]


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(("retry_after", "closed"), [(False, 600), (True, 10)])
async def test_a_refused_client_stays_away_and_comes_back_with_one_survey(
    status: int, closed: float, *, retry_after: bool
) -> None:
    async with throttled(quota_status=status, retry_after=retry_after) as (world, served):
        await surveyed(world, 3)
        with pytest.raises(QuotaReached):
            await world.measure()
        with pytest.raises(NetafluxError, match="getmeasure"):  # it says too little to be answered
            await world.measure()
        begun = world.clock.now()
        await surveyed(world, 2)

    seconds = [pytest.approx(each, abs=0.1) for each in (closed, closed + 5, closed + 10, closed + 15)]
    assert begun == pytest.approx(1_700_000_000 + closed + 5, abs=0.1)
    assert arrivals(served) == [
        *[(PROBE, None, 0)] * 3,
        ("getmeasure", 26, 0),
        (PROBE, None, seconds[0]),
        ("getmeasure", 10, seconds[1]),
        (PROBE, None, seconds[2]),
        (PROBE, None, seconds[3]),
    ]


async def test_a_client_that_is_refused_by_the_hour_comes_back_ever_later_and_is_let_in() -> None:
    async with throttled() as (world, served):
        for _ in range(30):
            await surveyed(world, 1)
            world.clock.time += 10
        for _ in range(3):
            with pytest.raises(QuotaReached):
                await surveyed(world, 1)
        await surveyed(world, 15)

    refusals = [time for _, code, time in arrivals(served) if code == 26]
    assert refusals == pytest.approx([300, 900, 2100], abs=1)
    assert [code for _, code, time in arrivals(served) if time > 2100] == [None] * 15


async def test_a_probe_that_fails_fails_the_call_that_waits_and_nothing_else() -> None:
    asked: list[str] = []

    def answering_with(*answers: tuple[int, dict[str, Any]]) -> Any:
        each = iter(answers)

        async def answer(request: web.Request) -> web.Response:
            asked.append(request.path.removeprefix("/api/"))
            status, body = next(each)
            return web.json_response(body, status=status)

        return answer

    quota = (429, {"error": {"code": 26, "message": "no"}})
    denied = (403, {"error": {"code": 13, "message": "no"}})
    handlers = {
        "setstate": answering_with(quota, (200, {"status": "ok"})),
        PROBE: answering_with(quota, (500, {}), denied),
    }
    async with serving(handlers) as url, wired(url) as world:
        failures: list[NetafluxError] = []
        for _ in range(4):
            await world.clock.sleep(world.gate.wait)  # a change does not wait by itself
            with pytest.raises(NetafluxError) as caught:
                await world.client.call("setstate", {}, lane=Lane.LIVE, write=True)
            failures.append(caught.value)
        await world.clock.sleep(world.gate.wait)
        await world.client.call("setstate", {}, lane=Lane.LIVE, write=True)

    assert [type(each) for each in failures] == [QuotaReached, QuotaReached, UpstreamFault, ScopeDenied]
    assert asked == ["setstate", PROBE, PROBE, PROBE, "setstate"], "what was not let in was never sent"


class SlowKeeper(Keeper):
    """While the first token is waited for, somebody else's call is told to stay away."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: list[Gate] = []

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[str]:
        if self.gates:
            await self.gates.pop().pause(300, "usage reached")
        async with super().borrowed() as access:
            yield access


async def test_a_call_whose_token_comes_after_the_closing_is_sent_after_the_reopening() -> None:
    keeper, arrived = SlowKeeper(), []

    async def answer(_: web.Request) -> web.Response:
        arrived.append(world.clock.now())
        return web.json_response(GOOD)

    async with serving({"getmeasure": answer}) as url, wired(url, keeper=keeper) as world:
        begun = world.clock.now()
        keeper.gates.append(world.gate)
        await world.measure()

    assert arrived == [begun + 300]
