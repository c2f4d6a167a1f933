"""`netaflux sync` and `netaflux devices`."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps

from netaflux.cli.owner import carry_out
from netaflux.cli.place import Place
from netaflux.cli.show import SyncProgress, about, as_json, explain, number, printable, say, table, when
from netaflux.commands.words import Json, last_of

DEFAULT_PLACE = Place()


def sync(
    *,
    device: tuple[str, ...] = (),
    since: str | None = None,
    until: str | None = None,
    again: bool = False,
    dry_run: bool = False,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Bring what is lacking to the destinations, once, and say what came there.

    Without a span it fetches what is new and whatever a destination lacks since the devices' `since`.
    Exit code 0 when all of it is there, 75 when something is left.

    Example: `netaflux sync --device Netatmo_Basement --since 2014-05-18 --until 2014-06-01`

    Parameters
    ----------
    device
        Only this device; may be given several times.
    since
        A date, a date and time, a span back from now such as 3h or 30d, unix seconds, or setup.
    until
        The same; rows of since ≤ t < until are fetched.
    again
        Send what is already there once more.
    dry_run
        Only say what would be fetched.
    json
        Print one JSON document instead of a table.
    """
    asked: Json = {
        "devices": list(device),
        "since": since,
        "until": until,
        "again": again,
        "dry_run": dry_run,
    }
    plans: list[Json] = []
    results: list[Json] = []
    with SyncProgress() as progress:

        def take(event: Json) -> None:
            match event["event"]:
                case "progress":
                    progress.take(event)
                case "plan":
                    plans.append(event)
                case _:
                    results.append(event)

        with _told_of_stopping():
            code = carry_out(place, "sync", asked, take)
    for result in results:
        _show_sync(result, plans, json=json)
    return code


@contextmanager
def _told_of_stopping() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("netaflux: stopped; what has arrived stays, and the next sync goes on from there")
        raise


def _show_sync(result: Json, plans: list[Json], *, json: bool) -> None:
    if result["event"] == "failed":
        explain(result)
    elif json:
        shown = {key: value for key, value in result.items() if key != "event"}
        as_json({**shown, "plan": plans} if plans else shown)
    elif result.get("dry_run"):
        _show_plan(plans)
    else:
        _show_result(result)


def _show_plan(plans: list[Json]) -> None:
    rows = [
        (plan["device"], plan["module"], when(errand["from"]), when(errand["until"]), errand["why"])
        for plan in plans
        for errand in plan.get("errands", ())
    ]
    table(("device", "module", "from", "until", "why"), rows, whole=("module",))
    if not rows:
        say("nothing would be fetched")
    for plan in plans:
        if plan.get("reason"):
            say(f"{plan['device']}: {plan['reason']}")


def _show_result(result: Json) -> None:
    several = len({line["destination"] for line in result["devices"]}) > 1
    headings = ("device", *(("destination",) if several else ()), "rows", "from", "to", "newest row")
    rows = [
        (
            line["device"],
            *((line["destination"],) if several else ()),
            line["rows"],
            when(line["from"]),
            when(line["to"]),
            _row(line["newest"]),
        )
        for line in result["devices"]
    ]
    table(headings, rows, right=("rows",))
    for left in result["left"]:
        say(f"left: {about(left['what'], left['reason'])}")
        if left["remedy"]:
            say(f"  → {left['remedy']}")


def _row(newest: Json | None) -> str:
    if newest is None:
        return "none yet"
    values = [f"{name} {number(value)}" for name, value in newest.items() if name != "time"]
    return f"{when(newest['time'])}  {'  '.join(values)}"


def devices(*, json: bool = False, toml: bool = False, place: Place = DEFAULT_PLACE) -> int:
    """List the stations and modules that the accounts can see, and what each can be asked for.

    Example: `netaflux devices --toml >> config.toml`

    Parameters
    ----------
    json
        Print one JSON document instead of a table.
    toml
        Print `[[devices]]` blocks to paste into the configuration.
    """
    modules: list[Json] = []
    unseen: list[Json] = []
    results: list[Json] = []

    def take(event: Json) -> None:
        {"module": modules, "unseen": unseen}.get(event["event"], results).append(event)

    code = carry_out(place, "devices", {}, take)
    result = last_of(results)
    if result["event"] == "failed":
        explain(result)
    if result["event"] != "result":
        return code  # it was stopped before its end
    if json:
        as_json({"modules": modules, "unseen": unseen, "failed": result["failed"]})
    elif toml:
        print(_blocks(modules), end="")
    else:
        _show_modules(modules, failed=bool(result["failed"]))
    _show_unseen(unseen)
    for failed in result["failed"]:
        message = about(f"account {failed['account']}", failed["reason"])
        explain({"message": message, "remedy": failed["remedy"]})
    return code


def _show_unseen(unseen: list[Json]) -> None:
    """What could not be looked for, and for each account once what to do about all of it."""
    remedies: dict[tuple[str, str], None] = {}
    for each in unseen:
        say(f"account {each['account']}: not looked for {each['source']}: {each['reason']}")
        remedies[each["account"], each["remedy"]] = None
    for _, todo in remedies:
        say(f"  → {todo}")


def _show_modules(modules: list[Json], *, failed: bool) -> None:
    rows = [
        (
            module["titles"][-1] if module["titles"] else module["name"],
            module["id"],
            module["source"],
            module["kind"],
            {True: "yes", False: "no", None: "?"}[module["reachable"]],
            when(module["newest"]),
            ", ".join(module["mirrored_by"]) or "–",
            ", ".join(module["measures"]) or "nothing known",
        )
        for module in modules
    ]
    table(("module", "id", "source", "kind", "reachable", "newest row", "mirrored by", "measures"), rows)
    if not modules and not failed:
        say("nothing that measures is in these accounts, nor shared with them")


def _blocks(modules: list[Json]) -> str:
    """Blocks of the configuration; a title or name that is not one module's alone gives way to the id."""
    titles = Counter((module["source"], title) for module in modules for title in module["titles"])
    names = Counter(map(_device_name, modules))
    return "\n".join(_block(module, titles, names) for module in modules)


def _device_name(module: Json) -> str:
    return "Netatmo_" + re.sub(r"[^0-9A-Za-z]+", "_", module["name"] or module["id"]).strip("_")


def _block(module: Json, titles: Counter[tuple[str, str]], names: Counter[str]) -> str:
    own = [title for title in module["titles"] if titles[module["source"], title] == 1]
    name = _device_name(module)
    if names[name] > 1:
        name += "_" + module["id"].replace(":", "")[-6:]
    lines = [
        "[[devices]]",
        f"name = {_quoted(name)}",
        f"module = {_quoted(own[-1] if own else module['id'])}  # {printable(module['id'])}",
        f"# channels = [{', '.join(map(_quoted, module['channels']))}]",
    ]
    if module["source"] != "stations":
        lines.insert(2, f"source = {_quoted(module['source'])}")
    if module["account"] != "default":
        lines.append(f"account = {_quoted(module['account'])}")
    if module["source"] == "cameras":  # who was seen is recorded only where a person asks for it
        lines = [f"#{line}" for line in lines]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string: names come from elsewhere. JSON's short escapes are TOML's, too."""
    quoted = dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in quoted)
