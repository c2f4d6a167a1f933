import asyncio
import json
import os
import sqlite3
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from netaflux.core.errors import StateError
from netaflux.core.model import AccountName
from netaflux.core.tokens import Intent, TokenPair, TokenRecord
from netaflux.state.database import Database, Work
from netaflux.state.open import State, open_state
from netaflux.state.spare import LARGEST
from netaflux.state.tokens import StoredTokens
from tests.state.samples import StillClock, largest_file, mode

ANNE = AccountName("default")
ODD = AccountName("../ännä's\n🏠/account")


def record(refresh: str, *, lost: str | None = None, intent: Intent | None = None) -> TokenRecord:
    pair = TokenPair("an access token", refresh, 1_700_010_800.25, ("read_station",), "our client")
    return TokenRecord(
        pair=pair, previous_refresh="an old one", worked=True, intent=intent, spent=("f",), lost=lost
    )


INTENT = Intent("0123456789abcdef", 1_700_000_000.5)


def bulky(refresh: str) -> TokenRecord:
    """A record that does not fit into the pages that the file has."""
    return record(refresh, lost="x" * 20_000)


def no_page_more(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def pages_again(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


def kept(connection: sqlite3.Connection) -> dict[str, str]:
    """The refresh token of each account in the database."""
    rows = connection.execute("SELECT name, record FROM accounts")
    return {name: json.loads(text)["pair"]["refresh"] for name, text in rows}


def spares(directory: Path) -> list[Path]:
    return sorted(directory.glob("tokens-*"))


def copied(directory: Path) -> list[str]:
    """The refresh token of each copy beside the database."""
    records = [json.loads(json.loads(spare.read_text())["record"]) for spare in spares(directory)]
    return [each["pair"]["refresh"] for each in records]


async def load(directory: Path, account: AccountName = ANNE) -> TokenRecord:
    """What a fresh process finds."""
    async with open_state(directory, StillClock()) as state:
        return await state.tokens.load(account)


async def test_a_new_account_has_an_empty_record(state: State) -> None:
    assert await state.tokens.load(ANNE) == TokenRecord()


async def test_a_record_comes_back_as_it_was(state: State) -> None:
    await state.tokens.save(ANNE, record("r1", intent=INTENT))

    assert await state.tokens.load(ANNE) == record("r1", intent=INTENT)


async def test_the_last_record_counts_also_after_a_restart(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
        await state.tokens.save(ODD, record("other"))
        await state.tokens.save(ANNE, record("r2"))

    assert await load(directory) == record("r2")
    assert await load(directory, ODD) == record("other")


async def test_a_copy_of_what_the_database_takes_stands_beside_it(state: State, directory: Path) -> None:
    """The whole database may be lost; the newest refresh token is not."""
    for refresh in ("r1", "r2"):
        await state.tokens.save(ANNE, record(refresh))

    assert copied(directory) == ["r2"]
    assert [mode(spare) for spare in spares(directory)] == [0o600]


async def test_an_intent_that_the_database_does_not_take_is_told(state: State, directory: Path) -> None:
    """A refresh token that can wait is not spent while what it brings has no sure place."""
    await state.tokens.save(ANNE, record("r1"))
    await state.database.run(no_page_more)

    with pytest.raises(StateError, match="the disk is full"):
        await state.tokens.save(ANNE, record("r1", lost="x" * 20_000, intent=INTENT))

    assert await state.tokens.load(ANNE) == record("r1")
    assert copied(directory) == ["r1"]


@pytest.mark.parametrize("account", [ANNE, ODD])
@pytest.mark.usefixtures("open_umask")
async def test_what_a_full_database_does_not_take_goes_to_a_spare_file(
    directory: Path, state: State, account: AccountName
) -> None:
    await state.tokens.save(account, record("r1"))
    await state.database.run(no_page_more)

    await state.tokens.save(account, bulky("r2"))

    assert await state.tokens.load(account) == bulky("r2")
    assert await state.database.run(kept) == {account: "r1"}
    assert [mode(spare) for spare in spares(directory)] == [0o600]


async def test_a_disk_that_breaks_at_the_commit_leaves_the_record_in_a_spare_file(
    directory: Path, clock: StillClock
) -> None:
    async with open_state(directory, clock) as state:
        log = (directory / "netaflux.db-wal").stat().st_size
        with largest_file(log):
            await state.tokens.save(ANNE, record("r1"))
            assert len(spares(directory)) == 1

    assert await load(directory) == record("r1")


async def test_a_spare_file_is_adopted_by_the_next_process(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
        await state.database.run(no_page_more)
        await state.tokens.save(ANNE, bulky("r2"))

    async with open_state(directory, clock) as state:
        assert await state.tokens.load(ANNE) == bulky("r2")
        assert await state.database.run(kept) == {ANNE: "r2"}


async def test_a_spare_file_is_adopted_by_a_load_once_there_is_room(state: State) -> None:
    await state.database.run(no_page_more)
    await state.tokens.save(ANNE, bulky("r1"))
    await state.tokens.load(ANNE)
    assert await state.database.run(kept) == {}

    await state.database.run(pages_again)
    await state.tokens.load(ANNE)

    assert await state.database.run(kept) == {ANNE: "r1"}


async def test_what_is_kept_while_an_older_commit_is_under_way_stays_the_newest(
    directory: Path, clock: StillClock
) -> None:
    """A stop in the middle of a save: what comes after it has only the file beside the database."""
    held = threading.Event()
    async with open_state(directory, clock) as state:
        before = asyncio.ensure_future(state.database.run(lambda _: held.wait()))
        older = asyncio.ensure_future(state.tokens.save(ANNE, record("r1")))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(state.database._close())
        await asyncio.sleep(0)
        await state.tokens.save(ANNE, record("r2"))
        held.set()
        await asyncio.gather(before, older, closing)
        assert state.tokens._ahead == {ANNE}  # the database has the older one
        assert await state.tokens.load(ANNE) == record("r2")
        assert copied(directory) == ["r2"]

    assert await load(directory) == record("r2")


async def test_a_spare_file_follows_the_next_save_that_succeeds(state: State, directory: Path) -> None:
    await state.database.run(no_page_more)
    await state.tokens.save(ANNE, bulky("r1"))
    await state.database.run(pages_again)

    await state.tokens.save(ANNE, record("r2"))

    assert await state.database.run(kept) == {ANNE: "r2"}
    assert copied(directory) == ["r2"]


class Gated:
    """A database whose next work waits at a gate."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.gate: asyncio.Event | None = None

    async def run(self, work: Work[object], *, then: Callable[[object], None] | None = None) -> object:
        if self.gate is not None:
            await self.gate.wait()
        return await self.database.run(work, then=then)


@pytest.mark.parametrize("newer", [record("r2"), bulky("r2")])
async def test_a_spare_file_that_is_adopted_late_does_not_harm_a_newer_record(
    directory: Path, state: State, clock: StillClock, newer: TokenRecord
) -> None:
    """Wherever that has gone meanwhile: into the database, or into the spare file."""
    gated = Gated(state.database)
    tokens = await StoredTokens.open(gated, directory, clock)  # type: ignore[arg-type] # with a gate
    await tokens.save(ANNE, record("r0"))
    with largest_file((directory / "netaflux.db-wal").stat().st_size):
        await tokens.save(ANNE, record("r1"))
    await state.database.run(no_page_more)

    gated.gate = gate = asyncio.Event()
    adopting = asyncio.ensure_future(tokens.load(ANNE))
    await asyncio.sleep(0)
    gated.gate = None
    await tokens.save(ANNE, newer)
    gate.set()

    assert await adopting == newer
    fresh = await StoredTokens.open(state.database, directory, clock)
    assert await fresh.load(ANNE) == newer


async def test_a_spare_file_is_on_the_disk_before_it_counts(
    directory: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content first, then its name in the directory: a power cut may come at any moment."""
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    real = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    await state.database.run(no_page_more)
    await state.tokens.save(ANNE, bulky("r1"))

    (spare,) = spares(directory)
    assert synced == [spare.with_suffix(".tmp").name, directory.name]


async def test_the_newer_of_two_spares_counts(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.database.run(no_page_more)
        await state.tokens.save(ANNE, bulky("r1"))
        await state.tokens.save(ANNE, bulky("r2"))

    assert await load(directory) == bulky("r2")


async def test_a_spare_file_older_than_the_database_is_not_adopted(
    directory: Path, clock: StillClock
) -> None:
    """A power cut may bring back what was overwritten; its refresh token is long dead."""
    async with open_state(directory, clock) as state:
        await state.database.run(no_page_more)
        await state.tokens.save(ANNE, bulky("r1"))
        (spare,) = spares(directory)
        os.link(spare, directory / "as it was")
        await state.database.run(pages_again)
        await state.tokens.save(ANNE, record("r2"))
    (directory / "as it was").rename(spare)

    assert await load(directory) == record("r2")
    assert copied(directory) == ["r2"]


async def test_no_copy_is_written_through_what_lies_at_its_name(state: State, directory: Path) -> None:
    await state.tokens.save(ANNE, record("r1"))
    (spare,) = spares(directory)
    theirs = directory / "theirs"
    theirs.touch(0o666)
    spare.unlink()
    for link in (spare, spare.with_suffix(".tmp")):
        link.symlink_to(theirs)

    await state.tokens.save(ANNE, record("r2"))

    assert theirs.read_text() == ""
    assert not spare.is_symlink()
    assert (copied(directory), mode(spare)) == (["r2"], 0o600)


async def test_a_link_is_no_copy(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
    (spare,) = spares(directory)
    spare.rename(directory / "elsewhere")
    spare.symlink_to(directory / "elsewhere")

    with capture_logs() as logs:
        assert await load(directory) == record("r1")

    assert [log["event"] for log in logs] == ["spare.set_aside"]
    assert not spare.is_symlink()


async def test_a_pipe_in_the_place_of_a_copy_keeps_nobody_waiting(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
    (spare,) = spares(directory)
    spare.unlink()
    os.mkfifo(spare)

    assert await load(directory) == record("r1")
    assert spare.is_file()


async def test_a_copy_that_would_not_be_read_again_is_not_written(state: State, directory: Path) -> None:
    await state.tokens.save(ANNE, record("r1"))
    large = record("r2", lost="x" * LARGEST)
    await state.tokens.save(ANNE, large)
    await state.database.run(no_page_more)

    with pytest.raises(StateError, match="nor does a file beside it take them: File too large"):
        await state.tokens.save(ANNE, record("r3", lost="x" * 3 * LARGEST))
    assert copied(directory) == ["r1"]
    assert await state.tokens.load(ANNE) == large


async def test_a_save_that_neither_place_takes_is_told(directory: Path, clock: StillClock) -> None:
    secret = "a refresh token"
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
        with largest_file(0), pytest.raises(StateError, match="account default cannot be kept") as told:
            await state.tokens.save(ANNE, record(secret))
        assert await state.tokens.load(ANNE) == record("r1")

    assert "input/output error" in told.value.message
    assert "File too large" in told.value.message
    assert secret not in "".join(traceback.format_exception(told.value))
    assert copied(directory) == ["r1"]
    assert await load(directory) == record("r1")


async def test_after_such_a_failure_the_next_save_counts(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        with largest_file(0), pytest.raises(StateError):
            await state.tokens.save(ANNE, record("r1"))
        await state.tokens.save(ANNE, record("r2"))

    assert await load(directory) == record("r2")


async def test_a_spare_file_that_cannot_be_read_is_set_aside_and_told_once(
    directory: Path, clock: StillClock
) -> None:
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
        (directory / "tokens-0123456789abcdef.json").write_text('{"account": "default", "ser')

    with capture_logs() as logs:
        assert await load(directory) == record("r1")
        assert await load(directory) == record("r1")

    assert [log["event"] for log in logs] == ["spare.set_aside"]
    assert "tokens-0123456789abcdef.unreadable" in {spare.name for spare in spares(directory)}


@pytest.mark.parametrize("text", ["", "[]", '{"pair": {"access": "a secret"}}', '{"pair": {"scopes": 1}}'])
async def test_a_damaged_record_is_told_for_its_account_alone(
    directory: Path, clock: StillClock, text: str
) -> None:
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
        await state.tokens.save(ODD, record("other"))
        await state.database.run(
            lambda connection: (
                connection.execute("UPDATE accounts SET record = ? WHERE name = ?", (text, ANNE)).rowcount
            )
        )
    for spare in spares(directory):
        spare.unlink()

    async with open_state(directory, clock) as state:
        assert await state.tokens.load(ODD) == record("other")
        with pytest.raises(StateError, match="are damaged") as told:
            await state.tokens.load(ANNE)
        await state.tokens.save(ANNE, record("r2"))
        assert await state.tokens.load(ANNE) == record("r2")
    assert told.value.__cause__ is None
    assert "a secret" not in str(told.value)


async def test_a_damaged_record_is_mended_by_its_copy(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, record("r1"))
        await state.database.run(
            lambda connection: connection.execute("UPDATE accounts SET record = '{'").rowcount
        )

    assert await load(directory) == record("r1")
