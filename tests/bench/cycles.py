"""What a poll cycle costs a daemon of many accounts, beside a bare loop that makes the same calls.

    python -m tests.bench.cycles world                 serves the world, for wishes on standard input
    python -m tests.bench.cycles daemon CONFIG CLOCK   `netaflux run`, by the world's clock
    python -m tests.bench.cycles bare < calls.json     the same calls at the same times, and nothing else

Both are measured by their CPU alone, since most of the time they wait. A call after a pause costs a process
and the kernel far more than one of many in a row, so the bare loop makes each when the daemon made it. Their
time runs sixty times as fast.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import orjson

from netaflux.clocks import ScaledClock
from netaflux.config import load
from netaflux.service.daemon import run_daemon
from netaflux.simulator import (
    UNLIMITED,
    Account,
    FluxtreamSettings,
    House,
    NetatmoSettings,
    Served,
    Uploads,
    User,
    World,
    estate,
    serve,
)
from tests.bench.processes import Outside, cpu_of, outside, started
from tests.e2e.household import MANY

ME = "tests.bench.cycles"
ACCOUNTS, MODULES = 20, 5
CYCLE = 605.0
"""Seconds from upload to upload."""
SPEED = 60.0
LEARNING, MEASURED = 5, 6
"""Cycles until the rhythms are known and early rows are believed, and those that count."""
ALLOWED = 4.0
LIMITS = ("per_10_seconds", "per_hour", "app_per_10_seconds", "app_per_hour")
MEASURE = "/api/getmeasure"


def compared() -> bool:
    """Run the daemon, then the bare loop; whether the bar is met."""
    with outside(ME, "world") as world, tempfile.TemporaryDirectory() as folder:
        told = world.wish("begin")
        config = Path(folder, "config.toml")
        config.touch(0o600)
        config.write_text(f'state_dir = "{folder}/state"\n{told["configuration"]}\n')
        daemon = _of_the_daemon(world, config, told["clock"])
        calls = world.wish("calls")
        bare = _of_the_bare_loop(calls)
    cycle = {name: calls["counts"][name] / MEASURED for name in sorted(calls["counts"])}
    print(f"\n{ACCOUNTS} accounts x {MODULES} modules, {MEASURED} cycles of {CYCLE:.0f} s")
    print("  calls a cycle:", ", ".join(f"{name} {count:.0f}" for name, count in cycle.items()))
    for name, cpu in (("netaflux", daemon), ("bare loop", bare)):
        print(f"  {name:9} {cpu / MEASURED:6.3f} s of CPU a cycle")
    print(f"  netaflux / bare loop: {daemon / bare:.2f} x the CPU (at most {ALLOWED:.0f} x)")
    return daemon / bare <= ALLOWED


def _of_the_daemon(world: Outside, config: Path, clock: str) -> float:
    """Seconds of CPU that the daemon takes for the cycles that count."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with started(ME, "daemon", config, clock, **quiet) as daemon:
        time.sleep(LEARNING * CYCLE / SPEED)
        world.wish("forget")
        before = cpu_of(daemon.pid)
        time.sleep(MEASURED * CYCLE / SPEED)
        taken = cpu_of(daemon.pid) - before
        if daemon.poll() is not None:
            raise SystemExit(f"the daemon ended with {daemon.returncode}")
    return taken


def _of_the_bare_loop(calls: dict[str, Any]) -> float:
    with tempfile.TemporaryFile("w+") as given:
        json.dump(calls, given)
        given.seek(0)
        with started(ME, "bare", stdin=given, stdout=subprocess.PIPE) as bare:
            assert bare.stdout is not None
            return float(bare.stdout.readline())


# --- the world ---


class Bench:
    """Answers wishes about a served world."""

    def __init__(self, served: Served, clock: ScaledClock) -> None:
        self.served = served
        self.clock = clock

    def begin(self) -> dict[str, Any]:
        """What the daemon needs to know."""
        return {"configuration": self._configuration(), "clock": f"{self.clock._start},{self.clock._epoch}"}

    def _configuration(self) -> str:
        app, user = self.served.netatmo.settings.app, self.served.user
        lines = [
            "[netatmo]",
            f'client_id = "{app.client_id}"',
            f'client_secret = "{app.client_secret}"',
            f'api_url = "{self.served.netatmo_url}"',
            "[netatmo.limits]",
            *(f"{name} = {MANY}" for name in LIMITS),
            "[destinations.fluxtream]",
            f'url = "{self.served.fluxtream_url}"',
            f'username = "{user.username}"',
            f'password = "{user.password}"',
        ]
        for account in self.served.world.accounts:
            token = self.served.refresh_tokens[account.name]
            lines += [f"[netatmo.accounts.{account.name}]", f'refresh_token = "{token}"']
            for module in account.house.modules:
                name = f"D_{module.id.replace(':', '')}"
                lines += [f'[[devices]]\nname = "{name}"', f'module = "{module.id}"']
                lines += [f'account = "{account.name}"', 'since = "1h"']
        return "\n".join(lines)

    def forget(self) -> dict[str, Any]:
        """Write down calls anew."""
        for ledger in (self.served.netatmo.ledger, self.served.fluxtream.ledger):
            ledger.calls.clear()
        return {}

    def calls(self) -> dict[str, Any]:
        """What was called since, with tokens that are good."""
        access = {a.name: self.served.netatmo.logins.issue(a.name).access for a in self.served.world.accounts}
        asked = [call for call in self.served.netatmo.ledger.calls if call.endpoint.startswith("/api/")]
        uploads = [call for call in self.served.fluxtream.ledger.calls if "upload" in call.endpoint]
        user = self.served.user
        counts = {each.endpoint.rpartition("/")[2]: 0 for each in (*asked, *uploads)}
        for each in (*asked, *uploads):
            counts[each.endpoint.rpartition("/")[2]] += 1
        return {
            "netatmo": self.served.netatmo_url,
            "fluxtream": self.served.fluxtream_url,
            "username": user.username,
            "password": user.password,
            "counts": counts,
            "asked": [
                {
                    "at": (each.monotonic - asked[0].monotonic) / SPEED,
                    "endpoint": each.endpoint,
                    "params": dict(each.params),
                    "access": access[each.user],
                }
                for each in asked
            ],
            "uploads": len(uploads),
        }


def many_houses(now: float) -> list[Account]:
    """A station of five modules for each account, each station with a rhythm of its own."""
    return [
        Account(
            f"a{number}",
            House([replace(station, uploads=Uploads(int(now) - 86400 + 29 * number, seed=number))]),
        )
        for number in range(ACCOUNTS)
        for station in estate(now, modules=MODULES, days=1, first=number).stations
    ]


async def live() -> None:
    """Serve until standard input ends."""
    clock = ScaledClock(SPEED)
    world = World(
        accounts=many_houses(clock.now()),
        users=[User(username="anne", password="anne's own", guest=7)],
        netatmo=NetatmoSettings(limits=UNLIMITED),
        fluxtream=FluxtreamSettings(),
    )
    async with serve(world, clock) as served:
        bench = Bench(served, clock)
        wishes = {"begin": bench.begin, "forget": bench.forget, "calls": bench.calls}
        while line := await asyncio.to_thread(sys.stdin.readline):
            sys.stdout.write(orjson.dumps(wishes[line.strip()]()).decode() + "\n")
            sys.stdout.flush()


# --- who is measured ---


async def daemon(config: Path, began: str) -> None:
    """`netaflux run`, with the clock of the world."""
    clock = ScaledClock(SPEED)
    # the machine's monotonic time is the same for all its processes
    clock._start, clock._epoch = map(float, began.split(","))
    await run_daemon(lambda: load(config, os.environ), clock=clock)


async def bare(calls: dict[str, Any]) -> None:
    """The calls that the daemon made; of what a getmeasure brings uploads are made, as many as it made."""
    login = {"Authorization": aiohttp.encode_basic_auth(calls["username"], calls["password"])}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    upload, left = f"{calls['fluxtream']}/api/bodytrack/upload", calls["uploads"]
    pages = sum(each["endpoint"] == MEASURE for each in calls["asked"])
    async with aiohttp.ClientSession() as netatmo, aiohttp.ClientSession(headers=login) as fluxtream:
        begun = time.monotonic()
        for each in calls["asked"]:
            if (wait := begun + each["at"] - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            bearer = {"Authorization": f"Bearer {each['access']}"}
            url = calls["netatmo"] + each["endpoint"]
            async with netatmo.get(url, params=each["params"], headers=bearer) as response:
                answer = orjson.loads(await response.read())
            if each["endpoint"] != MEASURE:
                continue
            names = each["params"]["type"].split(",")
            rows = [
                [segment["beg_time"] + place * segment.get("step_time", 0), *cells]
                for segment in answer["body"]
                for place, cells in enumerate(segment["value"])
            ]
            body = "dev_nickname=Bare&channel_names=" + quote_plus(json.dumps(names))
            body += "&data=" + quote_plus(orjson.dumps(rows))
            for _ in range(-(-left // pages)):
                async with fluxtream.post(upload, data=body.encode(), headers=form) as response:
                    orjson.loads(await response.read())
                left -= 1
            pages -= 1


def main(word: str, *words: str) -> None:
    """Be one of the processes."""
    if word == "world":
        asyncio.run(live())
    elif word == "daemon":
        asyncio.run(daemon(Path(words[0]), words[1]))
    else:
        calls = json.load(sys.stdin)
        begun = time.process_time()
        asyncio.run(bare(calls))
        print(time.process_time() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])
