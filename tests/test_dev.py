"""The way in: what dev.py decides, tried without a network."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dev

ROOT = Path(dev.__file__).resolve().parent


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that decide what is installed; dev.py takes it for its own."""
    for name in ("pyproject.toml", *dev.LOCKS):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "BIN", tmp_path / ".venv" / "bin")
    monkeypatch.setattr(dev, "STAMP", tmp_path / ".venv" / "made-from")
    return tmp_path


@pytest.fixture
def builds(clone: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stamps of the environments that were made, each by an interpreter and a stamp alone."""
    made: list[str] = []

    def build(stamp: str) -> None:
        dev.BIN.mkdir(parents=True, exist_ok=True)
        (dev.BIN / "python").touch()
        dev.STAMP.write_text(stamp)
        made.append(stamp)

    monkeypatch.setattr(dev, "build", build)
    return made


def run_dev(*arguments: str, before: str = "pass") -> subprocess.CompletedProcess[str]:
    """Start dev.py as a person does, after a line of Python that changes its world."""
    script = f"import runpy, sys; {before}; runpy.run_path({str(ROOT / 'dev.py')!r}, run_name='__main__')"
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Setting up.


def test_setup_happens_once(builds: list[str]) -> None:
    dev.setup()
    dev.setup()

    assert len(builds) == 1


@pytest.mark.parametrize("lock", dev.LOCKS)
def test_a_changed_lock_sets_up_again(clone: Path, builds: list[str], lock: str) -> None:
    dev.setup()
    with (clone / lock).open("a") as text:
        text.write("six==1.17.0\n")
    dev.setup()

    assert len(set(builds)) == 2


@pytest.mark.parametrize(
    ("old", "new", "times"),
    [
        ('netaflux = "netaflux.__main__:main"', 'netaflow = "netaflux.__main__:main"', 2),
        ('requires = ["hatchling', 'requires = ["flit-core", "hatchling', 2),
        ("line-length = 110", "line-length = 100", 1),
    ],
)
def test_only_what_is_installed_sets_up_again(
    clone: Path, builds: list[str], old: str, new: str, times: int
) -> None:
    """A linter's settings stand in pyproject.toml too."""
    pyproject = clone / "pyproject.toml"
    assert old in pyproject.read_text()

    dev.setup()
    pyproject.write_text(pyproject.read_text().replace(old, new))
    dev.setup()

    assert len(builds) == times


def test_a_vanished_interpreter_sets_up_again(builds: list[str]) -> None:
    """As after an upgrade of the system's Python."""
    dev.setup()
    (dev.BIN / "python").unlink()
    dev.setup()

    assert len(builds) == 2


def test_a_setup_that_breaks_off_counts_as_none(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dev.VENV.mkdir()
    dev.STAMP.write_text("an earlier one")
    monkeypatch.setattr(dev, "empty_environment", lambda: [sys.executable, "-c", "raise SystemExit(1)"])

    with pytest.raises(dev.Trouble, match="pip could not install the packages"):
        dev.setup()

    assert not dev.STAMP.exists()


def test_another_setup_is_waited_for(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.open(clone, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    said: list[str] = []

    def end_the_other(text: str) -> None:
        said.append(text)
        os.close(other)

    monkeypatch.setattr(dev, "say", end_the_other)
    with dev.alone():
        pass

    assert said == ["Waiting for another dev.py that sets up .venv …"]


# What is missing.


DEBIAN = """#!/bin/sh
case "$*" in
    *--without-pip*) ;;
    *venv*) echo "ensurepip is not available"; exit 1 ;;
esac
exec {python} "$@"
"""


@pytest.fixture
def no_ensurepip(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python as Debian ships it, without the package python3-venv."""
    python = tmp_path_factory.mktemp("debian") / "python3"
    python.write_text(DEBIAN.format(python=dev.PYTHON))
    python.chmod(0o755)
    monkeypatch.setattr(dev, "PYTHON", str(python))


def test_without_ensurepip_pip_installs_from_outside(
    clone: Path, no_ensurepip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "pip_version", lambda: "pip 23.0.1 from /usr/lib (python 3.11)")

    pip = dev.empty_environment()

    assert pip == [dev.PYTHON, "-m", "pip", "--python", str(dev.BIN / "python")]
    assert (dev.BIN / "python").exists()


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ("", "neither ensurepip nor pip"),
        ("pip 22.2.9 from /usr", "older than 22.3"),
        ("pip 9.0 from", "older than"),
    ],
)
def test_a_missing_pip_is_explained(
    clone: Path,
    no_ensurepip: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    told: str,
    missing: str,
) -> None:
    monkeypatch.setattr(dev, "pip_version", lambda: told)

    code = dev.main(["setup"])

    said = capsys.readouterr().err
    assert code == 1
    assert missing in said
    assert "apt install" in said


@pytest.mark.parametrize("told", ["pip 22.3 from /usr", "pip 22.3.1 from", "pip 25.0 from", "pip 100.0 from"])
def test_a_pip_that_can_is_taken(told: str) -> None:
    dev.require_pip(told)


def test_an_older_python_is_told_which_one_to_take() -> None:
    told = run_dev("setup", before="sys.version_info = (3, 9, 2, 'final', 0)")

    assert told.returncode == 1
    assert told.stderr.startswith("dev.py: this is Python 3.9; netaflux needs 3.11 or later.")


def test_a_missing_uv_is_explained(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(clone))

    assert dev.main(["lock"]) == 1
    assert "`lock` needs uv" in capsys.readouterr().err


def test_a_missing_lock_file_is_named(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "requirements.lock").unlink()

    assert dev.main(["setup"]) == 1
    assert "requirements.lock" in capsys.readouterr().err


# The verbs.


def test_help_shows_every_verb_and_examples() -> None:
    told = run_dev("--help")

    assert told.returncode == 0
    assert all(f"\n  {verb} " in told.stdout for verb in dev.VERBS)
    assert "examples:" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tset"], "there is no verb 'tset'. Did you mean `test`?"),
        (["explode"], "there is no verb 'explode'."),
        ([], "usage: python3 dev.py VERB"),
        (["setup", "--fast"], "`setup` takes nothing more, but there is '--fast'."),
    ],
)
def test_a_command_that_cannot_be_is_a_usage_error(arguments: list[str], said: str) -> None:
    told = run_dev(*arguments)

    assert told.returncode == 2
    assert said in told.stderr


@pytest.mark.parametrize(
    ("verb", "begin"), [("run", "status --json"), ("demo", "demo status --json")], ids=["run", "demo"]
)
def test_run_becomes_netaflux(builds: list[str], clone: Path, verb: str, begin: str) -> None:
    """Arguments, directory and exit code pass through."""
    dev.setup()
    program = dev.BIN / "netaflux"
    program.write_text('#!/bin/sh\necho "$@"; pwd; exit 75\n')
    program.chmod(0o755)
    script = (
        "import sys, dev; dev.setup = lambda: None; dev.BIN = dev.Path(sys.argv[1]); dev.main(sys.argv[2:])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(dev.BIN), verb, "status", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 75
    assert done.stdout == f"{begin}\n{clone}\n"


def step(name: str, code: int) -> dev.Step:
    """A tool that tells its name and arguments, and ends with this code."""
    return dev.Step(name, ("python", "-c", f"import sys; print('{name}', *sys.argv[1:]); sys.exit({code})"))


@pytest.mark.parametrize(
    ("codes", "code", "ran", "said"),
    [
        ((0, 0), 0, "mypy\npytest -k spans\n", "── mypy\n── pytest\n"),
        ((3, 0), 3, "mypy\n", "── mypy\ndev.py: mypy failed (exit code 3).\n"),
        ((0, 5), 5, "mypy\npytest -k spans\n", "── mypy\n── pytest\ndev.py: pytest failed (exit code 5).\n"),
    ],
)
def test_the_first_step_that_fails_is_the_last(
    builds: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    codes: tuple[int, int],
    code: int,
    ran: str,
    said: str,
) -> None:
    """Arguments are for pytest, whatever comes before it."""
    dev.setup()
    (dev.BIN / "python").unlink()
    (dev.BIN / "python").symlink_to(sys.executable)
    monkeypatch.setattr(dev, "STEPS", (step("mypy", codes[0]), step("pytest", codes[1])))

    assert dev.main(["test", "-k", "spans"]) == code
    assert capfd.readouterr() == (ran, said)


@pytest.mark.parametrize(
    ("arguments", "ran"), [(["--cov"], ["pytest", "whole", "inmost"]), (["--cov", "-x"], ["pytest"])]
)
def test_coverage_is_judged_where_all_tests_have_run(
    builds: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    ran: list[str],
) -> None:
    dev.setup()
    (dev.BIN / "python").unlink()
    (dev.BIN / "python").symlink_to(sys.executable)
    monkeypatch.setattr(dev, "STEPS", (step("pytest", 0),))
    monkeypatch.setattr(dev, "COVERED", (step("whole", 0), step("inmost", 0)))

    assert dev.main(["test", *arguments]) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()] == ran


@pytest.mark.parametrize(("code", "result"), [(0, "passed"), (1, "failed")])
def test_prove_runs_every_test_at_full_scale_and_says_when_and_what_was_proved(
    builds: list[str], capfd: pytest.CaptureFixture[str], code: int, result: str
) -> None:
    dev.setup()
    pytest_itself = dev.BIN / "pytest"
    pytest_itself.write_text(f'#!/bin/sh\nprintf "<%s>" "$@"\nexit {code}\n')
    pytest_itself.chmod(0o755)

    assert dev.main(["prove", "tests/system"]) == code
    out, said = capfd.readouterr()
    assert out == "<-m><><--scale><10><-p><no:xdist><tests/system>"
    assert re.fullmatch(
        rf"dev.py: prove {result} at \d{{4}}-\d\d-\d\d \d\d:\d\d UTC after 0 min, .+\.\n", said
    )


def test_a_commit_is_named_with_what_was_changed_since(clone: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=Anne", "-c", "user.email=anne@example.org")
        command = ["git", *who, *words]
        subprocess.run(command, cwd=clone, check=True, capture_output=True)

    assert dev.commit() == "of no commit that is known"
    git("init")
    git("add", ".")
    git("commit", "-m", "All of it")
    assert re.fullmatch("commit [0-9a-f]{12}", dev.commit())
    (clone / "pyproject.toml").unlink()
    assert re.fullmatch("commit [0-9a-f]{12} with changes", dev.commit())
