"""What a restart, or a crash, leaves of the caution after a refusal: all of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.events import (
    BudgetClosed,
    BudgetEased,
    BudgetReopened,
)
from netaflux.core.model import AccountName, Lane
from netaflux.netatmo.gate import Budget, Gate
from tests.netatmo.gate_world import ANNE, BEN, LATENCY, House, fullest, in_no_time, made, now, refused, told
from tests.netatmo.world import Disk, in_passing_time

# step by step


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("reboot", [False, True])
def test_a_restart_forgets_nothing_of_it(*, crash: bool, reboot: bool) -> None:
    """Neither the closing nor the probe, the pace, the rate, the recovery, nor how long it was closed."""
    house = House(account=(40, 100))

    async def restarted() -> None:
        house.disk.full = crash
        await asyncio.sleep(1)
        house.disk.full = False
        if reboot:
            house.reboot()

    async def lives() -> None:
        async with house.process() as budget:
            gate = await budget.gate(ANNE)
            await made(gate, calls=59)
            await refused(gate)
            opens = now() + 600
            house.disk.full = crash
        await restarted()
        async with house.process() as budget:
            gate = await budget.gate(ANNE)
            async with gate.permit(Lane.LIVE) as permit:
                assert now() == pytest.approx(opens)
                assert permit.probe
                permit.succeeded()
            first = await made(gate)
            assert first == pytest.approx([opens + 5], abs=0.1)
            house.disk.full = crash
        await restarted()
        began = now()
        async with house.process() as budget:
            gate = await budget.gate(ANNE)
            second = await made(gate)
            assert second[0] >= first[0] + LATENCY + 5
            assert second[0] <= began + 5.1
            assert gate.state().per_hour == 30
            await asyncio.sleep(3600)
            house.disk.full = crash
        await restarted()
        async with house.process() as budget:
            gate = await budget.gate(ANNE)
            assert gate.state().per_hour == 40
            await asyncio.sleep(9 * 3600)
            assert gate.state().per_hour is None

    in_passing_time(lives)
    assert [type(event) for event in house.listener.events] == [BudgetClosed, BudgetReopened, BudgetEased]


@in_no_time
async def test_permits_of_before_a_refusal_do_not_count_against_the_calls_after_it() -> None:
    """What was leased and not used by then is given back, so that a crash forfeits nothing of it."""
    house = House()
    async with house.process() as budget:
        await refused(await budget.gate(ANNE), 60)
        house.disk.full = True
    await asyncio.sleep(1000)
    house.disk.full = False
    async with house.process() as budget:
        state = (await budget.gate(ANNE)).state()

        assert (state.wait, state.uses[-1].used) == (0, 1)


@in_no_time
async def test_a_lease_that_is_on_its_way_to_the_disk_stays_open_when_the_gate_is_closed() -> None:
    """Its permits are used after the pause, and count from then on in the next process."""
    house = House(disk=Disk(delay=1.0))
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        calls = asyncio.create_task(made(gate, calls=10))
        await asyncio.sleep(0.5)
        await gate.pause(600, "overload")
        assert min(await calls) > 600
        house.disk.full = True
    house.disk.full = False
    async with house.process() as budget:
        await asyncio.sleep(3700 - now())
        assert (await budget.gate(ANNE)).state().uses[-1].used == 10


@in_no_time
async def test_a_clean_end_keeps_that_the_probe_has_succeeded() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await refused(gate)
        async with gate.permit(Lane.LIVE) as probe:
            probe.succeeded()
    async with house.process() as budget:
        assert not (await budget.gate(ANNE)).state().feeling


@in_no_time
async def test_a_wall_clock_that_jumps_ahead_within_a_boot_does_not_open_a_closed_gate() -> None:
    house = House()
    async with house.process() as budget:
        await refused(await budget.gate(ANNE))
    house.clock.wall += 1e6
    async with house.process() as budget:
        state = (await budget.gate(ANNE)).state()

    assert state.closed_until == pytest.approx(house.clock.wall + 600 + LATENCY)
    assert state.wait == pytest.approx(600)


@in_no_time
async def test_where_few_calls_are_granted_few_are_leased() -> None:
    house = House()
    async with house.process() as budget:
        gate = await budget.gate(ANNE)
        await refused(gate)
        await made(gate)

        assert house.disk.records["account:anne"].leases[-1].permits == 12 // 4


@in_no_time
async def test_who_waits_is_served_as_soon_as_the_rate_has_recovered_by_a_step() -> None:
    async with House(account=(40, 100)).process() as budget:
        gate = await budget.gate(ANNE)
        await refused(gate)
        await made(gate)
        reopened = now()
        await asyncio.sleep(3000)
        await made(gate, calls=10)
        times = await made(gate)

    assert times == pytest.approx([reopened - 5 + 3600], abs=2)


# whatever happens


@dataclass(frozen=True)
class Wish:
    """Calls of one kind, some time after their process's start, and which of them is refused, and how."""

    account: AccountName
    lane: Lane
    after: float
    latency: float
    calls: int
    refused: int
    asked: float | None


@dataclass(frozen=True)
class Life:
    """A process: how long it was before it was started, what it calls, when and how it ends."""

    gap: float
    wishes: tuple[Wish, ...]
    seconds: float
    crash: bool
    reboot: bool


@dataclass
class Sent:
    """A call at Netatmo's door."""

    account: AccountName
    at: float
    probe: bool
    ended: float = 0.0
    good: bool = False
    refused: bool = False
    """Whether it was refused, and that is on disk."""
    asked: float | None = None


@dataclass
class Door:
    """Who came to Netatmo's door, and what they were told."""

    sent: list[Sent] = field(default_factory=list)
    forfeited: int = 0

    async def serve(self, budget: Budget, wish: Wish) -> None:
        await asyncio.sleep(wish.after)
        for number in range(wish.calls):
            while not await self.call(await budget.gate(wish.account), wish, refuse=number == wish.refused):
                pass

    async def call(self, gate: Gate, wish: Wish, *, refuse: bool) -> bool:
        """Whether the call itself was made, and not a probe, or none."""
        async with gate.permit(wish.lane) as permit:
            if permit.void:
                return False
            sent = Sent(wish.account, now(), permit.probe)
            self.sent.append(sent)
            try:
                await asyncio.sleep(wish.latency)
            finally:
                sent.ended = now()
            if refuse:
                await gate.refused(permit, wish.asked, "code 26")
                sent.refused, sent.asked = True, wish.asked
                return True
            permit.succeeded()
            sent.good = True
        return not permit.probe


def lives() -> st.SearchStrategy[list[Life]]:
    stretch = st.sampled_from([0.0, 0.5, 9.99, 30.0, 590.0, 3500.0, 9000.0])
    wish = st.builds(
        Wish,
        st.sampled_from([ANNE, BEN]),
        st.sampled_from(Lane),
        stretch,
        st.sampled_from([0.0, 0.3, 8.0, 60.0]),
        st.integers(1, 30),
        st.integers(0, 40),
        st.sampled_from([None, None, 0.0, 15.0, 120.0, 5000.0]),
    )
    wishes = st.lists(wish, min_size=1, max_size=5).map(tuple)
    return st.lists(st.builds(Life, stretch, wishes, stretch, st.booleans(), st.booleans()), max_size=5)


async def lived(house: House, life: Life, door: Door) -> None:
    """One process from its start to its end, which comes in the midst of its calls."""
    await asyncio.sleep(life.gap)
    if life.reboot:
        house.reboot()
    house.disk.full = False
    async with house.process() as budget:
        calls = [asyncio.create_task(door.serve(budget, wish)) for wish in life.wishes]
        await asyncio.wait(calls, timeout=life.seconds)
        house.disk.full = life.crash
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
    door.forfeited += 10 * life.crash


def news(sent: Sequence[Sent]) -> list[Sent]:
    """Refusals of calls that were sent after the one before was known."""
    found: list[Sent] = []
    for each in sorted((each for each in sent if each.refused), key=lambda each: each.ended):
        if not found or each.at > found[-1].ended:
            found.append(each)
    return found


def reopening(refusal: Sent, later: Sequence[Sent]) -> float:
    """When a call succeeded again; never, if none did."""
    return min((each.ended for each in later if each.good and each.at > refusal.ended), default=1e12)


def check(sent: Sequence[Sent], per_hour: int, forfeited: int) -> None:
    """All that must hold of one account's calls."""
    refusals = news(sent)
    for number, refusal in enumerate(refusals):
        end = refusals[number + 1].ended if number + 1 < len(refusals) else 1e12
        later = [each for each in sent if refusal.ended < each.at < end]
        closed = 600 if refusal.asked is None else min(3600, max(10, refusal.asked))
        again = reopening(refusal, later)

        assert all(each.at >= refusal.ended + closed - 0.01 for each in later)
        assert all(each.probe for each in later if each.at < again)
        paced = [each for each in later if each.at < again + 599]
        assert all(nxt.at >= one.ended + 5 for one, nxt in pairwise(paced))
        hour = [each for each in sent if each.ended > refusal.ended - 3600 and each.at <= refusal.ended]
        base = max(12, (len(hour) + forfeited) // 2)
        for one in later:
            clean = max(0, int((one.at + 3600 - again) // 3600))
            granted = min(per_hour, base + clean * -(-per_hour // 10))
            assert sum(one.at <= each.at <= one.at + 3600 for each in later) <= granted


@given(
    lives(),
    st.tuples(st.integers(1, 10), st.sampled_from([1, 2, 3, 12, 40, 90])),
    st.tuples(st.integers(1, 15), st.sampled_from([1, 3, 20, 150])),
    st.sampled_from([0.0, 0.2]),
)
def test_no_refusal_restart_or_crash_ever_lets_a_call_come_too_soon_or_one_too_many(
    history: list[Life], account: tuple[int, int], app: tuple[int, int], delay: float
) -> None:
    house, door = House(disk=Disk(delay=delay), account=account, app=app), Door()

    async def all_lives() -> None:
        for life in history:
            await lived(house, life, door)

    in_passing_time(all_lives)

    for name in (ANNE, BEN):
        sent = [each for each in door.sent if each.account == name]
        check(sent, account[1], door.forfeited)
        for seconds, most in zip((10, 3600), account, strict=True):
            assert fullest([each.at for each in sent], seconds) <= most
            assert fullest([each.ended for each in sent], seconds) <= most
    for seconds, most in zip((10, 3600), app, strict=True):
        assert fullest([each.at for each in door.sent], seconds) <= most
    for event in told(house, BudgetClosed):
        assert isinstance(event, BudgetClosed)
        if event.scope == "app":
            until = event.until - house.clock.wall
            at = max(each.ended for each in door.sent if each.refused and each.ended < until)
            assert not [each for each in door.sent if at < each.at < until - 0.01]
