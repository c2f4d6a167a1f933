"""How findings are judged."""

import pytest

from netaflux.core import findings
from netaflux.core.budget import BudgetState
from netaflux.core.errors import NotAuthorized
from netaflux.core.findings import Finding, span, worst
from netaflux.core.limits import Limit, LimitUse

DAY = 86400
MB = 1_000_000
USES = (LimitUse(Limit(40, 10), 1), LimitUse(Limit(400, 3600), 400))


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 75], 75),
        ([75, 77], 77),
        ([78, 75, 77, 1], 78),
        ([1, 0], 1),
        ([75, 1], 75),
        ([3], 0),
    ],
)
def test_what_a_person_must_mend_comes_first(codes: list[int], code: int) -> None:
    assert worst(codes) == code


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.6, "1 min"),
        (-75, "1 min"),
        (3 * 3600, "3 h"),
        (3 * 3600 + 61, "3 h 1 min"),
        (25 * 3600, "1 d 1 h"),
        (90 * DAY, "90 d"),
    ],
)
def test_a_length_of_time_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("ahead", "grade", "words"),
    [
        (None, "warning", "Netatmo has told no time yet"),
        (0.0, "ok", "it agrees"),
        (-59.0, "ok", "it agrees"),
        (61.0, "warning", "it is 1 min behind Netatmo's"),
        (-599.0, "warning", "it is 9 min ahead of Netatmo's"),
        (600.0, "problem", "it is 10 min behind Netatmo's"),
        (-3 * 3600.0, "problem", "it is 3 h ahead of Netatmo's"),
        (-50 * 365 * DAY, "problem", "it is 18250 d ahead of Netatmo's"),
    ],
)
def test_a_clock_beside_netatmos(ahead: float | None, grade: str, words: str) -> None:
    found = findings.clock(ahead)

    assert (found.grade, found.code) == (grade, 75 if grade == "problem" else 0)
    assert words in found.text


@pytest.mark.parametrize(("told", "grades"), [(True, ["ok"]), (False, ["warning"]), (None, [])])
def test_what_the_kernel_says_of_its_clock(told: bool | None, grades: list[str]) -> None:  # noqa: FBT001 - a table
    assert [each.grade for each in findings.synchronized(told)] == grades


@pytest.mark.parametrize(("days", "grade"), [(90, "ok"), (14, "ok"), (13, "warning"), (0.1, "warning")])
def test_a_certificate_by_the_time_that_is_left(days: float, grade: str) -> None:
    found = findings.certificate("x.example", 1e9 + days * DAY, 1e9)

    assert (found.what, found.grade, found.code) == ("certificate x.example", grade, 0)


@pytest.mark.parametrize(
    ("free", "size", "grade"),
    [
        (10_000 * MB, 20 * MB, "ok"),
        (510 * MB, 20 * MB, "warning"),
        (49 * MB, 1 * MB, "problem"),
        (400 * MB, 500 * MB, "problem"),
        (0, 0, "problem"),
    ],
)
def test_the_room_that_is_left_for_a_state(free: int, size: int, grade: str) -> None:
    assert findings.room(free, size).grade == grade


@pytest.mark.parametrize(
    ("mode", "allowed", "secret", "grade", "words"),
    [
        (0o100600, 0o600, True, None, ""),
        (0o040500, 0o700, False, None, ""),
        (0o100640, 0o600, True, "problem", "others may read it"),
        (0o040755, 0o700, False, "warning", "others may read and enter it"),
        (0o040777, 0o700, False, "problem", "others may read and write and enter it"),
        (0o140660, 0o660, False, None, ""),
        (0o140666, 0o660, False, "problem", "others may read and write it"),
    ],
)
def test_permissions_that_go_too_far(
    mode: int, allowed: int, *, secret: bool, grade: str | None, words: str
) -> None:
    found = findings.mode("/x", mode, allowed, secret=secret)

    assert (found.grade if found else None) == grade
    assert found is None or (words in found.text and found.remedy == f"chmod {allowed:04o} /x")


def budget(**told: object) -> Finding:
    state = {
        "scope": "app",
        "uses": USES,
        "left": (39, 0),
        "waiting": 0,
        "closed_until": None,
        "reason": "",
    } | told
    return findings.budget("budget", BudgetState(**state))  # type: ignore[arg-type]  # as told


def test_a_budget_that_is_open_says_what_it_leaves() -> None:
    assert budget() == Finding("budget", "ok", "39 of 40 calls left in 10 s, 0 of 400 calls left in 1 h")


def test_a_budget_that_is_closed_says_for_how_long_and_why() -> None:
    found = budget(closed_until=2e9, wait=1800.0, reason="Netatmo said so")

    assert (found.grade, found.code) == ("warning", 0)
    assert found.text.startswith("it is closed for 30 min more (Netatmo said so); 39 of 40 calls left")


def test_a_budget_that_waits_for_an_answer_names_no_time() -> None:
    assert budget(closed_until=2e9, wait=float("inf")).text.startswith("it is closed; 39 of")


def test_a_budget_that_feels_its_way_says_so() -> None:
    assert (
        "Netatmo gets 20 calls an hour at most for now (refused)"
        in budget(per_hour=20, reason="refused").text
    )


NEEDED = {"stations": ("read_station",), "cameras": ("read_camera", "read_presence")}


@pytest.mark.parametrize(
    ("granted", "grade", "words"),
    [
        (("read_station", "read_presence"), "ok", "granted: read_station read_presence"),
        (("read_station",), "problem", "cameras need read_camera or read_presence; granted: read_station"),
        ((), "warning", "not known"),
    ],
)
def test_any_of_a_kinds_scopes_will_do(granted: tuple[str, ...], grade: str, words: str) -> None:
    found = findings.scopes("scopes", granted, NEEDED, "Run it.")

    assert (found.grade, words in found.text) == (grade, True)
    assert found.code == (NotAuthorized.exit_code if grade == "problem" else 0)


@pytest.mark.parametrize(("running", "grade"), [("1.0", "ok"), ("0.9", "warning")])
def test_a_daemon_of_another_version_is_told(running: str, grade: str) -> None:
    assert findings.version(running, "1.0").grade == grade


def test_a_finding_is_the_same_over_the_socket() -> None:
    found = Finding("disk", "problem", "it is full", "Make room.", 75)

    assert Finding.from_json(found.to_json()) == found


@pytest.mark.parametrize("data", [{}, {"grade": "odd", "code": "x"}, {"grade": None, "text": 7}])
def test_what_another_version_sends_is_a_finding_all_the_same(data: dict[str, object]) -> None:
    assert Finding.from_json(data).grade == "problem"
