"""What becomes of the calls after Netatmo said that a limit is reached."""

import asyncio
from itertools import pairwise

import pytest

from netaflux.core.events import (
    BudgetClosed,
    BudgetEased,
    BudgetReopened,
)
from netaflux.core.model import AccountName, Lane
from netaflux.netatmo.gate import Gate
from tests.netatmo.gate_world import ANNE, BEN, LATENCY, House, fullest, in_no_time, made, now, refused, told
from tests.netatmo.world import in_passing_time

CARL = AccountName("carl")

# closing


@pytest.mark.parametrize(("asked", "kept"), [(None, 600), (45, 45), (1e9, 3600), (0, 10)])
def test_a_refusal_closes_the_account_for_as_long_as_netatmo_asks(asked: float | None, kept: float) -> None:
    house = House()

    async def closed() -> None:
        async with house.process() as budget:
            gate, other = await budget.gate(ANNE), await budget.gate(BEN)
            await refused(gate, asked)

            assert gate.state().closed_until == pytest.approx(house.clock.now() + kept)
            assert gate.state().wait == pytest.approx(kept)
            assert gate.state().reason == "code 26"
            assert other.state().closed_until is None
            assert await made(gate) == pytest.approx([LATENCY + kept + LATENCY + 5], abs=0.1)

    in_passing_time(closed)


@in_no_time
async def test_what_is_left_is_nothing_while_it_is_closed_and_then_what_the_refusal_leaves() -> None:
    """The hour's limit counts from the reopening anew; the one of ten seconds is as ever."""
    async with House(account=(40, 400)).process() as budget:
        gate = await budget.gate(ANNE)
        before = gate.state().left
        await made(gate, calls=10)
        used = gate.state().left
        await refused(gate)
        closed = gate.state().left
        await made(gate)
        reopened = gate.state()

    assert (before, used, closed) == ((40, 400), (30, 390), (0, 0))
    assert reopened.left == (38, 12 - 2), "the probe and the call after it"


@in_no_time
async def test_calls_that_were_under_way_together_are_refused_together() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await asyncio.gather(*(refused(gate) for _ in range(5)))
        await asyncio.sleep(10)

        assert gate.state().closed_until == pytest.approx(house.clock.now() + 590)
    assert len(told(house, BudgetClosed)) == 1


@in_no_time
async def test_one_that_is_told_to_wait_longer_than_the_others_is_believed() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await asyncio.gather(refused(gate), refused(gate, 900))

        assert gate.state().closed_until == pytest.approx(house.clock.now() + 900)
    assert len(told(house, BudgetClosed)) == 1


@in_no_time
async def test_an_answer_of_before_the_closing_does_not_reopen_it_and_one_after_it_does_not_close_it() -> (
    None
):
    async with House().process() as budget:
        gate = await budget.gate(ANNE)
        async with gate.permit(Lane.LIVE) as slow, gate.permit(Lane.LIVE) as slower:
            await refused(gate, 20)
            await asyncio.sleep(25)
            slow.succeeded()
            assert gate.state().feeling
            await made(gate)
            await gate.refused(slower, 900, "code 26")
            await gate.refused(slower, None, "code 26")

        assert gate.state().closed_until is None


@in_no_time
async def test_refused_again_it_stays_closed_for_longer_and_longer() -> None:
    house, closed = House(), []
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        for _ in range(5):
            await refused(gate)
            closed.append(round((gate.state().closed_until or 0) - house.clock.now()))

    assert closed == [600, 1200, 2400, 3600, 3600]
    assert len(told(house, BudgetClosed)) == 5


@in_no_time
async def test_a_permit_is_void_when_the_gate_was_closed_before_its_call_was_sent() -> None:
    async with House().process() as budget:
        gate = await budget.gate(ANNE)
        async with gate.permit(Lane.LIVE) as first:
            assert not first.void
            await refused(gate, 30)
            assert first.void
            await asyncio.sleep(40)
            assert first.void
        async with gate.permit(Lane.LIVE) as second:
            assert not second.void


@in_no_time
async def test_a_refusal_in_the_midst_of_a_pause_is_told_too() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        async with gate.permit(Lane.LIVE) as permit:
            await gate.pause(900, "overload")
            await gate.refused(permit, None, "code 26")

        assert gate.state().closed_until == house.clock.now() + 900
    closings = [event for event in told(house, BudgetClosed) if isinstance(event, BudgetClosed)]
    assert [event.reason for event in closings] == ["overload", "code 26"]


# reopening


@in_no_time
async def test_the_calls_before_a_short_closing_do_not_count_against_the_rate_after_it() -> None:
    async with House().process() as budget:
        gate = await budget.gate(ANNE)
        await made(gate, calls=60)
        await refused(gate, 10)
        reopening = now() + 10

        assert await made(gate) == pytest.approx([reopening + LATENCY + 5], abs=0.1)


@in_no_time
async def test_a_pause_ends_with_the_next_call_and_that_is_told_once() -> None:
    house = House()
    async with house.process() as budget:
        await (await budget.gate(ANNE)).pause(60, "overload")
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        assert await made(gate, calls=3) == pytest.approx([60, 60.5, 61], abs=0.1)
        await gate.pause(60, "overload")
        await made(gate, calls=2)

    kinds = [type(event) for event in house.listener.events]
    assert kinds == [BudgetClosed, BudgetReopened, BudgetClosed, BudgetReopened]


@in_no_time
async def test_the_others_wait_until_the_probe_has_succeeded() -> None:
    house, order = House(), []

    async def call(gate: Gate, name: str, *, lucky: bool = True) -> None:
        async with gate.permit(Lane.LIVE) as permit:
            order.append((name, permit.probe, round(now())))
            await asyncio.sleep(20)
            if lucky:
                permit.succeeded()

    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await refused(gate, 100)
        await asyncio.gather(call(gate, "a", lucky=False), *(call(gate, name) for name in "bcd"))

    assert order == [("a", True, 100), ("b", True, 126), ("c", False, 151), ("d", False, 176)]
    assert [type(event) for event in house.listener.events] == [BudgetClosed, BudgetReopened]


@in_no_time
async def test_for_ten_minutes_the_calls_are_five_seconds_apart() -> None:
    async with House().process() as budget:
        gate = await budget.gate(ANNE)
        await made(gate, calls=400)
        await refused(gate)
        begun = now()
        times = [time - begun - 600 for time in await made(gate, calls=130)]

    gaps = [later - one for one, later in pairwise(times)]
    assert all(gap > LATENCY + 5 for gap, time in zip(gaps, times[1:], strict=False) if time < 600)
    assert all(gap == pytest.approx(LATENCY) for gap, time in zip(gaps, times, strict=False) if time > 606)


@in_no_time
async def test_an_hour_holds_half_of_the_calls_of_the_hour_before_and_recovers_hour_by_hour() -> None:
    house = House(account=(40, 100))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await made(gate, calls=39)
        await refused(gate)
        reopening = now() + 600
        times = await made(gate, calls=600)
        assert gate.state().per_hour is None

    hours = [sum(0 <= time - reopening - hour * 3600 < 3600 for time in times) for hour in range(9)]
    assert hours == [20 - 1, 30, 40, 50, 60, 70, 80, 90, 100], "the probe was one, too"
    assert fullest(times, 3600) <= 100
    assert [type(event) for event in house.listener.events] == [BudgetClosed, BudgetReopened, BudgetEased]


@in_no_time
async def test_what_it_grants_is_told() -> None:
    house = House(account=(40, 100))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await made(gate, calls=59)
        await refused(gate)
        state = gate.state()
        assert (state.per_hour, state.feeling, state.reason) == (30, False, "code 26")
        await asyncio.sleep(601)
        state = gate.state()
        assert (state.closed_until, state.feeling, state.wait) == (None, True, 0)
        await made(gate)
        await asyncio.sleep(3600)
        state = gate.state()
        assert (state.per_hour, state.feeling, state.reason) == (40, False, "code 26")
        await asyncio.sleep(6 * 3600)
        state = gate.state()
        assert (state.per_hour, state.reason) == (None, "")

    reopened, eased = told(house, BudgetReopened, BudgetEased)
    assert isinstance(reopened, BudgetReopened)
    assert isinstance(eased, BudgetEased)
    assert (reopened.per_hour, eased.per_hour) == (30, 100)


@pytest.mark.parametrize("permits", [1, 2, 3])
@pytest.mark.parametrize("crash", [False, True])
def test_with_the_smallest_limits_everything_still_moves(permits: int, *, crash: bool) -> None:
    house = House(account=(permits, permits), app=(permits, permits))

    async def moves() -> None:
        for _ in range(2):
            house.disk.full = False
            async with house.process() as budget:
                gate = await budget.gate(ANNE)
                await refused(gate)
                await refused(gate, 5)
                await asyncio.gather(*(made(gate, lane, calls=2) for lane in Lane))
                house.disk.full = crash

        assert now() < 14 * 2 * 3700

    in_passing_time(moves)


@in_no_time
async def test_live_goes_before_history_after_a_refusal_too() -> None:
    async with House().process() as budget:
        gate = await budget.gate(ANNE)
        await refused(gate)
        history = [asyncio.create_task(made(gate, Lane.HISTORY)) for _ in range(3)]
        await asyncio.sleep(1)
        live = [asyncio.create_task(made(gate, Lane.LIVE)) for _ in range(3)]
        old, new = await asyncio.gather(*history), await asyncio.gather(*live)

    assert max(new) < min(old)


# the app


@pytest.mark.parametrize(("apart", "closed"), [(590, True), (610, False)])
def test_two_accounts_refused_within_ten_minutes_close_the_app(apart: float, *, closed: bool) -> None:
    house = House()

    async def refusals() -> None:
        async with house.process() as budget:
            anne, ben, carl = [await budget.gate(name) for name in (ANNE, BEN, CARL)]
            await refused(anne)
            await refused(anne, 20)
            await asyncio.sleep(apart)
            assert budget.state().closed_until is None
            await refused(ben, 60)
            at = now()

            assert (budget.state().closed_until is not None) == closed
            assert (await made(carl) >= [at + 60 + 5]) == closed

    in_passing_time(refusals)


@in_no_time
async def test_one_account_that_is_still_refused_does_not_keep_the_app_closed() -> None:
    house = House()
    async with house.process() as budget:
        anne, ben, carl = [await budget.gate(name) for name in (ANNE, BEN, CARL)]
        await refused(anne, 60)
        await refused(ben, 60)
        await refused(anne, 60)
        assert budget.state().closed_until is None
        assert budget.state().feeling
        await made(carl)
        assert not budget.state().feeling

    assert [event.scope for event in told(house, BudgetReopened) if isinstance(event, BudgetReopened)] == [
        "app"
    ]


@in_no_time
async def test_two_that_are_still_refused_close_the_app_for_longer() -> None:
    async with House().process() as budget:
        anne, ben = await budget.gate(ANNE), await budget.gate(BEN)
        for gate in (anne, ben, anne, ben):
            await refused(gate)

        closed_until = budget.state().closed_until
        assert closed_until == pytest.approx(House().clock.now() + 1200)


@in_no_time
async def test_a_restart_between_the_two_refusals_hides_nothing() -> None:
    house = House()
    async with house.process() as budget:
        await refused(await budget.gate(ANNE))
    await asyncio.sleep(100)
    async with house.process() as budget:
        _, ben = await budget.gate(ANNE), await budget.gate(BEN)
        await refused(ben)

        assert budget.state().closed_until is not None


# what live polling needs


@in_no_time
async def test_what_live_polling_declares_stays_free_of_history() -> None:
    async with House(account=(100, 100)).process() as budget:
        gate = await budget.gate(ANNE)
        gate.share().declare_live_need(40)
        history = asyncio.create_task(made(gate, Lane.HISTORY, calls=60))
        await asyncio.sleep(300)

        assert gate.state().uses[-1].used == 50
        history.cancel()


@in_no_time
async def test_what_live_polling_has_needed_lately_stays_free_of_history() -> None:
    async with House(account=(100, 100)).process() as budget:
        gate = await budget.gate(ANNE)
        await made(gate, calls=32)
        history = asyncio.create_task(made(gate, Lane.HISTORY, calls=70))
        await asyncio.sleep(300)

        assert gate.state().uses[-1].used == 32 + 60
        history.cancel()


@in_no_time
async def test_live_polling_that_does_not_fit_is_to_be_rarer_until_the_refusal_is_forgotten() -> None:
    house = House(account=(40, 100))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        share = gate.share()
        assert share.stretch(60) == gate.state().stretch == 1
        await refused(gate)
        assert share.stretch(60) == gate.state().stretch == pytest.approx(60 / 8.4)
        await made(gate)
        await asyncio.sleep(8 * 3600)
        assert share.stretch(60) == 1


@in_no_time
async def test_what_all_kinds_of_modules_need_is_counted_together() -> None:
    async with House(account=(100, 100)).process() as budget:
        gate = await budget.gate(ANNE)
        stations, rooms = gate.share(), gate.share()
        assert rooms.stretch(70) == 1

        assert stations.stretch(70) == rooms.stretch(70) == pytest.approx(2)


@in_no_time
async def test_the_app_s_limit_stretches_the_polling_of_all_accounts_together() -> None:
    async with House(app=(100, 100)).process() as budget:
        anne, ben = (await budget.gate(ANNE)).share(), (await budget.gate(BEN)).share()
        assert anne.stretch(70) == 1
        ben.stretch(70)

        assert anne.stretch(70) == ben.stretch(70) == pytest.approx(2)
