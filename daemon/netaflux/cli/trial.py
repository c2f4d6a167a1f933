"""`netaflux demo` and `netaflux simulate`: netaflux without an account."""

import asyncio
import sys
from contextlib import aclosing

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from netaflux.cli.show import as_json, number, printable, say, table, when
from netaflux.commands.words import Json
from netaflux.core.errors import UsageError
from netaflux.logs import configure_for_command

LONGEST = 3660
"""Days that the simulated history may have."""
LAST_PORT = 65535


def demo(
    *,
    live: bool = False,
    days: float = 30,
    json: bool = False,
    verbose: bool = False,
) -> int:
    """Run the real service against a simulated house, and compare what arrived with what was measured.

    It needs no account and no network, and leaves nothing behind. Exit code 0 when every cell is equal.

    Example: `netaflux demo --live`

    Parameters
    ----------
    live
        Go on polling afterwards, with a clock that runs sixty times as fast, until Ctrl-C.
    days
        How many days of history the house has.
    json
        Print one JSON document instead of a table.
    verbose
        Show the service's own log.
    """
    if not 0 < days <= LONGEST:
        raise UsageError(f"--days takes a number above 0, at most {LONGEST}")
    configure_for_command("info" if verbose else "error")
    return asyncio.run(_demo(live=live, days=days, json=json))


async def _demo(*, live: bool, days: float, json: bool) -> int:
    from netaflux.demo import demo as events_of_demo  # noqa: PLC0415 - the other command does without

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    code = 1
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=None)
        async with aclosing(events_of_demo(live=live, days=days)) as events:
            async for event in events:
                code = event.get("exit_code", code)
                match event["event"]:
                    case "stage":
                        _show_stage(event)
                    case "progress":
                        text = f"{event['cells']} values delivered, {event['calls']} calls"
                        progress.update(task, description=text)
                    case "arrived":
                        progress.update(task, description="live; Ctrl-C ends it")
                        print(_arrived(event), flush=True)
                    case _:
                        progress.update(task, description="")
                        _show_demo(event, json=json)
                        sys.stdout.flush()  # a live demo goes on
    return code


def _show_stage(event: Json) -> None:
    say(f"A simulated Netatmo is at {event['netatmo']}, a simulated Fluxtream at {event['fluxtream']}.")
    say(f"netaflux carries {event['days']:g} days of {event['modules']} modules from the one to the other.")


def _arrived(event: Json) -> str:
    values = "  ".join(f"{name} {number(value)}" for name, value in event["values"].items())
    return printable(f"{when(event['time'])}  {event['device']}  {values}")


def _show_demo(event: Json, *, json: bool) -> None:
    if json:
        as_json({key: value for key, value in event.items() if key != "event"})
        return
    headings = ("device", "channels", "values", "missing", "different", "too many")
    keys = ("device", "channels", "cells", "missing", "different", "extra")
    table(headings, [[line[key] for key in keys] for line in event["devices"]], right=headings[1:])
    total = sum(line["cells"] for line in event["devices"])
    if event["equal"]:
        calls = event["calls"]
        print(f"All {total} values that Netatmo had are at Fluxtream, and right; it took {calls} calls.")
    else:
        print("Netatmo and Fluxtream differ: see above.")


def simulate(
    *,
    days: float = 30,
    netatmo_port: int = 0,
    fluxtream_port: int = 0,
    speed: float = 1,
) -> int:
    """Serve a simulated Netatmo and a simulated Fluxtream on loopback, for a person or a client to try.

    A configuration that fits is printed on stdout. Ctrl-C ends it.

    Example: `netaflux simulate --netatmo-port 8091 --fluxtream-port 8092 > config.toml`

    Parameters
    ----------
    days
        How many days of history the house has; 30 by default.
    netatmo_port
        By default any port that is free.
    fluxtream_port
        The same.
    speed
        How fast the simulator's clock runs; by default 1, which a client with the real clock wants.
    """
    if not 0 < days <= LONGEST:
        raise UsageError(f"--days takes a number above 0, at most {LONGEST}")
    if speed <= 0:
        raise UsageError("--speed takes a number above 0")
    for option, port in (("--netatmo-port", netatmo_port), ("--fluxtream-port", fluxtream_port)):
        if not 0 <= port <= LAST_PORT:
            raise UsageError(f"{option} takes a port from 1 to {LAST_PORT}, or 0 for any that is free")
    asyncio.run(_simulate(days, netatmo_port, fluxtream_port, speed))
    return 0


async def _simulate(days: float, netatmo_port: int, fluxtream_port: int, speed: float) -> None:
    from netaflux.clocks import RealClock, ScaledClock  # noqa: PLC0415 - the other command does without
    from netaflux.simulator import Served, demo_world, serve_forever  # noqa: PLC0415 - the same

    def announce(served: Served) -> None:
        say(f"A simulated Netatmo is at {served.netatmo_url},")
        say(f"a simulated Fluxtream at {served.fluxtream_url}.")
        say("The configuration for it is on stdout. Ctrl-C ends it.")
        print(served.configuration(), end="")
        sys.stdout.flush()

    clock = RealClock() if speed == 1 else ScaledClock(speed)
    world = demo_world(clock.now(), days, live=True)
    try:
        await serve_forever(world, clock, announce, netatmo_port=netatmo_port, fluxtream_port=fluxtream_port)
    except OSError as error:
        raise UsageError(f"cannot serve there: {error.strerror or error}") from error
