"""Modules that tell nothing of their news are asked each time a stretch of time is over."""

from netaflux.core.model import ModuleId
from netaflux.flow.cadence import LOOKS_APART, SteadyCadence
from tests.flow.scene import START, Scene, at
from tests.flow.test_cadence import Purse

HALF_HOUR = 1800
DAY = 86_400


async def steady(scene: Scene, purse: Purse) -> SteadyCadence:
    await scene.ready()
    await scene.account.survey()
    cadence = SteadyCadence(scene.account, budget=purse, clock=scene.clock, period=HALF_HOUR, delay=120)
    assert cadence.surveyed() == ()
    return cadence


async def test_the_next_round_is_a_while_after_the_next_half_hour_of_netatmo_s_time() -> None:
    scene, purse = Scene(), Purse()
    cadence = await steady(scene, purse)
    module = scene.module.id

    for passed in (0, 1, HALF_HOUR - 1, 5 * HALF_HOUR + 119, 5 * HALF_HOUR + 120):
        scene.clock.time = START - START % HALF_HOUR + passed
        ahead = cadence.next_at(module) - scene.clock.monotonic()
        due = scene.account.server_time + ahead

        assert due % HALF_HOUR == 120
        assert 0 < ahead <= HALF_HOUR


async def test_a_round_that_comes_a_hair_early_is_not_rung_again_at_once() -> None:
    """Sums of floats end beside their moment: at that of Netatmo's time it is, by ours, not yet."""
    scene, purse = Scene(), Purse()
    cadence = await steady(scene, purse)
    due = START - START % HALF_HOUR + 120

    for early in (1e-7, 1e-3):
        scene.clock.time = due - early
        ahead = cadence.next_at(scene.module.id) - scene.clock.monotonic()

        assert ahead >= HALF_HOUR


async def test_where_calls_are_short_it_asks_every_other_time() -> None:
    scene, purse = Scene(), Purse(factor=1.7)
    cadence = await steady(scene, purse)

    moments = set()
    for _ in range(6):
        scene.clock.time = cadence.next_at(scene.module.id)
        moments.add(scene.account.server_time % (2 * HALF_HOUR))

    assert moments == {120}
    assert purse.declared == 1


async def test_what_it_is_going_to_need_is_declared() -> None:
    scene, purse = Scene(), Purse()
    await steady(scene, purse)

    assert purse.declared == 2


async def test_whoever_is_known_is_asked_and_nobody_else() -> None:
    scene = Scene()
    cadence = await steady(scene, Purse())

    assert cadence.wants(scene.module.id)
    assert not cadence.wants(ModuleId("gone"))


async def test_what_there_is_is_looked_for_once_a_day() -> None:
    scene = Scene()
    cadence = await steady(scene, Purse())

    assert cadence.survey_age(scene.module.id) == DAY


async def test_looks_further_back_take_turns() -> None:
    scene = Scene()
    cadence = await steady(scene, Purse())
    scene.measure(*range(0, 30 * 288, 12))
    await scene.sync()
    cadence.asked(scene.module.id)
    assert not cadence.may_look_back(scene.module.id)
    scene.measure(*range(30 * 288, 38 * 288, 12))
    scene.clock.time = at(38 * 288)
    await scene.poll()

    assert cadence.may_look_back(scene.module.id)
    assert not cadence.may_look_back(scene.module.id)
    scene.clock.time += LOOKS_APART
    assert cadence.may_look_back(scene.module.id)
