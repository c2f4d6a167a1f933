"""The one door: what becomes of a command's result, and of what it raises."""

import os
from collections.abc import Callable
from typing import NoReturn

import pytest

from netaflux.cli import daemon
from netaflux.cli.main import main
from netaflux.core.errors import (
    ConfigError,
    DataRefused,
    NetafluxError,
    NobodyAtSocket,
    NotAuthorized,
    StateLocked,
    UsageError,
)

Captured = pytest.CaptureFixture[str]


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def health() -> NoReturn:
        raise error

    return health


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("what?"), 2),
        (DataRefused("what?"), 65),
        (NobodyAtSocket("what?"), 69),
        (StateLocked("what?", pid=7), 75),
        (NetafluxError("what?", advice="Wait."), 75),
        (NotAuthorized("what?"), 77),
        (ConfigError("what?"), 78),
    ],
)
def test_an_error_becomes_words_and_its_number(
    error: NetafluxError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(daemon, "health", raising(error))

    assert main(["health"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    remedy = error.remedy.replace("COMMAND", "health")
    assert told.err.splitlines() == ["netaflux: what?", *([f"  → {remedy}"] if remedy else [])]


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(daemon, "health", raising(KeyboardInterrupt()))

    assert main(["health"]) == 130
    assert capsys.readouterr().err == ""


def test_a_mistake_of_ours_is_no_error_of_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its traceback: somebody has to find it."""
    monkeypatch.setattr(daemon, "health", raising(ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError):
        main(["health"])


def test_the_result_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "health", lambda: 69)

    assert main(["health"]) == 69


@pytest.mark.parametrize(
    "words", [["helth"], ["health", "--redy"], ["health", "surplus"], ["completion", "csh"]]
)
def test_what_makes_no_sense_is_usage_and_told_on_stderr(words: list[str], capsys: Captured) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words[-1] in told.err


@pytest.mark.parametrize("place", ["--config", "-c"])
def test_a_configuration_can_be_named_before_or_after_the_options(place: str, capsys: Captured) -> None:
    nowhere = os.devnull + "/config.toml"

    assert main(["health", place, nowhere, "--ready"]) == 78
    assert main(["health", "--ready", f"{place}={nowhere}"]) == 78
    assert capsys.readouterr().err.count(f"{nowhere}: there is no such file") == 2
