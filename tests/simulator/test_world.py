"""The world as a whole: where it is, what a person is told, and a client that carries everything over."""

import asyncio
import tomllib
from dataclasses import replace

import aiohttp
import pytest

from netaflux.simulator import Fault, Served, World, demo_world, serve, serve_forever
from netaflux.simulator.compare import expected_values, told_of
from netaflux.simulator.world import device_name
from tests.fakes import TurnedClock
from tests.simulator.conftest import NOW, Caller

BESIDE_THE_WEATHER = (
    ("coaches", "Study/Study"),
    ("rooms", "AR Home/Living room"),
    ("rooms", "AR Home/Bath"),
    ("boilers", "AR Home/Thermostat"),
    ("cameras", "AR Home/Hall"),
    ("cameras", "AR Home/Drive"),
)
"""What the demo's house has of other sources, in the configuration's order."""


@pytest.fixture
def world() -> World:
    return demo_world(NOW, days=1)


async def test_both_servers_are_on_loopback_on_ports_of_their_own(served: Served) -> None:
    assert served.netatmo_url.startswith("http://127.0.0.1:")
    assert served.fluxtream_url.startswith("http://127.0.0.1:")
    assert served.netatmo_url != served.fluxtream_url


async def test_the_configuration_can_be_pasted(served: Served) -> None:
    told = tomllib.loads(served.configuration("/tmp/state"))  # noqa: S108 - a text like any other

    assert told["state_dir"] == "/tmp/state"  # noqa: S108 - the same
    assert told["netatmo"] == {
        "client_id": served.netatmo.settings.app.client_id,
        "client_secret": served.netatmo.settings.app.client_secret,
        "refresh_token": served.refresh_tokens["default"],
        "api_url": served.netatmo_url,
    }
    assert told["destinations"]["fluxtream"] == {
        "url": served.fluxtream_url,
        "username": "anne",
        "password": "simulated",
    }
    assert told["devices"] == [
        {"name": f"Netatmo_{name}", "module": f"AR Home/{name}"}
        for name in ("Basement", "Porch", "Roof", "Garden", "Bedroom", "Office")
    ] + [
        {"name": device_name(module), "source": source, "module": module}
        for source, module in BESIDE_THE_WEATHER
    ]


def test_a_device_name_is_one_that_fluxtream_takes() -> None:
    assert device_name("Lv/Basement/Büro 2") == "Netatmo_B_ro_2"


async def test_secrets_are_in_no_repr(served: Served) -> None:
    shown = repr(served)

    assert served.refresh_tokens["default"] not in shown
    assert "simulated" not in shown


async def test_what_was_carried_over_is_found_equal_and_what_was_not_missing(
    caller: Caller, served: Served
) -> None:
    assert all(report.missing for report in served.compare())
    for mirror in served.mirrors():
        measures, rows = told_of(served.house, mirror, NOW)
        for report in served.compare([mirror]):
            if report.device == mirror.device:
                values = expected_values(measures, rows, report.channel)
                await caller.upload(sorted(values.items()), [report.channel], device=mirror.device)

    assert served.fluxtream.store.doubles == 0
    assert [report for report in served.compare() if not report.equal] == []
    assert sum(report.expected for report in served.compare()) > 6_000


async def test_a_world_can_be_served_until_it_is_cancelled(world: World, clock: TurnedClock) -> None:
    told: list[Served] = []
    serving = asyncio.create_task(serve_forever(world, clock, told.append))
    while not told:  # noqa: ASYNC110 - no event to wait for: the announcement is what is tested
        await asyncio.sleep(0)
    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await serving
    assert told[0].netatmo_url


async def test_a_port_can_be_chosen(world: World, clock: TurnedClock) -> None:
    async with serve(world, clock) as first:
        port = int(first.netatmo_url.rpartition(":")[2])

    async with serve(world, clock, netatmo_port=port) as second:
        assert second.netatmo_url == first.netatmo_url


async def test_a_call_that_hangs_does_not_keep_a_world_from_ending(
    world: World, clock: TurnedClock, caller: Caller
) -> None:
    async with asyncio.timeout(5), serve(world, clock) as other:
        other.netatmo.faults.add(Fault.HANG_BEFORE)
        url = f"{other.netatmo_url}/api/getmeasure"
        hanging = asyncio.create_task(caller.call("GET", url))
        while not other.in_flight:  # noqa: ASYNC110 - the call is on its way through the kernel
            await asyncio.sleep(0)

    with pytest.raises(aiohttp.ClientConnectionError):
        await hanging


async def test_latency_passes_on_the_worlds_own_clock(caller: Caller, served: Served) -> None:
    served.netatmo.settings = replace(served.netatmo.settings, latency=0.08)
    served.fluxtream.settings = replace(served.fluxtream.settings, latency=0.5)
    await caller.measure()
    await caller.upload([[NOW, 1]])

    assert served.clock.now() == pytest.approx(NOW + 0.58)
