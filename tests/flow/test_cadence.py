"""An account's polls: who is asked, when the next round is, and how much less where calls are short."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from netaflux.core.cadence import RETRIES, RETRY_AFTER
from netaflux.core.errors import DestinationDown, UpstreamFault
from netaflux.core.events import (
    BatchDelivered,
    CadenceRestored,
    CadenceStretched,
    EarlyRowsStopped,
    RowsArrivedLate,
)
from netaflux.core.measures import HUMIDITY, TEMPERATURE
from netaflux.flow.cadence import Cadence
from tests.fakes import a_module
from tests.flow.scene import ONE, PORCH, START, TEMP, Scene, a_device, at

STATION_TWO = "70:ee:50:00:00:02"


@dataclass
class Purse:
    """A budget that can be short."""

    factor: float = 1
    declared: float = 0

    def stretch(self, wished: float) -> float:
        return self.factor

    def declare_live_need(self, calls_per_hour: float) -> None:
        self.declared = calls_per_hour


class Life:
    """A porch that uploads, and its cadence."""

    def __init__(self, scene: Scene, *, interval: float = 600) -> None:
        self.scene, self.purse = scene, Purse()
        self.cadence = Cadence(
            scene.account,
            budget=self.purse,
            clock=scene.clock,
            observer=scene.listener,
            interval=interval,
        )

    async def upload(self, *numbers: int, shown: float = 21.5, skew: int = 0) -> None:
        """Rows come to the cloud, and the survey shows the last of them at once."""
        scene = self.scene
        scene.clock.time = at(numbers[-1]) + 30
        scene.measure(*numbers)
        self.show(at(numbers[-1]) + skew, shown)
        await self.survey()

    def show(self, time: int, shown: float = 21.5) -> None:
        module = replace(self.scene.module, newest=time, stored=int(self.scene.clock.time) - 5)
        self.scene.source.modules[0] = replace(module, dashboard={TEMPERATURE: shown, HUMIDITY: 57})

    async def survey(self) -> None:
        await self.scene.ready()
        self.scene.clock.time += 1
        await self.scene.account.survey()
        self.cadence.surveyed()

    async def round(self) -> bool:
        """A module's round; whether it was asked."""
        module = self.scene.module.id
        await self.scene.account.poll_early(module)
        if not self.cadence.wants(module):
            return False
        polled = await self.scene.account.poll(module)
        self.cadence.asked(module, stopped=polled.stopped)
        return True


async def living(**more: float) -> Life:
    life = Life(Scene(page_rows=50), **more)
    await life.upload(0, 1)
    assert await life.round()
    return life


async def test_only_a_module_with_news_is_asked() -> None:
    life = await living()

    assert not await life.round()
    await life.upload(2, 3)
    assert await life.round()
    assert life.scene.rows() == [*range(4)]


async def test_the_next_round_is_when_the_next_upload_can_be_had() -> None:
    life = await living()
    uploaded = life.scene.source.modules[0].stored

    assert uploaded is not None
    assert life.cadence.next_at(life.scene.module.id) == pytest.approx(uploaded + 605 + 27, abs=2)


async def test_surveys_tell_whose_station_has_uploaded_and_each_is_counted_once() -> None:
    other = a_module(2, name="Barn", station=STATION_TWO)
    scene = Scene(a_device(), a_device("Barn", "AR Home/Barn"), modules=[a_module(stored=START), other])
    life = Life(scene)
    await scene.ready()
    scene.source.modules = [a_module(stored=START + 5), other]
    scene.clock.time += 600
    await scene.account.survey()

    assert life.cadence.surveyed() == (a_module().id,)
    assert life.cadence.surveyed() == ()


async def test_a_row_that_is_shown_but_cannot_be_had_yet_is_asked_for_again_in_a_moment() -> None:
    life = await living()
    life.scene.clock.time += 600
    life.show(at(3))
    await life.survey()
    assert await life.round()
    assert life.cadence.next_at(life.scene.module.id) == life.scene.clock.time + RETRY_AFTER

    life.scene.measure(2, 3)
    assert await life.round()

    assert life.scene.rows() == [*range(4)]
    assert life.cadence.next_at(life.scene.module.id) > life.scene.clock.time + 300


async def test_where_asking_again_is_in_vain_it_is_not_done_the_next_time() -> None:
    life = await living()
    asked = []
    for upload in range(1, 4):
        life.scene.clock.time += 600
        life.show(at(1 + 2 * upload))
        await life.survey()
        asked.append(sum([await life.round() for _ in range(9)]))

    assert asked == [1 + RETRIES, 1, 1]


async def test_after_three_rows_that_were_right_the_survey_s_row_is_delivered_at_once() -> None:
    life = await living()
    for number in range(2, 6, 2):
        await life.upload(number, number + 1)
        await life.round()
    await life.upload(6, 7)
    life.scene.listener.events.clear()

    await life.scene.account.poll_early(life.scene.module.id)

    assert [event.first for event in life.scene.told(BatchDelivered)] == [at(7)]
    assert life.scene.rows() == [0, 1, 2, 3, 4, 5, 7]
    assert await life.round()
    assert life.scene.rows() == [*range(8)]
    assert life.scene.written() == 16


async def test_one_wrong_value_ends_early_rows_and_the_right_one_arrives() -> None:
    life = await living()
    for number in range(2, 6, 2):
        await life.upload(number, number + 1)
        await life.round()
    await life.upload(6, 7, shown=99)
    await life.round()

    (told,) = life.scene.told(EarlyRowsStopped)
    assert "99" in told.reason
    assert life.scene.to[ONE].cells[PORCH, TEMP, at(7)] == 21.5
    await life.upload(8, 9)
    await life.scene.account.poll_early(life.scene.module.id)
    assert at(9) not in {time for *_, time in life.scene.to[ONE].cells}


async def test_short_of_calls_rows_between_come_hourly_and_that_is_told_until_it_is_over() -> None:
    life = await living()
    full = life.purse.declared
    life.purse.factor = 1.5
    asked = []
    for number in range(2, 40, 2):
        await life.upload(number, number + 1)
        asked.append(await life.round())

    assert sum(asked) == 3
    assert life.purse.declared < full
    life.purse.factor = 1
    await life.upload(40, 41)
    assert await life.round()
    assert life.scene.rows() == [*range(42)]
    assert [event.hours for event in life.scene.told(CadenceStretched)] == [1]
    assert len(life.scene.told(CadenceRestored)) == 1


async def test_modules_take_turns_in_looking_far_back() -> None:
    life = await living()
    life.scene.measure(*range(2, 8 * 288))
    life.show(at(8 * 288 - 1))
    life.scene.clock.time = at(8 * 288)
    await life.survey()
    await life.round()
    module = life.scene.module.id

    assert [life.cadence.may_look_back(module) for _ in range(2)] == [True, False]
    life.scene.clock.time += 3601
    assert life.cadence.may_look_back(module)


async def test_those_who_wait_for_a_survey_that_fails_share_the_failure() -> None:
    scene = Scene()
    scene.source.failing = True
    surveys = 0
    survey = scene.source.survey

    async def counted() -> object:
        nonlocal surveys
        surveys += 1
        return await survey()

    scene.source.survey = counted  # type: ignore[method-assign, assignment]  # to count

    results = await asyncio.gather(*(scene.account.survey() for _ in range(5)), return_exceptions=True)

    assert [type(result) for result in results] == [UpstreamFault] * 5
    assert surveys == 1


async def test_where_a_destination_goes_away_meanwhile_nothing_is_asked_for_again_in_a_moment() -> None:
    life = await living()
    life.scene.clock.time += 600
    life.show(at(3))
    await life.survey()
    assert await life.round()
    life.scene.to[ONE].down = True
    life.scene.doors[ONE].failed(DestinationDown("it is away"))

    await life.round()

    assert life.cadence.next_at(life.scene.module.id) > life.scene.clock.time + 300


async def test_a_module_that_cannot_be_looked_back_at_leaves_the_others_their_turns() -> None:
    both = [a_module(stored=START), a_module(2, name="Barn", stored=START)]
    life = Life(Scene(a_device(), a_device("Barn", "AR Home/Barn"), modules=both, page_rows=5000))
    for module in both:
        rows = {at(number): {TEMPERATURE: 21.5, HUMIDITY: 57} for number in range(2)}
        life.scene.source.rows[module.id].update(rows)
    await life.scene.poll()
    for module in both:
        rows = {at(number): {TEMPERATURE: 21.5, HUMIDITY: 57} for number in range(8 * 288)}
        life.scene.source.rows[module.id].update(rows)
    life.scene.clock.time = at(8 * 288)
    await life.scene.poll()

    turns = []
    for _ in range(12):  # every ten minutes, in the same order, and none of the looks succeeds
        turns += [module.name for module in both if life.cadence.may_look_back(module.id)]
        life.scene.clock.time += 605

    assert turns == ["Porch", "Barn"]


async def test_a_module_that_vanishes_while_it_is_asked_breaks_no_round() -> None:
    life = await living()
    module = life.scene.module.id
    life.scene.source.modules.clear()
    await life.survey()

    life.cadence.asked(module)

    assert not life.cadence.wants(module)
    assert life.cadence.next_at(module) > life.scene.clock.time


async def test_an_early_row_covers_nothing_that_getmeasure_may_still_give() -> None:
    life = await living()
    module = life.scene.module.id
    for number in range(2, 8, 2):
        await life.upload(number, number + 1)
        await life.round()
    for number in range(8, 40, 2):  # surveys show rows, and for hours getmeasure has none of them
        life.scene.clock.time = at(number + 1) + 30
        life.show(at(number + 1))
        await life.survey()
        await life.round()
        await life.scene.account.catch_up(module)
    assert life.scene.rows() == [*range(8), *range(9, 40, 2)]
    life.scene.measure(*range(8, 40))

    await life.upload(40, 41)
    await life.round()

    assert life.scene.rows() == [*range(42)]
    assert not life.scene.told(RowsArrivedLate)


async def test_a_module_that_ends_with_an_early_row_is_left_alone_after_a_day() -> None:
    life = await living()
    module = life.scene.module.id
    for number in range(2, 8, 2):
        await life.upload(number, number + 1)
        await life.round()
    life.scene.clock.time = at(9) + 30
    life.show(at(9))
    await life.survey()
    await life.round()
    life.scene.clock.time += 90_000
    await life.survey()
    await life.round()

    await life.scene.account.catch_up(module)

    assert not life.scene.account.lacks(module)
