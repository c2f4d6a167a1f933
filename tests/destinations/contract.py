"""What every destination must keep, whatever its kind; a new one names its world and inherits the rest."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import pytest

from netaflux.core.errors import BatchRefused, CredentialsRefused, DestinationDown
from netaflux.core.model import Batch, ChannelName, DeviceName, Number, Row
from netaflux.core.ports import Destination

BASEMENT = DeviceName("Netatmo_Basement")
TEMP, RH, CO2 = ChannelName("Temp_F"), ChannelName("RH"), ChannelName("CO2")


class World(Protocol):
    """The server behind a destination, which a test can look into and trouble."""

    def stored(self) -> Mapping[tuple[str, str], Mapping[int, Number]]:
        """Device and channel → time → value."""
        ...

    def refuse(self) -> str:
        """Refuse every batch for its content from now on; the reason given."""
        ...

    def go_away(self) -> None: ...

    def come_back(self) -> None: ...


def batch(*rows: Row, channels: tuple[ChannelName, ...] = (TEMP, RH)) -> Batch:
    return Batch(BASEMENT, channels, rows)


def many(count: int) -> Batch:
    return batch(*(Row(1_400_000_000 + 300 * n, (n / 7, n)) for n in range(count)))


def held(of: Batch) -> dict[tuple[str, str], dict[int, Number]]:
    """What a destination holds that has been given this batch and nothing else."""
    return {
        (of.device, channel): {row.time: value for row in of.rows if (value := row.values[at]) is not None}
        for at, channel in enumerate(of.channels)
    }


class DestinationContract:
    """Subclasses bring the fixtures `world`, `destination` and `stranger`, which has a wrong password."""

    async def test_acknowledged_rows_are_stored(self, destination: Destination, world: World) -> None:
        rows = batch(Row(1400506122, (60.62, 57)), Row(1400506422, (60.8, 56)))

        await destination.write(rows)

        assert world.stored() == held(rows)

    async def test_writing_twice_is_harmless(self, destination: Destination, world: World) -> None:
        rows = many(10)

        await destination.write(rows)
        await destination.write(rows)

        assert world.stored() == held(rows)

    async def test_a_later_value_of_a_time_replaces_the_earlier(
        self, destination: Destination, world: World
    ) -> None:
        await destination.write(batch(Row(1400506122, (60.62, 57))))

        await destination.write(batch(Row(1400506122, (60.62, 58))))

        assert world.stored()[BASEMENT, RH] == {1400506122: 58}

    async def test_whole_numbers_stay_whole(self, destination: Destination, world: World) -> None:
        await destination.write(batch(Row(1400506122, (60.0, 57)), Row(1400506422, (-0.0, 0))))

        kinds = {
            channel: [type(value) for value in cells.values()]
            for (_, channel), cells in world.stored().items()
        }
        assert kinds == {TEMP: [float, float], RH: [int, int]}

    @pytest.mark.parametrize("value", [0.1 + 0.2, 1e20, 1e-7, 5e-324, 1.7976931348623157e308, -273.15])
    async def test_a_float_arrives_to_the_last_bit(
        self, destination: Destination, world: World, value: float
    ) -> None:
        await destination.write(batch(Row(1400506122, (value, 57))))

        assert world.stored()[BASEMENT, TEMP] == {1400506122: value}

    async def test_channels_are_written_apart(self, destination: Destination, world: World) -> None:
        """Rows that lack a value come in batches of their own; what lies there of other channels stays."""
        both = batch(Row(1400506122, (60.62, 57)))
        alone = batch(Row(1400506122, (812,)), Row(1400506422, (820,)), channels=(CO2,))

        await destination.write(both)
        await destination.write(alone)

        assert world.stored() == held(both) | held(alone)

    async def test_a_batch_of_any_size_arrives_whole(self, destination: Destination, world: World) -> None:
        rows = many(20_000)

        await destination.write(rows)

        assert world.stored() == held(rows)

    async def test_batches_may_be_written_at_the_same_time(
        self, destination: Destination, world: World
    ) -> None:
        rows = many(40)

        await asyncio.gather(*(destination.write(batch(row)) for row in rows.rows))

        assert world.stored() == held(rows)

    async def test_the_same_destination_says_the_same_of_itself(self, destination: Destination) -> None:
        first = await destination.identify()

        assert first == await destination.identify()
        assert first.partition(":")[0]

    async def test_a_refused_batch_is_told_from_an_outage(
        self, destination: Destination, world: World
    ) -> None:
        reason = world.refuse()

        with pytest.raises(BatchRefused) as refusal:
            await destination.write(many(3))

        assert refusal.value.message == reason
        assert world.stored() == {}

    async def test_an_outage_is_told_from_a_refusal_and_passes(
        self, destination: Destination, world: World
    ) -> None:
        world.go_away()
        with pytest.raises(DestinationDown):
            await destination.write(many(3))
        with pytest.raises(DestinationDown):
            await destination.identify()

        world.come_back()
        await destination.write(many(3))

        assert world.stored() == held(many(3))

    async def test_a_wrong_password_is_told_from_both(self, stranger: Destination, world: World) -> None:
        with pytest.raises(CredentialsRefused):
            await stranger.identify()
        with pytest.raises(CredentialsRefused):
            await stranger.write(many(3))

        assert world.stored() == {}
