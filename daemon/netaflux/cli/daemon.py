"""`netaflux run`, `netaflux status`, `netaflux health`, `netaflux log-level`."""

from collections.abc import Iterator, Sequence
from typing import Literal

from netaflux.cli.place import Place, answer_of_daemon, daemon_of
from netaflux.cli.show import (
    about,
    ago,
    as_json,
    explain,
    number,
    o_clock,
    printable,
    say,
    table,
    waiting,
    when,
)
from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError, NobodyAtSocket

DEFAULT_PLACE = Place()
TOLD_BY_NOTICES = ("battery_low", "lag", "module_silent", "station_silent")
"""The kinds of notices that `status` says in no other way."""


def run(*, place: Place = DEFAULT_PLACE) -> int:
    """Poll all modules until told to stop: this is the daemon.

    It logs to stderr and answers at the status socket. SIGTERM or Ctrl-C ends it within ten seconds. At a
    SIGHUP it reads its configuration again; one with a mistake changes nothing.

    Example: `netaflux run --config /etc/netaflux/config.toml`
    """
    import asyncio  # noqa: PLC0415 - status and health start faster without it

    from netaflux.service.daemon import run_daemon  # noqa: PLC0415 - the same

    asyncio.run(run_daemon(place.load))
    return 0


def health(*, ready: bool = False, place: Place = DEFAULT_PLACE) -> int:
    """Ask the daemon whether it is alive; exit code 0, or 69 with the reason.

    Example: `netaflux health --ready`

    Parameters
    ----------
    ready
        Ask whether it is of use, too: tokens usable, first poll done.
    """
    _, answer = answer_of_daemon(place, "/readyz" if ready else "/livez")
    for problem in answer["problems"]:
        say(f"netaflux: {problem}")
    return NobodyAtSocket.exit_code if answer["problems"] else 0


def log_level(
    level: Literal["debug", "info", "warning", "error", "reset"] | None = None,
    /,
    *,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Change how much the running daemon logs, until its configuration is read again.

    SIGUSR1 does the same between `debug` and the configured level.

    Example: `netaflux log-level debug`

    Parameters
    ----------
    level
        From which level on events are told; `reset` is what the configuration says. Without it, what is now.
    """
    asked = {} if level is None else {"level": level}
    for event in daemon_of(place.load()).command("log-level", asked):
        if event["event"] == "failed":
            explain(event)
            return int(event["exit_code"])
        if event["event"] == "result":
            changed = event["is"] != event["was"]
            before = f", was {event['was']}" if changed else ""
            print(f"log level: {event['is']}{before}")
            return 0
    raise NetafluxError("the daemon ended before the command did", advice="Try again.")


def status(*, json: bool = False, place: Place = DEFAULT_PLACE) -> int:
    """Show how accounts, devices and destinations are doing.

    Example: `netaflux status --json`

    Parameters
    ----------
    json
        Print the daemon's answer as it is.
    """
    _, answer = answer_of_daemon(place, "/status")
    if json:
        as_json(answer)
        return 0
    _show_accounts(answer)
    _show_devices(answer)
    _show_destinations(answer)
    for line in _notes(answer):
        say(line)
    return 0


def _show_accounts(answer: Json) -> None:
    now = answer["now"]
    rows = [
        (
            account["name"],
            account["state"],
            _from_now(account["authorized_until"], now),
            _calls(account["calls"]),
        )
        for account in answer["accounts"]
    ]
    table(("account", "state", "token expires", "calls"), rows)
    if hindered := list(_hindered(answer["app_calls"])):
        print(f"\nAll accounts together: {'; '.join(hindered)}")
    for account in answer["accounts"]:
        if account["backfill"]:
            print(f"\n{printable(account['name'])} is catching up: {_catching_up(account['backfill'])}")
        if account["thrifty"]:
            print(f"\n{printable(account['name'])} is short of calls: {_thrifty(account['thrifty'])}")


def _thrifty(thrifty: Json) -> str:
    """How polling makes do with fewer calls."""
    hours, factor = thrifty["hours"], thrifty["factor"]
    rarer = f" (which are {factor:.1f} times as rare)" if factor > 1 else ""
    rows = "every hour" if hours == 1 else f"every {hours} hours"
    return f"newest rows come with the surveys{rarer}, the rows between them {rows}"


def _catching_up(backfill: Json) -> str:
    done, left, until = backfill["done"], backfill["rows_left"], backfill.get("waiting_until")
    figures = [
        None if done is None else f"{done:.1%} is there",
        None if left is None else f"{left} rows and {backfill['calls_left']} calls to go",
        f"{backfill['rows_per_second']:.0f} rows/s" if until is None else waiting(until, backfill["reason"]),
        None if backfill["eta_seconds"] is None else f"{ago(backfill['eta_seconds'])} left",
    ]
    return " · ".join(figure for figure in figures if figure)


def _from_now(moment: float | None, now: float) -> str:
    if moment is None:
        return "–"
    return f"in {ago(moment - now)}" if moment > now else "now"


def _calls(calls: Json) -> str:
    # after a start all of the last minute's count as made just now: no more than what is allowed says that
    used = [
        f"{min(use['used'], use['limit'])}/{use['limit']} in {ago(use['seconds'])}" for use in calls["uses"]
    ]
    return "; ".join([", ".join(used), *_hindered(calls)])


def _hindered(calls: Json) -> Iterator[str]:
    """What keeps an account from calling as its limits allow."""
    closed, per_hour = calls["closed_until"], calls["per_hour"]
    why = f" ({calls['reason']})" if calls["reason"] else ""
    if closed:
        then = "" if per_hour is None else f", then feeling its way at {per_hour} calls an hour"
        yield f"closed until {o_clock(closed)}{why}{then}"
    elif per_hour is not None:
        how = "feeling its way" if calls["feeling"] else "going easy"
        yield f"{how} at {per_hour} calls an hour{why}"
    if calls["waiting"]:
        yield f"{calls['waiting']} waiting"


def _show_devices(answer: Json) -> None:
    now = answer["now"]
    rows = [
        (
            device["device"],
            device["title"] or device["module"],
            at["name"],
            when(at["watermark"]),
            ago(at["lag"]),
            when(device["newest"]),
            _from_now(device["next_poll"], now),
            device["trouble"]["reason"] if device["trouble"] else "–",
        )
        for device in answer["devices"]
        for at in device["destinations"]
    ]
    if not rows:
        print("\nNo device is known yet: Netatmo has not told of its modules. What it waits for stands here.")
        return
    print()
    headings = ("device", "module", "destination", "delivered until", "lag", "newest row", "next poll")
    if all(row[-1] == "–" for row in rows):
        table(headings, [row[:-1] for row in rows])
    else:
        table((*headings, "error"), rows)


def _show_destinations(answer: Json) -> None:
    rows = [
        (
            destination["name"],
            destination["identity"],
            "ok" if destination["ok"] else "failing" if destination["reason"] else "not reached yet",
            "–" if destination["retry_in"] is None else f"in {ago(destination['retry_in'])}",
        )
        for destination in answer["destinations"]
    ]
    print()
    table(("destination", "identity", "state", "next try"), rows)


def _notes(answer: Json) -> Iterator[str]:
    yield from _state(answer["state"])
    for missing in answer["missing"]:
        yield f"{missing['device']}: {missing['reason']}"
    for account in answer["accounts"]:
        yield from _account(account)
    for destination in answer["destinations"]:
        if destination["reason"]:
            yield about(f"destination {destination['name']}", destination["reason"])
            yield from _remedy(destination)
    yield from _aside(answer["rows_aside"])
    for notice in answer["notices"]:
        if notice["kind"] in TOLD_BY_NOTICES:
            yield f"{notice['text']} (since {when(notice['since'])})"
            yield from _remedy(notice)


def _state(state: Json) -> Iterator[str]:
    if state["trouble"]:
        yield f"nothing is polled: {state['trouble']}"
    for rescue in state["rescues"]:
        yield f"the state was damaged and is mended ({rescue['reason']})"
        yield f"  forgotten, and fetched once more: {', '.join(rescue['lost'])}"
        yield f"  → The damaged file is {rescue['aside']}; delete it when nobody wants to look at it."


def _account(account: Json) -> Iterator[str]:
    if account["needs_person"]:
        yield about(f"account {account['name']}", account["suspicion"])
        yield from _remedy(account)
    elif trouble := account["trouble"]:
        what = "" if trouble["source"] == "stations" else f", {trouble['source']}"
        yield about(f"account {account['name']}{what}", trouble["reason"])
        yield from _remedy(trouble)


def _remedy(trouble: Json) -> Iterator[str]:
    if trouble["remedy"]:
        yield f"  → {trouble['remedy']}"


def _aside(rows: Sequence[Json]) -> Iterator[str]:
    for row in rows:
        values = ", ".join(f"{name} {number(value)}" for name, value in row.get("values", {}).items())
        yield f"set aside: {row['device']} at {when(row['time'])} ({values}): {row['reason']}"
