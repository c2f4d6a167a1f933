"""The units: systemd understands every line, and finds little that they leave open."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parent.parent / "systemd"
PROGRAM = "/opt/netaflux/bin/netaflux"
MOST_EXPOSED = 1.5
"""Of ten; a unit without any hardening has 9.6."""

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def analyzed(unit: str, folder: Path, *words: str) -> tuple[int, str]:
    """What systemd-analyze says of a unit whose program is one that exists."""
    copy = folder / unit
    copy.write_text((UNITS / unit).read_text().replace(PROGRAM, "/bin/true"))
    command = ["systemd-analyze", *words, str(copy)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.returncode, told.stdout + told.stderr


@pytest.fixture(params=["netaflux.service", "netaflux@.service"])
def unit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@analyze
def test_systemd_verifies_it_without_a_word(unit: str, tmp_path: Path) -> None:
    assert analyzed(unit, tmp_path, "verify", "--recursive-errors=no") == (0, "")


@analyze
def test_a_word_that_systemd_does_not_know_would_be_told(tmp_path: Path) -> None:
    text = (UNITS / "netaflux.service").read_text().replace("PrivateTmp=yes", "PrivateTemp=yes")
    (tmp_path / "wrong.service").write_text(text.replace(PROGRAM, "/bin/true"))
    command = ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / "wrong.service")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "PrivateTemp" in told.stderr


@analyze
def test_it_leaves_little_open(unit: str, tmp_path: Path) -> None:
    _, told = analyzed(unit, tmp_path, "security", "--offline=yes", "--no-pager")
    level = re.search(r"Overall exposure level for .*: ([0-9.]+)", told)

    assert level is not None, told
    assert float(level[1]) <= MOST_EXPOSED


def test_both_units_differ_in_names_alone() -> None:
    def lines(unit: str) -> list[str]:
        text = (UNITS / unit).read_text().partition("[Service]")[2]
        text = text.replace("netaflux-%i", "netaflux").replace("/credentials/%i/", "/credentials/")
        return [line for line in text.replace("%i.toml", "config.toml").splitlines() if line]

    assert lines("netaflux@.service") == lines("netaflux.service")


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "WatchdogSec=120",
        "DynamicUser=yes",
        "Restart=on-failure",
        "RestartPreventExitStatus=78",
        "StartLimitIntervalSec=0",
    ],
)
def test_what_makes_it_come_back_is_there(unit: str, line: str) -> None:
    assert line in (UNITS / unit).read_text().splitlines()
