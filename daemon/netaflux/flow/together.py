"""Work side by side that is brought to an end whatever happens to the one who started it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

GRACE = 5.0
"""Real seconds that started work may still take after its starter was cancelled."""


class Together:
    """A bounded group of tasks: `start` waits for a free place, leaving waits for all.

    Unlike a TaskGroup it never cancels work because its starter failed or was told to stop: an upload on its
    way is worth its end. The first failure of a task is raised by the next `start`, or on leaving. Groups
    that are given the same semaphore share its places.

        async with Together(4) as deliveries:
            await deliveries.start(deliver(page))
    """

    def __init__(self, places: int | asyncio.Semaphore, *, grace: float = GRACE) -> None:
        self._places = asyncio.Semaphore(places) if isinstance(places, int) else places
        self._grace = grace
        self._tasks: set[asyncio.Task[Any]] = set()
        self._change = asyncio.Event()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if isinstance(error, asyncio.CancelledError):
                await self._end_soon()
            elif self._tasks:
                await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            await self._end_soon()
            raise
        if error is None and self._failure is not None:
            raise self._failure

    async def _end_soon(self) -> None:
        if self._tasks and self._grace:
            await asyncio.wait(self._tasks, timeout=self._grace)
        late = tuple(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin `work` as soon as there is a place for it; raise what an earlier one failed with."""
        try:
            await self.place()
        except BaseException:
            work.close()
            raise
        self.begin(work)

    async def place(self) -> None:
        """Take a place, for a `begin` or a `leave`; raise what an earlier work failed with."""
        await self._places.acquire()
        if self._failure is not None:
            self._places.release()
            raise self._failure

    def begin(self, work: Coroutine[Any, Any, None], *, placeless: bool = False) -> None:
        """Begin `work` in the place that was taken for it, or beside all places."""
        self._take_up(asyncio.create_task(work), placeless=placeless)

    def leave(self) -> None:
        """Give back a place that was taken for nothing."""
        self._places.release()

    async def go_over(self, other: "Together") -> None:
        """Let the running task, which has a place here, go on in one of the `other` group's, as theirs.

        Nothing comes between, so that what it has read is still at hand. Raises what failed there.
        """
        await other.place()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - whoever awaits is one
        self._tasks.discard(task)
        task.remove_done_callback(self._ended)
        task.remove_done_callback(self._left)
        self._left(task)
        other._take_up(task)  # noqa: SLF001 - another of our kind

    async def one_ends(self) -> None:
        """Return when one of those under way has ended, or gone over; at once where there is none."""
        if self._tasks:
            self._change.clear()
            await self._change.wait()

    def _take_up(self, task: asyncio.Task[Any], *, placeless: bool = False) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if not placeless:
            task.add_done_callback(self._left)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failure = self._failure or error
        self._change.set()

    def _left(self, _: asyncio.Task[Any]) -> None:
        self._places.release()
        self._change.set()
