"""A database that is damaged under the real daemon: it ends, and the next one mends it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.state.samples import mode
from tests.system.program import Program, until
from tests.system.world import Outside


async def test_damage_under_a_running_daemon_ends_it_and_the_next_one_mends_it(
    netaflux: Program, outside: Outside
) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: not outside.differences())
        destroy(netaflux.state / "netaflux.db", "coverage", "source_rows")
        sync = await netaflux("sync")
        await daemon.running.told("state.damaged")
        ended = await daemon.running.ended()
    uploads = outside.uploads
    async with netaflux.daemon() as daemon:
        rescued = await daemon.running.told("state.rescued")
        await until(lambda: outside.uploads > uploads and not outside.differences())
        _, status = await daemon.get("/status")
        shown = await netaflux("status")
        await daemon.stopped()

    assert sync.code == 75
    assert ended.code == 75
    assert outside.token_posts == 1
    assert rescued["saved"]["accounts"] == 1
    assert [each["aside"] for each in status["state"]["rescues"]] == [rescued["aside"]]
    assert [account["state"] for account in status["accounts"]] == ["ok"]
    assert rescued["aside"] in shown.err
    assert mode(Path(rescued["aside"])) == 0o600


async def test_a_database_that_nothing_brings_back_ends_the_daemon_and_the_next_one_goes_on(
    netaflux: Program, outside: Outside
) -> None:
    starving = netaflux.folder / "starving"
    async with netaflux.daemon(tampering={"memory": str(starving)}) as daemon:
        await until(lambda: not outside.differences())
        starving.touch()
        await netaflux("health")
        closed = await daemon.running.told("state.closed")
        ended = await daemon.running.ended()
    starving.unlink()
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        await daemon.stopped()

    assert "is closed: there is not enough memory" in closed["reason"]
    assert ended.code == 75
    assert ended.err.splitlines()[-1].endswith("Start netaflux again.")
    assert outside.token_posts == 1
    assert not list(netaflux.state.glob("*.damaged-*"))


def destroy(path: Path, *tables: str) -> None:
    """Zeros in the place of these tables, in a way that the owner of the file has to read them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for table in tables:
            query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
            ((root,),) = connection.execute(query, (table,)).fetchall()
            with path.open("r+b") as file:
                file.seek((root - 1) * 4096)
                file.write(bytes(4096))
        connection.execute("UPDATE probe SET writes = writes + 1")
