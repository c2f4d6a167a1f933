"""A notice by HTTP, over a real socket: what is sent, what counts as taken, and what is said of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from netaflux.core.errors import NotTold
from netaflux.core.ports import NoticeChannel
from netaflux.notify.outlets import LARGEST, open_outlets
from netaflux.notify.settings import NotifySettings
from netaflux.notify.web import Heartbeat
from tests.notify.receiver import SECRET, Receiver, receiving

FACTS: dict[str, object] = {"event": "opened", "text": "Porch is “silent”", "since": 1_700_000_000}


@asynccontextmanager
async def channel_to(receiver: Receiver) -> AsyncIterator[tuple[NoticeChannel, Heartbeat]]:
    settings = NotifySettings.model_validate({"url": receiver.hook, "heartbeat_url": receiver.ping})
    async with open_outlets(settings) as outlets:
        assert outlets.heartbeat is not None
        yield outlets.channels[0], outlets.heartbeat


async def test_a_notice_is_posted_as_json_and_a_sign_of_life_is_a_get() -> None:
    async with receiving() as receiver, channel_to(receiver) as (channel, heartbeat):
        assert await channel.tell(FACTS) == "HTTP 200: thanks"
        assert await heartbeat.beat() == "HTTP 200: thanks"

        assert (receiver.notices, receiver.beats) == ([FACTS], 1)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_a_refusal_is_not_told_and_says_what_came_back_without_the_secret(status: int) -> None:
    async with receiving() as receiver, channel_to(receiver) as (channel, heartbeat):
        receiver.status, receiver.said = status, f"no /{SECRET}/ping?token=4c1d7e-secret-query\x1b[2J here"

        for tell in (partial(channel.tell, FACTS), heartbeat.beat):
            with pytest.raises(NotTold, match=f"HTTP {status}: no ") as caught:
                await tell()

            assert "4c1d7e" not in caught.value.message
            assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with receiving() as receiver, receiving() as elsewhere, channel_to(receiver) as (channel, _):
        receiver.status, receiver.headers = status, {"Location": elsewhere.hook}

        with pytest.raises(NotTold, match="a redirect, which is not followed"):
            await channel.tell(FACTS)

        assert (elsewhere.notices, elsewhere.beats) == ([], 0)


async def test_a_secret_that_is_cut_off_is_masked_all_the_same() -> None:
    async with receiving() as receiver, channel_to(receiver) as (channel, _):
        receiver.said = "x" * 190 + SECRET

        assert "4c1d7e" not in await channel.tell(FACTS)


async def test_an_answer_without_an_end_is_given_up() -> None:
    async with receiving() as receiver, channel_to(receiver) as (channel, _):
        receiver.said = "x" * (LARGEST + 1)

        with pytest.raises(NotTold, match="gives no answer: TooLarge"):
            await channel.tell(FACTS)


async def test_a_server_that_is_away_is_named_by_its_setting_alone() -> None:
    async with receiving() as receiver:
        pass
    async with channel_to(receiver) as (channel, heartbeat):
        for tell, name in ((partial(channel.tell, FACTS), "url"), (heartbeat.beat, "heartbeat_url")):
            with pytest.raises(NotTold, match=f"the server of `{name}` gives no answer: Client") as caught:
                await tell()

            assert "4c1d7e" not in repr(caught.value)
            assert "127.0.0.1" not in caught.value.message


async def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netaflux.notify.outlets.EXCHANGE", 0.2)
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent:
        async with channel_to(Receiver(f"http://127.0.0.1:{port}")) as (channel, _):
            with pytest.raises(NotTold, match="Timeout"):
                await channel.tell(FACTS)
        await gone.wait()
