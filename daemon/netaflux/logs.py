"""The log, set up once: one line an event, for people or for programs, secrets masked.

structlog's events ┐
                   ├─► one chain: context, level, time, traceback ─► masked ─► JSON, or a line for people
other libraries'   ┘
"""

import json
import logging
import os
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any, Final, TextIO

if "rich.traceback" not in sys.modules:
    # structlog would import it, and pygments too, for a printer that ours replaces: a tenth of every start
    sys.modules["rich.traceback"] = None  # type: ignore[assignment]  # which means: there is none
    import structlog.dev

    del sys.modules["rich.traceback"]

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from netaflux.core.events import Event, Level
from netaflux.core.masking import Masks, printable
from netaflux.core.settings import LogForm

QUIET: Final = ("apscheduler", "aiohttp.access")
"""Libraries that tell at `info` what is no news."""
LOGGER: Final = "netaflux"
LEVELS: Final[Mapping[Level, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
FIRST: Final = ("timestamp", "level", "event", "logger")
TRACES: Final = ("exception", "stack")
REASONS: Final = frozenset({"error", "message", "reason", "remedy", "text"})
"""Under which keys commands and status say what a server may have said before."""
PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""The kernel's and journald's numbers (sd-daemon(3))."""

REMEMBERED: Final = 500
"""Events that are kept in memory, for the bundle of `netaflux doctor`."""
LONGEST_REMEMBERED: Final = 2000
"""Signs of one text that are kept: the memory must have a bound, whatever a server sends."""

_masks: Final = Masks()
_remembered: Final[deque[EventDict]] = deque(maxlen=REMEMBERED)


def forget(*secrets: str, passing: bool = False) -> None:
    """Mask these texts in every line from now on; `passing` for tokens, which newer ones replace."""
    _masks.add(secrets, passing=passing)


def masked(text: str) -> str:
    """A text for people, with its secrets masked."""
    return _masks.text(text)


def masked_data(value: object) -> Any:  # noqa: ANN401 - plain data is anything
    """Plain data with their secrets masked, by their keys, too."""
    return _masks.value(value)


def recent() -> list[dict[str, Any]]:
    """The newest events that were written, the oldest first; masked once more by what is secret now."""
    return [masked_data(event) for event in _remembered]


def reasons_masked(told: Any) -> Any:  # noqa: ANN401 - plain data
    """Plain data in which every sentence about a failure is masked; names and values stay as they are."""
    if isinstance(told, dict):
        return {
            key: masked(value) if key in REASONS and isinstance(value, str) else reasons_masked(value)
            for key, value in told.items()
        }
    return [reasons_masked(each) for each in told] if isinstance(told, list) else told


def configure(
    level: Level,
    form: LogForm = "auto",
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Send everything that is logged to `stream` (stderr), in the given form; may be called again.

    `auto` is for people on a terminal and JSON elsewhere. A line for journald begins with its priority.
    `secrets` are masked wherever they stand.
    """
    forget(*secrets)
    stream = sys.stderr if stream is None else stream
    environ = os.environ if environ is None else environ
    terminal = stream.isatty()
    renderer = _for_people(colors=terminal and not environ.get("NO_COLOR"))
    if form == "json" or (form == "auto" and not terminal):
        renderer = [structlog.processors.JSONRenderer(json.dumps, ensure_ascii=False)]
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(handler)
    root.addHandler(_Handler(stream, _Formatter(renderer, prioritized=_is_journal(stream, environ))))
    structlog.configure(
        processors=_BEFORE_LOGGING,
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    set_level(level)


def configure_for_command(level: Level, *, secrets: Iterable[str] = ()) -> None:
    """As `configure`, for a command that talks to its person itself: only what is wrong, unless debugging."""
    configure("warning" if level == "info" else level, secrets=secrets)


def level_now() -> Level:
    """The level from which on things are told."""
    number = logging.getLogger().level
    return next((level for level, each in LEVELS.items() if each >= number), "error")


def change_level(level: Level, by: str) -> Level:
    """Take another level until the log is configured anew, and say so; answers what it was.

    It is said where the more talkative of the two is in force.
    """
    before = level_now()
    told = {"was": before, "to": level, "by": by}
    log = structlog.get_logger(LOGGER)
    if LEVELS[level] > LEVELS[before]:
        log.info("log_level.changed", **told)
    set_level(level)
    if LEVELS[level] < LEVELS[before]:
        log.info("log_level.changed", **told)
    return before


def set_level(level: Level) -> None:
    """Tell what is of this level or above it, from now on."""
    number = LEVELS[level]
    logging.getLogger().setLevel(number)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


class LogObserver:
    """The observer that writes what happens into the log: the event's name, and its fields."""

    def __init__(self) -> None:
        self._log = structlog.get_logger(LOGGER)
        self._gate = logging.getLogger(LOGGER)

    def tell(self, event: Event) -> None:
        """Log the event at its level."""
        level = LEVELS[event.level]
        if self._gate.isEnabledFor(level):  # most events are for debugging only: they should cost little
            self._log.log(
                level, event.name, **{field.name: getattr(event, field.name) for field in fields(event)}
            )


_CHAIN: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # as text: structlog's own renderers print local variables, which may hold a token
    structlog.processors.format_exc_info,
    structlog.processors.StackInfoRenderer(),
)

# one list for good: loggers keep the one that they were first used with
_BEFORE_LOGGING: Final[list[Processor]] = [
    structlog.stdlib.filter_by_level,
    *_CHAIN,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; says in one of its own, without the data, when a library's record cannot be written."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter) -> None:
        super().__init__(stream)
        self.setFormatter(formatter)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Instead of logging's own way, which prints the record's arguments as they are."""
        failed = logging.LogRecord(record.name, logging.WARNING, "", 0, "log.failed", (), None)
        with suppress(Exception):  # a stream that is gone takes this line no more than the one before
            self.stream.write(self.format(failed) + self.terminator)
            self.flush()


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """One line for a record of structlog or of any library."""

    def __init__(self, renderer: list[Processor], *, prioritized: bool) -> None:
        super().__init__(
            foreign_pre_chain=[*_CHAIN[:-2], structlog.stdlib.ExtraAdder(), *_CHAIN[-2:]],
            # masking comes last, so that nothing that is written gets past it
            processors=[self.remove_processors_meta, _presentable, _remember, *renderer],
        )
        self._prioritized = prioritized

    def format(self, record: logging.LogRecord) -> str:
        """The line, or several of them where a traceback is written for people."""
        text = super().format(record)
        if not self._prioritized:
            return text
        priority = f"<{PRIORITIES.get(record.levelname.lower(), 6)}>"
        return "\n".join(priority + line for line in text.split("\n"))


def _presentable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The event with its secrets masked and its texts escaped, the usual keys first."""
    traces = {key: str(event.pop(key)) for key in TRACES if event.get(key)}
    order = dict.fromkeys((*(key for key in FIRST if key in event), *event))
    shown = {str(_masks.value(str(key))): _masks.value(event[key], str(key)) for key in order}
    lines = {key: _masks.text(trace).split("\n") for key, trace in traces.items()}
    return shown | {key: "\n".join(map(printable, trace)) for key, trace in lines.items()}


def _remember(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep a copy of what is about to be written; renderers take events apart."""
    _remembered.append(
        {key: each[:LONGEST_REMEMBERED] if isinstance(each, str) else each for key, each in event.items()}
    )
    return event


def _for_people(*, colors: bool) -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    return [_indented, renderer]


def _indented(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Tracebacks moved to the right, where none of their lines can pass for one of the log's."""
    traces = {key: "    " + event[key].replace("\n", "\n    ") for key in TRACES if key in event}
    return {**event, **traces}


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether the stream goes to journald; the variable alone is inherited by everything below a service."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"
