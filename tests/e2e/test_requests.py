"""What is asked over the socket: anything at all, and every command answers in our own words."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netaflux import logs
from netaflux.app import App
from netaflux.commands.perform import COMMANDS, perform
from netaflux.commands.words import Json
from netaflux.simulator import World
from netaflux.simulator.accounts import ALL_SCOPES
from netaflux.simulator.estate import demo_house
from tests.damage import damaged
from tests.e2e.household import NOW, household, performed, roomy

GOOD: dict[str, Json] = {
    "authorize": {"account": "default", "refresh_token": "0123456789abcdef"},
    "cameras": {"account": "default", "home": None, "camera": "Hall", "url": "local"},
    "check": {},
    "devices": {},
    "doctor": {"evidence": True},
    "events": {"account": None, "camera": "Hall", "person": None, "since": "2d", "most": 3, "every": 60},
    "homes": {"account": "default"},
    "import-csv": {
        "device": "Netatmo_0",
        "channels": ["Temp_F"],
        "destinations": ["fluxtream"],
        "measures": ["Temperature"],
        "rows": [[NOW - 600, [20.5]]],
    },
    "latest": {"station": None, "stale_after": "15m", "account": "default"},
    "log-level": {"level": "debug"},
    "measure": {
        "module": "70:ee:50:00:00:01",
        "scale": "1hour",
        "types": ["CO2"],
        "since": "2d",
        "until": "1d",
    },
    "minmax": {"module": "70:ee:50:00:00:01", "day": True, "account": None},
    "notify": {"test": True},
    "persons": {"do": "away", "persons": ["Anne"], "plan": True, "home": None},
    "picture": {"of": "Anne", "home": None},
    "sync": {"devices": ["Netatmo_0"], "since": "1d", "until": "1h", "again": True, "dry_run": True},
    "thermostat": {
        "do": "set",
        "room": "Living room",
        "temperature": 20.5,
        "until": "2h",
        "confirmed": False,
    },
    "verify": {"devices": ["Netatmo_0"], "since": "2d", "until": "1d", "repair": False},
}
"""A request for each command, with all that it may hold."""
MOST_EVENTS = 100


@asynccontextmanager
async def an_app(folder: Path) -> AsyncIterator[App]:
    world = World.of(demo_house(NOW, 3), netatmo=roomy(), scopes=ALL_SCOPES)
    async with household(world, folder) as home:
        home.mirror_all()
        async with home.app() as app:
            yield app


@contextmanager
def same_level() -> Iterator[None]:
    """Whatever a command does to this process's log is undone."""
    before = logs.level_now()
    try:
        yield
    finally:
        logs.change_level(before, "test")


async def answer(app: App, name: str, asked: Json) -> Json:
    """The last of the events, or one of very many."""
    seen: list[Json] = []
    async with asyncio.timeout(30), aclosing(perform(app, name, asked)) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == MOST_EVENTS:
                break
    return seen[-1]


def test_there_is_a_request_for_every_command() -> None:
    assert sorted(GOOD) == sorted(COMMANDS)


@pytest.mark.parametrize("wrong", [{"nonsense": "s3cret"}, {"account": ["s3cret"], "devices": {"s3cret": 1}}])
async def test_a_request_that_no_command_knows_is_refused_without_being_repeated(
    tmp_path: Path, wrong: Json
) -> None:
    async with an_app(tmp_path) as app:
        answers = {name: (await performed(app, name, **wrong))[-1] for name in COMMANDS}

    for name, said in answers.items():
        assert (said["event"], said["exit_code"]) == ("failed", 2), name
        assert said["message"].startswith(f"{name} was asked badly: ")
        assert "s3cret" not in said["message"]


async def test_the_good_requests_are_understood(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        with same_level():
            answers = {name: await answer(app, name, asked) for name, asked in GOOD.items()}

    # two of them ask for what is not there: a refresh token that is none, and people to tell
    assert {name for name, said in answers.items() if said["event"] == "failed"} == {"authorize", "notify"}
    assert answers["authorize"]["exit_code"] == 77
    assert answers["notify"]["exit_code"] == 78


async def test_a_request_without_what_it_needs_says_what_that_is(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        (said,) = await performed(app, "measure")

    assert said["message"] == "measure was asked badly: module: Field required"


requests = st.sampled_from(sorted(GOOD)).flatmap(lambda name: st.tuples(st.just(name), damaged(GOOD[name])))


@settings(max_examples=25)
@given(asked=st.lists(requests, min_size=30, max_size=30))
def test_no_request_meets_a_bug(asked: list[tuple[str, Any]]) -> None:
    async def main() -> list[tuple[str, Json, Json]]:
        with tempfile.TemporaryDirectory() as folder, same_level():
            async with an_app(Path(folder)) as app:
                return [(name, each, await answer(app, name, each)) for name, each in asked]

    for name, each, said in asyncio.run(main()):
        assert not said.get("message", "").startswith("a bug"), (name, each, said)
