"""`netaflux notify`."""

from netaflux.cli.owner import carry_out
from netaflux.cli.place import Place
from netaflux.cli.show import about, as_json, explain, printable, table, when
from netaflux.commands.words import Json

DEFAULT_PLACE = Place()


def notify(*, test: bool = False, json: bool = False, place: Place = DEFAULT_PLACE) -> int:
    """Show what a person is needed for just now; with --test, try every way that [notify] names.

    Exit code 0 when all is well, 75 when a test was not taken, 78 when there is nobody to be told.

    Example: `netaflux notify --test`

    Parameters
    ----------
    test
        Send a notice that says that it is a test, and a sign of life, and say what came back.
    json
        Print one JSON document.
    """
    events: list[Json] = []
    failed: list[Json] = []

    def take(event: Json) -> None:
        if event["event"] == "failed":
            failed.append(event)
        elif event["event"] != "result":
            events.append(event)
            if event["event"] == "told" and not json:
                _show_told(event)

    code = carry_out(place, "notify", {"test": test}, take)
    for event in failed:
        explain(event)
    if json:
        as_json({"told" if test else "notices": events, "exit_code": code})
    elif not failed and not test:
        _show_open(events)
    return code


def _show_told(event: Json) -> None:
    told = about(event["channel"], event["text"])
    print(f"{'ok    ' if event['ok'] else 'FAILED'}  {printable(told)}")
    if not event["ok"] and event["remedy"]:
        print(f"        → {printable(event['remedy'])}")


def _show_open(events: list[Json]) -> None:
    if not events:
        print("nobody is needed")
    table(
        ("since", "what", "what to do"),
        [(when(event["since"]), event["text"], event["remedy"]) for event in events],
    )
