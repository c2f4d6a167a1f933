"""One bad row never blocks the stream, and no row is blamed for a destination's own trouble."""

from collections.abc import Collection, Sequence
from math import ceil, log2

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netaflux.core.errors import BatchRefused, BatchTooLarge, CredentialsRefused, DestinationDown
from netaflux.core.model import Batch, ChannelName, DestinationId, DestinationName, DeviceName, Row
from netaflux.flow.refusal import SAMPLES, write_around_refusals


class Picky:
    """Refuses batches with a row of a `bad` time or of too many rows, and from some write on everything."""

    name = DestinationName("picky")

    def __init__(self, bad: Collection[int] = (), *, most: int = 10**9, full_after: int = 10**9) -> None:
        self.bad, self.most, self.full_after = set(bad), most, full_after
        self.writes: list[list[int]] = []
        self.taken: list[int] = []

    async def identify(self) -> DestinationId:
        return DestinationId("picky:here#1")

    async def write(self, batch: Batch) -> None:
        times = [row.time for row in batch.rows]
        assert batch.device == "Netatmo_Basement"
        assert times
        self.writes.append(times)
        if len(times) > self.most:
            raise BatchTooLarge("less, please")
        if len(self.writes) > self.full_after:
            raise BatchRefused("disk full")
        if found := sorted(self.bad & set(times)):
            raise BatchRefused(f"cannot take {found[0]}")
        self.taken += times


def batch(times: Sequence[int]) -> Batch:
    return Batch(DeviceName("Netatmo_Basement"), (ChannelName("RH"),), [Row(time, (57,)) for time in times])


GOOD = batch([-2, -1])  # taken before; not among the times of any batch here


async def sift(destination: Picky, times: Sequence[int], good: Batch | None = GOOD) -> dict[int, str]:
    refused = await write_around_refusals(destination, batch(times), good)
    assert all(row.values == (57,) for row, _ in refused)
    return {row.time: reason for row, reason in refused}


async def test_a_batch_that_is_taken_is_written_once() -> None:
    destination = Picky()

    assert await sift(destination, range(8)) == {}
    assert destination.writes == [[*range(8)]]


async def test_the_refused_row_comes_back_with_its_own_reason_and_the_rest_is_written() -> None:
    destination = Picky({5})

    assert await sift(destination, range(8)) == {5: "cannot take 5"}
    assert destination.writes == [[*range(8)], [-1], [0, 1, 2, 3], [4, 5], [4], [5], [6, 7]]


async def test_a_row_known_to_be_good_is_sent_before_any_row_is_doubted() -> None:
    destination = Picky({-1, 5})

    with pytest.raises(DestinationDown, match="picky refuses even what it took before: cannot take 5"):
        await sift(destination, range(8))

    assert destination.writes == [[*range(8)], [-1]]


async def test_a_single_row_is_refused_beside_a_good_one() -> None:
    destination = Picky({5})

    assert await sift(destination, [5]) == {5: "cannot take 5"}
    assert destination.writes == [[5], [-1], [5], [-1]]


@pytest.mark.parametrize("times", [[5], [5, 6, 7]])
async def test_a_refusal_that_passes_costs_no_row(times: list[int]) -> None:
    class Hiccup(Picky):
        async def write(self, batch: Batch) -> None:
            self.bad = set() if self.writes else {5}
            await super().write(batch)

    destination = Hiccup()

    assert await sift(destination, times) == {}
    assert sorted({*destination.taken} - {-1}) == times


async def test_a_single_row_that_nothing_is_known_beside_is_not_blamed() -> None:
    destination = Picky({5})

    with pytest.raises(DestinationDown, match="refuses all that it is given: cannot take 5"):
        await sift(destination, [5], None)

    assert destination.writes == [[5]]


async def test_without_a_good_row_one_is_looked_for_in_the_batch() -> None:
    destination = Picky({0, 999})

    assert [*await sift(destination, range(1000), None)] == [0, 999]
    assert len(destination.writes) < 45


async def test_a_destination_that_refuses_all_is_found_out_in_few_writes() -> None:
    destination = Picky(range(1000))

    with pytest.raises(DestinationDown, match="refuses all that it is given"):
        await sift(destination, range(1000), None)

    assert len(destination.writes) == 1 + SAMPLES


@pytest.mark.parametrize("writes", range(2, 7))
async def test_a_destination_that_fails_during_the_halving_costs_no_row(writes: int) -> None:
    """Its disk runs full: from then on it refuses good rows too."""
    destination = Picky({7}, full_after=writes)

    with pytest.raises(DestinationDown, match="refuses even what it took before"):
        await sift(destination, range(8))


async def test_a_failure_during_the_halving_is_found_out_in_few_writes() -> None:
    destination = Picky({700}, full_after=4)

    with pytest.raises(DestinationDown, match="refuses even what it took before: disk full"):
        await sift(destination, range(1024))

    assert len(destination.writes) < 3 * SAMPLES


async def test_too_large_a_batch_is_halved_without_doubt_about_its_rows() -> None:
    destination = Picky(most=3)

    assert await sift(destination, range(8)) == {}
    assert [len(times) for times in destination.writes] == [8, 4, 2, 2, 4, 2, 2]
    assert destination.taken == [*range(8)]


async def test_too_large_a_batch_may_hold_bad_rows_too() -> None:
    destination = Picky({2, 9}, most=4)

    assert [*await sift(destination, range(16))] == [2, 9]


@pytest.mark.parametrize("good", [GOOD, None])
async def test_a_destination_that_takes_not_even_one_row_is_down(good: Batch | None) -> None:
    destination = Picky(most=0)

    with pytest.raises(DestinationDown, match="takes not even one row"):
        await sift(destination, range(8), good)

    assert len(destination.writes) == 4


@pytest.mark.parametrize("error", [DestinationDown, CredentialsRefused])
async def test_another_trouble_is_passed_on(error: type[Exception]) -> None:
    class Troubled(Picky):
        async def write(self, batch: Batch) -> None:
            if len(self.writes) == 3:
                raise error("trouble")
            await super().write(batch)

    with pytest.raises(error, match="trouble"):
        await sift(Troubled({5}), range(8))


@given(
    st.integers(1, 1024).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=12)))
)
@example((1024, set()))
@example((1024, {0}))
@example((1024, {1023}))
@example((1024, set(range(500, 520))))
async def test_exactly_the_bad_rows_come_back_and_each_is_found_in_few_writes(
    case: tuple[int, set[int]],
) -> None:
    size, bad = case
    destination = Picky(bad)

    refused = await sift(destination, range(size))

    assert [*refused] == sorted(bad)
    assert set(destination.taken) - {-1} == set(range(size)) - bad
    assert len(destination.writes) <= 3 + 2 * len(bad) * ceil(log2(size) + 1)


@given(st.integers(1, SAMPLES).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
async def test_without_a_good_row_the_bad_ones_come_back_unless_all_are(case: tuple[int, set[int]]) -> None:
    size, bad = case
    destination = Picky(bad)

    if len(bad) == size:
        with pytest.raises(DestinationDown):
            await sift(destination, range(size), None)
    else:
        assert [*await sift(destination, range(size), None)] == sorted(bad)
        assert set(destination.taken) == set(range(size)) - bad


@given(st.sets(st.integers(0, 63)), st.integers(1, 64))
async def test_the_size_that_is_taken_changes_nothing_of_it(bad: set[int], most: int) -> None:
    destination = Picky(bad, most=most)

    assert [*await sift(destination, range(64))] == sorted(bad)
    assert set(destination.taken) - {-1} == set(range(64)) - bad
