"""The Dockerfile: no finding of hadolint, and nothing in it that the build context lacks."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent))

linted = pytest.mark.skipif(HADOLINT is None, reason="hadolint has no wheel for this machine")


def findings(dockerfile: str) -> tuple[int, str]:
    """What hadolint says."""
    told = subprocess.run(
        [str(HADOLINT), "-"], input=dockerfile, capture_output=True, text=True, check=False, cwd=ROOT
    )
    return told.returncode, told.stdout + told.stderr


@linted
def test_hadolint_finds_nothing() -> None:
    assert findings(DOCKERFILE) == (0, "")


@linted
def test_hadolint_would_find_something() -> None:
    code, told = findings(f"{DOCKERFILE}RUN apt-get install curl\n")

    assert code == 1
    assert "DL3008" in told


def test_all_that_is_copied_is_in_the_build_context() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    copied = {name for names in copies for name in names.split()}

    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_the_base_is_an_argument_and_the_user_nobody_s() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert "USER 10001:10001" in DOCKERFILE
    assert 'ENTRYPOINT ["netaflux"]' in DOCKERFILE
    assert 'CMD ["netaflux", "health"]' in DOCKERFILE
