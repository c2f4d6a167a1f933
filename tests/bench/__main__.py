"""How fast netaflux is: `python3 dev.py bench [backfill] [cycles] [--days 365] [--rounds N] …`.

`tests/bench/cycles.py` tells what `cycles` is. `backfill`: one station of five modules, three channels
of the notebook; every process begins with nothing and ends with all rows delivered. In each round
`netaflux sync`, the limit and the plain script take turns, so that the moods of a machine meet all of them;
what counts is the ratio of their times in a round. The servers run in another process, their answers prepared
by a round that is not counted, in which all that arrived is compared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.processes import ENVIRON, ROOT, Outside, outside

NETAFLUX = Path(sys.executable).parent / "netaflux"
RUNNERS = ("netaflux", "limit", "plain")
PLAIN_IS_SLOWER = 4.0
SIMULATOR_SHARE = 0.5


@dataclass(frozen=True)
class Run:
    """What one process took."""

    wall: float
    cpu: float
    peak: float
    """Megabytes."""
    simulator: float
    """Seconds of CPU that the servers took meanwhile."""


def measured(world: Outside, runner: str, latency: float) -> Run:
    """One process from its start to its end, with nothing to begin with."""
    told = world.wish("begin", latency)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as given:
        if runner == "netaflux":
            path = Path(folder, "config.toml")
            path.touch(0o600)
            path.write_text(f'state_dir = "{folder}/state"\n{told["configuration"]}\n')
            command = [str(NETAFLUX), "sync", "--json", "--config", str(path)]
        else:
            command = [sys.executable, "-m", "tests.bench.scripts", runner]
            json.dump(told, given)
            given.seek(0)
        before, begun = world.cpu, time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, env=ENVIRON, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{runner} ended with {process.returncode}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, world.cpu - before)


def prepared(world: Outside) -> None:
    """Let each run once, so that every body is there, and see that they do the same work."""
    for runner in RUNNERS:
        measured(world, runner, 0)
        calls, check = world.wish("calls"), world.wish("check")
        print(
            f"{runner:9} {check['rows']} rows, {calls['calls']} calls "
            f"({calls['most']} at most for a module), {calls['uploads']} uploads, "
            f"{check['again']} cells written again"
        )
        if check["differences"] or check["again"]:
            raise SystemExit(f"{runner} did not deliver what there is: {check['differences'][:3]}")


def compared(world: Outside, latency: float, rounds: int) -> bool:
    """The ratios of so many rounds; whether they mean anything."""
    runs: dict[str, list[Run]] = {runner: [] for runner in RUNNERS}
    for number in range(rounds):
        for runner in RUNNERS[number % 3 :] + RUNNERS[: number % 3]:
            runs[runner].append(measured(world, runner, latency))
    print(f"\nlatency {latency * 1000:.0f} ms, {rounds} rounds, medians")
    for runner, some in runs.items():
        wall, cpu, peak, simulator = (
            median(getattr(run, name) for run in some) for name in ("wall", "cpu", "peak", "simulator")
        )
        print(
            f"  {runner:9} {wall:7.2f} s  {cpu:6.2f} s CPU  {peak:5.0f} MB"
            f"  servers busy {simulator / wall:4.0%}"
        )
    wall, cpu = (_ratio(runs["netaflux"], runs["limit"], name) for name in ("wall", "cpu"))
    print(f"  netaflux / limit: {wall:.2f} x the wall time, {cpu:.2f} x the CPU")
    print(f"  peak memory of netaflux: {max(run.peak for run in runs['netaflux']):.0f} MB")
    return _valid(runs)


def _ratio(some: Sequence[Run], others: Sequence[Run], name: str) -> float:
    ratios = [float(getattr(a, name) / getattr(b, name)) for a, b in zip(some, others, strict=True)]
    return median(ratios)


def _valid(runs: dict[str, list[Run]]) -> bool:
    """Whether the limit is one, and the servers were not the bottleneck."""
    slower = _ratio(runs["plain"], runs["limit"], "wall")
    share = max(median(run.simulator / run.wall for run in runs[each]) for each in ("netaflux", "limit"))
    valid = slower >= PLAIN_IS_SLOWER and share < SIMULATOR_SHARE
    print(f"  the plain script takes {slower:.1f} x the limit's time (at least {PLAIN_IS_SLOWER:.0f} x)")
    print(f"  the servers were busy for {share:.0%} of the time (less than {SIMULATOR_SHARE:.0%})")
    print("  so the figures are valid" if valid else "  so the figures are VOID")
    return valid


def main() -> int:
    """Run the benchmarks; 1 where figures are void or the bar is missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description="How fast netaflux is.")
    parser.add_argument("--days", type=int, default=365, help="days of history of each of the five modules")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, nargs="*", default=[0, 0.08], help="seconds that calls take")
    parser.add_argument("what", nargs="*", metavar="backfill|cycles", help="by default both")
    asked = parser.parse_args()
    if unknown := set(asked.what) - {"backfill", "cycles"}:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    what = asked.what or ["backfill", "cycles"]
    valid = []
    if "backfill" in what:
        with outside("tests.bench.world", asked.days) as world:
            prepared(world)
            valid += [compared(world, latency, asked.rounds) for latency in asked.latency]
    if "cycles" in what:
        from tests.bench import cycles  # noqa: PLC0415 - a small process starts others: their peak counts its own

        valid.append(cycles.compared())
    return 0 if all(valid) else 1


if __name__ == "__main__":
    sys.exit(main())
