"""Each destination gets what it lacks, and what it has acknowledged is recorded: no more and no less."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import StateError
from netaflux.core.events import (
    BatchDelivered,
    DestinationRecovered,
    RowRefused,
    RowsArrivedLate,
    SeriesStarted,
)
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.core.model import ChannelName, DeviceName
from netaflux.core.spans import Spans
from tests.fakes import a_module
from tests.flow.scene import (
    ONE,
    PORCH,
    RH,
    START,
    STEP,
    TEMP,
    TWO,
    Gated,
    Scene,
    a_device,
    at,
    number,
    opened,
)

PAGE = 7
BOTH = (ONE, TWO)


def two_destinations(**more: object) -> Scene:
    scene = Scene(a_device(to=BOTH), destinations=[opened(ONE), opened(TWO)])
    scene.measure(*range(2 * PAGE))
    return scene


def gate_of(scene: Scene) -> asyncio.Event:
    """The gate of the first destination, closed from now on."""
    destination = scene.to[ONE]
    assert isinstance(destination, Gated)
    destination.gate.clear()
    return destination.gate


async def settled() -> None:
    """Everybody who can go on has done so."""
    for _ in range(200):
        await asyncio.sleep(0)


def once(scene: Scene) -> bool:
    """Whether no value was written twice, anywhere."""
    return all(set(each.writes.values()) <= {1} for each in scene.to.values())


# --- several destinations ---


async def test_destinations_that_lack_the_same_share_one_fetch() -> None:
    scene = two_destinations()

    await scene.poll()

    assert scene.rows(ONE) == scene.rows(TWO) == [*range(2 * PAGE)]
    assert len(scene.source.calls) == 3
    assert once(scene)


async def test_a_destination_that_is_down_delays_only_itself() -> None:
    scene = two_destinations()
    scene.to[TWO].down = True

    await scene.sync()

    assert (scene.rows(ONE), scene.rows(TWO)) == ([*range(2 * PAGE)], [])
    assert (bool(scene.covered(ONE)), bool(scene.covered(TWO))) == (True, False)


async def test_one_that_comes_back_gets_what_it_lacks_and_the_other_nothing_again() -> None:
    scene = two_destinations()
    scene.to[TWO].down = True
    await scene.sync()
    scene.to[TWO].down = False
    scene.measure(2 * PAGE)

    await scene.sync()

    assert scene.rows(ONE) == scene.rows(TWO) == [*range(2 * PAGE + 1)]
    assert once(scene)


async def test_one_that_fails_on_the_way_keeps_the_other_from_nothing() -> None:
    scene = two_destinations()
    await scene.ready()
    scene.to[TWO].down = True

    await scene.sync()

    assert (scene.rows(ONE), scene.rows(TWO)) == ([*range(2 * PAGE)], [])
    scene.to[TWO].down = False
    await scene.sync()
    assert scene.rows(TWO) == [*range(2 * PAGE)]
    assert once(scene)


async def test_one_with_a_bug_delays_only_itself_and_is_tried_again() -> None:
    """Whatever it raises in the midst of many pages, they all reach the other one."""
    scene = two_destinations()
    scene.measure(*range(40 * PAGE))
    await scene.ready()
    scene.to[TWO].buggy = True

    await scene.sync()

    assert (scene.rows(ONE), scene.rows(TWO)) == ([*range(40 * PAGE)], [])
    assert not scene.covered(TWO) & Spans.at(map(at, range(40 * PAGE)))
    scene.to[TWO].buggy = False
    await scene.sync()
    assert scene.rows(TWO) == [*range(40 * PAGE)]
    assert once(scene)


async def test_one_that_was_away_for_a_month_lacks_nothing_in_the_end() -> None:
    """It was tried every day, and most of its rows are older than the source rows that are kept."""
    scene = Scene(a_device(to=BOTH), destinations=[opened(ONE), opened(TWO)], page_rows=100)
    a_day, rows = 86400 // STEP, 0
    for day in range(31):
        scene.to[TWO].down = day > 0
        scene.measure(*range(rows, rows + a_day))
        scene.clock.time = at(rows := rows + a_day)
        await scene.sync()
    assert scene.rows(TWO) == [*range(a_day)]
    scene.to[TWO].down = False
    scene.clock.time += 3600

    await scene.sync()

    assert scene.rows(ONE) == scene.rows(TWO) == [*range(rows)]
    assert once(scene)


async def test_one_that_was_added_later_gets_the_past_alone() -> None:
    scene = two_destinations()
    scene.restart(a_device(to=(ONE,)))
    await scene.sync()

    scene.restart(a_device(to=BOTH))
    await scene.sync()

    assert scene.rows(TWO) == [*range(2 * PAGE)]
    assert once(scene)


async def test_one_that_takes_rows_again_is_well_again() -> None:
    scene = Scene()
    scene.measure(*range(5))
    await scene.ready()
    scene.to[ONE].down = True
    await scene.poll()
    assert scene.doors[ONE].failures == 1
    scene.to[ONE].down = False
    scene.clock.time += 30

    await scene.account.poll(scene.module.id)

    assert (scene.doors[ONE].failures, scene.doors[ONE].reason) == (0, None)
    assert scene.told(DestinationRecovered) == [DestinationRecovered(destination=ONE, failures=1)]


async def test_another_identity_behind_the_same_name_has_no_coverage() -> None:
    scene = Scene()
    scene.measure(*range(PAGE))
    await scene.sync()

    scene.to[ONE] = opened(ONE)
    scene.to[ONE].identity = scene.to[ONE].identity.replace("#1", "#2")  # type: ignore[assignment]  # still an id
    scene.restart()
    await scene.sync()

    assert scene.rows() == [*range(PAGE)]


# --- what is recorded ---


async def test_a_value_that_is_missing_is_a_gap_in_its_own_channel_and_the_row_is_covered() -> None:
    scene = Scene()
    scene.measure(0, 1, 4)
    scene.measure(2, temperature=None)
    scene.measure(3, temperature=None, humidity=None)

    await scene.sync()

    assert scene.rows(channel=TEMP) == [0, 1, 4]
    assert scene.rows(channel=RH) == [0, 1, 2, 4]
    assert scene.covered(channel=TEMP) == scene.covered(channel=RH) == Spans((START, at(4)))


async def test_one_failing_batch_of_several_leaves_exactly_its_rows() -> None:
    """Rows are grouped by the channels that have a value; one group is taken and another not."""
    scene = Scene(page_rows=20)
    scene.measure(0, 1, 4, 5, 8)
    scene.measure(2, 3, 6, humidity=None)
    scene.measure(7, temperature=None)
    destination = scene.to[ONE]
    assert isinstance(destination, Gated)
    destination.failing = [(TEMP,)]

    await scene.sync()

    # the batches go one after the other: what came after the failing one was not sent either
    assert scene.rows(channel=TEMP) == [0, 1, 4, 5, 8]
    assert scene.rows(channel=RH) == [0, 1, 4, 5, 8]
    assert [n for n in range(9) if at(n) in scene.covered(channel=TEMP)] == [0, 1, 4, 5, 7, 8]
    assert [n for n in range(9) if at(n) in scene.covered(channel=RH)] == [0, 1, 2, 3, 4, 5, 6, 8]

    destination.failing = []
    await scene.sync()

    assert scene.rows(channel=TEMP) == [0, 1, 2, 3, 4, 5, 6, 8]
    assert scene.rows(channel=RH) == [0, 1, 4, 5, 7, 8]
    assert once(scene)


cells = st.tuples(st.booleans(), st.booleans())


@given(st.lists(cells, min_size=1, max_size=20), st.sampled_from([(TEMP, RH), (TEMP,), (RH,)]))
async def test_whatever_batch_fails_nothing_is_lost_and_nothing_taken_is_sent_again(
    rows: list[tuple[bool, bool]], failing: tuple[ChannelName, ...]
) -> None:
    scene = Scene(page_rows=50)
    for place, (warm, damp) in enumerate(rows):
        scene.measure(place, temperature=21.5 if warm else None, humidity=57 if damp else None)
    destination = scene.to[ONE]
    assert isinstance(destination, Gated)
    destination.failing = [failing]
    await scene.sync()

    # what is recorded has arrived, so far as it has a value
    for channel, column in ((TEMP, 0), (RH, 1)):
        recorded = {
            n for n, row in enumerate(rows) if row[column] and at(n) in scene.covered(channel=channel)
        }
        assert recorded == set(scene.rows(channel=channel))

    destination.failing = []
    await scene.sync()

    assert scene.rows(channel=TEMP) == [n for n, row in enumerate(rows) if row[0]]
    assert scene.rows(channel=RH) == [n for n, row in enumerate(rows) if row[1]]
    assert once(scene)


async def test_nothing_counts_as_delivered_that_could_not_be_recorded() -> None:
    """A power cut between the yes and the commit: the page is sent once more."""
    scene = Scene()
    scene.measure(*range(5))
    scene.state.losing = True
    with pytest.raises(StateError):
        await scene.poll()
    scene.state.losing = False
    scene.restart()

    await scene.sync()

    assert scene.rows() == [*range(5)]
    assert set(scene.to[ONE].writes.values()) == {2}


async def test_an_answer_that_was_lost_is_no_yes() -> None:
    scene = Scene()
    scene.measure(*range(5))
    scene.to[ONE].away = True
    await scene.sync()
    assert not scene.covered() & Spans.at(map(at, range(5)))
    scene.to[ONE].away = False

    await scene.sync()

    assert scene.covered() == Spans((START, at(4)))


async def test_coverage_ends_at_the_last_row_and_never_at_the_clock() -> None:
    scene = Scene()
    scene.measure(*range(5))
    scene.clock.time = at(500)

    await scene.sync()

    assert scene.covered() == Spans((START, at(4)))


async def test_an_empty_answer_at_the_live_end_covers_nothing() -> None:
    scene = Scene()
    scene.clock.time = at(500)

    await scene.sync()

    assert scene.covered() == Spans()


async def test_a_whole_window_of_the_past_is_covered_but_not_beyond_the_newest_row() -> None:
    scene = Scene()
    scene.measure(5)

    await scene.span(0, 3)
    assert scene.covered() == Spans()  # no row was ever seen: the station may not have uploaded yet

    await scene.poll()
    await scene.span(0, 300)

    assert scene.covered() == Spans((START, at(5)))


async def test_a_named_span_is_covered_up_to_its_last_second() -> None:
    scene = Scene(a_device(since=at(8)), page_rows=50)
    scene.measure(*range(10))
    await scene.sync()

    await scene.span(0, 4)

    assert scene.covered() == Spans((START, at(4) - 1), (at(8), at(9)))


# --- rows that come late, or change ---


async def test_a_late_row_is_sent_and_its_neighbours_are_not() -> None:
    scene = Scene(page_rows=50)
    scene.measure(0, 1, 2, 4, 5)
    await scene.sync()
    scene.measure(3)

    await scene.sync()

    assert scene.rows() == [*range(6)]
    assert once(scene)
    assert scene.told(RowsArrivedLate) == [RowsArrivedLate(module=scene.module.id, rows=1, first=at(3))]


async def test_a_destination_that_is_down_keeps_the_hole_of_a_late_row() -> None:
    scene = two_destinations()
    await scene.sync()
    scene.to[TWO].down = True
    scene.source.rows[scene.module.id][at(9) + 60] = {TEMPERATURE: 3.5, HUMIDITY: 99}
    await scene.sync()
    assert at(9) + 60 not in scene.covered(TWO)
    scene.to[TWO].down = False

    await scene.sync()

    assert scene.to[TWO].cells == scene.to[ONE].cells
    assert once(scene)


async def test_a_row_that_changes_is_sent_again() -> None:
    scene = Scene(page_rows=50)
    scene.measure(*range(5))
    await scene.sync()
    scene.measure(3, temperature=-7)

    await scene.sync()

    assert scene.to[ONE].cells[PORCH, TEMP, at(3)] == -7
    assert scene.written() == 5 * 2 + 2


async def test_a_row_that_changes_while_it_is_on_its_way_is_sent_again() -> None:
    """The old value is acknowledged after the new one was seen; that must cover nothing."""
    scene = Scene(page_rows=50)
    scene.measure(*range(5))
    await scene.ready()
    gate = gate_of(scene)
    first = asyncio.create_task(scene.poll())
    await settled()

    scene.measure(3, temperature=-7)
    second = asyncio.create_task(scene.poll())
    await settled()
    gate.set()
    await asyncio.gather(first, second)

    assert at(3) not in scene.covered()
    await scene.sync()
    assert scene.to[ONE].cells[PORCH, TEMP, at(3)] == -7
    assert scene.covered() == Spans((START, at(4)))


async def test_a_row_that_changes_between_the_yes_and_the_record_is_sent_again() -> None:
    scene = Scene(page_rows=50)
    scene.measure(*range(5))
    await scene.ready()
    gate = gate_of(scene)
    first = asyncio.create_task(scene.poll())
    await settled()
    scene.measure(3, temperature=-7)

    gate.set()
    second = asyncio.create_task(scene.poll())
    await asyncio.gather(first, second)
    await scene.sync()

    assert scene.to[ONE].cells[PORCH, TEMP, at(3)] == -7


async def test_a_late_row_is_news_for_all_devices_of_its_module() -> None:
    """Also for those that were not asked for when it came."""
    scene = Scene(a_device(), a_device("Veranda", channels=[TEMP]), page_rows=50)
    scene.measure(0, 1, 2, 4, 5)
    await scene.sync()
    scene.measure(3)
    await scene.ready()
    porch = [each for each in scene.account.targets(scene.module.id) if each.device == PORCH]
    await scene.account.poll(scene.module.id, porch)

    await scene.sync()

    assert scene.rows(device=DeviceName("Veranda")) == [*range(6)]
    assert once(scene)


# --- live beside history ---


async def test_live_beside_history_never_sends_twice() -> None:
    scene = Scene(modules=[a_module(newest=at(2000))], page_rows=50)
    scene.clock.time = at(2000)
    scene.measure(*range(1990, 2001), *range(60))
    await scene.ready()
    gate = gate_of(scene)

    both = asyncio.gather(
        scene.account.catch_up(scene.module.id),
        scene.account.poll(scene.module.id),
        scene.account.poll(scene.module.id),
        scene.account.catch_up(scene.module.id),
    )
    await settled()
    gate.set()
    await both

    assert scene.rows() == [*range(60), *range(1990, 2001)]
    assert once(scene)


async def test_whoever_fails_gives_its_rows_back() -> None:
    scene = Scene()
    scene.measure(*range(5))
    await scene.ready()
    gate = gate_of(scene)
    first = asyncio.create_task(scene.poll())
    await settled()
    scene.to[ONE].down = True
    gate.set()
    await first
    scene.to[ONE].down = False

    await scene.sync()

    assert scene.rows() == [*range(5)]


# --- again ---


async def test_again_sends_what_is_covered_once_more() -> None:
    scene = Scene()
    scene.measure(*range(20))
    await scene.sync()
    scene.to[ONE].cells.clear()

    await scene.span(5, 15, again=True)

    assert scene.rows() == [*range(5, 15)]
    assert scene.covered() == Spans((START, at(19)))


# --- refused rows ---


async def test_a_refused_row_is_set_aside_covered_and_told_and_the_rest_arrives() -> None:
    scene = Scene(page_rows=50)
    scene.measure(*range(10))
    scene.to[ONE].refused_times = {at(4)}

    await scene.sync()

    assert scene.rows() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert scene.covered() == Spans((START, at(9)))
    (aside,) = scene.state.set_aside
    assert (aside.device, aside.row.time, aside.row.values) == (PORCH, at(4), (21.5, 57))
    assert [event.time for event in scene.told(RowRefused)] == [at(4)]

    await scene.sync()

    assert len(scene.told(RowRefused)) == 1


async def test_a_single_new_row_that_is_refused_does_not_close_the_door() -> None:
    """Even in a new process, which has seen the destination take nothing yet."""
    scene = Scene(page_rows=50)
    scene.measure(*range(10))
    await scene.sync()
    scene.restart()
    scene.measure(10)
    scene.to[ONE].refused_times = {at(10)}

    await scene.sync()

    assert [row.row.time for row in scene.state.set_aside] == [at(10)]
    assert scene.doors[ONE].open


async def test_a_refused_row_that_changes_is_tried_again() -> None:
    scene = Scene(page_rows=50)
    scene.measure(*range(10))
    scene.to[ONE].refused_times = {at(4)}
    await scene.sync()
    scene.to[ONE].refused_times = set()
    scene.measure(4, temperature=3)

    await scene.sync()

    assert scene.rows() == [*range(10)]


# --- what is told ---


async def test_the_first_upload_of_a_channel_is_announced_once() -> None:
    scene = Scene()
    scene.measure(*range(3 * PAGE))
    await scene.sync()
    scene.restart()
    scene.measure(3 * PAGE)
    await scene.sync()
    assert scene.told(SeriesStarted) == []

    scene.restart(a_device(channels=[TEMP, RH, "Dew_C"]))
    await scene.sync()

    assert scene.told(SeriesStarted) == [
        SeriesStarted(destination=ONE, device=PORCH, channels=(ChannelName("Dew_C"),))
    ]


async def test_a_channel_that_never_has_a_value_is_not_announced() -> None:
    scene = Scene()
    scene.measure(0, 1, humidity=None)

    await scene.sync()

    assert [event.channels for event in scene.told(SeriesStarted)] == [(TEMP,)]


async def test_deliveries_are_told_with_their_last_row() -> None:
    scene = Scene()
    scene.measure(0, 1)
    scene.measure(2, temperature=20, humidity=60)

    await scene.sync()

    assert scene.told(BatchDelivered) == [
        BatchDelivered(
            destination=ONE,
            device=PORCH,
            channels=(TEMP, RH),
            rows=3,
            first=at(0),
            last=at(2),
            values=(20, 60),
        )
    ]


def test_the_scene_counts_its_rows() -> None:
    assert [number(at(n)) for n in (0, 1, 7)] == [0, 1, 7]
    assert at(1) - at(0) == STEP
