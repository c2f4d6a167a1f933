import io
import json
import logging
import os
import pty
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as some

from netaflux import logs
from netaflux.core.events import (
    BatchDelivered,
    Event,
    Level,
    PageFetched,
    PollFailed,
    RowRefused,
    TokensRefreshed,
)
from netaflux.core.masking import MASK
from netaflux.core.model import (
    AccountName,
    ChannelName,
    DestinationName,
    DeviceName,
    Lane,
    ModuleId,
)
from netaflux.core.settings import LogForm

CANARY = "c4nary-in-the-mine"
TOKEN = "5f1e2d3c4b5a69788796a5b4|0123456789abcdef0123456789abcdef"

log = structlog.get_logger("netaflux.tests")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Gives the log back as the other tests know it."""
    root, quiet = logging.getLogger(), [logging.getLogger(name) for name in logs.QUIET]
    levels = [(each, each.level) for each in (root, *quiet)]
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:] = [handler for handler in root.handlers if "pytest" in type(handler).__module__]
    for each, level in levels:
        each.setLevel(level)


@pytest.fixture
def json_lines() -> Callable[[], list[dict[str, Any]]]:
    """Begins to log as JSON, and answers what has been logged."""
    stream = io.StringIO()
    logs.configure("debug", "json", stream=stream, environ={}, secrets=[CANARY])
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def told(form: LogForm, say: Callable[[], object]) -> str:
    """What is written when something is said."""
    stream = io.StringIO()
    logging.getLogger().handlers.clear()  # pytest's own are upset by what ours has to bear
    logs.configure("debug", form, stream=stream, environ={}, secrets=[CANARY])
    say()
    return stream.getvalue()


# One line an event


def test_an_event_is_a_line_with_its_facts(json_lines: Any) -> None:
    log.info("poll.completed", module="70:ee:50:00:00:01", rows=2)

    (line,) = json_lines()
    assert line.pop("timestamp").endswith("Z")
    assert list(line.items()) == [
        ("level", "info"),
        ("event", "poll.completed"),
        ("logger", "netaflux.tests"),
        ("module", "70:ee:50:00:00:01"),
        ("rows", 2),
    ]


def test_other_libraries_speak_as_we_do(json_lines: Any) -> None:
    """With what is bound around the work that they are part of."""
    with structlog.contextvars.bound_contextvars(account="default"):
        logging.getLogger("aiohttp.client").warning("%s of %d", "one", 2, extra={"peer": "host"})

    (line,) = json_lines()
    assert (line["event"], line["level"], line["logger"]) == ("one of 2", "warning", "aiohttp.client")
    assert (line["account"], line["peer"]) == ("default", "host")


def test_a_warning_of_python_is_a_line_as_well(json_lines: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)

    (line,) = json_lines()
    assert line["logger"] == "py.warnings"
    assert "DeprecationWarning: old ways" in line["event"]


def test_people_get_a_line_to_read() -> None:
    text = told("console", lambda: log.warning("poll.failed", reason="no answer", rows=0, device="Séjour"))

    time, line = text.split(" ", 1)
    assert time.endswith("Z")
    assert " ".join(line.split()) == (
        "[warning ] poll.failed [netaflux.tests] reason='no answer' rows=0 device=Séjour"
    )


def test_configuring_again_replaces_what_was() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.configure("info", "json", stream=first, environ={})
    log.info("first.said")
    logs.configure("warning", "json", stream=second, environ={})
    log.info("second.said")
    log.warning("third.said")

    assert first.getvalue().count("\n") == 1
    assert json.loads(second.getvalue())["event"] == "third.said"


# Levels


def test_what_is_below_the_level_is_not_told_and_the_level_can_change(json_lines: Any) -> None:
    for level in ("debug", "info", "warning", "error"):
        logs.set_level(level)
        log.debug("a.b")
        log.info("a.b")
        log.warning("a.b")
        log.error("a.b")

    assert [line["level"] for line in json_lines()] == [
        *("debug", "info", "warning", "error"),
        *("info", "warning", "error"),
        *("warning", "error"),
        "error",
    ]


@pytest.mark.parametrize("name", ["apscheduler.scheduler", "aiohttp.access"])
def test_libraries_that_talk_a_lot_are_heard_when_something_is_wrong(json_lines: Any, name: str) -> None:
    logging.getLogger(name).info("Running job")
    logging.getLogger(name).warning("Run time of job was missed")
    logs.set_level("error")
    logging.getLogger(name).warning("Run time of job was missed again")

    assert [line["event"] for line in json_lines()] == ["Run time of job was missed"]


@pytest.mark.parametrize(
    ("level", "heard"), [("debug", ["debug", "info", "error"]), ("info", ["error"]), ("error", ["error"])]
)
def test_a_command_leaves_the_talking_to_itself(
    capsys: pytest.CaptureFixture[str], level: Any, heard: list[str]
) -> None:
    logs.configure_for_command(level)
    log.debug("a.b")
    log.info("a.b")
    log.error("a.b")

    captured = capsys.readouterr()
    assert [json.loads(line)["level"] for line in captured.err.splitlines()] == heard
    assert captured.out == ""


# Which form


def test_auto_is_json_where_nobody_sits() -> None:
    assert json.loads(told("auto", lambda: log.info("a.b")))["event"] == "a.b"


@pytest.mark.parametrize(("environ", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_auto_is_for_people_on_a_terminal(environ: dict[str, str], colours: object) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as reader, os.fdopen(theirs, "w") as terminal:
        logs.configure("info", "auto", stream=terminal, environ=environ)
        log.info("a.b", n=1)
        shown = reader.read(4096).decode()

    assert "a.b" in shown
    assert not shown.startswith("{")
    assert ("\x1b[" in shown) == colours


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[tuple[TextIO, dict[str, str]]]:
    """A stream that systemd would have connected to the journal, and the environment that says so."""
    with (tmp_path / "journal").open("w+", encoding="utf-8") as stream:
        there = os.fstat(stream.fileno())
        yield stream, {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}


def test_lines_for_the_journal_begin_with_their_priority(journal: tuple[TextIO, dict[str, str]]) -> None:
    stream, environ = journal
    logs.configure("debug", "auto", stream=stream, environ=environ)
    for say in (log.debug, log.info, log.warning, log.error, log.critical):
        say("a.b")
    stream.seek(0)

    lines = stream.read().splitlines()
    assert [line[:3] for line in lines] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
    assert all(json.loads(line[3:])["event"] == "a.b" for line in lines)


def test_a_traceback_for_people_has_its_priority_on_every_line(
    journal: tuple[TextIO, dict[str, str]],
) -> None:
    stream, environ = journal
    logs.configure("debug", "console", stream=stream, environ=environ)
    fail(ValueError("one\ntwo"))
    stream.seek(0)

    lines = stream.read().splitlines()
    assert len(lines) > 4
    assert all(line.startswith("<3>") for line in lines)


def test_a_journal_that_another_process_writes_to_is_none_of_ours(tmp_path: Path) -> None:
    """The variable is inherited by shells that a service has started."""
    with (tmp_path / "log").open("w+") as stream:
        logs.configure("info", "json", stream=stream, environ={"JOURNAL_STREAM": "1:2"})
        log.info("a.b")
        stream.seek(0)

        assert stream.read(1) == "{"


# What happens, as the observer tells it

FLUXTREAM, DEVICE = DestinationName("fluxtream"), DeviceName("Netatmo_Basement")
MODULE = ModuleId("70:ee:50:00:00:01")

EVENTS = [
    (
        PageFetched(module=MODULE, rows=2, begin=1, first=1, last=None, lane=Lane.LIVE),
        "debug",
        {"module": MODULE, "rows": 2, "begin": 1, "first": 1, "last": None, "lane": "live"},
    ),
    (
        BatchDelivered(
            destination=FLUXTREAM,
            device=DEVICE,
            channels=(ChannelName("RH"),),
            rows=1,
            first=1,
            last=1,
            values=(57,),
        ),
        "debug",
        {
            "destination": "fluxtream",
            "device": "Netatmo_Basement",
            "channels": ["RH"],
            "rows": 1,
            "first": 1,
            "last": 1,
            "values": [57],
        },
    ),
    (
        RowRefused(destination=FLUXTREAM, device=DEVICE, time=7, reason=f"no {CANARY}"),
        "warning",
        {"destination": "fluxtream", "device": "Netatmo_Basement", "time": 7, "reason": f"no {MASK}"},
    ),
    (
        TokensRefreshed(account=AccountName("default"), expires_in=10800.0),
        "info",
        {"account": "default", "expires_in": 10800.0},
    ),
]


@pytest.mark.parametrize(("event", "level", "facts"), EVENTS)
def test_the_observer_logs_what_happens(
    json_lines: Any, event: Event, level: str, facts: dict[str, object]
) -> None:
    logs.LogObserver().tell(event)

    (line,) = json_lines()
    line.pop("timestamp")
    assert line == {"level": level, "event": event.name, "logger": "netaflux"} | facts


def test_the_observer_says_nothing_below_the_level(json_lines: Any) -> None:
    logs.set_level("warning")
    logs.LogObserver().tell(TokensRefreshed(account=AccountName("default"), expires_in=1.0))

    assert json_lines() == []


# That no secret gets out


def fail(error: Exception, **facts: object) -> None:
    """Log an error with its traceback; the frame has a local variable that must not be printed."""
    password = CANARY[::-1][::-1]
    try:
        raise error
    except type(error):
        log.exception("work.failed", length=len(password), **facts)


SAYINGS: list[Callable[[], object]] = [
    lambda: log.info("a.b", password=CANARY, x={"client_secret": [CANARY]}),
    lambda: log.info("a.b", reason=f"refused: {CANARY}."),
    lambda: log.info(CANARY),
    lambda: log.info("a.b", **{f"x{CANARY}": 1}),
    lambda: log.info("a.b", x=object.__new__(type("X", (), {"__str__": lambda _: CANARY}))),
    lambda: fail(ValueError(f"https://host/?access_token={CANARY}")),
    lambda: fail(ValueError(CANARY), cause=ValueError(CANARY)),
    lambda: fail(ExceptionGroup("several", [ValueError(CANARY)])),
    lambda: logging.getLogger("lib").error("sent %s", {"Authorization": CANARY}),
    lambda: logging.getLogger("lib").error(CANARY, extra={"body": CANARY}),
    lambda: logging.getLogger("lib").error("%d rows", CANARY),
    lambda: logging.getLogger("lib").error("x", stack_info=True, exc_info=ValueError(CANARY)),
    lambda: log.info("a.b", stack_info=True, x=CANARY),
]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("say", SAYINGS)
def test_no_line_holds_a_secret(capsys: pytest.CaptureFixture[str], form: LogForm, say: Any) -> None:
    text = told(form, say)

    captured = capsys.readouterr()
    assert text
    # a traceback quotes the source, which holds no secret but this test's name for it
    assert CANARY not in text.replace("CANARY", "") + captured.err + captured.out


def test_a_token_is_known_by_its_form(json_lines: Any) -> None:
    """Nobody has registered this one."""
    log.info("a.b", reason=f"refused {TOKEN}", header=f"Bearer {TOKEN[::-1]}")

    assert (json_lines()[0]["reason"], json_lines()[0]["header"]) == (f"refused {MASK}", f"Bearer {MASK}")


def test_a_secret_can_be_registered_later(json_lines: Any) -> None:
    log.info("a.b", reason="new-pair-of-tokens")
    logs.forget("new-pair-of-tokens", passing=True)
    log.info("a.b", reason="new-pair-of-tokens")

    assert [line["reason"] for line in json_lines()] == ["new-pair-of-tokens", MASK]
    assert logs.masked("a new-pair-of-tokens") == f"a {MASK}"


def test_local_variables_are_no_part_of_a_traceback() -> None:
    text = told("console", lambda: fail(ValueError("x")))

    assert "ValueError: x" in text
    assert "password" not in text


# That nothing forges


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "evil", ["a\n2026-01-01T00:00:00Z [info] forged", "\x1b[2J\x1b]0;x\x07", "\r\x9b\u2028\u202e"]
)
def test_text_from_elsewhere_stays_one_line_without_effect(form: LogForm, evil: str) -> None:
    text = told(form, lambda: log.info("a.b", reason=evil, **{evil: evil}))

    assert text.count("\n") == 1
    assert text.removesuffix("\n").isprintable()


def test_the_lines_of_a_traceback_cannot_pass_for_lines_of_the_log() -> None:
    text = told("console", lambda: fail(ValueError("a\n2026-01-01T00:00:00Z [info] forged\x1b[2J")))

    first, *rest = text.splitlines()
    assert "work.failed" in first
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


@given(some.text(), some.dictionaries(some.text(), some.text() | some.floats() | some.binary()))
def test_whatever_is_logged_is_one_line_of_json(event: str, facts: dict[str, Any]) -> None:
    reserved = {
        "event",
        "exc_info",
        "stack_info",
        "level",
        "self",
        "positional_args",
        "_record",
        "_from_structlog",
    }
    facts = {key: value for key, value in facts.items() if key not in reserved | {*logs.TRACES}}

    text = told("json", lambda: log.info(event, **facts))

    assert text.count("\n") == 1
    assert isinstance(json.loads(text), dict)
    assert text.removesuffix("\n").isprintable()


# What is remembered


def test_the_newest_events_are_remembered_as_they_were_written(json_lines: Any) -> None:
    for number in range(logs.REMEMBERED + 10):
        log.info("page.fetched", number=number, password=CANARY, reason=f"{number} {CANARY} {'x' * 9999}")
    log.debug("poll.completed")
    remembered = logs.recent()

    assert len(remembered) == logs.REMEMBERED
    assert remembered[-1] == json_lines()[-1]
    assert [each.get("number") for each in remembered[:-1]] == list(range(11, logs.REMEMBERED + 10))
    assert max(len(each["reason"]) for each in remembered[:-1]) == logs.LONGEST_REMEMBERED
    assert CANARY not in json.dumps(remembered)


def test_what_becomes_a_secret_later_is_masked_in_what_is_remembered(json_lines: Any) -> None:
    log.info("poll.failed", reason="a-later-secret is not known")
    logs.forget("a-later-secret")

    assert logs.recent()[-1]["reason"] == f"{MASK} is not known"


@pytest.mark.parametrize(("before", "after"), [("info", "error"), ("error", "debug"), ("info", "info")])
def test_another_level_is_told_where_it_can_be_heard(json_lines: Any, before: Level, after: Level) -> None:
    logs.set_level(before)

    assert logs.change_level(after, "a test") == before
    assert logs.level_now() == after
    assert [line["event"] for line in json_lines()] == ["log_level.changed"] * (before != after)


# What cannot be written


def test_a_record_that_cannot_be_formatted_is_told_without_its_data() -> None:
    line = json.loads(told("json", lambda: logging.getLogger("lib").warning("%d rows", "three")))

    assert (line["event"], line["logger"], line["level"]) == ("log.failed", "lib", "warning")


def test_a_stream_that_is_gone_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with closing(os.fdopen(writing, "w", buffering=1)) as stream:
        logs.configure("info", "json", stream=stream, environ={})
        log.info("a.b")
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or closing would fail on what is left

    assert capsys.readouterr().err == ""


def test_the_observer_never_raises(json_lines: Any) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    logs.LogObserver().tell(PollFailed(module=MODULE, reason=Odd()))  # type: ignore[arg-type]  # a bug elsewhere

    assert json_lines()[0]["reason"] == "<Odd: RuntimeError>"


def test_a_reason_is_masked_wherever_it_stands_and_what_is_no_reason_is_not() -> None:
    logs.forget("c4nary-that-sings")
    told = {"left": [{"what": "c4nary-that-sings", "reason": "not c4nary-that-sings"}], "rows": [1, None]}

    assert logs.reasons_masked(told) == {
        "left": [{"what": "c4nary-that-sings", "reason": f"not {MASK}"}],
        "rows": [1, None],
    }
