"""Names that cannot be resolved for a while: it is said once, nothing is lost, and nobody is needed."""

from pathlib import Path

from netaflux.simulator import Fault
from tests.system.nursery import Nursery
from tests.system.program import Daemon, Program, until, until_heard
from tests.system.world import STATIONS, Outside, Table, a_world, served

FAST = 60
NETATMO, FLUXTREAM = "netatmo.invalid", "fluxtream.invalid"


def by_name(outside: Outside) -> dict[str, Table]:
    """The sections of a configuration where both servers have names."""
    sections = outside.sections()
    for heading, setting, name in (
        ("netatmo", "api_url", NETATMO),
        ("destinations.fluxtream", "url", FLUXTREAM),
    ):
        url = str(sections[heading][setting]).replace("127.0.0.1", name)
        sections[heading] |= {setting: url, "allow_plain_http": True}
    return {**sections, "poll": {"interval": "1m"}}


async def unresolved(daemon: Daemon) -> bool:
    """Whether the account is in trouble for its server's name."""
    _, status = await daemon.get("/status")
    return "name resolution" in (status["accounts"][0]["trouble"] or {"reason": ""})["reason"]


async def test_names_that_cannot_be_resolved_delay_everything_and_cost_nothing(
    nursery: Nursery, folder: Path
) -> None:
    hosts = folder / "hosts"
    hosts.touch()
    with served(a_world(), speed=FAST) as outside:
        netaflux = Program(nursery, folder, by_name(outside), outside.devices())
        async with netaflux.daemon(speed=FAST, tampering={"hosts": str(hosts)}) as daemon:
            failed = await daemon.running.told("account.failed")
            down = await daemon.running.told("destination.failed")
            live, _ = await daemon.get("/livez")
            asked = outside.served.netatmo.ledger.counts.total()
            hosts.write_text(FLUXTREAM)
            await daemon.running.told("destination.recovered")
            hosts.write_text(f"{FLUXTREAM} {NETATMO}")
            await daemon.running.told("account.recovered")
            await until(lambda: not outside.differences())
            told = daemon.running.events("account.failed") + daemon.running.events("destination.failed")
            # in the middle of its work, too: an open connection outlives its name, and a new one is needed
            hosts.write_text("")
            outside.served.netatmo.faults.add(Fault.RESET_BEFORE, "/api/*")
            await until(lambda: len(daemon.running.events("account.failed")) > 1)
            await until_heard(lambda: unresolved(daemon))
            outside.served.netatmo.faults.clear()
            hosts.write_text(f"{FLUXTREAM} {NETATMO}")
            await until(lambda: len(daemon.running.events("account.recovered")) > 1)
            needed = daemon.running.events("authorization.needed")
            await daemon.stopped()

        assert (live, asked) == (200, 0)
        assert "name resolution" in failed["reason"]
        assert "name resolution" in down["reason"]
        assert (len(told), needed) == (2, [])

        hosts.write_text(FLUXTREAM)
        async with netaflux.daemon(speed=FAST, tampering={"hosts": str(hosts)}) as daemon:
            await daemon.running.told("account.failed")
            surveys = outside.served.netatmo.ledger.counts[STATIONS]
            hosts.write_text(f"{FLUXTREAM} {NETATMO}")
            await daemon.running.told("account.recovered")
            await daemon.ready()
            await daemon.stopped()

        assert outside.served.netatmo.ledger.counts[STATIONS] > surveys
        assert outside.differences() == []
        assert (outside.token_posts, outside.written_again) == (1, 0)
