"""The metrics of `netaflux run` as a Prometheus scrapes them: at the port, and what is at the socket."""

import asyncio
import signal
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
import pytest

from netaflux.simulator import Fault
from tests.ports import free_ports
from tests.status.metrics_scene import PROMETHEUS_3, families_of, samples_of
from tests.system.program import Program, hung_up, until, until_heard
from tests.system.world import ANNE, MEASURE, STATIONS, Outside

Page = tuple[bytes, str]

START = "netaflux_start_timestamp_seconds"


@pytest.fixture
def ports() -> list[int]:
    return free_ports(2)


@pytest.fixture
def port(ports: list[int]) -> int:
    return ports[0]


async def page(connector: aiohttp.BaseConnector, url: str, accept: str = "") -> Page:
    """What a scraper gets."""
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url, headers={"Accept": accept}) as answer,
    ):
        assert answer.status == 200
        return await answer.read(), answer.headers["Content-Type"]


async def scraped(port: int) -> Page:
    """What is at a port of this machine."""
    return await page(aiohttp.TCPConnector(), f"http://127.0.0.1:{port}/metrics")


async def at_socket(netaflux: Program) -> Page:
    """What is at the status socket, for a Prometheus of our days."""
    connector = aiohttp.UnixConnector(str(netaflux.socket))
    return await page(connector, "http://localhost/metrics", PROMETHEUS_3)


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
        text = await truth(outside, partial(scraped, port))
        opened = await truth(outside, partial(at_socket, netaflux))
        served = await daemon.running.told("metrics.served")
        _, status = await daemon.get("/status")
        ended = await daemon.stopped()

    assert served["address"] == f"127.0.0.1:{port}"
    assert (text[1], opened[1].partition(";")[0]) == (
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text",
    )
    for each in (text, opened):
        assert by(each, "netaflux_build_info", "version") == {status["version"]: 1}
        assert by(each, "netaflux_watermark_timestamp_seconds", "device") == {
            device["device"]: device["destinations"][0]["watermark"] for device in status["devices"]
        }
        assert sum(by(each, "netaflux_errors_total", "class").values()) == 0
        assert by(each, "netaflux_destination_up", "destination") == {"fluxtream": 1}
    assert ended.code == 0


async def truth(outside: Outside, scrape: Callable[[], Awaitable[Page]]) -> Page:
    """A scrape, as soon as it tells what both servers have seen: something may be under way."""

    async def true() -> list[Page]:
        counts, rows = outside.served.netatmo.ledger.counts, uploaded(outside)
        calls = {path.removeprefix("/api/").removeprefix("/"): count for path, count in counts.items()}
        found = await scrape()
        agree = by(found, "netaflux_calls_total", "endpoint") == calls
        return [found] if agree and by(found, "netaflux_rows_delivered_total", "device") == rows else []

    return (await until_heard(true))[0]


def uploaded(outside: Outside) -> dict[str, float]:
    """How many rows of each device came to Fluxtream."""
    rows: Counter[str] = Counter()
    for upload in outside.served.fluxtream.uploads:
        rows[upload.device] += upload.rows
    return {**rows}


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
        found = await at_socket(netaflux)

    assert by(found, "netaflux_build_info", "version")
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


async def test_counters_go_on_under_a_new_configuration_and_begin_anew_with_a_new_process(
    netaflux: Program, outside: Outside, port: int
) -> None:
    """What is no longer configured is not told of."""
    netaflux.sections["status"] = {"metrics_listen": port}
    both, kept = netaflux.devices, netaflux.devices[0]["name"]
    async with netaflux.daemon() as daemon:
        await until(lambda: not outside.differences())
        pages = [await truth(outside, partial(scraped, port))]
        for devices in (both[:1], both):
            netaflux.devices = devices
            netaflux.write_config()
            await hung_up(daemon, "configuration.reread")
            await daemon.ready()
            pages.append(await scraped(port))
        await daemon.stopped()
    async with netaflux.daemon() as daemon:
        pages.append(await scraped(port))
        await daemon.stopped()

    rows = [by(each, "netaflux_rows_delivered_total", "device") for each in pages]
    assert rows[0] == rows[2] == uploaded(outside)
    assert rows[1] == {kept: rows[0][kept]}
    assert rows[0][kept] > 0
    assert sum(rows[3].values()) == 0
    posts = [by(each, "netaflux_calls_total", "endpoint").get("oauth2/token") for each in pages]
    assert posts == [1, 1, 1, None]
    started = [samples_of(families_of(each), START)[0][1] for each in pages]
    assert started[0] == started[1] == started[2] < started[3]


async def test_a_scrape_does_not_wait_while_a_configuration_takes_over(
    netaflux: Program, outside: Outside, port: int
) -> None:
    """What is under way has ten seconds to finish; a scraper has no more either."""
    netaflux.sections["status"] = {"metrics_listen": port}
    hanging = outside.served.netatmo.faults.add(Fault.HANG_BEFORE, MEASURE)
    async with netaflux.daemon() as daemon:
        await until(lambda: hanging.struck)
        daemon.running.signal(signal.SIGHUP)
        await asyncio.sleep(0.5)
        async with asyncio.timeout(2):
            during = await scraped(port)
        assert not daemon.running.events("configuration.reread")

    counts = outside.served.netatmo.ledger.counts
    assert by(during, "netaflux_calls_total", "endpoint")["getstationsdata"] == counts[STATIONS]
    assert by(during, "netaflux_account_needs_person", "account") == {"default": 0}


async def test_the_port_moves_with_the_configuration_unless_it_is_taken(
    netaflux: Program, ports: list[int]
) -> None:
    port, other_port = ports
    async with netaflux.daemon() as daemon:
        netaflux.sections["status"] = {"metrics_listen": port}
        netaflux.write_config()
        await hung_up(daemon, "configuration.reread")
        await scraped(port)

        netaflux.sections["status"] = {"metrics_listen": other_port}
        netaflux.write_config()
        with socket.create_server(("127.0.0.1", other_port)):
            told = await hung_up(daemon, "configuration.refused")
        await scraped(port)
        await hung_up(daemon, "configuration.reread")
        await scraped(other_port)
        with pytest.raises(aiohttp.ClientConnectorError):
            await scraped(port)

        netaflux.sections["status"] = {}
        netaflux.write_config()
        await hung_up(daemon, "configuration.reread")
        with pytest.raises(aiohttp.ClientConnectorError):
            await scraped(other_port)
        served = [each["address"] for each in daemon.running.events("metrics.served")]
        await daemon.stopped()

    assert f"cannot be served at 127.0.0.1:{other_port}: another program listens there" in told["reason"]
    assert served == [f"127.0.0.1:{port}", f"127.0.0.1:{other_port}"]


async def test_the_port_tells_nothing_else(netaflux: Program, port: int) -> None:
    netaflux.sections["status"] = {"metrics_listen": port}
    async with netaflux.daemon() as daemon, aiohttp.ClientSession() as session:
        for path, host in (("/status", "localhost"), ("/livez", "localhost"), ("/metrics", "evil.example")):
            url = f"http://127.0.0.1:{port}{path}"
            async with session.get(url, headers={"Host": host}) as answer:
                assert answer.status == 404
                assert await answer.text() == "only /metrics is here\n"
        async with session.post(f"http://127.0.0.1:{port}/commands/sync", json={}) as answer:
            assert answer.status == 404
        await daemon.stopped()


async def test_an_address_for_others_is_doubted_in_the_log(netaflux: Program, port: int) -> None:
    netaflux.sections["status"] = {"metrics_listen": f"0.0.0.0:{port}"}
    async with netaflux.daemon() as daemon:
        doubted = await daemon.running.told("configuration.doubted")
        await page(aiohttp.TCPConnector(), f"http://127.0.0.1:{port}/metrics")

    assert f"whoever reaches 0.0.0.0:{port} can read the metrics" in doubted["reason"]
