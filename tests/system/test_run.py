"""`netaflux run`: what it brings, what it answers, and that a failure delays only what it concerns."""

from pathlib import Path

import pytest

from netaflux.simulator import Fault
from tests.system.nursery import Nursery
from tests.system.program import Program, until
from tests.system.world import ANNE, BERT, STATIONS, UPLOAD, Outside, a_world, served

FAST = 60
"""How fast the clock runs where something comes to pass by the minute."""


@pytest.fixture
def fast(nursery: Nursery, folder: Path) -> Program:
    """Netaflux that polls every minute of its own fast clock, with no devices yet."""
    return Program(nursery, folder, {"poll": {"interval": "1m"}})


async def test_it_brings_all_there_is_and_says_how_it_is(netaflux: Program, outside: Outside) -> None:
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        await until(lambda: not outside.differences())

        assert await daemon.get("/livez") == (200, {"ok": True, "problems": []})
        assert await daemon.get("/healthz") == (200, {"ok": True, "problems": []})
        assert await daemon.get("/readyz") == (200, {"ok": True, "problems": []})
        code, status = await daemon.get("/status")
        ended = await daemon.stopped()

    assert code == 200
    assert [account["state"] for account in status["accounts"]] == ["ok"]
    assert [device["device"] for device in status["devices"]] == ["000001", "000002"]
    assert ended.code == 0
    assert ended.out == ""
    assert not netaflux.socket.exists()
    assert outside.written_again == 0
    assert outside.token_posts == 1


async def test_what_was_brought_is_not_brought_again(netaflux: Program, outside: Outside) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: not outside.differences())
        await daemon.stopped()
    uploads = outside.uploads
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        await daemon.stopped()

    assert outside.uploads == uploads
    assert outside.token_posts == 1


async def test_a_second_one_says_who_owns_the_state(netaflux: Program) -> None:
    async with netaflux.daemon() as daemon:
        second = await netaflux("run")
        health = await netaflux("health")

    assert second.code == 75
    assert f"(pid {daemon.pid})" in second.err
    assert str(netaflux.state) in second.err
    assert health.code == 0


async def test_it_lives_though_netatmo_and_fluxtream_are_away(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.faults.add(Fault.RESET_BEFORE)
    outside.served.fluxtream.faults.add(Fault.RESET_BEFORE)
    async with netaflux.daemon() as daemon:
        await daemon.running.told("account.failed")
        await daemon.running.told("destination.failed")

        assert await daemon.get("/livez") == (200, {"ok": True, "problems": []})
        code, answer = await daemon.get("/readyz")
        health, ready = await netaflux("health"), await netaflux("health", "--ready")
        ended = await daemon.stopped()

    assert code == 503
    assert answer["problems"] == ["account default: its first poll is not done yet"]
    assert (health.code, health.err) == (0, "")
    assert ready.code == 69
    assert "its first poll is not done yet" in ready.err
    assert ended.code == 0


async def test_a_module_that_is_not_there_is_told_once_and_holds_up_nothing(fast: Program) -> None:
    with served(a_world(), speed=FAST) as outside:
        fast.sections |= outside.sections()
        fast.devices = [*outside.devices(), {"name": "Lost", "module": "House 1/Rome 2"}]
        async with fast.daemon(speed=FAST) as daemon:
            await until(lambda: not outside.differences())
            surveys = outside.served.netatmo.ledger.counts[STATIONS]
            await until(lambda: outside.served.netatmo.ledger.counts[STATIONS] > surveys + 2)
            told = daemon.running.events("module.missed")
            _, status = await daemon.get("/status")
            ready, _ = await daemon.get("/readyz")

    assert [(event["device"], event["module"]) for event in told] == [("Lost", "House 1/Rome 2")]
    assert "`House 1/Room 2`" in told[0]["reason"]
    assert [missing["device"] for missing in status["missing"]] == ["Lost"]
    assert ready == 200


async def test_a_destination_that_is_down_delays_only_itself(fast: Program) -> None:
    with served(a_world(), speed=FAST) as outside:
        fluxtream = outside.served.fluxtream
        fast.sections |= outside.sections() | {"destinations.second": outside.fluxtream(BERT)}
        fast.devices = outside.devices()
        fluxtream.faults.add(Fault.ERROR_503, UPLOAD, user=BERT.username)
        async with fast.daemon(speed=FAST) as daemon:
            await until(lambda: not outside.differences(ANNE))
            await until(lambda: fluxtream.faults.count(Fault.ERROR_503) > 2)
            _, status = await daemon.get("/status")
            taken = outside.cells(BERT)
            fluxtream.faults.clear()
            await until(lambda: not outside.differences(BERT))
            await daemon.running.told("destination.recovered")
            failures = daemon.running.events("destination.failed")

    assert taken == 0
    assert [each["ok"] for each in status["destinations"]] == [True, False]
    assert [(each["destination"]) for each in failures] == ["second"]
    assert outside.written_again == 0


async def test_an_account_without_authorization_waits_for_it_alone(nursery: Nursery, folder: Path) -> None:
    with served(a_world(accounts=("default", "parents"))) as outside:
        netaflux = Program(nursery, folder, outside.sections())
        netaflux.devices = [*outside.devices(), *outside.devices("parents")]
        async with netaflux.daemon() as daemon:
            await until(lambda: not outside.differences())
            needed = await daemon.running.told("authorization.needed")
            code, answer = await daemon.get("/readyz")
            health = await netaflux("health", "--ready")
            status = await netaflux("status")
            token = outside.served.refresh_tokens["parents"]
            done = await netaflux("authorize", "--account", "parents", "--refresh-token", stdin=f"{token}\n")
            await until(lambda: not outside.differences(account="parents"))
            await daemon.ready()
            told = len(daemon.running.events("authorization.needed"))
            ended = await daemon.stopped()

    assert code == 503
    assert "account parents: it has never been authorized" in answer["problems"]
    assert needed["remedy"] == "Run `netaflux authorize --account parents`."
    assert health.code == 69
    assert "account parents: it has never been authorized" in health.err
    assert "netaflux authorize --account parents" in status.err
    assert (done.code, done.out) == (0, "account parents is authorized: read_station\n")
    assert told == 1
    assert ended.code == 0
    assert outside.token_posts == 2


async def test_the_log_of_a_run_holds_no_secret(netaflux: Program, outside: Outside) -> None:
    """Not even at its most talkative, and with both sides failing now and then."""
    netaflux.sections["log"] = {"level": "debug"}
    outside.served.netatmo.faults.add(Fault.RESET_AFTER, "/api/getmeasure", times=1)
    outside.served.fluxtream.faults.add(Fault.UNAUTHORIZED, UPLOAD, times=1)
    async with netaflux.daemon() as daemon:
        await daemon.running.told("poll.completed")
        ended = await daemon.stopped()

    app, logins = outside.served.netatmo.settings.app, outside.served.netatmo.logins
    tokens = [token for pair in logins.issued["default"] for token in (pair.access, pair.refresh)]
    for secret in (app.client_secret, ANNE.password, *tokens):
        assert secret not in ended.err
