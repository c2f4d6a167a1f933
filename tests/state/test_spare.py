"""Copies of the tokens that are not what was written: a start takes no harm from them, whatever they hold."""

import asyncio
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import StateError
from netaflux.core.model import AccountName
from netaflux.core.tokens import TokenPair, TokenRecord
from netaflux.state.open import DATABASE, open_state
from netaflux.state.saved import Saved
from netaflux.state.spare import LARGEST, _sum
from tests.damage import ODD, bytes_like, damaged, written
from tests.state.samples import StillClock

ANNE = AccountName("default")
KEPT = TokenRecord(pair=TokenPair("access", "refresh", 1_700_010_800.0, ("read_station",), "client"))
DEEP = 5000
"""Brackets, far more than Python follows."""


def spare_of(serial: object = 7, record: str = "{}", account: str = ANNE) -> bytes:
    """A copy that says what it holds in the right way, whatever that is."""
    told = {"account": account, "serial": serial, "record": record}
    return written({**told, "sum": _sum(AccountName(account), Saved(serial, record))})  # type: ignore[arg-type] # odd


def without_sum(serial: str, record: str = '"{}"') -> bytes:
    return f'{{"account": "default", "serial": {serial}, "record": {record}}}'.encode()


@dataclass(frozen=True)
class Left:
    """A state directory as it was left, to be copied and spoilt."""

    directory: Path

    @property
    def spare(self) -> Path:
        (spare,) = self.directory.glob("tokens-*.json")
        return spare

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.spare.read_bytes())
        return content

    def spoilt(self, spare: bytes, *, empty: bool) -> Any:
        """The tokens that a start finds, with this copy beside a database that is whole, or empty."""
        with TemporaryDirectory() as folder:
            there = Left(Path(shutil.copytree(self.directory, Path(folder) / "state")))
            there.spare.write_bytes(spare)
            if empty:
                os.truncate(there.directory / DATABASE, 0)
            found = asyncio.run(there.started())
            names = {file.name for file in there.directory.iterdir()}
        assert not [name for name in names if name.endswith((".mending", ".scratch", ".tmp"))]
        return found

    async def started(self) -> TokenRecord:
        async with open_state(self.directory, StillClock()) as state:
            return await state.tokens.load(ANNE)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    async def live(directory: Path) -> None:
        async with open_state(directory, StillClock()) as state:
            await state.tokens.save(ANNE, KEPT)

    directory = tmp_path_factory.mktemp("left") / "state"
    asyncio.run(live(directory))
    return Left(directory)


WORST = {
    "a number beyond SQLite": without_sum("9" * 23),
    "a number beyond all bounds": without_sum("1e400"),
    "no end": b"[" * DEEP,
    "a record without an end": without_sum("5", json.dumps("[" * DEEP)),
    "a number beyond SQLite, summed": spare_of(10**23),
    "a fraction, summed": spare_of(0.5),
    "a negative one, summed": spare_of(-1),
    "more than is read": without_sum("7") + b" " * LARGEST,
    "nothing": b"",
}


RECORDS = ["[" * DEEP, "", "7", '{"pair": 1e400}']
"""What says no tokens, in a copy that is whole."""


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_a_record_that_says_nothing_is_told_where_there_is_no_other(left: Left, record: str) -> None:
    assert left.spoilt(spare_of(8, record), empty=False) == KEPT
    with pytest.raises(StateError, match="The tokens of account default are damaged"):
        left.spoilt(spare_of(8, record), empty=True)


@pytest.mark.parametrize("spare", WORST.values(), ids=WORST)
def test_no_copy_keeps_a_sound_database_from_being_read(left: Left, spare: bytes) -> None:
    assert left.spoilt(spare, empty=False) == KEPT


@pytest.mark.parametrize("spare", WORST.values(), ids=WORST)
def test_no_copy_keeps_an_empty_database_from_being_begun_anew(left: Left, spare: bytes) -> None:
    assert left.spoilt(spare, empty=True) == TokenRecord()


def test_a_copy_brings_back_what_an_empty_database_held(left: Left) -> None:
    assert left.spoilt(left.spare.read_bytes(), empty=True) == KEPT


@given(data=st.data())
@pytest.mark.parametrize("empty", [False, True])
def test_damage_to_a_copy_invents_no_tokens(left: Left, data: st.DataObject, *, empty: bool) -> None:
    content = left.content
    odd = [*ODD, 10**23, float("inf"), "[" * DEEP, "\ud800"]
    trees = damaged(content, odd) | damaged(content | {"serial": 2**40}, odd)
    spare = data.draw(bytes_like(left.spare.read_bytes()) | trees.map(written))

    found = left.spoilt(spare, empty=empty)

    assert found == KEPT or (empty and found == TokenRecord())
