"""The metrics of `netaflux run` as a Prometheus scrapes them: at the port, and what is at the socket."""

import random
import socket

import aiohttp
import pytest

from tests.status.metrics_scene import PROMETHEUS_3, families_of, samples_of
from tests.system.program import Program, until
from tests.system.world import ANNE, MEASURE, STATIONS, TOKEN, Outside

Page = tuple[bytes, str]

OWN_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to whoever takes any."""


@pytest.fixture
def port() -> int:
    """One that is free."""
    for number in random.sample(OWN_PORTS, len(OWN_PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)):
                return number
    raise AssertionError("no port is free")


async def page(connector: aiohttp.BaseConnector, url: str, accept: str = "") -> Page:
    """What a scraper gets."""
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url, headers={"Accept": accept}) as answer,
    ):
        assert answer.status == 200
        return await answer.read(), answer.headers["Content-Type"]


def by(page: Page, name: str, label: str) -> dict[str, float]:
    """The samples of that name, by one of their labels."""
    return {labels[label]: value for labels, value in samples_of(families_of(page), name)}


async def test_a_daemon_tells_at_its_port_and_at_its_socket_what_came_to_pass(
    netaflux: Program, outside: Outside, port: int
) -> None:
    netaflux.sections["status"] = {"metrics_listen": port}
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        await until(lambda: not outside.differences())
        served = await daemon.running.told("metrics.served")
        text = await page(aiohttp.TCPConnector(), f"http://127.0.0.1:{port}/metrics")
        opened = await page(
            aiohttp.UnixConnector(str(netaflux.socket)), "http://localhost/metrics", PROMETHEUS_3
        )
        _, status = await daemon.get("/status")
        ended = await daemon.stopped()

    assert served["address"] == f"127.0.0.1:{port}"
    assert (text[1], opened[1].partition(";")[0]) == (
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text",
    )
    counts = outside.served.netatmo.ledger.counts
    for each in (text, opened):
        assert by(each, "netaflux_build_info", "version") == {status["version"]: 1}
        assert by(each, "netaflux_calls_total", "endpoint") == {
            "getstationsdata": counts[STATIONS],
            "getmeasure": counts[MEASURE],
            "oauth2/token": counts[TOKEN],
        }
        assert by(each, "netaflux_watermark_timestamp_seconds", "device") == {
            device["device"]: device["destinations"][0]["watermark"] for device in status["devices"]
        }
        rows = {upload.device: 0 for upload in outside.served.fluxtream.uploads}
        for upload in outside.served.fluxtream.uploads:
            rows[upload.device] += upload.rows
        assert by(each, "netaflux_rows_delivered_total", "device") == rows
        assert sum(by(each, "netaflux_errors_total", "class").values()) == 0
        assert by(each, "netaflux_destination_up", "destination") == {"fluxtream": 1}
    assert ended.code == 0


async def test_no_secret_is_scraped(netaflux: Program, outside: Outside, port: int) -> None:
    netaflux.sections["status"] = {"metrics_listen": f"localhost:{port}"}
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        text = await page(aiohttp.TCPConnector(), f"http://127.0.0.1:{port}/metrics")

    app, logins = outside.served.netatmo.settings.app, outside.served.netatmo.logins
    tokens = [token for pair in logins.issued["default"] for token in (pair.access, pair.refresh)]
    for secret in (app.client_secret, ANNE.password, *tokens):
        assert secret.encode() not in text[0]


async def test_without_a_port_there_is_the_socket_alone(netaflux: Program) -> None:
    async with netaflux.daemon() as daemon:
        at_socket = await page(aiohttp.UnixConnector(str(netaflux.socket)), "http://localhost/metrics")

    assert by(at_socket, "netaflux_build_info", "version")
    assert daemon.running.events("metrics.served") == []


async def test_a_port_that_is_taken_is_told_before_anything_is_done(
    netaflux: Program, outside: Outside, port: int
) -> None:
    netaflux.sections["status"] = {"metrics_listen": port}
    with socket.create_server(("127.0.0.1", port)):
        ended = await netaflux("run")

    assert ended.code == 78
    assert f"the metrics cannot be served at 127.0.0.1:{port}: another program listens there" in ended.err
    assert "Set `metrics_listen` under [status] to a free port" in ended.err
    assert outside.token_posts == 0
    assert not netaflux.socket.exists()


async def test_an_address_for_others_is_doubted_in_the_log(netaflux: Program, port: int) -> None:
    netaflux.sections["status"] = {"metrics_listen": f"0.0.0.0:{port}"}
    async with netaflux.daemon() as daemon:
        doubted = await daemon.running.told("configuration.doubted")
        await page(aiohttp.TCPConnector(), f"http://127.0.0.1:{port}/metrics")

    assert f"whoever reaches 0.0.0.0:{port} can read the metrics" in doubted["reason"]
