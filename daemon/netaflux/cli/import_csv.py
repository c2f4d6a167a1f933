"""`netaflux import-csv`: the files are read and checked here, and sent by whoever owns the state."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from netaflux.cli.owner import carry_out_each
from netaflux.cli.place import Place
from netaflux.cli.show import as_json, explain, printable, say, table, when
from netaflux.commands.words import Json, iso
from netaflux.core.errors import NetafluxError
from netaflux.sources.csv_export import Checked, check
from netaflux.sources.csv_mistakes import KEPT, Mistakes

DEFAULT_PLACE = Place()
AGAIN = "Repeat the same command later; rows that are there already do no harm."
NOT_ALL = 75


def import_csv(
    device: str,
    file: Path,
    /,
    *files: Path,
    channel: tuple[str, ...] = (),
    dry_run: bool = False,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Send the rows of Netatmo's CSV exports to a device's destinations, as if they had been polled.

    Every file is checked whole before the first row is sent; where anything is wrong, all of it is told and
    nothing is sent. What a destination holds already is overwritten with the same values. Polling is not
    touched by it: what is polled later is sent once more.

    Exit code 0 when all rows are there, 65 when a file is refused, 75 when a destination did not take all.

    Example: `netaflux import-csv Netatmo_Basement Basement_18-5-2014.csv`

    Parameters
    ----------
    device
        A device of the configuration.
    file
        An export of the module that the device mirrors.
    files
        More of them.
    channel
        Send only this channel of the device; may be given several times.
    dry_run
        Only check the files, and say what would be sent.
    json
        Print one JSON document instead of a table.
    """
    with ImportProgress() as progress:
        checked = _checked((file, *files), progress)
        run = Import(device, checked, channel, progress, dry_run=dry_run)
        try:
            code = carry_out_each(place, "import-csv", run.requests(), run.take)
        except (NetafluxError, KeyboardInterrupt):
            progress.stop()
            if run.plan is not None:
                _show(run, json=json)
            raise
    if run.failure is not None and run.plan is None:
        explain(run.failure)
    elif run.plan is not None:
        _show(run, json=json)
    return run.exit_code or (0 if run.complete else code or NOT_ALL)


class ImportProgress:
    """The progress bar, on a terminal only: first the rows checked, then the rows sent."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("checking", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Give the terminal back."""
        self._progress.stop()

    def advance(self, rows: int) -> None:
        """So many rows more are done."""
        self._progress.advance(self._task, rows)

    def send(self, rows: int) -> None:
        """All are checked; so many are to be sent."""
        self._progress.reset(self._task, total=rows, description="sending")


def _checked(files: Sequence[Path], progress: ImportProgress) -> list[Checked]:
    mistakes, now = Mistakes(), time.time()
    found = [check(file, mistakes, now=now, tell=progress.advance) for file in files]
    mistakes.require_none()
    return [each for each in found if each is not None]


@dataclass(slots=True)
class Taken:
    """What one destination took of all files."""

    rows: int = 0
    first: int | None = None
    last: int | None = None
    refused: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why some rows were not taken, the first of them."""
    failure: str | None = None
    """Why it took no more."""

    def add(self, handed: Json) -> None:
        """Count what became of a page."""
        self.rows += handed["rows"]
        if handed["rows"]:
            self.first = handed["from"] if self.first is None else min(self.first, handed["from"])
            self.last = handed["to"] if self.last is None else max(self.last, handed["to"])
        self.refused += len(handed["refused"])
        for each in handed["refused"][: KEPT - len(self.reasons)]:
            self.reasons.append(f"the row of {iso(each['time'])}: {each['reason']}")
        self.failure = handed["reason"]


@dataclass(slots=True)
class Import:
    """One run: which requests it makes, and what came of them."""

    device: str
    files: Sequence[Checked]
    channels: Sequence[str]
    progress: ImportProgress
    dry_run: bool
    plan: Json | None = None
    failure: Json | None = None
    """The event of a request that failed: the last one, then."""
    complete: bool = False
    """Whether every request was made."""
    taken: dict[str, Taken] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows the files hold."""
        return sum(file.rows for file in self.files)

    @property
    def exit_code(self) -> int:
        """0 when every destination has all that the files hold for it."""
        if self.failure is not None:
            return int(self.failure["exit_code"])
        return NOT_ALL if any(each.failure or each.refused for each in self.taken.values()) else 0

    def requests(self) -> Iterator[Json]:
        """The plan, then a page at a time, as long as a destination takes rows. Raises DataRefused."""
        yield {
            "device": self.device,
            "files": [{"file": file.file, "measures": list(file.measures)} for file in self.files],
            "channels": list(self.channels),
            "dry_run": self.dry_run,
        }
        if self.plan is not None and not self.dry_run:
            yield from self._pages(self.plan)
        self.complete = True

    def _pages(self, plan: Json) -> Iterator[Json]:
        self.taken = {name: Taken() for name in plan["destinations"]}
        self.progress.send(self.rows)
        for file, channels in zip(self.files, plan["channels"], strict=True):
            for page in file.pages():
                taking = [name for name, each in self.taken.items() if each.failure is None]
                if not taking or self.failure is not None:
                    return
                yield {
                    "device": self.device,
                    "channels": channels,
                    "destinations": taking,
                    "measures": list(file.measures),
                    "rows": page,
                }
                self.progress.advance(len(page))

    def take(self, event: Json) -> None:
        """Note what came of a request."""
        if event["event"] == "failed":
            self.failure = event
        elif "handed" not in event:
            self.plan = event
        else:
            for handed in event["handed"]:
                self.taken[handed["destination"]].add(handed)


def _show(run: Import, *, json: bool) -> None:
    if json:
        as_json(_document(run))
    else:
        _show_tables(run)
    if run.failure is not None:
        explain(run.failure)


def _document(run: Import) -> Json:
    plan = run.plan or {}
    return {
        "device": run.device,
        "module": plan["module"],
        "note": plan["note"],
        "files": [
            {
                "file": file.file,
                "rows": file.rows,
                "from": file.first,
                "to": file.last,
                "channels": channels,
                "columns_left_alone": list(file.header.unknown),
            }
            for file, channels in zip(run.files, plan["channels"], strict=True)
        ],
        "destinations": [
            {
                "destination": name,
                "rows": each.rows,
                "from": each.first,
                "to": each.last,
                "refused": each.refused,
                "reason": each.failure or next(iter(each.reasons), None),
            }
            for name, each in run.taken.items()
        ],
        "dry_run": run.dry_run,
    }


def _show_tables(run: Import) -> None:
    plan = run.plan or {}
    rows = [
        (file.file, file.rows, when(file.first), when(file.last), ", ".join(channels))
        for file, channels in zip(run.files, plan["channels"], strict=True)
    ]
    table(("file", "rows", "from", "to", "channels"), rows, right=("rows",))
    if not run.dry_run:
        print()
        sent = [(name, each.rows, when(each.first), when(each.last)) for name, each in run.taken.items()]
        table(("destination", "rows sent", "from", "to"), sent, right=("rows sent",))
    for line in _notes(run):
        say(line)


def _notes(run: Import) -> Iterator[str]:
    if run.plan and run.plan["note"]:
        yield f"note: {run.plan['note']}"
    for file in run.files:
        if file.header.unknown:
            yield f"note: {file.file}: columns left alone: {', '.join(file.header.unknown)}"
    for name, each in run.taken.items():
        for reason in each.reasons:
            yield f"left: {name}: {printable(reason)}"
        if each.refused > len(each.reasons):
            yield f"left: {name}: … and {each.refused - len(each.reasons)} more rows"
        if each.failure:
            yield f"left: {name} took no more: {each.failure}"
            yield f"  → {AGAIN}"
