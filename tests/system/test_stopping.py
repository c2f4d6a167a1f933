"""Signals and kills: netaflux ends soon, with nothing half done, and the next start goes on from there."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netaflux.simulator import Fault
from tests.system.nursery import Nursery
from tests.system.program import Program, until, until_heard
from tests.system.world import TOKEN, UPLOAD, Outside, a_world, served

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)


@pytest.fixture
def outside(request: pytest.FixtureRequest) -> Iterator[Outside]:
    """A Fluxtream that takes its time, and more pages of a module than are under way at a time."""
    with served(a_world(modules=getattr(request, "param", 1), days=200, latency=0.2)) as outside:
        yield outside


@pytest.fixture
def netaflux(nursery: Nursery, folder: Path, outside: Outside) -> Program:
    netaflux = Program(nursery, folder, outside.sections(), outside.devices())
    netaflux.sections["destinations.fluxtream"]["uploads"] = 2
    return netaflux


async def the_next_start_brings_the_rest(netaflux: Program, outside: Outside) -> None:
    """At full speed, and with the tokens that there are."""
    outside.quicken()
    posts = outside.token_posts
    done = await netaflux("sync")

    assert done.code == 0, done.err
    assert outside.differences() == []
    assert outside.token_posts == posts


@BOTH
async def test_a_signal_in_the_middle_of_a_backfill_leaves_nothing_half_done(
    netaflux: Program, outside: Outside, number: signal.Signals
) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.uploads > 2)
        ended = await daemon.stopped(number)
    taken = outside.cells()

    assert ended.code == 0
    assert outside.differences() != []
    assert taken > 0

    await the_next_start_brings_the_rest(netaflux, outside)

    assert outside.written_again == 0


async def test_a_hanging_upload_does_not_keep_it_from_ending(netaflux: Program, outside: Outside) -> None:
    outside.served.fluxtream.faults.add(Fault.HANG_BEFORE, UPLOAD, after=2)
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.served.fluxtream.faults.count(Fault.HANG_BEFORE) > 1)
        ended = await daemon.stopped()

    assert ended.code == 0
    await the_next_start_brings_the_rest(netaflux, outside)


async def test_a_command_under_way_does_not_keep_it_either(netaflux: Program, outside: Outside) -> None:
    """Both its own uploads and those of the command hang; whoever gave it is told that it is not done."""
    outside.served.fluxtream.faults.add(Fault.HANG_BEFORE, UPLOAD)
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.served.fluxtream.faults.count(Fault.HANG_BEFORE))
        pages = outside.pages
        async with netaflux.starting(*netaflux.command("sync", "--again")) as running:
            await until(lambda: outside.pages > pages)
            ended = await daemon.stopped()
            told = await running.ended(within=10)

    assert ended.code == 0
    assert told.code == 75
    await the_next_start_brings_the_rest(netaflux, outside)


async def test_a_second_signal_ends_it_at_once_and_the_state_is_sound(
    netaflux: Program, outside: Outside
) -> None:
    outside.served.fluxtream.faults.add(Fault.HANG_AFTER, UPLOAD, after=2)
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.served.fluxtream.faults.count(Fault.HANG_AFTER) > 1)
        daemon.running.signal(signal.SIGTERM)
        await daemon.running.told("stop.requested")
        begun = time.monotonic()
        ended = await daemon.stopped(signal.SIGTERM)
        seconds = time.monotonic() - begun

    assert ended.code == -signal.SIGTERM
    assert seconds < 3
    await the_next_start_brings_the_rest(netaflux, outside)


async def test_a_kill_costs_no_more_than_the_pages_in_flight(netaflux: Program, outside: Outside) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.uploads > 2)
        ended = await daemon.stopped(signal.SIGKILL)

    assert ended.code == -signal.SIGKILL
    await the_next_start_brings_the_rest(netaflux, outside)
    channels, uploads_in_flight = 11, 2
    assert outside.written_again <= uploads_in_flight * 1024 * channels


@BOTH
async def test_it_ends_while_it_waits_for_permits(
    netaflux: Program, outside: Outside, number: signal.Signals
) -> None:
    outside.quicken()
    limits = netaflux.sections["netatmo.limits"]
    limits |= {"per_hour": 3}
    async with netaflux.daemon() as daemon:

        async def is_waiting() -> bool:
            _, status = await daemon.get("/status")
            return bool(outside.pages and status["accounts"][0]["calls"]["waiting"])

        await until_heard(is_waiting)
        ended = await daemon.stopped(number)

    limits |= {"per_hour": 10_000}
    assert ended.code == 0
    await the_next_start_brings_the_rest(netaflux, outside)
    assert outside.written_again == 0


async def test_it_ends_though_the_token_endpoint_hangs(netaflux: Program, outside: Outside) -> None:
    """The grant may have been given, so the next start tries the same token and then asks for a person."""
    outside.served.netatmo.faults.add(Fault.HANG_BEFORE, TOKEN, times=1)
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.served.netatmo.faults.count(Fault.HANG_BEFORE))
        ended = await daemon.stopped()

    assert ended.code == 0
    outside.quicken()
    assert (await netaflux("sync")).code == 0
    assert outside.differences() == []


@BOTH
@pytest.mark.parametrize("outside", [2], indirect=True, ids=["modules"])
async def test_a_command_that_is_told_to_end_leaves_nothing_half_done(
    netaflux: Program, outside: Outside, number: signal.Signals
) -> None:
    """Not even where the uploads of one module take longer than those of the other."""
    netaflux.sections["destinations.fluxtream"]["uploads"] = 8
    slow = netaflux.devices[1]["name"]
    outside.served.fluxtream.faults.add(Fault.DRIP, UPLOAD, holding=slow, after=1, seconds=2)
    async with netaflux.starting(*netaflux.command("sync")) as running:
        await until(lambda: outside.served.fluxtream.faults.count(Fault.DRIP))
        running.signal(number)
        ended = await running.ended(within=10)

    assert ended.code == 128 + number
    assert "Traceback" not in ended.err
    await the_next_start_brings_the_rest(netaflux, outside)
    assert outside.written_again == 0


async def test_a_command_says_that_the_daemon_ended_before_it(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.faults.add(Fault.HANG_BEFORE, "/api/getmeasure")
    async with netaflux.daemon() as daemon, netaflux.starting(*netaflux.command("sync")) as running:
        await until(lambda: outside.served.netatmo.faults.count(Fault.HANG_BEFORE) > 1)
        await daemon.stopped(signal.SIGKILL)
        ended = await running.ended(within=10)

    assert ended.code == 75
    assert ended.err.startswith("netaflux: the daemon ended before the command did")
