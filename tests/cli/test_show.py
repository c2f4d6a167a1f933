"""How events look to a person, and to a program."""

import json
import time

import pytest

from netaflux.cli.show import (
    SyncProgress,
    about,
    ago,
    as_json,
    explain,
    headway,
    json_text,
    number,
    own_zone,
    printable,
    say,
    table,
    when,
)

Captured = pytest.CaptureFixture[str]

BELL = "\x1b]0;owned\x07"
"""What a module's name could do to a terminal's title."""
PROGRESS = {
    "modules": 2,
    "modules_done": 1,
    "rows": 3,
    "calls": 4,
    "done": 0.25,
    "rows_per_second": 12.3,
    "eta_seconds": 3725.0,
    "waiting_until": 1400506122,
    "reason": BELL,
}
NO_RATE = {"rows_per_second": 0}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3 * 3600 + 125, "3 h 2 min"),
        (86400, "1 d"),
        (30 * 86400 + 3600, "30 d 1 h"),
    ],
)
def test_a_length_of_time_is_told_in_its_largest_units(seconds: float | None, told: str) -> None:
    assert ago(seconds) == told


def test_a_moment_is_told_in_local_time(utc: None) -> None:
    assert when(1400506122) == "2014-05-19 13:28:42"
    assert when(None) == "–"


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (57, "57"), (1234567, "1234567"), (60.62, "60.62"), (10036.675812664322, "10036.7")],
)
def test_a_number_is_told_as_people_read_it(value: object, told: str) -> None:
    assert number(value) == told


def test_a_table_without_a_terminal_cuts_nothing_and_leaves_no_blanks(capsys: Captured) -> None:
    long = "x" * 200
    table(("device", "rows"), [("Porch", 7), (long, None)], right=("rows",))

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["device", "rows"], ["Porch", "7"], [long, "–"]]
    assert [line.rstrip() for line in lines] == lines


def test_a_table_shows_ids_and_names_as_they_are(capsys: Captured) -> None:
    cells = ("70:ee:50:ab:12:34", "C:\\", "[red]:warning:", "\\[b]")
    table(("id", "name", ":id:", "[b]"), [cells])

    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "name", ":id:", "[b]"]
    assert line.split() == list(cells)


def test_a_narrow_terminal_folds_words_and_no_ids(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")  # rich takes it for one of 80 columns, and leaves styles out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    talk, one, two = "many words " * 20, "70:ee:50:ab:12:34", "64d1e3deb1098051fa010336"
    table(("id", "what", "more", "module"), [(one, talk, talk, two)], whole=("id", "module"))

    lines = capsys.readouterr().out.splitlines()
    assert [one in lines[1], two in lines[1]] == [True, True]
    assert max(map(len, lines)) <= 80


def test_what_comes_from_elsewhere_steers_no_terminal(capsys: Captured) -> None:
    table(("name",), [(f"[red]{BELL}",)])
    say(BELL)
    explain({"message": BELL, "remedy": BELL})

    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\x07" not in told.out + told.err
    assert "[red]" in told.out
    assert printable(BELL) in told.err


def test_a_failure_is_told_with_what_to_do(capsys: Captured) -> None:
    explain({"message": "the disk is full", "remedy": "Make room."})
    explain({"message": "nothing to be done", "remedy": ""})

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "netaflux: the disk is full\n  → Make room.\nnetaflux: nothing to be done\n"


def test_json_keeps_its_letters(capsys: Captured) -> None:
    as_json({"name": "Küche"})

    assert capsys.readouterr().out == '{\n  "name": "Küche"\n}\n'


def test_json_steers_no_terminal_and_loses_nothing(capsys: Captured) -> None:
    odd = "\x9b2J\x1b\x7f\u202e\u2028\U000e0001 Küche 🔔"
    as_json({"name": odd})
    told = capsys.readouterr().out

    assert told.replace("\n", "").isprintable()
    assert "Küche 🔔" in told
    assert json.loads(told) == json.loads(json_text({"name": odd})) == {"name": odd}


@pytest.mark.parametrize(("zone", "named"), [("UTC", "UTC"), ("Europe/Paris", "CET/CEST")])
def test_the_machines_zone_has_a_name(
    zone: str, named: str, utc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()

    assert own_zone() == named


def test_a_table_without_rows_is_nothing(capsys: Captured) -> None:
    table(("device", "rows"), [])

    assert capsys.readouterr().out == ""


def test_a_reason_names_once_what_it_is_about() -> None:
    named = "Account default is not authorized"

    assert about("account default", named) == named
    assert about("destination home", "it is away") == "destination home: it is away"


def test_without_a_terminal_a_sync_tells_of_each_wait_once_and_of_nothing_else(
    capsys: Captured, utc: None
) -> None:
    goes_on = {**PROGRESS, "waiting_until": None}

    with SyncProgress() as progress:
        for event in (goes_on, PROGRESS, PROGRESS, goes_on, PROGRESS, goes_on):
            progress.take(event)

    told = capsys.readouterr()
    wait = f"netaflux: waiting until 13:28:42 for Netatmo's limits: {printable(BELL)}"
    assert (told.out, told.err.splitlines()) == ("", [wait, wait])


def test_a_progress_is_told_in_figures_as_far_as_they_are_known(utc: None) -> None:
    far_off = headway(PROGRESS)
    going_on = headway({**PROGRESS, "waiting_until": None})
    unknown = headway({**PROGRESS, "done": None, "eta_seconds": None, "waiting_until": None, **NO_RATE})

    assert list(far_off) == [
        "25%",
        "1 h 2 min left",
        f"waiting until 13:28:42 for Netatmo's limits: {printable(BELL)}",
        "3 rows",
        "4 calls",
    ]
    assert list(going_on) == ["25%", "1 h 2 min left", "12 rows/s", "3 rows", "4 calls"]
    assert list(unknown) == ["1 of 2 modules", "3 rows", "4 calls"]
