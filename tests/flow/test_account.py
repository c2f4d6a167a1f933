"""An account's survey, what its devices mirror, and which spans are fetched for them."""

import asyncio

import pytest

from netaflux.core.errors import UpstreamFault
from netaflux.core.events import ChannelsImpossible, ModuleBound, ModuleMissing, PollCompleted, SurveyTaken
from netaflux.core.model import ChannelName, DeviceName, ModuleId
from netaflux.core.spans import Spans
from netaflux.flow.errand import Carried
from tests.fakes import a_module
from tests.flow.scene import ONE, PORCH, RH, START, TEMP, Scene, a_device, at, opened

DAY = 86_400


def surveys(scene: Scene) -> int:
    return len(scene.told(SurveyTaken))


# --- the survey ---


async def test_those_who_want_a_survey_together_share_one() -> None:
    scene = Scene()

    rosters = await asyncio.gather(*(scene.account.survey() for _ in range(5)))

    assert surveys(scene) == 1
    assert all(roster is rosters[0] for roster in rosters)


async def test_a_survey_is_used_again_while_it_is_young_enough() -> None:
    scene = Scene()
    await scene.account.survey()
    scene.clock.time += 300

    await scene.account.survey(max_age=300)
    assert surveys(scene) == 1

    scene.clock.time += 1
    await scene.account.survey(max_age=300)
    assert surveys(scene) == 2


async def test_a_survey_that_failed_is_taken_anew_and_the_old_one_stays() -> None:
    scene = Scene()
    roster = await scene.account.survey()
    scene.clock.time += 600
    scene.source.failing = True
    with pytest.raises(UpstreamFault):
        await scene.account.survey()

    assert scene.account.roster is roster
    scene.source.failing = False
    assert await scene.account.survey() is not roster


async def test_a_preview_binds_and_tells_nothing() -> None:
    scene = Scene(a_device(), a_device("Cellar", "AR Home/Cellar"))

    roster = await scene.account.preview()

    assert [*roster.targets] == [scene.module.id]
    assert [*roster.missing] == ["Cellar"]
    assert (scene.state.bound, scene.listener.events, scene.account.roster) == ({}, [], None)


async def test_a_module_that_no_device_mirrors_any_more_asks_for_nothing() -> None:
    """Its bell may ring before its job is gone."""
    scene = Scene()
    await scene.ready()
    gone = ModuleId("02:00:00:00:00:99")

    assert await scene.account.poll(gone) == Carried()
    assert await scene.account.catch_up(gone) == Carried()
    assert scene.told(PollCompleted) == []


# --- bindings ---


async def test_a_binding_is_told_once_and_survives_restarts() -> None:
    scene = Scene(a_device(since="30d"))
    await scene.ready()
    begin = START - 30 * DAY
    assert scene.told(ModuleBound) == [ModuleBound(device=PORCH, module=scene.module.id, begin=begin)]

    scene.restart()
    scene.clock.time += DAY
    await scene.ready()

    assert scene.told(ModuleBound) == []
    assert scene.account.targets(scene.module.id)[0].begin == begin


async def test_another_since_is_resolved_once_too() -> None:
    scene = Scene(a_device(since="30d"))
    await scene.ready()
    scene.clock.time += DAY
    scene.restart(a_device(since="60d"))
    await scene.ready()
    scene.clock.time += DAY
    scene.restart()
    await scene.ready()

    assert scene.account.targets(scene.module.id)[0].begin == START + DAY - 60 * DAY


async def test_a_renamed_module_goes_on_in_the_same_series() -> None:
    scene = Scene()
    scene.measure(*range(5))
    await scene.sync()
    scene.source.modules = [a_module(name="Veranda")]
    scene.measure(5)

    await scene.sync()

    assert scene.rows() == [*range(6)]
    assert scene.told(ModuleMissing) == []
    assert len(scene.told(ModuleBound)) == 1


async def test_new_hardware_begins_behind_what_the_old_one_delivered() -> None:
    scene = Scene()
    scene.measure(*range(5))
    await scene.sync()
    scene.source.modules = [a_module(9)]
    scene.measure(*range(10), temperature=3)

    await scene.sync()

    assert [scene.to[ONE].cells[PORCH, TEMP, at(n)] for n in range(10)] == [21.5] * 5 + [3] * 5
    assert scene.told(ModuleBound)[-1] == ModuleBound(
        device=PORCH, module=ModuleId("02:00:00:00:00:09"), begin=at(4) + 1
    )
    await scene.span(0, None, again=True)
    assert scene.to[ONE].cells[PORCH, TEMP, at(4)] == 21.5


async def test_a_span_of_days_counts_back_from_netatmos_clock() -> None:
    scene = Scene(a_device(since="1d"))
    scene.source.server_time = START + 3600

    await scene.ready()

    assert scene.account.targets(scene.module.id)[0].begin == START + 3600 - DAY


async def test_a_span_is_not_resolved_while_the_clocks_differ_by_more_than_a_day() -> None:
    """A machine without a battery wakes up in 1970: what it resolves now would stay for good."""
    scene = Scene(a_device(since="1d"), a_device("Dated", since=START))
    scene.source.server_time = START + 2 * DAY

    await scene.ready()

    assert [event.device for event in scene.told(ModuleMissing)] == [PORCH]
    assert "clock" in scene.told(ModuleMissing)[0].reason
    assert [target.device for target in scene.account.targets(scene.module.id)] == ["Dated"]


# --- devices without a module ---


async def test_a_missing_module_is_told_once_and_holds_up_nothing() -> None:
    scene = Scene(a_device("Cellar", "AR Home/Cellar"), a_device())
    scene.measure(0, 1)

    await scene.sync()
    await scene.sync()

    assert scene.rows() == [0, 1]
    (missing,) = scene.told(ModuleMissing)
    assert (missing.device, missing.module) == ("Cellar", "AR Home/Cellar")


async def test_a_module_that_comes_back_and_goes_again_is_told_again() -> None:
    scene = Scene()
    for modules in ([], [a_module()], []):
        scene.source.modules = modules
        scene.clock.time += 600
        await scene.ready()

    assert len(scene.told(ModuleMissing)) == 2


async def test_channels_that_the_module_cannot_give_are_told_once_and_the_others_go_on() -> None:
    scene = Scene(a_device(channels=["CO2", TEMP, "Rain"]))
    scene.measure(0)

    await scene.sync()
    await scene.sync()

    assert scene.rows() == [0]
    channels = (ChannelName("CO2"), ChannelName("Rain"))
    assert scene.told(ChannelsImpossible) == [ChannelsImpossible(device=PORCH, channels=channels)]


async def test_a_device_of_which_no_channel_is_possible_makes_no_call() -> None:
    scene = Scene(a_device(channels=["Rain"]))
    scene.measure(0)

    await scene.sync()

    assert scene.source.calls == []
    assert [event.channels for event in scene.told(ChannelsImpossible)] == [(ChannelName("Rain"),)]


# --- which spans ---


async def test_a_poll_looks_back_an_hour() -> None:
    scene = Scene(page_rows=50)
    scene.measure(*range(20))
    await scene.sync()
    scene.source.calls.clear()

    await scene.poll()

    assert [window.begin for _, window in scene.source.calls] == [at(19) - 3600]


async def test_a_stamp_from_the_future_does_not_steer_the_plan() -> None:
    scene = Scene(modules=[a_module(newest=2_090_000_000)], page_rows=50)
    scene.measure(*range(20))

    await scene.poll()

    assert scene.rows() == [*range(20)]


async def test_the_newest_row_that_the_survey_tells_of_comes_first() -> None:
    scene = Scene(modules=[a_module(newest=at(2000))], page_rows=50)
    scene.clock.time = at(2000)
    scene.measure(*range(20), *range(1980, 2001))

    await scene.poll()
    assert scene.rows() == [*range(1988, 2001)]

    await scene.catch_up()
    assert scene.rows() == [*range(20), *range(1980, 2001)]


async def test_devices_of_one_module_may_begin_at_different_times() -> None:
    early, late = a_device("Early"), a_device("Late", since=at(30))
    scene = Scene(early, late, page_rows=100)
    scene.measure(*range(60))

    await scene.sync()

    assert scene.rows(device=DeviceName("Early")) == [*range(60)]
    assert scene.rows(device=DeviceName("Late")) == [*range(30, 60)]
    assert len(scene.source.calls) <= 2


async def test_a_new_channel_is_backfilled_alone() -> None:
    scene = Scene(a_device(channels=[TEMP]))
    scene.measure(*range(20))
    await scene.sync()
    before = scene.written()

    scene.restart(a_device(channels=[TEMP, RH]))
    await scene.sync()

    assert scene.rows(channel=RH) == [*range(20)]
    assert scene.written() == before + 20


async def test_an_earlier_since_brings_what_lies_before_alone() -> None:
    scene = Scene(a_device(since=at(10)))
    scene.measure(*range(20))
    await scene.sync()

    scene.restart(a_device(since=START))
    await scene.sync()

    assert scene.rows() == [*range(20)]
    assert scene.written() == 20 * 2


async def test_a_later_since_takes_nothing_away() -> None:
    scene = Scene()
    scene.measure(*range(20))
    await scene.sync()

    scene.restart(a_device(since=at(10)))
    await scene.sync()

    assert scene.rows() == [*range(20)]
    assert scene.covered() == Spans((START, at(19)))


async def test_a_span_reaches_below_since_but_not_below_the_floor() -> None:
    scene = Scene(a_device(since=at(10)))
    scene.measure(*range(20))
    await scene.sync()

    await scene.span(3, 6)

    assert scene.rows() == [3, 4, 5, *range(10, 20)]
    assert scene.written() == 13 * 2


async def test_a_span_of_which_nothing_is_lacking_makes_no_call() -> None:
    scene = Scene()
    scene.measure(*range(20))
    await scene.sync()
    scene.source.calls.clear()

    await scene.span(3, 15)

    assert scene.source.calls == []


async def test_one_window_that_netatmo_cannot_answer_does_not_keep_the_others_from_it() -> None:
    scene = Scene(modules=[a_module(newest=at(3000))], page_rows=50)
    scene.clock.time = at(3000)
    scene.measure(*range(10), *range(2990, 3001))
    await scene.sync()
    scene.measure(11, 1500)
    scene.state.spans = {
        series: spans - Spans.at([at(11), at(1500)]) for series, spans in scene.state.spans.items()
    }
    page = scene.source.page

    async def picky(*asked: object) -> object:
        if asked[2].begin == at(11):  # type: ignore[attr-defined]  # the window
            raise UpstreamFault("not this one")
        return await page(*asked)  # type: ignore[arg-type]  # as it came

    scene.source.page = picky  # type: ignore[method-assign,assignment]  # a server with a hole
    with pytest.raises(UpstreamFault, match="not this one"):
        await scene.catch_up()

    assert scene.rows() == [*range(10), 1500, *range(2990, 3001)]


# --- what is told ---


async def test_a_poll_is_told_with_what_it_brought() -> None:
    scene = Scene()
    scene.measure(*range(9))

    await scene.poll()

    assert scene.told(PollCompleted) == [PollCompleted(module=scene.module.id, pages=2, rows=9)]


async def test_a_past_without_anything_lacking_is_no_news() -> None:
    scene = Scene()
    scene.measure(*range(9))
    await scene.poll()

    await scene.catch_up()

    assert len(scene.told(PollCompleted)) == 1


async def test_modules_of_one_station_are_polled_each_for_itself() -> None:
    office = a_module(2, kind="NAModule4", name="Office")
    scene = Scene(
        a_device(),
        a_device("Office", "AR Home/Office", channels=[TEMP]),
        modules=[a_module(), office],
        destinations=[opened(ONE)],
    )
    scene.measure(*range(3))
    scene.source.rows[office.id] = dict(scene.source.rows[scene.module.id])

    await scene.sync()

    assert scene.rows() == scene.rows(device=DeviceName("Office")) == [0, 1, 2]
    assert {module for module, _ in scene.source.calls} == {scene.module.id, office.id}
