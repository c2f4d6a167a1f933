"""Rows from a person's hand: which channels they may become, and that each destination stands alone."""

from collections.abc import Sequence

import pytest

from netaflux.core.channels import CATALOGUE
from netaflux.core.devices import Device
from netaflux.core.errors import CredentialsRefused, DataRefused, DestinationDown
from netaflux.core.events import SeriesStarted
from netaflux.core.measures import CO2, HUMIDITY, RAIN, TEMPERATURE
from netaflux.core.model import (
    AccountName,
    Batch,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Measure,
    Row,
    Series,
)
from netaflux.core.since import read_since
from netaflux.core.spans import Spans
from netaflux.flow.door import Door
from netaflux.flow.hand_over import PAUSES, HandOver, fitting_channels
from tests.fakes import HERE, FakeDestination, FakeState, Listener, TurnedClock, a_module

BASEMENT = DeviceName("Netatmo_Basement")
AIR = (TEMPERATURE, HUMIDITY)
ROOM = (TEMPERATURE, HUMIDITY, CO2)


def device(*channels: str) -> Device:
    return Device(
        name=BASEMENT,
        module="AR Home/Basement",
        channels=tuple(map(ChannelName, channels)) or None,
        since=read_since("setup"),
        account=AccountName("default"),
        destinations=(),
    )


def fitting(
    *channels: str,
    measures: Sequence[Measure] = ROOM,
    kind: str | None = "NAMain",
    chosen: Sequence[str] = (),
) -> list[str]:
    module = None if kind is None else a_module(kind=kind, name="Basement")
    found = fitting_channels(device(*channels), CATALOGUE, measures, module, [*map(ChannelName, chosen)])
    return [channel.name for channel in found]


# --- which channels ---


def test_configured_channels_are_those_that_are_sent() -> None:
    assert fitting("Temp_F", "RH", "H2O_ppm") == ["Temp_F", "RH", "H2O_ppm"]


def test_without_configured_channels_all_are_sent_that_can_be_computed() -> None:
    """An older export lacks noise and pressure, which an indoor unit has."""
    names = fitting()

    assert {"Temp_C", "Temp_F", "RH", "H2O_ppm", "CO2"} <= set(names)
    assert not {"Noise", "Pressure", "Rain"} & set(names)


@pytest.mark.parametrize("kind", ["NAModule4", None])
def test_a_room_needs_no_more_than_a_room_has(kind: str | None) -> None:
    assert "CO2" in fitting(kind=kind)


@pytest.mark.parametrize("kind", ["NAMain", "NAModule4", None])
def test_a_file_without_a_measure_that_a_configured_channel_needs_is_of_another_module(
    kind: str | None,
) -> None:
    with pytest.raises(
        DataRefused, match="it has no column of CO2, which Netatmo_Basement needs for its channel"
    ):
        fitting("Temp_F", "CO2", measures=AIR, kind=kind)


def test_a_file_of_another_kind_is_refused_where_no_channels_are_configured() -> None:
    with pytest.raises(
        DataRefused, match="it has no column of CO2, which Netatmo_Basement needs for its module"
    ):
        fitting(measures=AIR)


def test_a_measure_that_the_module_does_not_have_tells_another_kind() -> None:
    with pytest.raises(DataRefused, match=r"mirrors Basement \(NAModule1\), which measures no CO2: this is"):
        fitting("Temp_F", kind="NAModule1")


def test_a_file_of_which_no_channel_can_be_computed_is_refused() -> None:
    with pytest.raises(DataRefused, match=r"no channel of Netatmo_Basement can be computed from nothing"):
        fitting(measures=(), kind=None)
    with pytest.raises(DataRefused, match="no column of Temperature"):
        fitting("Temp_F", measures=(RAIN,), kind=None)


def test_a_configured_channel_that_the_module_cannot_give_is_left_out_as_in_polling() -> None:
    assert fitting("Temp_F", "CO2", measures=AIR, kind="NAModule1") == ["Temp_F"]


def test_a_person_may_choose_channels() -> None:
    assert fitting("Temp_F", "CO2", measures=AIR, chosen=["Temp_F"]) == ["Temp_F"]
    with pytest.raises(DataRefused, match="its channel CO2"):
        fitting(measures=AIR, chosen=["CO2"])


# --- sending ---


class Moody(FakeDestination):
    """Raises these errors, one at each write, before it takes anything."""

    errors: Sequence[Exception] = ()

    async def write(self, batch: Batch) -> None:
        if self.errors:
            error, *self.errors = self.errors
            raise error
        await super().write(batch)


class Way:
    """A way to some destinations."""

    def __init__(self, *destinations: FakeDestination) -> None:
        self.clock, self.listener, self.state = TurnedClock(), Listener(), FakeState()
        doors = [
            Door(each, identities=self.state, clock=self.clock, observer=self.listener)
            for each in destinations
        ]
        channels = CATALOGUE.select(["Temp_F", "RH"])
        self.hand_over = HandOver(BASEMENT, channels, doors, clock=self.clock, observer=self.listener)

    async def hand(self, *rows: Row) -> list[tuple[str, int, int | None, int | None, str | None]]:
        handed = await self.hand_over.hand_over(AIR, rows)
        return [(each.destination, each.rows, each.first, each.last, each.reason) for each in handed]


def destination(name: str = "one", **more: object) -> Moody:
    return Moody(DestinationName(name), **more)  # type: ignore[arg-type]  # a field of it


ROWS = (Row(1, (20.0, 50)), Row(2, (None, 51)), Row(3, (None, None)), Row(4, (21.5, 52)))


async def test_cells_with_a_value_arrive_and_coverage_stays_as_it_was() -> None:
    one = destination()
    way = Way(one)

    assert await way.hand(*ROWS) == [("one", 3, 1, 4, None)]
    assert one.cells == {
        (BASEMENT, "Temp_F", 1): 68.0,
        (BASEMENT, "RH", 1): 50,
        (BASEMENT, "RH", 2): 51,
        (BASEMENT, "Temp_F", 4): 70.7,
        (BASEMENT, "RH", 4): 52,
    }
    assert way.state.spans == {}
    assert way.state.rows == {}


async def test_rows_without_any_value_ask_nobody() -> None:
    assert await Way(destination(down=True)).hand(ROWS[2]) == [("one", 0, None, None, None)]


async def test_a_destination_that_is_down_delays_only_itself() -> None:
    assert await Way(destination(down=True), destination("two")).hand(*ROWS) == [
        ("one", 0, None, None, "one is down"),
        ("two", 3, 1, 4, None),
    ]


async def test_a_destination_that_is_away_for_a_moment_is_tried_again() -> None:
    one = destination()
    one.errors = [DestinationDown("a moment"), DestinationDown("a moment")]
    way = Way(one)
    before = way.clock.now()

    assert await way.hand(*ROWS) == [("one", 3, 1, 4, None)]
    assert way.clock.now() - before == sum(PAUSES)
    assert "destination.failed" not in way.listener.names()


async def test_what_was_delivered_before_a_failure_is_told() -> None:
    one = destination()
    way = Way(one)
    first = await way.hand(ROWS[0])
    one.down = True
    second = await way.hand(*ROWS[1:])

    assert first == [("one", 1, 1, 1, None)]
    assert second == [("one", 0, None, None, "one is down")]
    assert way.listener.names().count("destination.failed") == 1


async def test_wrong_credentials_are_not_tried_again() -> None:
    one = destination()
    one.errors = [CredentialsRefused("who are you?")]
    way = Way(one)
    before = way.clock.now()

    assert await way.hand(*ROWS) == [("one", 0, None, None, "who are you?")]
    assert way.clock.now() == before


async def test_a_refused_row_is_told_and_the_rest_arrives() -> None:
    one = destination(refused_times={1})
    way = Way(one)
    (handed,) = await way.hand_over.hand_over(AIR, ROWS)

    assert [(row.time, reason) for row, reason in handed.refused] == [(1, "row 1 is not to my taste")]
    assert (handed.rows, handed.first, handed.last, handed.reason) == (2, 2, 4, None)
    assert way.state.set_aside == []
    assert "row.refused" in way.listener.names()


async def test_the_first_upload_of_a_channel_is_announced() -> None:
    way = Way(destination(), destination("two", down=True))
    way.state.spans[Series(HERE, BASEMENT, ChannelName("RH"))] = Spans((0, 5))
    await way.hand_over.announce(way.state)

    told = [event for event in way.listener.events if isinstance(event, SeriesStarted)]

    assert [(each.destination, each.channels) for each in told] == [("one", ("Temp_F",))]


async def test_a_page_may_be_handed_over_twice() -> None:
    one = destination(identity=DestinationId("fake:there#1"))
    way = Way(one)
    await way.hand(*ROWS)
    once = dict(one.cells)

    assert await way.hand(*ROWS) == [("one", 3, 1, 4, None)]
    assert one.cells == once
