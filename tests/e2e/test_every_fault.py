"""Every fault that the simulator knows, on each endpoint of both sides, alone: all arrives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netaflux.simulator import Fault, Faults, Rule
from netaflux.simulator.faults import KILLS
from tests.e2e.everything import DAY, TOKEN, clear, everything, given_up_by, settle_in, settled
from tests.e2e.household import NOW, Household, household, performed
from tests.e2e.test_mixed_faults import LOSING, STORE_ONLY
from tests.virtual import VirtualClock, daemon, run_virtually

NETATMO = (
    "/api/getstationsdata",
    "/api/gethomecoachsdata",
    "/api/homesdata",
    "/api/getmeasure",
    "/api/getroommeasure",
    "/api/getevents",
)
FLUXTREAM = ("/api/guest", "/api/bodytrack/upload")
STATUS, READ_BACK = "/api/homestatus", "/api/bodytrack/exportCSV/*"
"""What only commands ask for."""

ALONE = sorted(set(Fault) - KILLS - {Fault.SWALLOWED})
"""What is acknowledged and not stored is for `verify` to find: tests/e2e/test_verify.py."""


def arm(home: Household, fault: Fault) -> dict[str, Rule]:
    """Let it strike once at each endpoint where it can, tokens included."""
    netatmo, fluxtream = home.served.netatmo.faults, home.served.fluxtream.faults
    places: list[tuple[Faults, str]] = [(fluxtream, where) for where in FLUXTREAM]
    if fault not in STORE_ONLY:
        home.served.netatmo.logins.expire("default")
        places += [(netatmo, where) for where in (*NETATMO, STATUS)]
        places += [(fluxtream, READ_BACK)]
        # that a lost answer with tokens costs the account has a test of its own
        places += [] if fault in LOSING else [(netatmo, TOKEN)]
    return {where: faults.add(fault, where, times=1, seconds=20) for faults, where in places}


def unstruck(rules: Mapping[str, Rule], *but: str) -> list[str]:
    return [where for where, rule in rules.items() if not rule.struck and where not in but]


async def struck(clock: VirtualClock, rules: Mapping[str, Rule], *but: str) -> None:
    end = clock.now() + 2 * DAY
    while left := unstruck(rules, *but):
        assert clock.now() < end, f"not called for two days: {left}"
        await clock.sleep(60)


def test_each_fault_alone_strikes_every_endpoint_and_costs_nothing(
    tmp_path: Path, record_property: Any
) -> None:
    """One life after another, each with one fault at every endpoint that it calls."""
    counts = {}

    async def main(clock: VirtualClock) -> None:
        async with household(everything(), tmp_path, clock=clock) as home:
            mirrors = settle_in(home)
            with given_up_by(clock):
                for fault in ALONE:
                    rules = arm(home, fault)
                    async with home.app() as app, daemon(app):
                        await struck(clock, rules, READ_BACK, STATUS)
                        for command in ("homes", "verify", "verify"):
                            await performed(app, command)
                    assert unstruck(rules) == [], fault
                    counts[fault.value] = sum(rule.struck for rule in rules.values())
                    clear(home)
            await settled(home, clock, mirrors)

    run_virtually(main, now=NOW)
    record_property("struck", counts)
    assert min(counts.values()) > 0
