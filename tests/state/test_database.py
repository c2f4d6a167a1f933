import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest

from netaflux.core.errors import StateDamaged, StateError, StateForeign, UsageError
from netaflux.state.database import Database, Work
from netaflux.state.doubts import doubts_of
from netaflux.state.schema import connected
from tests.state.samples import another_process, bereft, largest_file, no_memory

STREAM = """
import asyncio, sys
from functools import partial
from pathlib import Path
from netaflux.state.database import Database

def note(connection, number):
    connection.execute("INSERT INTO budgets VALUES (?, '{}')", (str(number),))

async def commit(database, number):
    await database.run(partial(note, number=number))
    print(number, flush=True)

async def stream():
    async with Database.open(Path(sys.argv[1])) as database:
        for begin in range(0, 100_000, 5):
            await asyncio.gather(*(commit(database, begin + step) for step in range(5)))

asyncio.run(stream())
"""

FORGETFUL = """
import asyncio, sys
from pathlib import Path
from netaflux.state.database import Database

loop = asyncio.new_event_loop()  # asyncio.run would close what is open
opened = Database.open(Path(sys.argv[1]))
loop.run_until_complete(loop.run_until_complete(opened.__aenter__()).probe())
print("opened", flush=True)
"""


def put(connection: sqlite3.Connection, scope: str, record: str = "{}") -> str:
    connection.execute("INSERT INTO budgets VALUES (?, ?)", (scope, record))
    return scope


def scopes(connection: sqlite3.Connection) -> set[str]:
    return {scope for (scope,) in connection.execute("SELECT scope FROM budgets")}


def refuse(connection: sqlite3.Connection) -> None:
    put(connection, "half done")
    raise UsageError("not like this")


def spoil_the_commit(connection: sqlite3.Connection) -> None:
    """A row without its module: found out when the transaction ends, if asked to wait so long."""
    connection.execute("PRAGMA defer_foreign_keys = ON")
    connection.execute("INSERT INTO source_rows VALUES ('no module', 1, '{}')")


def fill_up(connection: sqlite3.Connection) -> None:
    """No page more than there are: SQLite's own full disk."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def nothing(_: sqlite3.Connection) -> None:
    pass


@asynccontextmanager
async def at_a_standstill(
    database: Database, afterwards: Work[None] = nothing
) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """The database's thread waits within a work of its own, so that whatever comes queues up."""
    loop, waits, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def wait(connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(waits.set)
        go_on.wait()
        afterwards(connection)

    tasks = [asyncio.ensure_future(database.run(wait))]
    await waits.wait()
    try:
        yield tasks
        await asyncio.sleep(0)  # the new tasks get into the queue
    finally:
        go_on.set()


async def together(database: Database, *works: object) -> list[object]:
    """The outcomes of works that share one transaction."""
    async with at_a_standstill(database) as tasks:
        tasks += [asyncio.ensure_future(database.run(work)) for work in works]  # type: ignore[arg-type] # as given
    _, *outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    return list(outcomes)


async def test_a_result_comes_back_once_it_is_on_disk(path: Path) -> None:
    async with Database.open(path) as database:
        assert await database.run(partial(put, scope="app")) == "app"
        with closing(sqlite3.connect(path)) as other:
            assert scopes(other) == {"app"}


async def test_a_page_that_the_disk_does_not_give_back_is_damage_and_no_doubt_about_the_file(
    database: Database, path: Path
) -> None:
    """The next start looks at the disk again: it may have been a cable."""

    def unreadable(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        error.sqlite_errorname = "SQLITE_IOERR_READ"
        raise error

    with pytest.raises(StateDamaged, match="input/output error"):
        await database.run(unreadable)

    assert database.damaged.is_set()
    assert not doubts_of(path).exists()


async def test_all_that_waits_is_committed_at_once(database: Database) -> None:
    before = database.commits

    await together(database, *(partial(put, scope=str(number)) for number in range(200)))

    assert len(await database.run(scopes)) == 200
    assert database.commits - before == 3  # the one that they waited for, they, and the reading


async def test_a_work_that_fails_is_undone_alone(database: Database) -> None:
    outcomes = await together(database, partial(put, scope="a"), refuse, partial(put, scope="b"))

    assert [type(outcome) for outcome in outcomes] == [str, UsageError, str]
    assert await database.run(scopes) == {"a", "b"}


async def test_a_statement_that_fails_is_undone_alone_and_told_as_ours(database: Database) -> None:
    first, second, third = await together(database, *(partial(put, scope=scope) for scope in "aab"))

    assert (first, third) == ("a", "b")
    assert isinstance(second, StateError)
    assert "UNIQUE constraint" in second.message
    assert isinstance(second.__cause__, sqlite3.IntegrityError)
    assert await database.run(scopes) == {"a", "b"}


async def test_nothing_has_happened_where_the_commit_fails(database: Database) -> None:
    outcomes = await together(database, partial(put, scope="a"), spoil_the_commit, partial(put, scope="b"))

    assert [type(outcome) for outcome in outcomes] == [StateError] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3
    assert await database.run(scopes) == set()


async def test_a_failed_commit_changes_no_mirror(database: Database) -> None:
    mirror: list[object] = []

    with pytest.raises(StateError):
        await database.run(spoil_the_commit, then=mirror.append)

    assert mirror == []


async def test_after_a_failed_commit_it_goes_on(database: Database) -> None:
    with pytest.raises(StateError):
        await database.run(spoil_the_commit)

    assert await database.run(partial(put, scope="after")) == "after"


async def test_a_disk_that_breaks_fails_the_commit_and_heals(database: Database) -> None:
    with largest_file(0), pytest.raises(StateError, match="the disk reports an input/output error"):
        await database.run(partial(put, scope="lost"))

    await database.run(partial(put, scope="kept"))
    assert await database.run(scopes) == {"kept"}


async def test_a_full_disk_is_told_as_full(database: Database) -> None:
    await database.run(fill_up)

    with pytest.raises(StateError, match="the disk is full") as told:
        await database.run(partial(put, scope="large", record="x" * 100_000))

    assert "free space" in told.value.remedy
    assert await database.run(scopes) == set()


async def test_a_read_only_file_is_told_as_read_only(database: Database) -> None:
    await database.run(lambda connection: connection.execute("PRAGMA query_only = ON").fetchall())

    with pytest.raises(StateError, match="it is read-only"):
        await database.run(partial(put, scope="app"))


async def test_a_transaction_that_sqlite_gave_up_fails_all_that_shared_it(database: Database) -> None:
    """Some full disks and I/O errors make SQLite undo everything, not the one statement."""

    def give_up(connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TEMP TRIGGER t BEFORE INSERT ON budgets BEGIN SELECT RAISE(ROLLBACK, 'gone'); END"
        )
        put(connection, "b")

    outcomes = await together(database, partial(put, scope="a"), give_up, partial(put, scope="c"))

    assert [str(outcome).rpartition(": ")[2] for outcome in outcomes] == ["gone"] * 3
    assert await database.run(scopes) == set()


async def test_a_work_whose_wait_is_cancelled_is_done_all_the_same(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    mirror: list[str] = []
    async with at_a_standstill(database) as tasks:
        waiting = asyncio.ensure_future(database.run(partial(put, scope="app"), then=mirror.append))
        neighbour = asyncio.ensure_future(database.run(partial(put, scope="neighbour")))
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.wait([*tasks, waiting, neighbour])

    assert waiting.cancelled()
    assert neighbour.result() == "neighbour"
    assert await database.run(scopes) == {"app", "neighbour"}
    assert mirror == ["app"]
    assert caplog.records == []


async def test_the_mirror_is_told_in_the_order_of_the_commits_before_the_wait_ends(
    database: Database,
) -> None:
    heard: list[int] = []

    async def ask(number: int) -> list[int]:
        await database.run(lambda _: number, then=heard.append)
        return list(heard)

    answers = await asyncio.gather(*(ask(number) for number in range(50)))

    assert heard == list(range(50))
    assert all(number in answer for number, answer in enumerate(answers))


async def test_a_mirror_that_breaks_leaves_nobody_waiting(database: Database) -> None:
    def break_down(_: object) -> None:
        raise ZeroDivisionError

    broken, sound = await asyncio.gather(
        database.run(scopes, then=break_down), database.run(scopes), return_exceptions=True
    )

    assert isinstance(broken, ZeroDivisionError)
    assert sound == set()


async def test_closing_finishes_what_waits(path: Path) -> None:
    async with Database.open(path) as database:
        waiting = [
            asyncio.ensure_future(database.run(partial(put, scope=str(number)))) for number in range(20)
        ]
        await asyncio.sleep(0)

    assert await asyncio.gather(*waiting) == [str(number) for number in range(20)]
    with closing(connected(path)) as connection:
        assert len(scopes(connection)) == 20


async def test_closing_moves_the_log_into_the_file(path: Path) -> None:
    async with Database.open(path) as database:
        await database.run(partial(put, scope="app"))

    assert list(path.parent.iterdir()) == [path]


async def test_closing_that_is_cancelled_still_finishes(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Or the lock would be free, for another process, before the last commit."""
    waiting: list[asyncio.Task[str]] = []

    async def leave_in_a_hurry() -> None:
        async with Database.open(path) as database:
            waiting.append(asyncio.ensure_future(database.run(partial(put, scope="app"))))
            await asyncio.sleep(0)
            asyncio.current_task().cancel()  # type: ignore[union-attr] # we are in one

    task = asyncio.ensure_future(leave_in_a_hurry())
    await asyncio.wait([task])

    assert task.cancelled()
    assert list(path.parent.iterdir()) == [path]
    assert await waiting[0] == "app"
    assert caplog.records == []


async def test_a_closed_database_says_so(path: Path) -> None:
    async with Database.open(path) as database:
        pass

    with pytest.raises(StateError, match="is closed"):
        await database.run(scopes)


@pytest.fixture
def foreign(path: Path) -> Path:
    path.write_text("Dear diary")
    return path


async def test_opening_a_foreign_file_is_refused(foreign: Path) -> None:
    with pytest.raises(StateForeign, match="not a database"):
        async with Database.open(foreign):
            pass
    assert [thread.name for thread in threading.enumerate() if thread.name == "netaflux-state"] == []


async def test_a_work_that_would_end_the_thread_ends_only_itself(database: Database) -> None:
    def leave(_: sqlite3.Connection) -> None:
        raise asyncio.CancelledError

    left, sound = await together(database, leave, partial(put, scope="a"))

    assert isinstance(left, asyncio.CancelledError)
    assert sound == "a"


async def test_where_memory_is_short_all_that_waits_fails_and_nothing_after(database: Database) -> None:
    with no_memory():
        probes = [asyncio.ensure_future(database.probe()) for _ in range(2)]
        outcomes = await asyncio.gather(*probes, return_exceptions=True)

    assert [str(outcome).partition(" cannot be used: ")[2] for outcome in outcomes] == [
        "there is not enough memory (MemoryError)"
    ] * 2
    assert len({id(outcome) for outcome in outcomes}) == 2
    assert await database.run(partial(put, scope="after")) == "after"
    assert not database.damaged.is_set()


async def test_memory_that_lacks_a_start_is_told_as_ours(path: Path) -> None:
    for _ in range(2):  # a new file, and one that is read
        with no_memory(), pytest.raises(StateError, match="there is not enough memory"):
            connected(path)
        connected(path).close()


def stop_short(_: sqlite3.Connection) -> None:
    raise StopIteration


async def test_an_error_that_no_future_takes_is_told_as_ours(database: Database) -> None:
    stopped, sound = await together(database, stop_short, partial(put, scope="a"))

    assert isinstance(stopped, StateError)
    assert sound == "a"


async def test_a_thread_that_ends_leaves_nobody_waiting_and_asks_for_a_new_start(
    database: Database, path: Path
) -> None:
    """On a connection whose transaction does not end nothing will ever be committed."""
    async with at_a_standstill(database, bereft) as tasks:
        tasks += [asyncio.ensure_future(database.probe()) for _ in range(2)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    with pytest.raises(StateError) as told:
        await database.probe()
    assert {str(error) for error in (*outcomes, told.value, database.damage)} == {
        f"{path} is closed: SQLITE_AUTH: not authorized"
    }
    assert len({id(outcome) for outcome in outcomes}) == 3
    assert told.value.remedy == "Start netaflux again."
    assert database.damaged.is_set()
    assert not doubts_of(path).exists()


async def test_a_probe_writes_and_reads(database: Database) -> None:
    await database.probe()
    await database.probe()

    assert await database.run(lambda connection: connection.execute("SELECT * FROM probe").fetchall()) == [
        (2,)
    ]


async def test_a_probe_fails_where_the_disk_does(database: Database) -> None:
    with largest_file(0), pytest.raises(StateError):
        await database.probe()


def test_a_process_that_forgets_to_close_still_ends(path: Path) -> None:
    with another_process(FORGETFUL, path) as process:
        said, _ = process.communicate(timeout=20)

    assert said == "opened\n"
    assert process.returncode == 0


@pytest.mark.parametrize("acknowledged", [1, 60, 333])
def test_what_was_acknowledged_is_there_after_a_kill(path: Path, acknowledged: int) -> None:
    with another_process(STREAM, path) as process:
        assert process.stdout is not None
        told = {process.stdout.readline().strip() for _ in range(acknowledged)}
        process.kill()
        told |= {line.strip() for line in process.stdout if line.endswith("\n")}

    with closing(connected(path)) as connection:
        assert told <= scopes(connection)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
