"""One connection in one thread, which commits all that waits in one transaction."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from netaflux.core.errors import StateDamaged, StateError
from netaflux.state.doubts import doubt
from netaflux.state.faults import SQLITE_RAISES, in_words, is_of_the_disk, state_error
from netaflux.state.room import SPARE_ROOM, room_lacking, try_room
from netaflux.state.schema import connected

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""Reads and writes within a transaction that is not its own; runs in the database's thread.

It may be run once more, with all that it did undone: where another of the same transaction has raised.
"""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work[Any]
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]


class _Outcome(NamedTuple):
    result: Any = None
    error: BaseException | None = None
    of_all: bool = False
    """Whether none of the transaction has happened."""


class Database:
    """Our SQLite file, open; whatever has been waited for survives a power cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._waited: set[asyncio.Future[Any]] = set()
        """The results of which somebody still waits for."""
        self._closing = False
        self._lost: BaseException | None = None
        """What has ended the thread before its time."""
        # a daemon thread, so that a process that dies without closing does not hang on it
        self._thread = threading.Thread(target=self._serve, name="netaflux-state", daemon=True)
        self.commits = 0
        """Transactions committed since it was opened."""
        self.trouble: StateError | None = None
        """Why nothing can be written, as far as is known; until `recovers` finds that something can."""
        self.troubled = asyncio.Event()
        """Set while there is a trouble."""
        self.watched = False
        """Whether somebody asks `recovers` again and again: then the end of a trouble is worth a wait."""
        self._calm = asyncio.Event()
        """Set when there is no trouble any more."""
        self.damaged = asyncio.Event()
        """Set when the file turns out to be damaged, or its thread has ended; only another start mends it."""
        self.damage: StateError | None = None
        """StateDamaged where it is the file."""

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open the file, made or migrated as needed. Raises StateForeign, StateError."""
        database = cls(path)
        database._thread.start()
        try:
            await database._ready
            yield database
        finally:
            await database._close()

    async def run(self, work: Work[T], *, then: Callable[[T], None] | None = None) -> T:
        """Do the work and answer its result once that is committed.

        Works that wait at the same moment share a transaction. One that raises is undone alone; where
        the commit fails, none of them has happened. Cancelling the wait does not take the work back.
        `then` gets the result on the event loop after the commit, in the order of the commits, even if
        nobody waits any more.

        Raises StateError, and whatever the work raised.
        """
        if self._closing:
            raise self._closed()
        job = _Job(work, then, self._loop.create_future())
        self._jobs.put(job)
        self._waited.add(job.future)
        try:
            result: T = await job.future
        finally:
            self._waited.discard(job.future)
        return result

    async def probe(self) -> None:
        """Write a little and read it back. Raises StateError where the disk does not take it."""
        await self.run(_probe)

    def require_room(self) -> None:
        """Raise StateError while what is fetched would find no place: better not to fetch it at all."""
        if self.trouble is None and (few := room_lacking(self._path.parent, SPARE_ROOM)):
            self._troubled(StateError(f"{self._path.parent}: {few}"))
        if self.trouble is not None:
            raise StateError(self.trouble.message)

    async def recovers(self) -> bool:
        """Whether it takes something again, and more than a page: else that would fail the next moment."""
        try:
            await asyncio.to_thread(try_room, self._path.parent, 2 * SPARE_ROOM)
            await self.probe()
        except (OSError, StateError):
            return False
        self.trouble = None
        self.troubled.clear()
        self._calm.set()
        return True

    async def outlast(self) -> bool:
        """Wait for the end of a trouble; false where there is none, or nobody sees to its end."""
        if self.trouble is None or not self.watched:
            return False
        await self._calm.wait()
        return True

    def unwatched(self) -> None:
        """Nobody sees to the end of a trouble any more."""
        self.watched = False
        self._calm.set()

    async def _close(self) -> None:
        """Finish what waits, then close the file, which moves the write-ahead log into it."""
        self._closing = True
        self._jobs.put(None)
        try:
            await asyncio.shield(self._ended)
        finally:
            # the lock must not be let go before the last commit, also when this task is cancelled
            self._thread.join()

    # in the thread

    def _serve(self) -> None:
        try:
            with closing(connected(self._path)) as connection:
                self._on_loop(_settle, self._ready, _Outcome())
                while jobs := self._take():
                    self._carry_out(connection, jobs)
        except BaseException as error:  # noqa: BLE001 - it is told to whoever opens, or waits
            self._on_loop(self._end, error)
        else:
            self._on_loop(self._end, None)

    def _take(self) -> list[_Job]:
        """All that wait, at least one; none when it is time to close."""
        taken = [self._jobs.get()]
        with suppress(queue.Empty):
            while taken[-1] is not None:
                taken.append(self._jobs.get_nowait())
        if taken[-1] is None and len(taken) > 1:
            self._jobs.put(None)
        return [job for job in taken if job is not None]

    def _carry_out(self, connection: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
        try:
            outcomes = _together(connection, jobs)
            self.commits += 1
        except BaseException as error:
            _undo(connection)
            if connection.in_transaction:
                raise  # nothing can be committed on it any more
            outcomes = [_Outcome(error=error, of_all=True)] * len(jobs)
        self._on_loop(self._conclude, jobs, outcomes)

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)

    # on the loop

    def _conclude(self, jobs: Sequence[_Job], outcomes: Sequence[_Outcome]) -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            _settle(job.future, self._told(outcome) if outcome.error else _followed(job, outcome))

    def _told(self, outcome: _Outcome) -> _Outcome:
        cause = outcome.error
        # what a work raised is its own affair; but no future takes a StopIteration
        if cause is None or not (outcome.of_all or isinstance(cause, (*SQLITE_RAISES, StopIteration))):
            return outcome
        error = state_error(self._path, cause)  # one for each: an exception belongs to one task
        error.__cause__ = cause
        self._note(error, cause)
        return _Outcome(error=error)

    def _note(self, error: StateError, cause: BaseException) -> None:
        if isinstance(error, StateDamaged):
            if not is_of_the_disk(cause):
                doubt(self._path, error.message)
            self._needs_new_start(error)
        elif is_of_the_disk(cause):
            self._troubled(error)

    def _troubled(self, error: StateError) -> None:
        self.trouble = self.trouble or error
        self.troubled.set()
        self._calm.clear()

    def _needs_new_start(self, error: StateError) -> None:
        self.damage = self.damage or error
        self.damaged.set()

    def _end(self, error: BaseException | None) -> None:
        self._closing = True
        if not self._ready.done():
            _settle(self._ready, _Outcome(error=error))
        elif error is not None:
            self._lost = error
            for future in self._waited:
                _settle(future, _Outcome(error=self._closed()))
            self._needs_new_start(self._closed())
        self._ended.set_result(None)

    def _closed(self) -> StateError:
        if self._lost is None:
            return StateError(f"{self._path} is closed", advice="")
        error = StateError(f"{self._path} is closed: {in_words(self._lost)}", advice="Start netaflux again.")
        error.__cause__ = self._lost
        return error


def _together(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> Sequence[_Outcome]:
    """All works in one transaction, committed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # a savepoint for each would be half of all statements, and nearly never be gone back to
        outcomes = [_Outcome(job.work(connection)) for job in jobs]
    except BaseException:  # noqa: BLE001 - whatever a work raises is told to whoever waits for it
        if connection.in_transaction:  # a full disk or an I/O error may have undone it
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_attempt(connection, job.work) for job in jobs]
    connection.execute("COMMIT")
    return outcomes


def _attempt(connection: sqlite3.Connection, work: Work[Any]) -> _Outcome:
    """One work, which is undone alone if it raises."""
    connection.execute("SAVEPOINT work")
    try:
        result = work(connection)
    except BaseException as error:
        if not connection.in_transaction:
            raise  # a full disk or an I/O error may undo the whole transaction, not this work alone
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        return _Outcome(error=error)
    connection.execute("RELEASE work")
    return _Outcome(result)


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # where it is not, SQLite has undone it by itself
        with suppress(*SQLITE_RAISES):
            connection.execute("ROLLBACK")


def _followed(job: _Job, outcome: _Outcome) -> _Outcome:
    if job.then is not None:
        try:
            job.then(outcome.result)
        except Exception as error:  # noqa: BLE001 - a defect in one must not leave the others waiting
            return _Outcome(error=error)
    return outcome


def _settle(future: asyncio.Future[Any], outcome: _Outcome) -> None:
    if future.done():
        return  # whoever waited was cancelled
    if outcome.error is None:
        future.set_result(outcome.result)
    else:
        future.set_exception(outcome.error)


def _probe(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE probe SET writes = writes + 1")
    connection.execute("SELECT writes FROM probe").fetchone()
