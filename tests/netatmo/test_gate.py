import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.budget import BudgetRecord
from netaflux.core.errors import StateError
from netaflux.core.events import BudgetClosed
from netaflux.core.model import AccountName, Lane
from netaflux.netatmo.gate import Budget
from tests.netatmo.gate_world import ANNE, BEN, Calls, House, fullest, in_no_time
from tests.netatmo.world import Disk, in_passing_time

# windows and lanes


@in_no_time
async def test_calls_wait_for_the_window_and_no_longer() -> None:
    calls = Calls()
    async with House(account=(2, 1000)).process() as budget:
        gate = await budget.gate(ANNE)
        for name in "abcde":
            calls.start(gate, name, latency=1.0)
        await calls.all_done()

    assert calls.names == list("abcde")
    assert calls.times == pytest.approx([0, 0, 11, 11, 22], abs=0.1)


@in_no_time
async def test_the_app_s_window_is_shared_by_the_accounts_in_the_order_of_asking() -> None:
    calls = Calls()
    async with House(app=(2, 1000)).process() as budget:
        for name in ("anne 1", "ben 1", "ben 2", "anne 2"):
            calls.start(await budget.gate(AccountName(name[:-2])), name)
        await calls.all_done()

    assert calls.names == ["anne 1", "ben 1", "ben 2", "anne 2"]
    assert calls.times == pytest.approx([0, 0, 10, 10], abs=0.1)


@in_no_time
async def test_a_permit_is_taken_of_account_and_app_or_of_neither() -> None:
    """Who waits for the app's window holds nothing of his own account's."""
    calls = Calls()
    async with House(app=(1, 1000)).process() as budget:
        anne, ben = await budget.gate(ANNE), await budget.gate(BEN)
        await calls.make(ben, "ben")
        calls.start(anne, "anne")
        await asyncio.sleep(1)

        assert [use.used for use in anne.state().uses] == [0, 0]
        assert anne.state().waiting == budget.state().waiting == 1
        assert ben.state().waiting == 0
        await calls.all_done()


@in_no_time
async def test_an_account_whose_window_is_full_holds_up_nobody_else() -> None:
    calls = Calls()
    async with House(account=(1, 1000)).process() as budget:
        anne, ben = await budget.gate(ANNE), await budget.gate(BEN)
        for name in ("anne 1", "anne 2"):
            calls.start(anne, name)
        await asyncio.sleep(1)
        await calls.make(ben, "ben")
        await calls.all_done()

    assert calls.names == ["anne 1", "ben", "anne 2"]


@in_no_time
async def test_live_goes_before_history_however_late_it_comes() -> None:
    calls = Calls()
    async with House(account=(2, 1000)).process() as budget:
        gate = await budget.gate(ANNE)
        for name in ("old 1", "old 2", "old 3"):
            calls.start(gate, name, Lane.HISTORY)
        await asyncio.sleep(5)
        for name in ("new 1", "new 2", "new 3"):
            calls.start(gate, name, Lane.LIVE)
        await calls.all_done()

    assert calls.names == ["old 1", "new 1", "new 2", "new 3", "old 2", "old 3"]


@in_no_time
async def test_a_live_call_finds_room_in_the_midst_of_a_backfill() -> None:
    calls = Calls()
    async with House(account=(10, 1000)).process() as budget:
        gate = await budget.gate(ANNE)
        for number in range(50):
            calls.start(gate, f"old {number}", Lane.HISTORY, latency=0.3)
        await asyncio.sleep(25)
        calls.start(gate, "new", Lane.LIVE)
        await calls.all_done()

    assert ("new", 25.0) in calls.begun


@in_no_time
async def test_a_failed_call_has_used_its_permit() -> None:
    calls = Calls()
    async with House(account=(1, 1000)).process() as budget:
        gate = await budget.gate(ANNE)
        with pytest.raises(TimeoutError):
            async with gate.permit(Lane.LIVE):
                raise TimeoutError
        await calls.make(gate, "next")

    assert calls.times == pytest.approx([10], abs=0.1)


@in_no_time
async def test_gates_of_one_account_share_its_limits() -> None:
    calls = Calls()
    async with House(account=(1, 1000)).process() as budget:
        for name in "ab":
            await calls.make(await budget.gate(ANNE), name)

    assert calls.times == pytest.approx([0, 10], abs=0.1)


# those who go away


@in_no_time
async def test_who_stops_waiting_leaves_no_trace() -> None:
    calls = Calls()
    async with House(account=(1, 1000)).process() as budget:
        gate = await budget.gate(ANNE)
        await calls.make(gate, "first")
        gone = calls.start(gate, "gone", Lane.LIVE)
        last = calls.start(gate, "last", Lane.HISTORY)
        await asyncio.sleep(1)
        gone.cancel()
        await last

    assert calls.names == ["first", "last"]
    assert calls.times == pytest.approx([0, 10], abs=0.1)


@pytest.mark.parametrize("turns", range(12))
def test_no_moment_of_a_cancellation_loses_a_permit(turns: int) -> None:
    """It may come while the ticket waits, while its lease is written, or just when it was granted."""

    async def cancelled_after_some_turns() -> None:
        calls = Calls()
        async with House(account=(1, 1000)).process() as budget:
            gate = await budget.gate(ANNE)
            call = calls.start(gate, "cancelled", latency=3)
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})

            assert [use.used for use in gate.state().uses] == [len(calls.begun)] * 2
            assert gate.state().waiting == 0

    in_passing_time(cancelled_after_some_turns)


@in_no_time
async def test_nothing_runs_while_nobody_waits() -> None:
    calls = Calls()
    async with House(account=(1, 1000)).process() as budget:
        gate = await budget.gate(ANNE)
        for name in "ab":
            await calls.make(gate, name)
        await asyncio.sleep(0)

        assert asyncio.all_tasks() == {asyncio.current_task()}


@in_no_time
async def test_nobody_waits_for_a_budget_that_has_ended() -> None:
    calls = Calls()
    async with House(account=(1, 1000)).process() as budget:
        gate = await budget.gate(ANNE)
        await calls.make(gate, "first")
        waiting = calls.start(gate, "waiting")
        await asyncio.sleep(1)
    await asyncio.wait({waiting})

    assert waiting.cancelled()


# closing


@in_no_time
async def test_a_closed_gate_lets_nobody_pass_until_it_opens() -> None:
    house, calls = House(), Calls()
    async with house.process() as budget:
        gate, other = await budget.gate(ANNE), await budget.gate(BEN)
        await gate.pause(120, "usage reached")
        calls.start(gate, "anne")
        calls.start(other, "ben")
        await calls.all_done()

    assert calls.begun == [("ben", 0.0), ("anne", 120.0)]


@in_no_time
async def test_no_pause_lasts_for_more_than_an_hour() -> None:
    async with House().process() as budget:
        gate = await budget.gate(ANNE)
        await gate.pause(1e9, "usage reached")

        assert gate.state().closed_until == House().clock.wall + 3600
        assert budget.state().closed_until is None


@in_no_time
async def test_a_closing_is_told_once_however_many_calls_were_refused() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        for seconds in (600, 10, 600, 700):
            await gate.pause(seconds, "usage reached")
            await asyncio.sleep(1)
        assert gate.state().reason == "usage reached"
        await asyncio.sleep(700)
        assert (gate.state().reason, gate.state().closed_until) == ("", None)
        await gate.pause(600, "again")

    closings = [event for event in house.listener.events if isinstance(event, BudgetClosed)]
    assert [(each.scope, each.reason, each.until - house.clock.wall) for each in closings] == [
        ("account:anne", "usage reached", 600),
        ("account:anne", "again", 704 + 600),
    ]


@in_no_time
async def test_a_restart_does_not_open_a_closed_gate() -> None:
    house, calls = House(), Calls()
    async with house.process() as budget:
        await (await budget.gate(ANNE)).pause(600, "usage reached")
    await asyncio.sleep(100)
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        assert gate.state().reason == "usage reached"
        await calls.make(gate, "first")

    assert calls.times == pytest.approx([600])


@in_no_time
async def test_a_clock_that_was_turned_back_does_not_keep_a_gate_closed_for_years() -> None:
    house, calls = House(), Calls()
    async with house.process() as budget:
        await (await budget.gate(ANNE)).pause(600, "usage reached")
    house.clock = replace(house.clock, wall=0.0)
    async with house.process() as budget:
        await calls.make(await budget.gate(ANNE), "first")

    assert calls.times == pytest.approx([3600])


@in_no_time
async def test_a_gate_closes_even_if_that_cannot_be_written() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        house.disk.full = True
        await gate.pause(600, "usage reached")

        assert gate.state().closed_until is not None


# leases


@in_no_time
async def test_a_permit_is_on_disk_before_its_call() -> None:
    house = House(disk=Disk(delay=0.1))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        for number in range(25):
            async with gate.permit(Lane.LIVE):
                for scope in ("app", "account:anne"):
                    assert leased(house.disk.records[scope]) >= number + 1

    assert house.disk.saves == 2 * (3 + 1)


def leased(record: BudgetRecord) -> int:
    return sum(lease.permits for lease in record.leases)


@in_no_time
async def test_a_clean_end_gives_back_what_was_not_used() -> None:
    house, calls = House(account=(5, 40)), Calls()
    async with house.process() as budget:
        for name in "ab":
            await calls.make(await budget.gate(ANNE), name)
    assert [leased(record) for record in house.disk.records.values()] == [2, 2]
    async with house.process() as budget:
        for name in "cde":
            await calls.make(await budget.gate(ANNE), name)

    assert calls.times == [0] * 5


@in_no_time
async def test_a_crash_forfeits_the_rest_of_the_lease() -> None:
    house, calls = House(account=(20, 40)), Calls()
    async with house.process() as budget:
        for _ in range(11):
            await calls.make(await budget.gate(ANNE), "before")
        house.disk.full = True
    house.disk.full = False
    await asyncio.sleep(1000)
    async with house.process() as budget:
        assert [use.used for use in (await budget.gate(ANNE)).state().uses] == [10, 20]


@in_no_time
async def test_a_disk_that_is_full_fails_the_call_and_no_later_one() -> None:
    house, calls = House(), Calls()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        house.disk.full = True
        failing = [calls.start(gate, name) for name in "ab"]
        await asyncio.wait(failing)
        house.disk.full = False
        await calls.make(gate, "c")

    assert [type(call.exception()) for call in failing] == [StateError] * 2
    assert calls.begun == [("c", 0.0)]


@in_no_time
async def test_a_lease_that_fails_for_one_who_has_gone_fails_nobody_else() -> None:
    house, calls = House(disk=Disk(delay=1.0)), Calls()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        house.disk.full = True
        gone = calls.start(gate, "gone")
        await asyncio.sleep(0.5)
        gone.cancel()
        stays = calls.start(gate, "stays")
        await asyncio.sleep(1.0)
        house.disk.full = False
        await stays

    assert calls.names == ["stays"]


# over restarts and crashes


@dataclass(frozen=True)
class Call:
    """A call that begins some time after its process, and arrives somewhere between permit and answer."""

    account: AccountName
    lane: Lane
    after: float
    latency: float
    arrives: float


@dataclass(frozen=True)
class Life:
    """A process: how long it was before it was started, what it calls, when and how it ends."""

    gap: float
    calls: tuple[Call, ...]
    seconds: float
    crash: bool
    reboot: bool


def lives() -> st.SearchStrategy[list[Life]]:
    stretch = st.sampled_from([0.0, 0.5, 3.0, 9.99, 30.0, 500.0, 3500.0])
    call = st.builds(
        Call,
        st.sampled_from([ANNE, BEN]),
        st.sampled_from(Lane),
        stretch,
        st.sampled_from([0.0, 0.3, 8.0, 60.0]),
        st.floats(0, 1),
    )
    calls = st.lists(call, min_size=1, max_size=12).map(tuple)
    return st.lists(st.builds(Life, stretch, calls, stretch, st.booleans(), st.booleans()), max_size=6)


class Door:
    """When each account's calls came to Netatmo's door."""

    def __init__(self) -> None:
        self.arrived: defaultdict[AccountName, list[float]] = defaultdict(list)

    async def call(self, budget: Budget, call: Call) -> None:
        gate, loop = await budget.gate(call.account), asyncio.get_running_loop()
        await asyncio.sleep(call.after)
        async with gate.permit(call.lane):
            sent = loop.time()
            try:
                await asyncio.sleep(call.latency)
            finally:
                self.arrived[call.account].append(sent + (loop.time() - sent) * call.arrives)


async def lived(house: House, life: Life, door: Door) -> None:
    """One process from its start to its end, which comes in the midst of its calls."""
    await asyncio.sleep(life.gap)
    if life.reboot:
        house.reboot()
    house.disk.full = False
    async with house.process() as budget:
        calls = [asyncio.create_task(door.call(budget, call)) for call in life.calls]
        await asyncio.wait(calls, timeout=life.seconds)
        house.disk.full = life.crash
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)


@given(
    lives(),
    st.tuples(st.integers(1, 4), st.integers(1, 12)),
    st.tuples(st.integers(1, 6), st.integers(1, 20)),
    st.sampled_from([0.0, 0.2]),
)
def test_no_restart_and_no_crash_ever_lets_a_window_overflow(
    history: list[Life], account: tuple[int, int], app: tuple[int, int], delay: float
) -> None:
    house, door = House(disk=Disk(delay=delay), account=account, app=app), Door()

    async def all_lives() -> None:
        for life in history:
            await lived(house, life, door)

    in_passing_time(all_lives)

    everybody = [time for times in door.arrived.values() for time in times]
    for seconds, of_account, of_app in zip((10, 3600), account, app, strict=True):
        assert fullest(everybody, seconds) <= of_app
        assert all(fullest(times, seconds) <= of_account for times in door.arrived.values())
