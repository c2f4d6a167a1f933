"""Time that jumps: it never overtakes what is under way, and otherwise waits for nobody."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from netaflux.http import Http
from netaflux.simulator import World, estate, serve
from netaflux.state.database import Database
from tests.e2e.household import NOW, roomy
from tests.virtual import ClockBells, VirtualClock, run_virtually

CALLERS = 24
CALLS = 40
BODY = b"x=" + b"y" * 400_000
"""More than any socket takes at once."""


@asynccontextmanager
async def ticking(clock: VirtualClock) -> AsyncIterator[None]:
    """Somebody always sleeps, and not for long: whatever lets time pass lets it pass at once."""

    async def tick() -> None:
        while True:
            await clock.sleep(0.001)

    ticker = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticker.cancel()
        with suppress(asyncio.CancelledError):
            await ticker


async def passed(clock: VirtualClock, work: Callable[[], Awaitable[object]]) -> float:
    """The seconds of the clock that a work takes."""
    begun = clock.monotonic()
    await work()
    return clock.monotonic() - begun


def test_sleepers_wake_in_their_order_each_at_its_moment() -> None:
    async def main(clock: VirtualClock) -> list[tuple[str, float]]:
        woken = []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append((name, clock.now() - NOW))

        await asyncio.gather(*(sleeper(name, int(name)) for name in ("86400", "5", "60", "5", "0")))
        return woken

    begun = time.monotonic()
    woken = run_virtually(main)

    assert woken == [("0", 0), ("5", 5), ("5", 5), ("60", 60), ("86400", 86400)]
    assert time.monotonic() - begun < 5


def test_nobody_is_woken_who_has_given_up() -> None:
    async def main(clock: VirtualClock) -> float:
        impatient = asyncio.create_task(clock.sleep(5))
        await asyncio.sleep(0)
        impatient.cancel()
        await clock.sleep(60)
        return clock.jumps

    assert run_virtually(main) == 1


def test_a_call_on_its_way_is_never_overtaken() -> None:
    """Answered at once, by any number of others that call and by bodies that no socket takes at once."""

    async def main(clock: VirtualClock) -> set[float]:
        world = World.of(estate(NOW, days=1), netatmo=roomy())
        async with serve(world, clock) as served, Http.open() as http, ticking(clock):
            url = f"{served.netatmo_url}/api/getmeasure"

            async def caller(number: int) -> set[float]:
                call = partial(http.exchange, "POST", url, form=BODY if number % 3 == 0 else {"x": "y"})
                found = set()
                for _ in range(CALLS):
                    found.add(await passed(clock, call))
                    await clock.sleep(0.0007 * number)
                return found

            return set[float]().union(*await asyncio.gather(*map(caller, range(CALLERS))))

    assert run_virtually(main) == {0.0}


@contextmanager
def slow_wire(to: int) -> Iterator[int]:
    """A port whose bytes arrive at another one, a little later, by a thread that no event loop knows of."""

    def carry(source: socket.socket, goal: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(0.002)
                goal.sendall(data)

    def connect(outside: socket.socket) -> None:
        with outside, socket.create_connection(("127.0.0.1", to)) as inside:
            back = Thread(target=carry, args=(inside, outside))
            back.start()
            carry(outside, inside)
            inside.shutdown(socket.SHUT_RDWR)
            back.join()

    def listen(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                Thread(target=connect, args=(server.accept()[0],)).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=listen, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_bytes_that_take_their_time_are_not_overtaken() -> None:
    """On a busy machine the kernel may deliver them a moment later, even from here to here."""

    async def main(clock: VirtualClock) -> float:
        world = World.of(estate(NOW, days=1), netatmo=roomy())
        async with serve(world, clock) as served, ticking(clock):
            with slow_wire(int(served.netatmo_url.rpartition(":")[2])) as port:
                async with Http.open() as http:
                    url = f"http://127.0.0.1:{port}/api/getmeasure"
                    return await passed(clock, lambda: http.exchange("POST", url, form=BODY))

    assert run_virtually(main) == 0


def test_a_latency_of_the_clock_is_waited_for_virtually() -> None:
    async def main(clock: VirtualClock) -> float:
        world = World.of(estate(NOW, days=1), netatmo=roomy(latency=7200))
        async with serve(world, clock) as served, Http.open() as http:
            return await passed(clock, lambda: http.exchange("GET", f"{served.netatmo_url}/api/getmeasure"))

    assert run_virtually(main) == 7200


def test_the_database_is_never_overtaken(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> set[float]:
        async with ticking(clock):
            begun = clock.monotonic()
            async with Database.open(tmp_path / "state.db") as database:
                found = {clock.monotonic() - begun}
                for _ in range(CALLS):
                    found.add(await passed(clock, database.probe))
                    await clock.sleep(1)
                # a work that nobody waits for any more is still a work
                forgotten = asyncio.create_task(database.probe())
                await asyncio.sleep(0)
                forgotten.cancel()
                begun = clock.monotonic()
            found.add(clock.monotonic() - begun)
            return found

    assert run_virtually(main) == {0.0}


def test_a_thread_is_never_overtaken() -> None:
    async def main(clock: VirtualClock) -> float:
        async with ticking(clock):
            return await passed(clock, lambda: asyncio.to_thread(time.sleep, 0.05))

    assert run_virtually(main) == 0


def test_a_real_timeout_stays_real() -> None:
    async def main(clock: VirtualClock) -> None:
        async with ticking(clock), asyncio.timeout(0.05):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run_virtually(main)


def test_a_bell_rings_at_its_moment_and_a_moved_one_at_its_new() -> None:
    async def main(clock: VirtualClock) -> list[tuple[str, float]]:
        rung: list[tuple[str, float]] = []
        bells = ClockBells(clock, lambda key: rung.append((key, clock.now() - NOW)))
        async with bells.running():
            for key, seconds in (("moved", 60), ("past", -5), ("stays", 300), ("moved", 600), ("never", 1e9)):
                bells.ring_at(key, clock.monotonic() + seconds)
            await clock.sleep(86400)
        return rung

    assert run_virtually(main) == [("past", 0), ("stays", 300), ("moved", 600)]
