"""SIGHUP: a new configuration takes over with nothing dropped, and a mistaken one changes nothing."""

import asyncio
import signal
from pathlib import Path

import pytest

from netaflux.simulator import Fault
from tests.system.program import Daemon, Program, hung_up, until
from tests.system.world import Outside


async def test_a_new_device_is_brought_without_a_new_start(netaflux: Program, outside: Outside) -> None:
    both = netaflux.devices
    netaflux.devices = both[:1]
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.uploads)
        await daemon.ready()
        netaflux.devices = both
        netaflux.write_config()
        told = await hung_up(daemon, "configuration.reread")
        await until(lambda: not outside.differences())
        _, status = await daemon.get("/status")
        ended = await daemon.stopped()

    assert told["devices"] == 2
    assert [device["device"] for device in status["devices"]] == ["000001", "000002"]
    assert outside.written_again == 0
    assert outside.token_posts == 1
    assert ended.code == 0


async def test_a_page_under_way_arrives_before_the_new_configuration_takes_over(
    netaflux: Program, outside: Outside
) -> None:
    slow = outside.served.fluxtream.faults.add(Fault.DRIP, times=1, seconds=1.5)
    async with netaflux.daemon() as daemon:
        await until(lambda: slow.struck)
        await hung_up(daemon, "configuration.reread")
        await until(lambda: not outside.differences())
        await daemon.stopped()

    assert outside.written_again == 0


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("client_secret", "client_sekret", "is no setting; did you mean `client_secret`"),
        ("[netatmo]", "[netatmo", "config.toml"),
        ("[[devices]]", "[[nothing]]", "is no setting"),
    ],
)
async def test_a_mistaken_configuration_is_refused_and_the_old_one_stays(
    netaflux: Program, outside: Outside, old: str, new: str, reason: str
) -> None:
    async with netaflux.daemon() as daemon:
        await until(lambda: not outside.differences())
        right = netaflux.config.read_text()
        netaflux.config.write_text(right.replace(old, new))
        told = await hung_up(daemon, "configuration.refused")
        health = await daemon.get("/readyz")
        netaflux.config.write_text(right)
        await hung_up(daemon, "configuration.reread")
        ended = await daemon.stopped()

    assert reason in str(told["reason"])
    assert health == (200, {"ok": True, "problems": []})
    assert ended.code == 0


async def test_another_state_directory_takes_a_new_start(netaflux: Program, folder: Path) -> None:
    async with netaflux.daemon() as daemon:
        text = netaflux.config.read_text()
        netaflux.config.write_text(text.replace(str(netaflux.state), str(folder / "elsewhere")))
        told = await hung_up(daemon, "configuration.refused")

        assert f"{folder}/elsewhere, takes a new start" in str(told["reason"])
        assert told["remedy"] == "Restart netaflux, or put the old one back."
        assert not (folder / "elsewhere").exists()
        assert (await daemon.get("/livez"))[0] == 200


async def test_the_socket_moves_with_the_configuration_unless_something_is_in_its_way(
    netaflux: Program, folder: Path
) -> None:
    async with netaflux.daemon() as daemon:
        netaflux.sections["status"] = {"socket": str(folder / "moved.sock"), "mode": "0660"}
        (folder / "moved.sock").write_text("not to be lost")
        netaflux.write_config()
        told = await hung_up(daemon, "configuration.refused")
        assert (await daemon.get("/livez"))[0] == 200

        (folder / "moved.sock").unlink()
        await hung_up(daemon, "configuration.reread")
        moved = Daemon(daemon.running, folder / "moved.sock")
        answer = await moved.get("/livez")
        mode = moved.socket.stat().st_mode & 0o777
        netaflux.sections["status"]["mode"] = "0600"
        netaflux.write_config()
        await hung_up(daemon, "configuration.reread")

        assert "is no socket; it is left as it is" in str(told["reason"])
        assert answer == (200, {"ok": True, "problems": []})
        assert mode == 0o660
        assert moved.socket.stat().st_mode & 0o777 == 0o600
        assert not (netaflux.state / "netaflux.sock").exists()
        await daemon.stopped()


async def test_a_socket_that_somebody_has_deleted_is_made_anew(netaflux: Program) -> None:
    async with netaflux.daemon() as daemon:
        netaflux.socket.unlink()
        await hung_up(daemon, "configuration.reread")

        assert (await daemon.get("/livez"))[0] == 200


async def test_secrets_of_an_earlier_configuration_stay_masked(netaflux: Program, outside: Outside) -> None:
    password = str(netaflux.sections["destinations.fluxtream"]["password"])
    async with netaflux.daemon() as daemon:
        netaflux.sections["destinations.fluxtream"]["password"] = "another-password"
        netaflux.sections["log"] = {"level": "debug"}
        netaflux.write_config()
        await hung_up(daemon, "configuration.reread")
        await daemon.running.told("destination.failed")
        ended = await daemon.stopped()

    assert "another-password" not in ended.err
    assert password not in ended.err


async def test_it_tells_how_it_is_while_a_poll_keeps_the_new_configuration_waiting(
    netaflux: Program, outside: Outside
) -> None:
    hanging = outside.served.netatmo.faults.add(Fault.HANG_BEFORE, "/api/*", times=1)
    async with netaflux.daemon() as daemon:
        await until(lambda: hanging.struck)
        daemon.running.signal(signal.SIGHUP)
        await asyncio.sleep(0.5)
        async with asyncio.timeout(3):
            code, _ = await daemon.get("/status")
        waits = not daemon.running.events("configuration.reread")

    assert (code, waits) == (200, True)


async def test_a_stop_during_a_switch_is_a_stop(netaflux: Program, outside: Outside) -> None:
    hanging = outside.served.netatmo.faults.add(Fault.HANG_BEFORE, "/api/*", times=1)
    async with netaflux.daemon() as daemon:
        await until(lambda: hanging.struck)
        daemon.running.signal(signal.SIGHUP)
        daemon.running.signal(signal.SIGTERM)
        ended = await daemon.running.ended(within=10)

    assert ended.code == 0


async def test_a_trouble_that_a_new_configuration_ends_is_over_in_the_status(
    netaflux: Program, outside: Outside
) -> None:
    netatmo = netaflux.sections["netatmo"]
    right = netatmo["api_url"]
    netatmo["api_url"] = "http://127.0.0.1:9"
    async with netaflux.daemon() as daemon:
        await daemon.running.told("account.failed")
        _, before = await daemon.get("/status")
        netatmo["api_url"] = right
        netaflux.write_config()
        await hung_up(daemon, "configuration.reread")
        await until(lambda: not outside.differences())
        _, after = await daemon.get("/status")
        await daemon.stopped()

    assert before["accounts"][0]["trouble"]
    assert after["accounts"][0]["trouble"] is None


async def test_status_and_health_answer_while_the_file_has_a_mistake(netaflux: Program) -> None:
    """A container is not unhealthy because somebody is editing."""
    async with netaflux.daemon() as daemon:
        await daemon.ready()
        right = netaflux.config.read_text()
        netaflux.config.write_text(right.replace("client_secret", "client_sekret"))
        health = await netaflux.outcome("health", "--config", str(netaflux.config))
        status = await netaflux.outcome("status", "--json", "--config", str(netaflux.config))
        await daemon.stopped()
    alone = await netaflux.outcome("health", "--config", str(netaflux.config))

    assert (health.code, status.code, status.json["accounts"][0]["name"]) == (0, 0, "default")
    assert "netaflux: note: the daemon goes on as it is" in health.err
    assert "did you mean `client_secret`" in health.err
    assert alone.code == 78
