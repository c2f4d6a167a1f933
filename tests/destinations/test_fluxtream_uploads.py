"""How uploads go: which API, which size, how many at a time, and what is done about a lost connection."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout

from netaflux.core.errors import BatchRefused, BatchTooLarge, DestinationDown, Unreachable
from netaflux.core.model import Batch, ChannelName, DestinationName, Row
from netaflux.destinations import OpenDestination, open_destination
from netaflux.destinations.fluxtream.destination import Fluxtream
from netaflux.destinations.fluxtream.form import form
from netaflux.http import Http
from tests.destinations.contract import BASEMENT, RH, TEMP, batch, held, many
from tests.destinations.small_fluxtream import SmallFluxtream, legacy_answer, page

LEGACY, V1 = "/api/bodytrack/upload", "/api/v1/bodytrack/upload"
HOME = DestinationName("home")
ROW = batch(Row(1400506122, (60.62, 57)))


async def test_an_upload_is_a_form_with_credentials_and_a_length(
    server: SmallFluxtream, destination: OpenDestination
) -> None:
    await destination.write(batch(Row(1400506122, (60.62, 57)), Row(1400506422, (1e20, 56))))

    (asked,) = server.uploads
    login = b64encode("anne:sësame: open".encode()).decode()
    assert (asked.method, asked.path) == ("POST", LEGACY)
    assert asked.form == {
        "dev_nickname": "Netatmo_Basement",
        "channel_names": '["Temp_F","RH"]',
        "data": "[[1400506122,60.62,57],[1400506422,1e+20,56]]",
    }
    assert asked.headers["Authorization"] == f"Basic {login}"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.headers["Content-Length"] == str(len(asked.body))
    assert "Transfer-Encoding" not in asked.headers


async def test_an_empty_batch_asks_nothing(server: SmallFluxtream, destination: OpenDestination) -> None:
    await destination.write(batch())

    assert server.asked == []


async def test_three_uploads_are_one_session(server: SmallFluxtream, destination: OpenDestination) -> None:
    """A session never ends there, so a login without the cookie leaves one behind for ever."""
    for _ in range(3):
        await destination.write(ROW)

    assert server.sessions == 1


async def test_a_server_may_live_below_a_path() -> None:
    async with (
        SmallFluxtream("/fluxtream").running() as server,
        open_destination(HOME, server.settings(url=f"{server.url}/")) as destination,
    ):
        identity = await destination.identify()
        await destination.write(ROW)

        assert server.stored() == held(ROW)
        assert identity == f"fluxtream:{server.url.removeprefix('http://')}#7"
        assert server.sessions == 1


class TestWhichApi:
    @pytest.mark.parametrize("status", [404, 405, 410])
    async def test_a_server_without_the_old_api_is_written_to_by_v1(
        self, server: SmallFluxtream, destination: OpenDestination, status: int
    ) -> None:
        server.next_answers["upload"].append(page(status))
        await destination.write(ROW)
        await destination.write(ROW)
        await destination.identify()

        assert [asked.path for asked in server.asked] == [LEGACY, V1, V1, "/api/v1/guest"]
        assert server.stored() == held(ROW)

    async def test_the_guest_s_question_finds_the_api_too(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        server.routes = {"/api/v1"}

        await destination.identify()
        await destination.write(ROW)

        assert [asked.path for asked in server.asked] == ["/api/guest", "/api/v1/guest", V1]

    async def test_a_server_with_neither_is_down_and_both_are_tried_again(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        """A proxy says 404 too, while the server behind it starts."""
        server.routes = set()
        for attempt in (destination.write(ROW), destination.identify()):
            with pytest.raises(DestinationDown, match="no Fluxtream under /api nor /api/v1"):
                await attempt

        server.routes = {"/api"}
        await destination.write(ROW)

        assert server.uploads[-1].path == LEGACY

    async def test_an_outage_of_v1_does_not_make_it_the_api(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        server.next_answers["upload"].extend([page(404), page(502)])
        with pytest.raises(DestinationDown):
            await destination.write(ROW)

        await destination.write(ROW)

        assert [asked.path for asked in server.uploads] == [LEGACY, V1, LEGACY]

    @pytest.mark.parametrize("api", ["legacy", "v1"])
    async def test_a_configured_api_is_the_only_one(self, server: SmallFluxtream, api: str) -> None:
        server.routes = {"/api"} if api == "v1" else {"/api/v1"}

        async with open_destination(HOME, server.settings(api=api)) as destination:
            with pytest.raises(DestinationDown, match="no Fluxtream under /api"):
                await destination.write(ROW)

        assert len(server.asked) == 1


class TestSize:
    async def test_a_large_batch_goes_in_several_uploads_in_order(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        rows = many(10_000)

        await destination.write(rows)

        assert [row[0] for asked in server.uploads for row in asked.rows] == [row.time for row in rows.rows]
        assert max(len(asked.body) for asked in server.uploads) < 190_000
        assert len(server.uploads) > 1

    async def test_a_body_stays_below_190_kilobytes(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        """Jetty's limit is 200 000 bytes."""
        rows = many(4400)
        assert 190_000 <= len(form(rows, rows.rows)) < 200_000

        await destination.write(rows)

        assert len(server.uploads) == 2

    async def test_a_row_is_not_withheld_for_its_size(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        """Most servers take more than Jetty does."""
        names = tuple(ChannelName(f"Channel_{n}") for n in range(10_000))
        row = Batch(BASEMENT, names, [Row(1400506122, tuple(range(10_000)))])

        await destination.write(row)

        assert server.stored() == held(row)
        assert len(server.uploads[0].body) > 190_000

    async def test_a_full_page_of_many_channels_goes_in_one_upload(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        names = tuple(ChannelName(f"Channel_{n}") for n in range(7))
        rows = [Row(1400506122 + 300 * n, tuple(n / 7 for _ in names)) for n in range(1024)]

        await destination.write(Batch(BASEMENT, names, rows))

        assert len(server.uploads) == 1

    async def test_what_follows_a_refused_part_is_not_sent(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        server.next_answers["upload"].extend([legacy_answer(), legacy_answer("exception: full")])

        with pytest.raises(BatchRefused, match="exception: full"):
            await destination.write(many(20_000))

        assert len(server.uploads) == 2

    @pytest.mark.parametrize("status", [401, 413])
    async def test_a_server_with_a_smaller_limit_gets_smaller_uploads(
        self, server: SmallFluxtream, destination: OpenDestination, status: int
    ) -> None:
        """Jetty says 401 to a form that is too large: no reason to doubt the password."""
        server.largest_form, server.status_of_a_larger = 20_000, status
        rows = many(1024)

        await destination.write(rows)
        refused = [asked for asked in server.uploads if len(asked.body) > 20_000]
        await destination.write(rows)

        assert server.stored() == held(rows)
        assert 0 < len(refused) <= 2
        assert len([asked for asked in server.uploads if len(asked.body) > 20_000]) == len(refused)
        assert [asked.path for asked in server.asked if asked not in server.uploads] == (
            ["/api/guest"] * len(refused) if status == 401 else []
        )

    @pytest.mark.parametrize("status", [401, 413])
    async def test_a_server_that_finds_little_too_large_is_down(
        self, server: SmallFluxtream, destination: OpenDestination, status: int
    ) -> None:
        server.largest_form, server.status_of_a_larger = 10, status

        with pytest.raises(DestinationDown, match=r"finds even an upload of .* bytes too large"):
            await destination.write(many(1024))

        assert len(server.uploads) < 10

    async def test_a_row_that_is_too_large_alone_is_given_back(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        names = tuple(ChannelName(f"Channel_{n}") for n in range(1000))
        server.largest_form, server.status_of_a_larger = 8000, 413

        with pytest.raises(BatchTooLarge, match="a single row of"):
            await destination.write(Batch(BASEMENT, names, [Row(1400506122, tuple(range(1000)))]))

        assert len(server.uploads) == 1

    async def test_a_401_to_less_than_was_taken_before_is_not_about_size(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        """A passing fault must not make every later upload smaller."""
        await destination.write(many(1024))
        server.next_answers["upload"].append(page(401))
        with pytest.raises(DestinationDown, match="and yet accepts this user name and password"):
            await destination.write(many(1023))

        await destination.write(many(1024))

        assert len(server.uploads) == 3

    async def test_a_401_that_stays_is_about_size_after_all(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        await destination.write(many(1024))
        server.largest_form = 20_000
        with pytest.raises(DestinationDown):
            await destination.write(many(1024))

        await destination.write(many(1024))

        assert server.stored() == held(many(1024))


class TestConnections:
    async def test_a_connection_that_was_closed_is_replaced_at_once(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        await destination.write(ROW)
        server.drops = 1

        await destination.write(ROW)

        assert len(server.uploads) == 3

    async def test_a_server_that_closes_again_is_down(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> None:
        server.drops = 3

        with pytest.raises(DestinationDown, match=r"/api/bodytrack/upload gives no answer: Server"):
            await destination.write(ROW)

        assert len(server.uploads) == 2

    @pytest.mark.parametrize("bound", ["total", "sock_read"])
    async def test_a_server_that_does_not_answer_is_not_asked_again(
        self, server: SmallFluxtream, bound: str
    ) -> None:
        server.gate = asyncio.Event()

        async with ClientSession(timeout=ClientTimeout(**{bound: 0.1})) as session:
            with pytest.raises(DestinationDown, match=r"/upload gives no answer: .*Timeout"):
                await Fluxtream(HOME, server.settings(), Http(session)).write(ROW)
            server.gate.set()

        assert len(server.uploads) == 1

    async def test_nobody_there_is_down(self, unused_tcp_port: int, server: SmallFluxtream) -> None:
        settings = server.settings(url=f"http://127.0.0.1:{unused_tcp_port}")

        async with open_destination(HOME, settings) as destination:
            with pytest.raises(DestinationDown) as down:
                await destination.identify()

        assert f"127.0.0.1:{unused_tcp_port}/api/guest gives no answer" in down.value.message
        assert isinstance(down.value.__cause__, Unreachable)
        assert not down.value.__cause__.dropped  # so that it was not asked twice

    async def test_no_more_uploads_are_in_flight_than_configured(self, server: SmallFluxtream) -> None:
        server.gate = asyncio.Event()

        async with (
            open_destination(HOME, server.settings(uploads=2)) as destination,
            asyncio.TaskGroup() as tasks,
        ):
            for row in many(6).rows:
                tasks.create_task(destination.write(batch(row)))
            for _ in range(2):
                await server.waiting.acquire()
            await destination.identify()  # a round trip in which a third would have come
            server.gate.set()

        assert server.most_inside == 2
        assert server.stored() == held(many(6))


class TestUnsound:
    """What must never leave does not, and is our own mistake."""

    @pytest.fixture
    async def opened(
        self, server: SmallFluxtream, destination: OpenDestination
    ) -> AsyncIterator[OpenDestination]:
        yield destination
        assert server.asked == []

    @pytest.mark.parametrize(
        ("flaw", "unsound"),
        {
            "not finite": batch(Row(1, (float("nan"), 57))),
            "finite": batch(Row(1, (60.0, 57)), Row(2, (60.0, float("-inf")))),
            "not a number": batch(Row(1, (None, 57))),
            "a number": batch(Row(1, (True, 57))),
            "shorter than its channels": batch(Row(1, (60.0,))),
            "longer": batch(Row(1, (60.0, 57)), Row(2, (60.0, 57, 1))),
            "do not ascend": batch(Row(2, (60.0, 57)), Row(1, (60.0, 57))),
            "ascend": batch(Row(1, (60.0, 57)), Row(1, (60.0, 57))),
            "cannot be": batch(Row(0, (60.0, 57))),
            "that cannot be": batch(Row(1400506122000, (60.0, 57))),
            "not a whole second": batch(Row(1.5, (60.0, 57))),  # type: ignore[arg-type] # on purpose
            "one twice": batch(Row(1, (60.0, 57)), channels=(RH, RH)),
            "no channel": batch(Row(1, ()), channels=()),
            "a name that": batch(Row(1, (60.0, 57)), channels=(TEMP, ChannelName("R.H"))),
            "a name": Batch(type(BASEMENT)("Keller Süd"), (RH,), [Row(1, (57,))]),
        }.items(),
    )
    async def test_an_unsound_batch_never_leaves(
        self, opened: OpenDestination, flaw: str, unsound: Batch
    ) -> None:
        with pytest.raises(ValueError, match=flaw):
            await opened.write(unsound)
