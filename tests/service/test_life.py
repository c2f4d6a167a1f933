"""The end of a configuration's life: who works with it is let finish, told to end, put out at last."""

import asyncio
from typing import Any, cast

import pytest

from netaflux.service import daemon
from netaflux.service.daemon import Life


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Life:
    monkeypatch.setattr(daemon, "LEAVE_TO_FINISH", 0.1)
    monkeypatch.setattr(daemon, "LEAVE_TO_GO", 0.2)
    nothing = cast("Any", None)
    return Life(nothing, nothing, nothing, nothing)


async def visit(life: Life, until: asyncio.Event) -> None:
    with life.visited():
        await until.wait()


async def seen_off(life: Life, until: asyncio.Event) -> asyncio.Task[None]:
    """A guest that stays until then, once nobody works with the life any more."""
    guest = asyncio.create_task(visit(life, until))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await life._see_off()
    await asyncio.wait({guest})
    return guest


async def test_who_is_done_soon_is_let_finish(life: Life) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, done.set)
    guest = await seen_off(life, done)

    assert not guest.cancelled()
    assert not life.ending.is_set()


async def test_who_takes_long_is_told_to_end(life: Life) -> None:
    guest = await seen_off(life, life.ending)

    assert not guest.cancelled()


async def test_who_does_not_hear_it_is_put_out(life: Life) -> None:
    """Such as a command whose reader was stopped by Ctrl-Z: nothing else would ever be polled again."""
    guest = await seen_off(life, asyncio.Event())

    assert guest.cancelled()
    assert life.guests == set()
