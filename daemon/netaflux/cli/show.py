"""How events look: tables and progress for people, JSON for programs. Data on stdout, talk on stderr."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

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
    print(json.dumps(data, indent=2, ensure_ascii=False))


def when(time: float | None) -> str:
    """Unix seconds as local time that a person reads."""
    if time is None:
        return "–"
    return datetime.fromtimestamp(time, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


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


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table on stdout; without a terminal its lines are not cut."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(printable("–" if cell is None else cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 400, highlight=False)
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().splitlines():
        print(line.rstrip())


class SyncProgress:
    """The progress bar of `sync` and its like, on a terminal only."""

    def __init__(self, doing: str = "syncing") -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("modules · {task.fields[rows]} rows · {task.fields[pages]} calls"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(doing, total=None, rows=0, pages=0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def take(self, event: Json) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            total=event["modules"] or None,
            completed=event["modules_done"],
            rows=event["rows"],
            pages=event["pages"],
        )
