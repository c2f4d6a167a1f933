from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from netaflux.core.errors import DeviceUnreachable, UpstreamFault
from netaflux.core.model import Lane, Measure, Module, Row, Window
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.servertime import ServerTime
from netaflux.netatmo.weather import Weather
from tests.fakes import TurnedClock, a_module
from tests.netatmo.world import ANNE, payload, serving, wired

NOW = 1763719200
BEGIN = 1763700000
ALL = Window(BEGIN)
OUTDOOR = a_module(2)
INDOOR = replace(OUTDOOR, id=OUTDOOR.station, kind="NAMain")
TWO = (Measure("Temperature"), Measure("Humidity"))
UNTIMED = {"body": [{"beg_time": BEGIN, "value": [[1, 2], [3, 4]]}], "status": "ok", "time_server": NOW}


class Netatmo:
    """Answers one envelope after the other, and notes what it was asked."""

    def __init__(self, *envelopes: Envelope) -> None:
        self.envelopes = list(envelopes)
        self.asked: list[Mapping[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return web.json_response(self.envelopes.pop(0))


@asynccontextmanager
async def weather(netatmo: Netatmo) -> AsyncIterator[Weather]:
    endpoints = ("getstationsdata", "getmeasure")
    async with serving(dict.fromkeys(endpoints, netatmo.answer)) as url, wired(url) as world:
        yield Weather(world.client)


async def page(netatmo: Netatmo, module: Module = OUTDOOR, window: Window = ALL) -> tuple[Row, ...]:
    async with weather(netatmo) as views:
        return tuple((await views.page(module, TWO, window, Lane.LIVE)).rows)


def failing(device: str) -> Envelope:
    """A good answer that tells about a device but an error."""
    return {"status": "ok", "body": {"errors": [{"code": 6, "id": device}], "home": {"id": "h"}}}


async def test_a_survey_is_the_account_s_modules() -> None:
    netatmo = Netatmo(payload("stations/NAModule1"))
    async with weather(netatmo) as views:
        survey = await views.survey()

    assert [module.name for module in survey.modules] == ["Basement", "Garden"]
    assert (survey.account, survey.server_time) == (ANNE, NOW)
    assert netatmo.asked == [{}]


async def test_a_module_s_rows_are_asked_for_as_they_were_measured() -> None:
    netatmo = Netatmo(payload("measures/NAModule1"))
    rows = await page(netatmo, window=Window(BEGIN, BEGIN + 602))

    assert rows == (Row(BEGIN, (3.1, 91)), Row(BEGIN + 301, (3, 91)))
    assert netatmo.asked == [
        {
            "device_id": OUTDOOR.station,
            "module_id": OUTDOOR.id,
            "scale": "max",
            "type": "Temperature,Humidity",
            "date_begin": str(BEGIN),
            "date_end": str(BEGIN + 602),
            "optimize": "true",
            "real_time": "true",
        }
    ]


async def test_the_station_s_own_unit_and_an_open_window_need_fewer_words() -> None:
    netatmo = Netatmo(payload("measures/NAModule1"))
    await page(netatmo, INDOOR)

    assert "module_id" not in netatmo.asked[0]
    assert "date_end" not in netatmo.asked[0]


async def test_rows_without_times_are_asked_for_once_more_with_each_row_s_own() -> None:
    netatmo = Netatmo(UNTIMED, payload("measures/by_time"))
    rows = await page(netatmo)

    assert [row.time for row in rows] == [BEGIN + at for at in (0, 16, 316, 620, 921)]
    assert [asked["optimize"] for asked in netatmo.asked] == ["true", "false"]


async def test_a_server_that_never_tells_the_times_is_not_asked_for_ever() -> None:
    """And no time is invented."""
    netatmo = Netatmo(UNTIMED, UNTIMED)

    assert await page(netatmo) == (Row(BEGIN, (1, 2)),)


@pytest.mark.parametrize("device", [OUTDOOR.id.upper(), OUTDOOR.station])
async def test_an_empty_answer_that_says_why_is_an_unreachable_device(device: str) -> None:
    with pytest.raises(DeviceUnreachable, match="code 6") as caught:
        await page(Netatmo(failing(device)))

    assert caught.value.code == 6


async def test_an_error_of_another_device_is_no_silence() -> None:
    with pytest.raises(UpstreamFault, match="code 6"):
        await page(Netatmo(failing("02:00:00:00:00:99")))


async def test_rows_count_for_more_than_an_error_beside_them() -> None:
    body = {"errors": [{"code": 6, "id": OUTDOOR.id}], str(BEGIN): [1, 2]}

    assert await page(Netatmo({"status": "ok", "body": body, "time_server": NOW})) == (Row(BEGIN, (1, 2)),)


async def test_the_server_s_time_of_an_earlier_answer_tells_what_cannot_be() -> None:
    """Our own clock, which stands years before the rows, has no say once Netatmo has told the time."""
    silent = {key: value for key, value in payload("measures/NAModule1").items() if key != "time_server"}
    netatmo = Netatmo(silent, payload("stations/NAMain"), silent)
    async with weather(netatmo) as views:
        before = await views.page(OUTDOOR, TWO, Window(BEGIN), Lane.LIVE)
        await views.survey()
        after = await views.page(OUTDOOR, TWO, Window(BEGIN), Lane.LIVE)

    assert (before.aside, after.aside) == (3, 0)


def test_netatmo_s_time_goes_on_with_our_monotonic_clock() -> None:
    clock = TurnedClock(500.0)
    time = ServerTime(clock)
    assert time.now() == 500.0

    time.heard({"time_server": NOW})
    clock.time += 9.5
    time.heard({"time_server": "later"})

    assert time.now() == NOW + 9.5
