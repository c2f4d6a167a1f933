"""What the datastore makes of each kind of cell: row by row what was measured with the real importer."""

from typing import Any

import pytest

from netaflux.simulator import Cell, Store
from netaflux.simulator.store import BatchRefused

TIME = 1_400_348_429
CELL = Cell(7, "dev", "A")


def stored(*rows: list[Any], channels: tuple[str, ...] = ("A",), store: Store | None = None) -> Store:
    kept = store or Store()
    kept.put(7, "dev", channels, list(rows))
    return kept


def refusal(*rows: Any, channels: tuple[str, ...] = ("A",), device: str = "dev") -> str | None:
    """The importer's words, None for a crash."""
    with pytest.raises(BatchRefused) as refused:
        Store().put(7, device, channels, list(rows))
    return refused.value.failure


def test_a_number_is_stored() -> None:
    assert stored([TIME, 5.5]).values[CELL] == {TIME: 5.5}


def test_a_null_stores_nothing_and_clears_nothing() -> None:
    store = stored([TIME, 5.5])
    stored([TIME, None], [TIME + 1, None], store=store)

    assert store.values[CELL] == {TIME: 5.5}


def test_a_short_row_lacks_its_last_cells() -> None:
    store = stored([TIME, 1], [TIME + 1, 2, 3], channels=("A", "B"))

    assert store.values == {CELL: {TIME: 1, TIME + 1: 2}, Cell(7, "dev", "B"): {TIME + 1: 3}}


def test_a_long_row_crashes_the_importer() -> None:
    assert refusal([TIME, 1], [TIME + 1, 2, 3]) is None


def test_a_surplus_null_is_harmless() -> None:
    assert stored([TIME, 1, None, None]).values[CELL] == {TIME: 1}


def test_false_deletes() -> None:
    store = stored([TIME, 1], [TIME + 1, 2])
    stored([TIME, False], store=store)

    assert store.values[CELL] == {TIME + 1: 2}


def test_true_is_refused_with_the_whole_batch() -> None:
    assert refusal([TIME, 1], [TIME + 1, True]) == "exception: cannot ingest boolean 'true'"


def test_text_stands_beside_the_number() -> None:
    store = stored([TIME, 1])
    stored([TIME, "5.5"], store=store)

    assert store.values[CELL] == {TIME: 1}
    assert store.texts[CELL] == {TIME: "5.5"}


@pytest.mark.parametrize("cell", [[1], {"a": 1}])
def test_a_nested_cell_cannot_be_read(cell: Any) -> None:
    assert refusal([TIME, cell]) is None


@pytest.mark.parametrize("data", [{}, 7, None, [7], [[]], [None]])
def test_data_that_is_no_table_crashes_the_importer(data: Any) -> None:
    with pytest.raises(BatchRefused) as refused:
        Store().put(7, "dev", ("A",), data)

    assert refused.value.failure is None


def test_a_null_time_is_1970() -> None:
    assert stored([None, 1]).values[CELL] == {0: 1}


def test_a_time_in_text_is_a_time() -> None:
    assert stored([str(TIME), 1], ["1.5", 2]).values[CELL] == {TIME: 1, 1.5: 2}


def test_a_time_that_is_none_is_refused() -> None:
    assert "not a time" in (refusal(["noon", 1]) or "")
    assert "time" in (refusal([False, 1]) or "")


def test_a_negative_time_is_refused_when_earlier_channels_are_written() -> None:
    store = Store()
    with pytest.raises(BatchRefused, match="adding data with negative time"):
        store.put(7, "dev", ("B", "A"), [[-1, 5, None], [TIME, 6, 7]])

    assert {cell.channel: values for cell, values in store.values.items()} == {"A": {TIME: 7}}


def test_fractions_of_a_second_are_kept() -> None:
    assert stored([TIME + 0.25, 1]).values[CELL] == {TIME + 0.25: 1}


def test_milliseconds_are_taken_without_a_word() -> None:
    assert stored([TIME * 1000, 1]).values[CELL] == {TIME * 1000: 1}


@pytest.mark.parametrize("rows", [[], [[TIME, None]]])
def test_nothing_is_fine(rows: list[Any]) -> None:
    assert not stored(*rows).values.get(CELL)


def test_no_channels_crash_the_importer() -> None:
    assert refusal([TIME, 1], channels=()) is None


@pytest.mark.parametrize("channel", [".a", "a.", "dev..a"])
def test_names_with_edge_dots_are_refused_by_the_store(channel: str) -> None:
    assert (refusal([TIME, 1], channels=(channel,)) or "").startswith("exception: Invalid key")


def test_a_name_that_is_too_long_is_refused_by_the_store() -> None:
    assert "make_parent_directories" in (refusal([TIME, 1], device="x" * 256) or "")


def test_case_tells_names_apart() -> None:
    store = stored([TIME, 1], channels=("a",))
    stored([TIME, 2], store=store)

    assert store.values == {Cell(7, "dev", "a"): {TIME: 1}, CELL: {TIME: 2}}


def test_the_same_time_again_overwrites_and_is_counted() -> None:
    store = stored([TIME, 1], [TIME + 1, 1])
    stored([TIME, 2], store=store)
    stored([TIME, 3, 3], channels=("A", "B"), store=store)

    assert store.values[CELL] == {TIME: 3, TIME + 1: 1}
    assert [store.writes(CELL, TIME + late) for late in (0, 1, 2)] == [3, 1, 0]
    assert store.doubles == 0


def test_a_time_twice_in_one_upload_stands_twice_for_ever() -> None:
    store = stored([TIME, 1], [TIME, 2])
    stored([TIME, 9], store=store)

    assert store.values[CELL] == {TIME: 9}
    assert store.twins[CELL] == {TIME: [2]}
    assert store.doubles == 1


def test_a_channel_twice_in_one_upload_does_the_same() -> None:
    store = stored([TIME, 1, 2], channels=("A", "A"))

    assert store.values[CELL] == {TIME: 1}
    assert store.doubles == 1


def test_any_order_of_rows_will_do() -> None:
    assert stored([TIME + 1, 2], [TIME, 1]).values[CELL] == {TIME: 1, TIME + 1: 2}


def test_a_batch_of_plain_numbers_ends_the_same_by_the_quick_way_and_by_the_long() -> None:
    """A null anywhere sends the whole batch the long way."""
    rows = [[TIME + number, number / 7, number] for number in range(50)]
    quick = stored(*rows, channels=("A", "B"))
    long = stored(*rows, [TIME, None, None], channels=("A", "B"))

    assert quick.values == long.values
    assert (
        stored(*rows, channels=("A", "B"), store=quick).again
        == stored(*rows, [TIME, None, None], channels=("A", "B"), store=long).again
    )
    assert quick.writes(CELL, TIME) == 2
