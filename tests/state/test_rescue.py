"""Databases that are really damaged: what is saved of them, and what is not believed any more."""

import os
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from netaflux.core.budget import BudgetRecord, Lease
from netaflux.core.errors import StateDamaged, StateError, StateForeign
from netaflux.core.lookback import Looks
from netaflux.core.model import AccountName, Binding, DestinationId, DestinationName, Page, Series
from netaflux.core.spans import Spans
from netaflux.core.tokens import TokenPair, TokenRecord
from netaflux.state.doubts import doubt, doubts_of
from netaflux.state.open import DATABASE, State, open_state
from netaflux.state.rescue import _block
from netaflux.state.soundness import examine
from netaflux.state.source_rows import RETENTION
from tests.state.samples import BASEMENT, MODULE, StillClock, largest_file, modes, page, series

ANNE = AccountName("default")
FLUX = DestinationName("fluxtream")
SEVENTH = DestinationId("fluxtream:https://host#7")
STEP = 600
ROWS = 3000
NEWEST = 1_700_000_000
OLDEST = NEWEST - STEP * (ROWS - 1)
SERIES = [series(channel) for channel in ("Temp_C", "RH", "CO2_ppm")]
DELIVERED = Spans(*((begin, begin + STEP) for begin in range(OLDEST, NEWEST, 3 * STEP)))
"""Many spans, so that they need several pages."""
BUDGET = BudgetRecord(leases=(Lease(10, 12.5, "boot", 1_700_000_000.25),))
BINDING = Binding(
    device=BASEMENT,
    module=MODULE,
    account=ANNE,
    module_text="Home/Basement",
    since_text="30d",
    begin=OLDEST,
    floor=OLDEST - 5,
)
TABLES = ("accounts", "budgets", "destinations", "bindings", "coverage", "modules", "looks", "source_rows")


NOISE = random.Random(1).randbytes(50_000)  # noqa: S311 - the same in each run


def tokens(refresh: str) -> TokenRecord:
    return TokenRecord(pair=TokenPair("access", refresh, 1_700_010_800.0, ("read_station",), "client"))


@dataclass
class Damaged:
    """A state directory whose database can be damaged, and is looked at again."""

    directory: Path
    clock: StillClock

    @property
    def path(self) -> Path:
        return self.directory / DATABASE

    @property
    def log(self) -> Path:
        return self.directory / f"{DATABASE}-wal"

    def overwrite(self, place: int, content: bytes, file: Path | None = None) -> None:
        with (file or self.path).open("r+b") as written:
            written.seek(place)
            written.write(content)

    def root(self, table: str) -> int:
        """Where the first page of a table stands in the file."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
            ((page_number,),) = connection.execute(query, (table,)).fetchall()
        return (int(page_number) - 1) * 4096

    @property
    def aside(self) -> list[Path]:
        """The databases that were set aside."""
        return sorted(self.directory.glob(f"{DATABASE}.damaged-????????-??????"))

    async def look(self) -> "Found":
        """What the next start finds."""
        async with open_state(self.directory, self.clock) as state:
            return await Found.of(state)


@dataclass
class Found:
    """What a state holds."""

    refresh: str | None
    budget: BudgetRecord
    app_budget: BudgetRecord
    identity: DestinationId | None
    binding: Binding | None
    covered: dict[Series, Spans]
    newest: int | None
    looks: Looks
    news: int
    """How many rows of a page that was delivered before are taken for new ones."""
    lost: list[str]
    rescues: int

    @classmethod
    async def of(cls, state: State) -> "Found":
        pair = (await state.tokens.load(ANNE)).pair
        covered = {each: state.coverage.covered(each) for each in SERIES}
        newest, looks = state.coverage.newest(MODULE), state.coverage.looks(MODULE)
        admitted = await state.coverage.admit(MODULE, last_rows(), [])
        return cls(
            refresh=pair.refresh if pair else None,
            budget=await state.budgets.load("account:default"),
            app_budget=await state.budgets.load("app"),
            identity=state.destinations.identity(FLUX),
            binding=state.bindings.binding(BASEMENT),
            covered=covered,
            newest=newest,
            looks=looks,
            news=len(admitted.news),
            lost=[table for rescue in state.rescues for table in rescue.lost],
            rescues=len(state.rescues),
        )


def last_rows() -> Page:
    return page({time: [float(time % 40)] for time in range(NEWEST - 9 * STEP, NEWEST + 1, STEP)})


@pytest.fixture
async def damaged(directory: Path, clock: StillClock) -> Damaged:
    """A state as a year of work leaves it, closed."""
    async with open_state(directory, clock) as state:
        await state.tokens.save(ANNE, tokens("r1"))
        await state.budgets.save("account:default", BUDGET)
        await state.budgets.save("app", BUDGET)
        await state.destinations.remember_identity(FLUX, SEVENTH)
        await state.bindings.bind(BINDING)
        rows = {time: [float(time % 40)] for time in range(OLDEST, NEWEST + 1, STEP)}
        rows = {time: row for time, row in rows.items() if not NEWEST - 90_000 < time < NEWEST - 80_000}
        await state.coverage.admit(MODULE, page(rows), [BASEMENT])
        await state.coverage.grow(dict.fromkeys(SERIES, DELIVERED))
        await state.tokens.save(ANNE, tokens("r2"))
    return Damaged(directory, clock)


def without_last_days(spans: Spans) -> Spans:
    return spans & Spans((0, spans.pairs[-1][1] - RETENTION))


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir() if file.name != "lock"}


async def test_a_sound_state_is_opened_as_it_is(damaged: Damaged) -> None:
    found = await damaged.look()

    assert (found.rescues, found.news, found.refresh) == (0, 0, "r2")
    assert found.covered == dict.fromkeys(SERIES, DELIVERED)
    assert damaged.aside == []


@pytest.mark.parametrize("table", TABLES)
async def test_what_does_not_hang_together_with_a_zeroed_page_is_saved(damaged: Damaged, table: str) -> None:
    """Coverage without its last days; and in none of all cases is a token or a limit forgotten."""
    damaged.overwrite(damaged.root(table), bytes(4096))
    as_found = damaged.path.read_bytes()

    found = await damaged.look()

    together = table in {"coverage", "modules", "looks"}
    assert found.rescues == 1
    assert set(found.lost) == {"source_rows", table} | (
        {"coverage", "modules", "looks"} if together else set()
    )
    assert found.refresh == "r2"
    assert found.covered == dict.fromkeys(SERIES, Spans() if together else without_last_days(DELIVERED))
    assert found.newest == (None if together else NEWEST)
    assert (found.budget == BUDGET) is (table != "budgets")
    assert (found.app_budget.closed_until is None) is (table != "budgets")
    assert (found.identity == SEVENTH) is (table != "destinations")
    assert (found.binding == BINDING) is (table != "bindings")
    assert [each.read_bytes() for each in damaged.aside] == [as_found]
    assert set(modes(damaged.directory).values()) == {0o600}


async def test_rows_whose_source_is_forgotten_are_news(damaged: Damaged) -> None:
    """So the look back sends them once more, whatever may have become of their coverage."""
    damaged.overwrite(damaged.root("source_rows"), bytes(4096))

    assert (await damaged.look()).news == 10
    assert (await damaged.look()).news == 0


async def test_what_is_mended_is_not_mended_again(damaged: Damaged) -> None:
    damaged.overwrite(damaged.root("budgets"), bytes(4096))
    await damaged.look()

    again = await damaged.look()

    assert again.rescues == 1
    assert len(damaged.aside) == 1


async def test_a_second_damage_leaves_the_first_file_as_it_is(damaged: Damaged) -> None:
    files = []
    for table in ("budgets", "bindings"):
        damaged.overwrite(damaged.root(table), bytes(4096))
        files.append(damaged.path.read_bytes())
        await damaged.look()

    assert [each.read_bytes() for each in damaged.aside] == files
    assert (await damaged.look()).rescues == 2


async def test_a_destroyed_header_costs_the_last_days_alone(damaged: Damaged) -> None:
    damaged.overwrite(0, NOISE[:100])

    found = await damaged.look()

    assert found.lost == ["source_rows"]
    assert (found.refresh, found.budget, found.binding) == ("r2", BUDGET, BINDING)
    assert found.covered == dict.fromkeys(SERIES, without_last_days(DELIVERED))


@pytest.mark.parametrize("size", [0, 50, 4096, 100_000])
async def test_the_tokens_outlive_a_file_that_was_cut(damaged: Damaged, size: int) -> None:
    os.truncate(damaged.path, size)

    found = await damaged.look()

    assert (found.refresh, found.rescues) == ("r2", 1)
    assert all(not found.covered[each] - DELIVERED for each in SERIES)


async def test_the_tokens_outlive_a_file_that_is_all_noise(damaged: Damaged) -> None:
    """The copy beside it tells that this was ours."""
    damaged.path.write_bytes(NOISE)

    found = await damaged.look()

    assert (found.refresh, found.rescues, found.binding) == ("r2", 1, None)
    assert found.app_budget.closed_until is not None


@pytest.fixture
def there(directory: Path) -> Path:
    """The state directory, empty."""
    directory.mkdir()
    return directory


async def test_noise_that_nothing_tells_to_be_ours_is_refused_untouched(
    there: Path, clock: StillClock
) -> None:
    (there / DATABASE).write_bytes(NOISE)
    before = contents(there)

    with pytest.raises(StateForeign):
        await open_state(there, clock).__aenter__()

    assert contents(there) == before


@pytest.mark.parametrize("beside", ["tokens-0123456789abcdef.json", f"{DATABASE}.damaged-20261127-143000"])
async def test_an_empty_file_in_our_place_is_begun_anew_whatever_its_log_says(
    there: Path, clock: StillClock, beside: str
) -> None:
    log = there / f"{DATABASE}-wal"
    for name in (DATABASE, beside):
        (there / name).touch()
    log.write_bytes(NOISE)

    found = await Damaged(there, clock).look()

    assert (found.rescues, found.refresh) == (1, None)
    assert NOISE in contents(there).values()  # beside the database that was set aside


async def test_an_empty_file_with_a_log_that_nothing_tells_to_be_ours_is_refused_untouched(
    there: Path, clock: StillClock
) -> None:
    (there / DATABASE).touch()
    (there / f"{DATABASE}-wal").write_bytes(NOISE)
    before = contents(there)

    with pytest.raises(StateForeign):
        await Damaged(there, clock).look()

    assert contents(there) == before


async def test_an_empty_file_alone_is_a_new_one(there: Path, clock: StillClock) -> None:
    (there / DATABASE).touch()

    assert (await Damaged(there, clock).look()).rescues == 0


async def test_another_programs_database_is_refused_even_beside_our_tokens(damaged: Damaged) -> None:
    damaged.path.unlink()
    with closing(sqlite3.connect(damaged.path)) as theirs:
        theirs.execute("CREATE TABLE diary (day, text)")
    before = contents(damaged.directory)

    with pytest.raises(StateForeign, match="another program's"):
        await damaged.look()

    assert contents(damaged.directory) == before


@pytest.fixture
async def crashed(damaged: Damaged) -> Damaged:
    """The same with a log that was never moved into the database, as after a power cut."""
    copies = {}
    async with open_state(damaged.directory, damaged.clock) as state:
        await state.tokens.save(ANNE, tokens("r3"))
        await state.coverage.grow({series("Noise"): Spans((OLDEST, NEWEST))})
        copies = {file: file.read_bytes() for file in (damaged.path, damaged.log)}
    for file, content in copies.items():
        file.write_bytes(content)
    return damaged


async def test_a_log_that_was_cut_in_its_last_commit_is_no_damage(crashed: Damaged) -> None:
    os.truncate(crashed.log, crashed.log.stat().st_size - 1000)

    found = await crashed.look()

    assert (found.rescues, found.refresh) == (0, "r3")
    assert found.covered == dict.fromkeys(SERIES, DELIVERED)


async def test_a_log_that_sqlite_would_throw_away_is_set_aside_with_its_database(crashed: Damaged) -> None:
    crashed.overwrite(0, bytes(32), crashed.log)
    as_found = crashed.log.read_bytes()

    found = await crashed.look()

    (aside,) = crashed.aside
    assert (found.rescues, found.refresh) == (1, "r3")
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == as_found
    assert found.covered == dict.fromkeys(SERIES, without_last_days(DELIVERED))


async def test_what_stands_in_the_log_alone_is_saved_too(crashed: Damaged) -> None:
    crashed.overwrite(crashed.root("source_rows"), bytes(4096))

    async with open_state(crashed.directory, crashed.clock) as state:
        covered = state.coverage.covered(series("Noise"))

    assert covered == Spans((OLDEST, NEWEST - RETENTION))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE budgets SET record = '[]'",
        "UPDATE looks SET record = '{'",
        "UPDATE source_rows SET measures = '{' WHERE time = (SELECT min(time) FROM source_rows)",
        'UPDATE coverage SET "end" = begin - 1 WHERE begin = (SELECT min(begin) FROM coverage)',
        'UPDATE coverage SET "end" = "end" + 1200 WHERE begin = (SELECT min(begin) FROM coverage)',
        "UPDATE coverage SET begin = x'00' WHERE begin = (SELECT min(begin) FROM coverage)",
        "UPDATE bindings SET device = CAST(x'ff' AS TEXT)",
        "UPDATE accounts SET serial = 9223372036854775807",
        "UPDATE accounts SET serial = 'two'",
        "UPDATE budgets SET record = printf('%.*c', 100000, '[')",
    ],
)
async def test_rows_that_we_would_never_write_are_damage(damaged: Damaged, change: str) -> None:
    with closing(sqlite3.connect(damaged.path)) as connection:
        assert connection.execute(change).rowcount > 0
        connection.commit()

    found = await damaged.look()

    assert (found.rescues, found.refresh) == (1, "r2")
    assert all(not found.covered[each] - DELIVERED for each in SERIES)
    assert (await damaged.look()).rescues == 1


async def test_what_was_found_damaged_in_use_is_mended_by_the_next_start(damaged: Damaged) -> None:
    """Also where the next start would find nothing itself."""
    async with open_state(damaged.directory, damaged.clock) as state:
        with pytest.raises(StateDamaged, match="Could not decode"):
            await state.database.run(
                lambda connection: connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
            )
        assert state.database.damaged.is_set()

    assert (await damaged.look()).rescues == 1
    assert (await damaged.look()).rescues == 1


async def test_no_link_leads_what_is_mended_or_doubted_elsewhere(damaged: Damaged) -> None:
    theirs = damaged.directory / "theirs"
    damaged.overwrite(damaged.root("budgets"), bytes(4096))
    for end in ("mending", "scratch", "scratch-wal"):
        (damaged.directory / f"{DATABASE}.{end}").symlink_to(theirs)
    doubts = doubts_of(damaged.path)

    assert (await damaged.look()).rescues == 1
    doubts.symlink_to(theirs)
    doubt(damaged.path, "it looks odd")

    assert not theirs.exists()
    assert doubts.read_text() == "it looks odd"


async def test_a_crash_before_the_new_one_is_done_changes_nothing(damaged: Damaged) -> None:
    damaged.overwrite(damaged.root("budgets"), bytes(4096))
    as_found = damaged.path.read_bytes()
    with largest_file(100_000), pytest.raises(StateError, match="cannot be mended: File too large"):
        await damaged.look()

    assert damaged.path.read_bytes() == as_found
    assert (await damaged.look()).rescues == 1
    assert not [
        file for file in damaged.directory.iterdir() if "mending" in file.name or "scratch" in file.name
    ]


@pytest.mark.parametrize("moved", [("",), ("-wal",), ("-wal", ""), ()])
async def test_a_crash_while_the_files_are_renamed_is_gone_on_from(
    crashed: Damaged, moved: tuple[str, ...]
) -> None:
    """As it was done until then: `moved` of the damaged files had their new names already."""
    whole = contents(crashed.directory)
    crashed.overwrite(crashed.root("budgets"), bytes(4096))
    as_found = contents(crashed.directory)
    await crashed.look()
    (aside,) = crashed.aside
    crashed.path.rename(aside.with_name(aside.name.replace("damaged", "mended")))
    for end in {"", "-wal"} - set(moved):
        aside.with_name(aside.name + end).rename(crashed.path.with_name(DATABASE + end))

    found = await crashed.look()

    assert (found.rescues, found.refresh) == (1, "r3")
    assert whole[DATABASE] != as_found[DATABASE] == aside.read_bytes()
    assert as_found[f"{DATABASE}-wal"] == aside.with_name(f"{aside.name}-wal").read_bytes()


async def test_what_happened_is_logged_without_a_secret(damaged: Damaged) -> None:
    damaged.overwrite(damaged.root("coverage"), bytes(4096))

    with capture_logs() as logs:
        found = await damaged.look()

    (rescued,) = [log for log in logs if log["event"] == "state.rescued"]
    assert rescued["log_level"] == "error"
    assert rescued["aside"] == str(damaged.aside[0])
    assert rescued["saved"]["accounts"] == 1
    assert rescued["lost"] == found.lost == ["coverage", "looks", "modules", "source_rows"]
    assert "r2" not in str(rescued)


@pytest.mark.parametrize("seed", range(8))
async def test_no_sector_that_is_lost_costs_a_token_or_makes_a_claim(damaged: Damaged, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same in each run
    for _ in range(3):
        sector = chance.randrange(damaged.path.stat().st_size // 512) * 512
        damaged.overwrite(sector, chance.choice([bytes(512), chance.randbytes(512)]))

        found = await damaged.look()

        assert found.refresh == "r2"
        assert all(not found.covered[each] - DELIVERED for each in SERIES)
        assert found.binding in (BINDING, None)


async def test_tokens_that_cannot_be_read_give_way_to_their_copy(damaged: Damaged) -> None:
    with closing(sqlite3.connect(damaged.path)) as connection:
        connection.execute("UPDATE accounts SET record = '{', serial = 99")
        connection.commit()
    damaged.overwrite(damaged.root("budgets"), bytes(4096))

    assert (await damaged.look()).refresh == "r2"


def test_a_block_that_the_disk_does_not_give_back_is_read_as_zeros(tmp_path: Path) -> None:
    """A directory can be opened and not be read, as a file with a bad block."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert _block(descriptor, 0) == bytes(4096)
    finally:
        os.close(descriptor)


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be opened") as told:
        examine(tmp_path / "not there")

    assert not isinstance(told.value, StateDamaged)


async def test_a_file_that_sqlite_does_not_understand_is_damaged(damaged: Damaged) -> None:
    damaged.overwrite(44, bytes((0, 0, 0, 9)))

    with pytest.raises(StateDamaged, match="unsupported file format"):
        examine(damaged.path)


async def test_a_name_that_is_no_text_is_damage(damaged: Damaged) -> None:
    """SQLite's own complaint quotes it, and is no text either."""
    schema = damaged.path.read_bytes()
    named = schema.index(b"tablecoveragecoverage")
    damaged.overwrite(named + len("table"), b"\xff\xfe\xff")
    damaged.overwrite(schema.index(b"CREATE TABLE", named), b"CREATE TABLX")

    with pytest.raises(StateDamaged, match="a name in it cannot be read"):
        examine(damaged.path)


async def test_a_journal_that_the_first_start_left_is_no_damage(damaged: Damaged) -> None:
    damaged.path.with_name(f"{DATABASE}-journal").write_bytes(b"not begun")

    assert (await damaged.look()).rescues == 0
