#!/usr/bin/env python3
"""netaflux from a clone: makes `.venv` beside this file, then runs a tool in it. See `python3 dev.py --help`.

Needs Python 3.11 and nothing else, or, where Python comes without its own installer (Debian's does), pip.
"""

import contextlib
import difflib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python gets this far, and then a sentence, not a traceback
    sys.exit(
        f"dev.py: this is Python {sys.version_info[0]}.{sys.version_info[1]}; netaflux needs 3.11 or later.\n"
        "Install one, then start it by its name, such as `python3.11 dev.py setup`."
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STAMP = VENV / "made-from"
"""Written last; holds the fingerprint of what `.venv` was made from."""
LOCKS = {
    "requirements.lock": ("pyproject.toml",),
    "requirements-dev.lock": ("pyproject.toml", "--extra", "dev", "-c", "requirements.lock"),
    "requirements-build.lock": ("--group", "build", "-c", "requirements-dev.lock"),
}
"""Each lock file, and what uv compiles it with."""
PYTHON = getattr(sys, "_base_executable", "") or sys.executable
"""The interpreter itself, also where a virtual environment's (perhaps the one to remake) has started us."""
OLDEST_PIP = (22, 3)
"""The first pip with `--python`, which installs into another environment."""


class Trouble(Exception):
    """Something that we need is missing; the text says what, and what to do."""


def say(text: str) -> None:
    """Tell the person; standard output belongs to the tools."""
    print(text, file=sys.stderr, flush=True)


def fingerprint() -> str:
    """What decides the content of `.venv`: locked packages, netaflux's own metadata, interpreter, place."""
    import tomllib  # noqa: PLC0415 - an older Python has none, and must get as far as our sentence

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    built = [project.get("build-system"), project.get("project"), project.get("tool", {}).get("hatch")]
    parts = [json.dumps(built, sort_keys=True), sys.version, sys.base_prefix, str(ROOT)]
    parts += [(ROOT / lock).read_text("utf-8") for lock in LOCKS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_current(stamp: str) -> bool:
    """Whether `.venv` was made from just this, to the end, and its interpreter is still there."""
    try:
        return STAMP.read_text("utf-8") == stamp and (BIN / "python").exists()
    except OSError:
        return False


def setup() -> None:
    """Make `.venv`, unless it is there and current."""
    stamp = fingerprint()
    if is_current(stamp):
        return
    with alone():
        if not is_current(stamp):  # another dev.py may have made it while we waited
            build(stamp)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold off every other dev.py of this clone."""
    directory = os.open(ROOT, os.O_RDONLY)
    try:
        wait_for(directory)
        yield
    finally:
        os.close(directory)


def wait_for(directory: int) -> None:
    """Return with the lock on an open directory, and say so where that takes time."""
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Waiting for another dev.py that sets up .venv …")
        fcntl.flock(directory, fcntl.LOCK_EX)


def build(stamp: str) -> None:
    """Make `.venv` anew from locked packages and this source tree."""
    say("Setting up .venv (once, and again when its requirements change) …")
    began = time.monotonic()
    STAMP.unlink(missing_ok=True)
    pip = empty_environment()
    say("Installing the locked packages …")
    # The lock names every package, so there is nothing to resolve; pip's resolver would take an extra such as
    # `coverage[toml]` for an unpinned requirement as soon as a version newer than the locked one is out.
    install(pip, "--no-deps", "--require-hashes", "-r", str(ROOT / "requirements-dev.lock"))
    install(pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    STAMP.write_text(stamp, "utf-8")
    say(f"Done in {time.monotonic() - began:.0f} s.")


def empty_environment() -> Sequence[str]:
    """Make an empty `.venv`; answer the pip command that installs into it."""
    if captured([PYTHON, "-m", "venv", "--clear", str(VENV)]).returncode == 0:
        return [str(BIN / "python"), "-m", "pip"]
    # Debian keeps ensurepip in a package of its own (python3-venv); its pip reaches into any environment.
    require_pip(pip_version())
    made = captured([PYTHON, "-m", "venv", "--clear", "--without-pip", str(VENV)])
    if made.returncode:
        raise Trouble(f"{VENV} could not be made: {(made.stderr or made.stdout).strip()}")
    return [PYTHON, "-m", "pip", "--python", str(BIN / "python")]


def pip_version() -> str:
    """What the interpreter's own pip says of itself; empty where there is none."""
    return captured([PYTHON, "-m", "pip", "--version"]).stdout


def require_pip(told: str) -> None:
    """Raise Trouble unless this is the version of a pip that can install into another environment."""
    found = re.match(r"pip (\d+)\.(\d+)", told)
    remedy = "On Debian and Ubuntu: `apt install python3-venv` or `apt install python3-pip`, then try again."
    if not found:
        raise Trouble(f"This Python ({PYTHON}) has neither ensurepip nor pip. {remedy}")
    if (int(found[1]), int(found[2])) < OLDEST_PIP:
        raise Trouble(f"This Python ({PYTHON}) has no ensurepip, and its pip is older than 22.3. {remedy}")


def install(pip: Sequence[str], *what: str) -> None:
    """Install with pip, whose own words reach the person only when something is wrong."""
    # The person's pip settings (a proxy, a mirror) count, but for the one that would install somewhere else.
    environment = {**os.environ, "PIP_USER": "0"}
    options = ["install", "--quiet", "--disable-pip-version-check"]
    done = captured([*pip, *options, *what], environment)
    if done.returncode:
        say((done.stderr or done.stdout).strip())
        raise Trouble(
            "pip could not install the packages; its reason is above. "
            "Without a network connection to a package index, connect first, then try again."
        )


def captured(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end, in silence."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


class Step(NamedTuple):
    """One tool of the test run."""

    name: str
    command: Sequence[str]


STEPS = (
    Step("ruff check", ("ruff", "check")),
    Step("ruff format", ("ruff", "format", "--check")),
    Step("mypy", ("mypy",)),
    Step("lint-imports", ("lint-imports", "--no-logo")),
    Step("pytest", ("pytest", "-n", "3", "--dist", "worksteal")),
)
"""What `test` runs, the quickest to find fault first."""
PACKAGE = "daemon/netaflux"
INMOST = ",".join(f"{PACKAGE}/{part}/*" for part in ("core", "flow", "state"))
COVERED = (
    Step("coverage: 95 % at least", ("coverage", "report", "--fail-under=95")),
    Step(
        "coverage of core, flow and state: 100 %",
        ("coverage", "report", "--include", INMOST, "--fail-under=100"),
    ),
)
"""What `test --cov` runs after it: the tests take half as long again when their branches are counted."""


def set_up(arguments: Sequence[str]) -> int:
    """Only set up."""
    if arguments:
        say(f"dev.py: `setup` takes nothing more, but there is {arguments[0]!r}.")
        return 2
    setup()
    return 0


def test(arguments: Sequence[str]) -> int:
    """Run every check, up to the first that fails; pytest gets the arguments."""
    setup()
    for step in (*STEPS, *(COVERED if list(arguments) == ["--cov"] else ())):
        say(f"── {step.name}")
        more = arguments if step.name == "pytest" else ()
        code = subprocess.run(
            [BIN / step.command[0], *step.command[1:], *more], cwd=ROOT, check=False
        ).returncode
        if code:
            say(f"dev.py: {step.name} failed (exit code {code}).")
            return code
    return 0


SCALE = 10
"""How many times as large the scaled proofs are in `prove`."""


def prove(arguments: Sequence[str]) -> int:
    """Run every test, slow ones too, at full scale; end with the result, its date and its commit."""
    setup()
    began = time.monotonic()
    # one process: what measures time should not wait for a neighbour
    options = ("-m", "", "--scale", str(SCALE), "-p", "no:xdist")
    command: list[str | Path] = [BIN / "pytest", *options, *arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")  # noqa: UP017 - an older Python has no UTC
    took = (time.monotonic() - began) / 60
    say(f"dev.py: prove {'failed' if code else 'passed'} at {now} after {took:.0f} min, {commit()}.")
    return code


def commit() -> str:
    """Which commit this is, and whether anything was changed since."""
    git = [shutil.which("git") or "false", "-C", str(ROOT)]
    head = captured([*git, "rev-parse", "--short=12", "HEAD"]).stdout.strip()
    changed = captured([*git, "status", "--porcelain"]).stdout.strip()
    return f"commit {head}{' with changes' if changed else ''}" if head else "of no commit that is known"


def run(arguments: Sequence[str]) -> int:
    """Become netaflux, in the caller's directory; never comes back."""
    setup()
    os.execv(BIN / "netaflux", ["netaflux", *arguments])  # noqa: S606 - arguments stay as they are without one


def demo(arguments: Sequence[str]) -> int:
    """`run demo`."""
    return run(["demo", *arguments])


def bench(arguments: Sequence[str]) -> int:
    """Measure how fast netaflux is; takes minutes."""
    setup()
    search = os.pathsep.join([str(ROOT), str(ROOT / "daemon")])
    command: list[str | Path] = [BIN / "python", "-m", "tests.bench", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": search}, check=False).returncode


def lock(arguments: Sequence[str]) -> int:
    """Make the lock files anew, with versions as they are but for what must change (or `--upgrade`)."""
    uv = shutil.which("uv")
    if not uv:
        raise Trouble("`lock` needs uv, which is not on the PATH (https://docs.astral.sh/uv/).")
    how = "pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11"
    why = ("--custom-compile-command", "python3 dev.py lock")
    for name, what in LOCKS.items():
        command = [uv, *how.split(), *why, *arguments, *what, "-o", name]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "setup": set_up,
    "test": test,
    "prove": prove,
    "demo": demo,
    "run": run,
    "bench": bench,
    "lock": lock,
}

USAGE = """\
usage: python3 dev.py VERB [ARGUMENT ...]

  setup   make .venv from the locked requirements; the other verbs do it by themselves
  demo    run `netaflux demo`: the whole way of the data, against servers of its own
  run     run netaflux with the arguments that follow
  test    ruff, mypy, import-linter, pytest; the arguments go to pytest, paths counted from the project
  prove   every test at full scale, the slow ones too; the arguments go to pytest; takes hours
  bench   netaflux against what is possible at all (`backfill`, `cycles`; both take a quarter of an hour)
  lock    make the lock files anew (needs uv)

examples:
  python3 dev.py demo
  python3 dev.py run check --config my.toml
  python3 dev.py test tests/core -k spans
  python3 dev.py lock --upgrade"""


def main(argv: Sequence[str]) -> int:
    """Do what the first argument says; answer the tool's exit code, 1 for our own trouble, 2 for usage."""
    word, arguments = (argv[0], argv[1:]) if argv else ("", ())
    if word in {"-h", "--help", "help"}:
        print(USAGE)
        return 0
    if word not in VERBS:
        near = difflib.get_close_matches(word, VERBS, n=1)
        meant = f" Did you mean `{near[0]}`?" if near else ""
        say(f"dev.py: there is no verb {word!r}.{meant}\n\n{USAGE}" if word else USAGE)
        return 2
    try:
        return VERBS[word](arguments)
    except (Trouble, OSError) as trouble:
        say(f"dev.py: {trouble}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
