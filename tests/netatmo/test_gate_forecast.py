"""What is foreseen of the budget is what it does."""

import asyncio

import pytest

from netaflux.core.budget import Supply
from netaflux.core.forecast import Forecast
from netaflux.core.limits import limits
from netaflux.core.model import Lane
from netaflux.netatmo.gate import Budget, Gate
from tests.netatmo.gate_world import ANNE, LATENCY, Calls, House, in_no_time, made, now, refused


def foreseen(budget: Budget, gate: Gate, calls: int, pace: float = 0.0) -> float:
    """By when (the loop's time) so many more calls are made."""
    states = gate.state(), budget.state()
    return now() + Forecast([each.supply for each in states if each.supply], pace).seconds(calls)


async def made_at_once(gate: Gate, number: int) -> list[float]:
    """When calls are made that all want to be, answered at once."""
    calls = Calls()
    for _ in range(number):
        calls.start(gate, "history", Lane.HISTORY)
    await calls.all_done()
    return calls.times


@in_no_time
async def test_the_moment_of_every_call_is_foreseen() -> None:
    house = House(account=(5, 60), app=(1000, 1000))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await made_at_once(gate, 17)
        await asyncio.sleep(123)
        wanted = {calls: foreseen(budget, gate, calls) for calls in (1, 7, 31, 32, 79, 80, 200, 300)}
        times = await made_at_once(gate, 300)

    for calls, moment in wanted.items():
        assert moment == pytest.approx(times[calls - 1], abs=0.5), calls


@in_no_time
async def test_what_one_call_takes_is_foreseen_too() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        end = foreseen(budget, gate, 700, LATENCY)
        await made(gate, Lane.HISTORY, 700)

        assert end == pytest.approx(now(), rel=0.01)


@in_no_time
async def test_the_limit_of_all_accounts_counts() -> None:
    house = House(account=(50, 500), app=(5, 20))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        end = foreseen(budget, gate, 50)
        times = await made_at_once(gate, 50)

        assert end == pytest.approx(times[-1], abs=0.5)


@in_no_time
async def test_what_live_polling_needs_is_left_to_it() -> None:
    house = House(account=(50, 100))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        gate.share().declare_live_need(60)
        end = foreseen(budget, gate, 60)
        times = await made_at_once(gate, 60)

        assert times[-1] > 7200
        assert end == pytest.approx(times[-1], abs=0.5)


@pytest.mark.parametrize("calls", [30, 100, 2000])
def test_the_slow_way_back_from_a_refusal_is_foreseen(calls: int) -> None:
    """Closed for ten minutes, then five seconds between calls, then more of them every hour."""

    @in_no_time
    async def run() -> None:
        house = House(account=(40, 400))
        async with house.process() as budget:
            gate = await budget.gate(ANNE)
            await made_at_once(gate, 200)
            await refused(gate)
            assert gate.state().closed_until is not None
            begun, end = now(), foreseen(budget, gate, calls, LATENCY)
            await made(gate, Lane.HISTORY, calls)

            took = now() - begun - 600
            assert end - begun - 600 == pytest.approx(took, rel=0.05)

    run()


def test_a_long_history_is_foreseen_quickly_and_repeats_itself() -> None:
    supply = Supply(now=1000.0, opens=0.0, limits=limits(50, 500))
    foresight = Forecast([supply], 0.05)

    assert foresight.seconds(0) == 0
    assert foresight.seconds(400) < 110
    for hours in (1, 2, 3, 7, 100_000):
        # 400 calls an hour are the history's
        assert foresight.seconds(400 * hours + 114) == pytest.approx(3604 * hours + 25, rel=0.01)


def test_nothing_is_foreseen_where_nothing_is_known() -> None:
    assert (Forecast([]).wait, Forecast([], 2.0).seconds(3)) == (0, 6)
