"""Work side by side comes to its end, whatever happens to whoever started it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from netaflux.flow.together import Together

SOON = 0.02
"""Seconds of a grace that is to run out."""


class Work:
    """Does nothing until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.done = self.cancelled = False
        self.error = error

    async def run(self) -> None:
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error:
            raise self.error
        self.done = True


async def at_once(error: Exception | None = None) -> None:
    if error:
        raise error


async def settled() -> None:
    """Everybody who can go on has done so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_leaving_waits_for_all() -> None:
    some = [Work(), Work()]

    async def group() -> None:
        async with Together(2) as together:
            for each in some:
                await together.start(each.run())

    task = asyncio.create_task(group())
    await settled()
    assert not task.done()
    for each in some:
        each.gate.set()
    await task

    assert [each.done for each in some] == [True, True]


async def test_starting_waits_for_a_place() -> None:
    some = [Work() for _ in range(3)]

    async def group() -> None:
        async with Together(2) as together:
            for each in some:
                await together.start(each.run())

    task = asyncio.create_task(group())
    await settled()
    assert [each.begun.is_set() for each in some] == [True, True, False]
    some[1].gate.set()
    await settled()
    assert some[2].begun.is_set()
    for each in some:
        each.gate.set()
    await task


async def test_the_first_failure_is_raised_on_leaving_and_the_others_come_to_their_end() -> None:
    slow = Work()

    async def group() -> None:
        async with Together(3) as together:
            await together.start(slow.run())
            await together.start(at_once(ValueError("first")))
            await together.start(at_once(KeyError("second")))

    task = asyncio.create_task(group())
    await settled()
    assert not task.done()
    slow.gate.set()

    with pytest.raises(ValueError, match="first"):
        await task
    assert slow.done


async def test_after_a_failure_nothing_more_is_started() -> None:
    unstarted = Work()

    async def group() -> None:
        async with Together(2) as together:
            await together.start(at_once(ValueError("first")))
            await settled()
            await together.start(unstarted.run())

    with pytest.raises(ValueError, match="first"):
        await group()
    assert not unstarted.begun.is_set()


async def test_whoever_waits_for_a_place_hears_of_the_failure() -> None:
    failing, unstarted = Work(ValueError("first")), Work()

    async def group() -> None:
        async with Together(1) as together:
            await together.start(failing.run())
            await together.start(unstarted.run())

    task = asyncio.create_task(group())
    await failing.begun.wait()
    failing.gate.set()

    with pytest.raises(ValueError, match="first"):
        await task
    assert not unstarted.begun.is_set()


async def test_a_starter_that_fails_lets_the_others_come_to_their_end() -> None:
    slow = Work()

    async def group() -> None:
        async with Together(2) as together:
            await together.start(slow.run())
            raise KeyError("the starter's own")

    task = asyncio.create_task(group())
    await settled()
    assert not task.done()
    slow.gate.set()

    with pytest.raises(KeyError, match="the starter's own"):
        await task
    assert slow.done


async def starting_and_waiting(
    together: Together, some: list[Work], wait: Callable[[], Awaitable[None]]
) -> None:
    async with together:
        for each in some:
            await together.start(each.run())
        await wait()


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("where", ["inside", "leaving"])
async def test_a_cancelled_starter_waits_for_what_ends_within_the_grace(where: str) -> None:
    work = Work()
    wait = forever if where == "inside" else at_once
    task = asyncio.create_task(starting_and_waiting(Together(1, grace=60), [work], wait))
    await settled()

    task.cancel()
    await settled()

    assert not task.done()
    assert not work.cancelled
    work.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.done


@pytest.mark.parametrize("where", ["inside", "leaving"])
async def test_what_does_not_end_within_the_grace_is_cancelled(where: str) -> None:
    quick, slow = Work(), Work()
    wait = forever if where == "inside" else at_once
    task = asyncio.create_task(starting_and_waiting(Together(2, grace=SOON), [quick, slow], wait))
    await settled()

    task.cancel()
    quick.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (quick.done, quick.cancelled) == (True, False)
    assert (slow.done, slow.cancelled) == (False, True)


async def test_without_grace_nothing_is_waited_for() -> None:
    work = Work()
    task = asyncio.create_task(starting_and_waiting(Together(1, grace=0), [work], forever))
    await settled()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert work.cancelled


async def test_a_starter_cancelled_while_it_waits_for_a_place_starts_nothing_more() -> None:
    first, second = Work(), Work()
    task = asyncio.create_task(starting_and_waiting(Together(1, grace=60), [first, second], forever))
    await settled()

    task.cancel()
    await settled()
    first.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert first.done
    assert not second.begun.is_set()


async def test_nothing_to_do_is_done_at_once() -> None:
    async with Together(1):
        pass
