"""A door closes when its destination fails, is tried later and later, and says each thing once."""

import asyncio

import pytest

from netaflux.core.errors import BatchRefused, CredentialsRefused, DestinationDown, StateError
from netaflux.core.events import (
    DestinationFailed,
    DestinationIdentified,
    DestinationRecovered,
    DestinationReplaced,
    ErrorMet,
)
from netaflux.core.model import DestinationId, DestinationName
from netaflux.flow.door import Door
from tests.fakes import HERE, FakeDestination, FakeState, Listener, TurnedClock
from tests.flow.scene import ONE

DOWN = DestinationDown("it is down")


class Asked(FakeDestination):
    """Counts how often it was asked who it is."""

    asked = 0
    error: Exception | None = None

    async def identify(self) -> DestinationId:
        self.asked += 1
        if self.error:
            raise self.error
        return await super().identify()


class Front:
    """A door and all around it."""

    def __init__(self, state: FakeState | None = None, destination: Asked | None = None) -> None:
        self.clock, self.listener, self.state = TurnedClock(), Listener(), state or FakeState()
        self.destination = destination or Asked(ONE)
        self.door = Door(self.destination, identities=self.state, clock=self.clock, observer=self.listener)

    def names(self) -> list[str]:
        return self.listener.names()


@pytest.fixture
def front() -> Front:
    return Front()


async def test_it_is_closed_until_the_destination_has_said_who_it_is(front: Front) -> None:
    assert not front.door.open

    assert await front.door.ready()

    assert front.door.open
    assert front.door.identity == HERE
    assert front.state.identities == {ONE: HERE}
    assert front.names() == ["destination.identified"]


async def test_it_is_asked_once(front: Front) -> None:
    assert await front.door.ready()
    assert await front.door.ready()

    assert front.destination.asked == 1


async def test_those_who_ask_together_get_one_answer(front: Front) -> None:
    """The bells of all modules ring at the same moment."""
    assert await asyncio.gather(*(front.door.ready() for _ in range(6))) == [True] * 6

    assert front.destination.asked == 1
    assert front.names() == ["destination.identified"]


async def test_those_who_ask_a_dead_one_together_count_one_failure(front: Front) -> None:
    front.destination.down = True

    assert await asyncio.gather(*(front.door.ready() for _ in range(6))) == [False] * 6

    assert front.destination.asked == front.door.failures == 1
    assert front.names() == ["destination.failed"]


@pytest.mark.parametrize("error", [DOWN, CredentialsRefused("who are you?")])
async def test_a_failing_one_is_left_alone_until_its_next_try(front: Front, error: Exception) -> None:
    front.destination.error = error

    assert not await front.door.ready()
    front.clock.time += 29
    assert not await front.door.ready()
    assert front.destination.asked == 1

    front.clock.time += 1
    assert not await front.door.ready()
    assert front.destination.asked == 2

    front.clock.time += 59
    assert not await front.door.ready()
    assert front.destination.asked == 2


async def test_an_impatient_caller_asks_at_once(front: Front) -> None:
    front.destination.down = True
    await front.door.ready()
    front.destination.down = False

    assert await front.door.ready(patient=False)
    assert front.door.open


async def test_a_failure_and_its_end_are_told_once(front: Front) -> None:
    front.destination.down = True
    for _ in range(4):
        await front.door.ready()
        front.clock.time += 600
    front.destination.down = False
    await front.door.ready()
    await front.door.ready()

    assert front.names() == ["destination.failed", "destination.recovered", "destination.identified"]
    failed = DestinationFailed(destination=ONE, reason="one is down", remedy=DOWN.remedy)
    assert failed in front.listener.events
    assert DestinationRecovered(destination=ONE, failures=4) in front.listener.events


async def test_each_failure_is_told_to_those_who_count(front: Front) -> None:
    """Also those that come together, and those of which people have heard."""
    front.destination.error = CredentialsRefused("who are you?")
    await front.door.ready()
    front.destination.error = None
    await front.door.ready(patient=False)
    for _ in range(2):
        front.door.failed(DOWN)

    counted = [event for event in front.listener.events if isinstance(event, ErrorMet)]
    assert counted == [
        ErrorMet(kind="CredentialsRefused", reason="who are you?"),
        *[ErrorMet(kind="DestinationDown", reason="it is down")] * 2,
    ]


async def test_one_that_does_not_take_rows_is_closed_and_tried_with_rows(front: Front) -> None:
    await front.door.ready()
    front.door.failed(DOWN)

    assert not front.door.open
    assert front.door.reason == "it is down"

    front.clock.time += 30
    assert front.door.open  # rows may be tried, whoever asks or not
    front.door.worked()
    assert front.door.open
    assert front.names()[1:] == ["destination.failed", "destination.recovered"]


async def test_one_that_says_who_it_is_but_takes_no_rows_has_not_recovered(front: Front) -> None:
    """Its disk is full: it knows us, and refuses all that it is given, for days."""
    await front.door.ready()
    waits = []
    for _ in range(6):
        front.door.failed(BatchRefused("disk full"))
        waits.append(front.door.retry_at - front.clock.time)
        front.clock.time = front.door.retry_at
        assert await front.door.ready()
        assert front.door.open

    assert waits == [30, 60, 120, 240, 480, 600]
    assert front.names() == ["destination.identified", "destination.failed"]


async def test_all_that_was_on_its_way_fails_as_one(front: Front) -> None:
    await front.door.ready()
    for _ in range(16):
        front.door.failed(DOWN)

    assert front.door.failures == 1
    assert front.door.retry_at == front.clock.time + 30


async def test_an_impatient_caller_may_try_rows_at_once(front: Front) -> None:
    await front.door.ready()
    front.door.failed(DOWN)

    assert await front.door.ready(patient=False)

    assert front.door.open
    assert front.door.failures == 1


async def test_another_one_behind_the_same_name_is_told() -> None:
    state = FakeState(identities={ONE: HERE})
    front = Front(state, Asked(ONE, DestinationId("fake:here#2")))

    await front.door.ready()

    assert front.listener.events == [
        DestinationReplaced(destination=ONE, identity=DestinationId("fake:here#2"))
    ]


async def test_the_same_one_after_a_restart_has_not_changed() -> None:
    front = Front(FakeState(identities={ONE: HERE}))

    await front.door.ready()

    assert front.listener.events == [DestinationIdentified(destination=ONE, identity=HERE)]


async def test_one_that_comes_back_as_another_is_told(front: Front) -> None:
    await front.door.ready()
    front.door.failed(DOWN)
    front.destination.identity = DestinationId("fake:here#2")
    front.clock.time += 30

    await front.door.ready()

    assert front.door.identity == "fake:here#2"
    assert front.state.identities == {ONE: "fake:here#2"}
    assert front.names() == [
        "destination.identified",
        "destination.failed",
        "destination.replaced",
    ]


async def test_a_look_for_a_plan_records_nothing_and_tells_nothing(front: Front) -> None:
    assert await front.door.ready(record=False)

    assert front.door.open
    assert (front.state.identities, front.names()) == ({}, [])

    assert await front.door.ready()

    assert front.state.identities == {ONE: HERE}
    assert front.names() == ["destination.identified"]
    assert front.destination.asked == 1


class Losing(FakeState):
    """A disk that fails the first time."""

    lost = False

    async def remember_identity(self, name: DestinationName, identity: DestinationId) -> bool:
        if not self.lost:
            self.lost = True
            raise StateError("the disk is gone")
        return await super().remember_identity(name, identity)


async def test_an_identity_that_cannot_be_recorded_is_not_taken_for_recorded() -> None:
    front = Front(Losing())
    with pytest.raises(StateError):
        await front.door.ready()

    await front.door.ready()

    assert front.state.identities == {ONE: HERE}
    assert front.names() == ["destination.identified"]


async def test_it_is_known_whether_it_is_the_password_that_is_refused(front: Front) -> None:
    front.destination.error = CredentialsRefused("who are you?")
    await front.door.ready()
    assert front.door.denied

    front.destination.error = DOWN
    await front.door.ready(patient=False)
    assert not front.door.denied

    front.destination.error = CredentialsRefused("who are you?")
    await front.door.ready(patient=False)
    front.destination.error = None
    await front.door.ready(patient=False)
    assert not front.door.denied


async def test_a_bug_of_a_destination_is_told_like_any_failure_and_tried_again(front: Front) -> None:
    front.destination.error = RuntimeError("nobody has thought of this")

    assert not await front.door.ready()

    (failed,) = [each for each in front.listener.events if isinstance(each, DestinationFailed)]
    assert failed.reason == "one has failed by a bug of ours (RuntimeError)"
    front.listener.events.clear()

    front.destination.error = None
    front.clock.time += 30
    assert await front.door.ready()
    assert front.names() == ["destination.recovered", "destination.identified"]


async def test_while_it_fails_the_door_knows_the_remedy(front: Front) -> None:
    """That of the newest failure, as the reason is."""
    assert front.door.remedy is None
    assert await front.door.ready()

    front.door.failed(DOWN)
    assert front.door.remedy == DOWN.remedy
    front.door.failed(CredentialsRefused("who are you?"))
    assert (front.door.reason, front.door.remedy) == ("who are you?", CredentialsRefused.advice)

    front.door.worked()
    assert front.door.remedy is None
