"""`netaflux cameras`, `netaflux events`, `netaflux picture` and `netaflux persons`."""

import os
import select
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from netaflux.cli.owner import carry_out
from netaflux.cli.place import Place
from netaflux.cli.show import as_json, explain, json_text, own_zone, printable, say, table, when
from netaflux.commands.words import Json
from netaflux.core.errors import NetafluxError, UsageError


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Whose:
    """What all of these commands can be narrowed to."""

    home: str | None = None
    """Only this home, by name or id."""
    account: str | None = None
    """Only this account of the configuration."""

    def asking(self, **more: object) -> Json:
        """A request."""
        return {"home": self.home, "account": self.account, **more}


DEFAULT_PLACE = Place()
EVERYBODYS = Whose()
EVERY_SECONDS = 60


def cameras(
    camera: str | None = None,
    *,
    whose: Whose = EVERYBODYS,
    url: Literal["vpn", "local"] | None = None,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """List the cameras of all homes, or tell a camera's live address.

    The address opens the camera to whoever knows it. `local` is its address in this network, which it must
    confirm itself; `vpn` leads through Netatmo.

    Example: `netaflux cameras Hall --url local`

    Parameters
    ----------
    camera
        A camera's name or id; by default all, for --url the first one.
    url
        Print the address of the camera's live picture instead.
    json
        Print one JSON document.
    """
    asked = whose.asking(camera=camera, url=url)
    told, code = _told(place, "cameras", asked)
    found = [event for event in told if event["event"] in ("camera", "address")]
    if json:
        _as_json("addresses" if url else "cameras", found, told)
    elif url:
        for event in found:
            print(printable(event["url"]))
    elif found:
        table(("home", "camera", "type", "state", "live", "id"), [_camera_cells(event) for event in found])
    else:
        _say_none("there is no camera", told)
    return code


def _camera_cells(event: Json) -> tuple[object, ...]:
    state = "unreachable" if event["reachable"] is False else event["status"]
    return (
        event["home_name"] or event["home"],
        event["name"],
        event["kind_in_words"],
        state,
        "yes" if event["live"] else "no",
        event["id"],
    )


def events(  # noqa: PLR0913 - each is an option of the command line
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"))] = False,
    camera: str | None = None,
    person: str | None = None,
    whose: Whose = EVERYBODYS,
    since: str | None = None,
    most: int | None = None,
    every: int = EVERY_SECONDS,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Show what the cameras saw, the newest first, and with --follow what they see.

    Each look is one call to Netatmo for each home. With --follow the newest event comes last, and it ends
    with Ctrl-C.

    Example: `netaflux events --camera Drive --since 1d`

    Parameters
    ----------
    follow
        Go on, and show events as they happen.
    camera
        Only those of this camera, by name or id.
    person
        Only those of this person, by name or id.
    since
        All since then, such as 12h, 2d or 2026-11-01; by default the newest 30 of each home.
    most
        At most so many of each home.
    every
        Seconds between looks with --follow, at least 10.
    json
        Print one JSON document, or with --follow a line of JSON for each event.
    """
    if most is not None and most < 1:
        raise UsageError("--most is at least 1", advice="")
    asked = whose.asking(follow=follow, camera=camera, person=person, since=since, most=most, every=every)
    if follow:
        if not json:
            say(f"netaflux: times are {own_zone()}")
        return carry_out(place, "events", asked, _followed_as_json if json else _followed)
    told, code = _told(place, "events", asked)
    found = [event for event in told if event["event"] == "seen"]
    if json:
        _as_json("events", found, told)
    elif found:
        headings = (f"time ({own_zone()})", "camera", "what", "message", "picture", "id")
        table(headings, [_event_cells(event) for event in found])
    else:
        _say_none("there is no such event", told)
    return code


def _event_cells(event: Json) -> tuple[object, ...]:
    return (
        when(event["time"]),
        event["camera_name"] or event["camera"],
        _what(event),
        _message(event),
        "yes" if event["picture"] else "no",
        event["id"],
    )


def _message(event: Json) -> str | None:
    """What Netatmo says of it; of an outdoor event its parts say it."""
    of_parts = ", ".join(part["message"] for part in event["parts"] if part["message"])
    return event["message"] or of_parts or None


def _what(event: Json) -> str:
    """An event in a few words."""
    kinds = ", ".join(dict.fromkeys(part["kind"] for part in event["parts"]))
    who = event["person_name"] or ("unknown face" if event["person"] else None)
    more = [word for word in (event["category"], kinds, who, event["sub_kind"]) if word]
    return f"{event['kind']} ({', '.join(map(str, more))})" if more else str(event["kind"])


def _followed(event: Json) -> None:
    _end_without_reader(event)
    if event["event"] == "seen":
        time, where, what, message, _, one = map(str, _event_cells(event))
        said = f": {message}" if _message(event) else ""
        print(printable(f"{time}  {where}  {what}{said}  [{one}]"), flush=True)
    else:
        _talk(event)


def _end_without_reader(event: Json) -> None:
    """End where nobody reads any more, not only at the next event. Raises BrokenPipeError."""
    if event["event"] == "looked":
        look = select.poll()
        look.register(sys.stdout, 0)  # whether the other end is gone is told unasked
        if look.poll(0):
            raise BrokenPipeError


def _followed_as_json(event: Json) -> None:
    _end_without_reader(event)
    if event["event"] == "seen":
        print(json_text(event), flush=True)
    else:
        _talk(event)


def picture(
    of: str,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    whose: Whose = EVERYBODYS,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Fetch an event's picture, or a person's face.

    Without --output the bytes go to standard output. Where there is no picture any more nothing is written.

    Example: `netaflux picture Anne --output anne.jpg`

    Parameters
    ----------
    of
        A person's name or id, or the id of an event as `netaflux events` shows it.
    output
        The file to write.
    """
    if output is None and sys.stdout.isatty():
        raise UsageError("a terminal shows no pictures", advice="Name a file with --output.")
    told, code = _told(place, "picture", whose.asking(of=of))
    for event in told:
        if event["event"] == "picture":
            content = b64decode(event["content"])
            if output is None:
                sys.stdout.buffer.write(content)
            else:
                _write(output, content)
                say(f"netaflux: {output}: {event['kind']}, {len(content)} bytes")
    return code


def _write(path: Path, content: bytes) -> None:
    """All of the file or nothing; what is no plain file, such as a pipe, takes the bytes as they come.

    Raises NetafluxError.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _put_in_place(path.resolve(), content)
    except OSError as error:
        raise NetafluxError(f"{path} cannot be written: {error.strerror}", advice="") from error


def _put_in_place(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise


def persons(
    do: Literal["home", "away"] | None = None,
    /,
    *names: str,
    whose: Whose = EVERYBODYS,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """List the persons that cameras know, and who is at home; or mark them home or away.

    `away` without a name is for everybody of the home. It says what it will do, and asks; without a yes
    nothing is changed, and the exit code is 0.

    Example: `netaflux persons away Anne`

    Parameters
    ----------
    do
        `home` or `away`, to mark persons.
    names
        Whom to mark, by name or id.
    yes
        Do not ask before something is changed.
    json
        Print one JSON document.
    """
    asked = whose.asking(do=do, persons=list(names))
    if do is not None:
        return _marked(asked, place, yes=yes, json=json)
    told, code = _told(place, "persons", asked)
    found = [event for event in told if event["event"] == "person"]
    if json:
        _as_json("persons", found, told)
    elif found:
        headings = ("home", "person", "where", f"last seen ({own_zone()})", "id")
        table(headings, [_person_cells(event) for event in found])
    else:
        _say_none("there is no person that a camera knows", told)
    return code


def _person_cells(event: Json) -> tuple[object, ...]:
    where = {True: "home", False: "away", None: None}[event["at_home"]]
    name = event["name"] or "(unknown face)"
    return event["home_name"] or event["home"], name, where, when(event["last_seen"]), event["id"]


def _marked(asked: Json, place: Place, *, yes: bool, json: bool) -> int:
    plan, code = _told(place, "persons", {**asked, "plan": True})
    if any(event["event"] == "failed" for event in plan):
        return code
    for event in plan:
        if event["event"] == "plan":
            say(f"This is going to {event['text']}.")
    if not yes and not _agreed():
        say("Nothing was changed.")
        return 0
    told, code = _told(place, "persons", asked)
    done = [event for event in told if event["event"] == "marked"]
    if json:
        _as_json("marked", done, told)
    else:
        for event in done:
            print(printable(f"done: {event['text']}"))
    return code


def _agreed() -> bool:
    """Whether the person says yes. Raises UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked whether this shall be done", advice="Say it with --yes.")
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _told(place: Place, name: str, asked: Json) -> tuple[list[Json], int]:
    """All events of a command, what went wrong explained, and its exit code."""
    told: list[Json] = []
    take: Callable[[Json], None] = told.append
    code = carry_out(place, name, asked, take)
    for event in told:
        _talk(event)
    return told, code


def _say_none(words: str, told: list[Json]) -> None:
    """That there is nothing, unless somebody could not be asked."""
    if told and told[-1]["event"] == "result" and not told[-1]["failed"]:
        say(f"netaflux: {words}")


def _talk(event: Json) -> None:
    """What is no data, on stderr."""
    if event["event"] == "failed":
        explain(event)
    elif event["event"] == "trouble":
        say(f"netaflux: {event['message']} ({event['remedy']})")
    for failure in event.get("failed") or []:
        say(f"netaflux: account {failure['account']}: {failure['reason']}")
        if failure["remedy"]:
            say(f"  → {failure['remedy']}")


def _as_json(what: str, found: list[Json], told: list[Json]) -> None:
    last = told[-1] if told else {}
    rows = [{key: value for key, value in event.items() if key != "event"} for event in found]
    as_json({what: rows, "failed": last.get("failed", []), "exit_code": last.get("exit_code")})
