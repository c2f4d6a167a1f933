"""The front door: one person's Netatmo for a program, over real sockets and without the daemon."""

import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from netaflux.core.errors import NotAuthorized, StateError
from netaflux.simulator import Served, World, estate, serve
from tests.fakes import TurnedClock
from tests.netatmo.programs import Shelf, called, opened

NOW = 1_700_000_000
THREE_HOURS = 10_800


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(NOW)


@pytest.fixture
async def served(clock: TurnedClock) -> AsyncIterator[Served]:
    async with serve(World.of(estate(NOW, days=2)), clock) as served:
        yield served


async def test_a_new_pair_is_kept_before_its_first_use(served: Served) -> None:
    shelf = Shelf(served)
    async with opened(served, shelf) as netatmo:
        await netatmo.call("getstationsdata")

    assert shelf.called_before == [["/oauth2/token"]]
    assert called(served) == ["/oauth2/token", "/api/getstationsdata"]


async def test_the_tokens_can_be_read(served: Served) -> None:
    shelf = Shelf(served)
    async with opened(served, shelf) as netatmo:
        [pair] = shelf.pairs

        assert (netatmo.access_token, netatmo.refresh_token) == (pair.access, pair.refresh)
        assert netatmo.refresh_token != served.refresh_tokens["default"]
        assert netatmo.expires_at == NOW + THREE_HOURS
        assert "read_station" in netatmo.scopes


async def test_a_token_is_renewed_when_its_time_has_come(served: Served, clock: TurnedClock) -> None:
    shelf = Shelf(served)
    async with opened(served, shelf) as netatmo:
        first = await netatmo.valid_token()
        clock.time += THREE_HOURS

        second = await netatmo.valid_token()
        await netatmo.call("getstationsdata")

    assert first != second
    assert [pair.access for pair in shelf.pairs] == [first, second]


async def test_what_was_kept_last_opens_the_door_again(served: Served) -> None:
    shelf = Shelf(served)
    async with opened(served, shelf):
        pass
    async with opened(served, shelf, refresh_token=shelf.pairs[-1].refresh) as netatmo:
        answer = await netatmo.call("getstationsdata")

    assert answer["status"] == "ok"


async def test_no_call_is_made_with_a_pair_that_could_not_be_kept(served: Served) -> None:
    shelf = Shelf(served)
    shelf.full = True

    with pytest.raises(StateError):
        async with opened(served, shelf):
            pytest.fail("the door must not open")

    assert called(served) == ["/oauth2/token"]


async def test_a_spent_refresh_token_opens_nothing(served: Served) -> None:
    shelf = Shelf(served)

    with pytest.raises(NotAuthorized):
        async with opened(served, shelf, refresh_token="default|spent"):
            pytest.fail("the door must not open")


def test_the_library_brings_nothing_of_the_daemon() -> None:
    script = "import sys; from netaflux.netatmo import Netatmo; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    imported = {name.split(".")[1] for name in told.stdout.split() if name.startswith("netaflux.")}
    assert imported == {"clocks", "core", "http", "netatmo"}


def test_a_name_that_the_library_has_not_is_told() -> None:
    with pytest.raises(ImportError, match="Nonsense"):
        exec("from netaflux.netatmo import Nonsense", {})  # noqa: S102 - mypy would know it, too
