"""The limits, counted strictly at the door."""

from dataclasses import replace

import pytest

from netaflux.simulator import Account, Limits, NetatmoSettings, Served, World, estate
from netaflux.simulator.limits import Gate, Sliding
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Caller

FEW = Limits(user_per_10_seconds=3, user_per_hour=5, app_per_10_seconds=4, app_per_hour=8)


def test_a_window_forgets_what_is_as_old_as_it_is_long() -> None:
    window = Sliding(10)
    window.add(0)
    window.add(9.9)

    assert window.held(9.99) == 2
    assert window.held(10) == 1
    assert window.free_in(10, 1) == pytest.approx(9.9)
    assert window.most == 2


def test_no_window_of_ten_seconds_ever_lets_too_many_in() -> None:
    """Brute force: every window that begins or ends at a call."""
    gate, limits = Gate(), replace(FEW, user_per_hour=10**6, app_per_hour=10**6, app_per_10_seconds=10**6)
    moments = [number * 0.7 for number in range(300)]
    let_in = [moment for moment in moments if gate.refusal("anne", moment, limits) is None]

    assert max(sum(end - 10 < one <= end for one in let_in) for end in let_in) == 3
    assert len(let_in) == 3 * 20


def test_a_limit_of_nothing_lets_nobody_in() -> None:
    assert Gate().refusal("anne", 5, replace(FEW, user_per_hour=0)) == ("User", 3600)


def test_what_was_refused_does_not_count() -> None:
    gate = Gate()
    outcomes = [gate.refusal("anne", moment, FEW) is None for moment in (0, 1, 2, 3, 9, 10, 10.5, 11, 12)]

    assert outcomes == [True, True, True, False, False, True, False, True, False]


class TestAtTheDoor:
    @pytest.fixture
    def world(self) -> World:
        houses = {"default": estate(NOW, days=1), "holiday": estate(NOW, days=1, first=1)}
        one = World.of(houses["default"])
        accounts = [Account(name, house) for name, house in houses.items()]
        return World(accounts=accounts, users=one.users, netatmo=NetatmoSettings(limits=FEW))

    async def test_the_fourth_call_in_ten_seconds_is_refused(
        self, caller: Caller, clock: TurnedClock
    ) -> None:
        answers = [await caller.measure() for _ in range(4)]
        clock.time += 10

        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[3].code == 26
        assert "Retry-After" not in answers[3].headers
        assert (await caller.measure()).status == 200

    async def test_the_refusal_can_be_the_old_one_and_say_when_to_come_back(
        self, caller: Caller, served: Served, clock: TurnedClock
    ) -> None:
        served.netatmo.settings = replace(served.netatmo.settings, quota_status=403, retry_after=True)
        await caller.measure()
        clock.time += 4
        answers = [await caller.measure() for _ in range(3)]

        assert (answers[2].status, answers[2].code) == (403, 26)
        assert answers[2].headers["Retry-After"] == "6"

    async def test_an_hour_has_its_own_limit(self, caller: Caller, clock: TurnedClock) -> None:
        statuses = []
        for _ in range(6):
            statuses.append((await caller.measure()).status)
            clock.time += 60

        assert statuses == [200] * 5 + [429]

    async def test_users_do_not_share_a_limit_but_the_apps(self, caller: Caller, served: Served) -> None:
        other = served.netatmo.logins.current("holiday")
        assert other is not None
        headers = {"Authorization": f"Bearer {other.access}"}
        for _ in range(3):
            assert (await caller.measure()).status == 200

        fourth = await caller.api("getstationsdata", headers=headers)
        fifth = await caller.api("getstationsdata", headers=headers)
        assert fourth.status == 200
        assert (fifth.status, fifth.json["error"]["message"]) == (429, "Application usage reached")

    async def test_every_api_call_counts_and_no_token_call(self, caller: Caller, served: Served) -> None:
        await caller.refresh(served.refresh_tokens["default"])
        await caller.refresh("nonsense")
        await caller.measure(type="")
        await caller.api("no such method")
        served.netatmo.logins.expire("default")
        await caller.measure()

        assert (await caller.measure()).code == 26
        assert served.netatmo.ledger.busiest(10, "default") == 4
        assert served.netatmo.ledger.busiest(10) == 4

    async def test_the_ledger_tells_who_asked_what_and_what_became_of_it(
        self, caller: Caller, served: Served, clock: TurnedClock
    ) -> None:
        clock.time += 5
        await caller.measure(date_begin=7)
        await caller.measure(type="")
        token = served.refresh_tokens["default"]
        await caller.refresh(token)

        first, second, third = served.netatmo.ledger.calls
        assert (first.number, first.time, first.method) == (1, NOW + 5, "GET")
        assert (first.endpoint, first.user, first.status) == ("/api/getmeasure", "default", 200)
        assert first.params["date_begin"] == "7"
        assert (second.status, second.code, second.fault) == (400, 10, None)
        assert (third.endpoint, third.counted, third.user) == ("/oauth2/token", False, "default")
        assert third.params["refresh_token"] == token
        assert "client_secret" not in third.params

    async def test_the_fullest_window_is_remembered(
        self, caller: Caller, served: Served, clock: TurnedClock
    ) -> None:
        for pause in (0, 9, 1, 10, 3):
            clock.time += pause
            await caller.measure()

        assert served.netatmo.ledger.busiest(10) == 2
        assert served.netatmo.ledger.busiest(3600, "default") == 5
