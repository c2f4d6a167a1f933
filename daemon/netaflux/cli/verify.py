"""`netaflux verify`."""

from collections.abc import Iterator

from netaflux.cli.owner import carry_out
from netaflux.cli.place import Place
from netaflux.cli.show import SyncProgress, about, ago, as_json, explain, number, say, table, when
from netaflux.commands.words import Json

DEFAULT_PLACE = Place()
SHOWN = 10
"""Flaws that are shown one by one; the table counts all."""


def verify(
    *,
    device: tuple[str, ...] = (),
    since: str | None = None,
    until: str | None = None,
    repair: bool = False,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Compare what the destinations hold with what Netatmo has, value by value.

    Rows that are newer than the last one delivered are on their way, and not looked at. A value is equal
    when its first 15 digits are. Values that Netatmo does not know are told, and left alone. Exit code 0 when
    all that Netatmo has is there, 75 when not, 78 when a destination cannot be read back.

    Example: `netaflux verify --device Netatmo_Basement --since 90d --repair`

    Parameters
    ----------
    device
        Only this device; may be given several times.
    since
        A date, a date and time, a span back from now such as 3h or 30d, unix seconds, or setup.
    until
        The same; rows of since ≤ t < until are compared.
    repair
        Send what is missing or different, and look once more.
    json
        Print one JSON document instead of a table.
    """
    asked: Json = {"devices": list(device), "since": since, "until": until, "repair": repair}
    results: list[Json] = []
    with SyncProgress("verifying") as progress:

        def take(event: Json) -> None:
            if event["event"] == "progress":
                progress.take(event)
            else:
                results.append(event)

        code = carry_out(place, "verify", asked, take)
    for result in results:
        if result["event"] == "failed":
            explain(result)
        elif json:
            as_json({key: value for key, value in result.items() if key != "event"})
        else:
            _show(result, repair=repair)
    return code


def _show(result: Json, *, repair: bool) -> None:
    several = len({line["destination"] for line in result["devices"]}) > 1
    counts = ("rows", "missing", "different", "unknown", *(("repaired",) if repair else ()))
    headings = ("device", *(("destination",) if several else ()), "channel", *counts, "gaps")
    rows = [
        (
            line["device"],
            *((line["destination"],) if several else ()),
            channel["channel"],
            *(channel[count] for count in counts),
            _gaps(line["gaps"]),
        )
        for line in result["devices"]
        for channel in line["channels"]
    ]
    table(headings, rows, right=(*counts, "gaps"))
    _show_flaws(result, repair=repair)
    for left in result["left"]:
        say(f"left: {about(left['what'], left['reason'])}")
        if left["remedy"]:
            say(f"  → {left['remedy']}")
    print(_verdict(result, repair=repair))


def _show_flaws(result: Json, *, repair: bool) -> None:
    flaws = list(_flaws(result))[:SHOWN]
    kinds = ("missing", "different", "unknown")
    found = sum(channel[kind] for line in result["devices"] for channel in line["channels"] for kind in kinds)
    if flaws and repair:
        say("before the repair:")
    for flaw in flaws:
        say(flaw)
    if found > len(flaws):
        say(f"… and {found - len(flaws)} more")


def _gaps(gaps: Json) -> str:
    return f"{gaps['count']} ({ago(gaps['seconds'])})" if gaps["count"] else "0"


def _flaws(result: Json) -> Iterator[str]:
    for line in result["devices"]:
        for channel in line["channels"]:
            for flaw in channel["examples"]:
                held = "nothing" if flaw["held"] is None else number(flaw["held"])
                had = "nothing" if flaw["netatmo"] is None else number(flaw["netatmo"])
                place = f"{line['device']} {channel['channel']} at {line['destination']}"
                yield f"{when(flaw['time'])}  {place}: {held}, where Netatmo has {had}"


def _verdict(result: Json, *, repair: bool) -> str:
    found = [channel for line in result["devices"] for channel in line["channels"]]
    flaws = sum(channel["missing"] + channel["different"] for channel in found)
    repaired = sum(channel["repaired"] for channel in found)
    there = sum(channel["rows"] for channel in found) + repaired
    mended = f" Repaired: {repaired}." if repaired else ""
    if result["complete"]:
        if not there:
            return "There is nothing to compare: Netatmo has no values there."
        return f"Complete: all values that Netatmo has are there ({there}).{mended}"
    if flaws == repaired:
        return f"Not all could be looked at. Values that are there: {there}.{mended}"
    more = "" if repair or result["left"] else " To send them: `netaflux verify --repair`"
    return f"Not complete: {flaws - repaired} missing or different, {there} there.{mended}{more}"
