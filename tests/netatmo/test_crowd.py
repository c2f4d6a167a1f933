"""Calls about the past make room where Netatmo is busy, and come back slowly; live ones never wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from netaflux.core.errors import Busy
from netaflux.core.model import Lane
from netaflux.netatmo.crowd import MOST, Crowd
from tests.netatmo.world import serving, wired


class Party:
    """Calls that stay until they are told to go, and how."""

    def __init__(self, most: int = MOST) -> None:
        self.crowd = Crowd(most)
        self.inside: list[asyncio.Future[None]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def call(self, lane: Lane) -> None:
        async with self.crowd.place(lane):
            stay = asyncio.get_running_loop().create_future()
            self.inside.append(stay)
            await stay

    async def come(self, count: int, lane: Lane = Lane.HISTORY) -> None:
        self.tasks += [asyncio.create_task(self.call(lane)) for _ in range(count)]
        await settled()

    async def go(self, count: int = 1, error: Exception | None = None) -> None:
        for _ in range(count):
            stay = self.inside.pop(0)
            stay.set_exception(error) if error else stay.set_result(None)
        await settled()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def party(most: int = MOST) -> AsyncIterator[Party]:
    made = Party(most)
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_no_more_than_so_many_are_under_way() -> None:
    async with party() as calls:
        await calls.come(40)
        assert len(calls.inside) == MOST == 16

        await calls.go(3)

        assert len(calls.inside) == MOST


async def test_a_live_call_waits_for_none_of_them() -> None:
    async with party(2) as calls:
        await calls.come(5)

        await calls.come(1, Lane.LIVE)

        assert len(calls.inside) == 3


async def test_one_that_is_told_busy_halves_the_places() -> None:
    async with party() as calls:
        await calls.come(40)

        await calls.go(1, Busy("too much"))

        assert calls.crowd.places == 8
        await calls.go(6)
        assert len(calls.inside) == 9
        await calls.go(2)
        assert len(calls.inside) == 8


async def test_those_that_were_under_way_together_are_one_sign() -> None:
    async with party() as calls:
        await calls.come(16)

        await calls.go(16, Busy("too much"))

        assert calls.crowd.places == 8


async def test_there_is_always_a_place_for_one() -> None:
    async with party() as calls:
        for _ in range(10):
            await calls.come(1)
            await calls.go(1, Busy("too much"))

        assert calls.crowd.places == 1
        await calls.come(1)
        assert len(calls.inside) == 1


async def test_places_come_back_one_by_one_with_good_answers() -> None:
    async with party() as calls:
        await calls.come(1)
        await calls.go(1, Busy("too much"))
        found = []
        for _ in range(200):
            await calls.come(1)
            await calls.go()
            found.append(calls.crowd.places)

        assert found[0] == 8
        assert found[9] == 9
        assert found[-1] == MOST


async def test_another_failure_is_no_sign_of_anything() -> None:
    async with party() as calls:
        await calls.come(1)

        await calls.go(1, OSError("away"))

        assert calls.crowd.places == MOST


async def test_one_that_gives_up_waiting_leaves_its_turn_to_the_next() -> None:
    async with party(1) as calls:
        await calls.come(3)

        calls.inside.pop().set_result(None)
        calls.tasks[1].cancel()
        await settled()

        assert len(calls.inside) == 1


async def test_the_client_makes_fewer_calls_side_by_side_when_netatmo_is_busy() -> None:
    inside = most = calls = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal inside, most, calls
        calls += 1
        early = calls <= MOST
        inside += 1
        most = most if early else max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1
        if early:
            return web.json_response({"error": {"code": 11, "message": "Failed to enter"}}, status=429)
        return web.json_response({"status": "ok", "body": []})

    async with serving({"getmeasure": answer}) as url, wired(url) as world:
        work = [world.client.call("getmeasure", {}, lane=Lane.HISTORY) for _ in range(30)]
        await asyncio.gather(*work)

    assert 1 < most < 12 < MOST
    assert calls == MOST + 30


@pytest.mark.parametrize("most", [1, 3])
async def test_places_are_given_in_the_order_of_coming(most: int) -> None:
    order = []
    crowd = Crowd(most)

    async def call(number: int) -> None:
        async with crowd.place(Lane.HISTORY):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*map(call, range(12)))

    assert order == [*range(12)]
