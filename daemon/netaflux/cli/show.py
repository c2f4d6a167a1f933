"""How events look: tables and progress for people, JSON for programs. Data on stdout, talk on stderr."""

import json
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Self

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from netaflux.commands.words import Json
from netaflux.core.masking import printable as escaped


def say(text: str) -> None:
    """Words for the person, on stderr; lines of a message stay lines."""
    for line in text.splitlines():
        print(escaped(line), file=sys.stderr)


def printable(value: object) -> str:
    """A value from elsewhere without what could steer a terminal."""
    return escaped(str(value))


def explain(event: Json) -> None:
    """A failed command, and what to do next."""
    say(f"netaflux: {event['message']}")
    if event.get("remedy"):
        say(f"  → {event['remedy']}")


def as_json(data: object) -> None:
    """One JSON document on stdout."""
    print(json_text(data, indent=2))


def json_text(data: object, *, indent: int | None = None) -> str:
    """JSON that keeps its letters and steers no terminal: what is no sign is escaped."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    return "".join(sign if sign == "\n" or sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def own_zone() -> str:
    """What this machine calls its time, in winter and in summer, such as CET/CEST."""
    return "/".join(dict.fromkeys(time.tzname))


def when(moment: float | None) -> str:
    """Unix seconds as local time that a person reads."""
    if moment is None:
        return "–"
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def o_clock(moment: float) -> str:
    """Unix seconds of today or tomorrow as local time of day."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%H:%M:%S")


def waiting(until: float, reason: str) -> str:
    """Why nothing goes on for a while."""
    return f"waiting until {o_clock(until)} for Netatmo's limits: {printable(reason)}"


def about(what: str, reason: str) -> str:
    """A reason with what it is about, unless it says so itself."""
    return reason if reason.lower().startswith(what.lower()) else f"{what}: {reason}"


def ago(seconds: float | None) -> str:
    """A length of time in its largest fitting units."""
    if seconds is None:
        return "–"
    for size, unit, smaller, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = int(seconds % size // smaller)
            return (
                f"{int(seconds // size)} {unit} {rest} {small}" if rest else f"{int(seconds // size)} {unit}"
            )
    return f"{int(seconds)} s"


def number(value: object) -> str:
    """A value as a person reads it; the data themselves are never rounded."""
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else printable(value)


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Collection[str] = (),
    whole: Collection[str] = ("id",),
) -> None:
    """A table on stdout, if it has rows; without a terminal its lines are not cut.

    The columns of `whole` are never folded: what they hold is copied from there.
    """
    if not rows:
        return
    # texts, not strings: in those rich would see markup, and emoji between the colons of an id
    cells = [[Text(printable("–" if cell is None else cell)) for cell in row] for row in rows]
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading, column in zip(headings, zip(*cells, strict=True), strict=True):
        drawn.add_column(
            Text(heading),
            justify="right" if heading in right else "left",
            overflow="fold",
            no_wrap=heading in whole,
            min_width=max(cell_len(cell.plain) for cell in column) if heading in whole else None,
        )
    for row in cells:
        drawn.add_row(*row)
    _print(drawn)


def _print(drawn: Table) -> None:
    console = Console(width=None if sys.stdout.isatty() else 400, highlight=False)
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().splitlines():
        print(line.rstrip())


class SyncProgress:
    """The progress bar of `sync` and its like; without a terminal it says only what it waits for."""

    def __init__(self, doing: str = "syncing") -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=len(doing))),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[told]}", markup=False),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=len("0:00:00"))),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(doing, total=None, told="")
        self._waits = False

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def take(self, event: Json) -> None:
        """Move the bar."""
        waits = event["waiting_until"] is not None
        if self._progress.disable and waits and not self._waits:
            say(f"netaflux: {waiting(event['waiting_until'], event['reason'])}")
        self._waits = waits
        done = event.get("done")
        if done is None and event["modules"]:
            done = event["modules_done"] / event["modules"]
        told = " · ".join(headway(event))
        self._progress.update(self._task, total=None if done is None else 1, completed=done or 0, told=told)


def headway(event: Json) -> Iterator[str]:
    """The figures of a progress as far as they are known; those first that a narrow terminal should show."""
    if event.get("done") is not None:
        yield f"{event['done']:.0%}"
    elif event["modules"]:
        yield f"{event['modules_done']} of {event['modules']} modules"
    if event.get("eta_seconds") is not None:
        yield f"{ago(event['eta_seconds'])} left"
    if event["waiting_until"] is not None:
        yield waiting(event["waiting_until"], event["reason"])
    elif event.get("rows_per_second"):
        yield f"{event['rows_per_second']:.0f} rows/s"
    yield f"{event['rows']} rows"
    yield f"{event['calls']} calls"
