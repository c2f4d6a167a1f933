"""The image: built from the Dockerfile as it is, run as its user, healthy over its socket, stopped clean.

There is no engine in it: buildah builds it, on a base that debootstrap makes (Debian's python3, with the
certificates of this machine), and it runs in a mount namespace of its own. That needs root.
"""

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.system.program import Program, until
from tests.system.world import Outside

ROOT = Path(__file__).resolve().parents[2]
BASE, IMAGE = "localhost/netaflux-base", "localhost/netaflux"
USER = 10001
DEBIAN = ("bookworm", "http://deb.debian.org/debian")
PACKAGES = "python3,python3-venv,ca-certificates"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
WORDS = ["netaflux", "run"]
STOPPED_WITHIN = 10.0

able = os.geteuid() == 0 and shutil.which("buildah") and shutil.which("debootstrap")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not able, reason="needs root, buildah and debootstrap"),
]


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with a store of its own."""

    folder: Path

    def command(self, *words: str) -> list[str]:
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        return ["buildah", *store, "--storage-driver", "vfs", *words]

    def __call__(self, *words: str, cwd: Path = ROOT) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def root(self) -> Path:
        """The root directory of a new container."""
        return Path(self("mount", self("from", IMAGE)))


@dataclass(frozen=True, slots=True)
class Container:
    """The root, read only, with /config and /data; what runs there is its user, in its environment."""

    root: Path
    config: Path
    data: Path
    environment: Sequence[str]

    def command(self, *words: str) -> list[str]:
        """The command line for a program inside."""
        root = self.root
        mounts = (
            f"mount --bind {root} {root}",
            f"mount --options remount,bind,ro {root}",
            f"mount --bind {self.config} {root}/config",
            f"mount --bind {self.data} {root}/data",
        )
        inside = ["chroot", f"--userspec={USER}:{USER}", str(root), "env", "-i", *self.environment, *words]
        return ["unshare", "--mount", "sh", "-ec", f"{'; '.join(mounts)}; exec {shlex.join(inside)}"]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """With the image built."""
    folder = tmp_path_factory.mktemp("image")
    base = folder / "base"
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN[0], str(base), DEBIAN[1]]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-2000:]
    shutil.copy(os.environ.get("SSL_CERT_FILE", f"/{CERTIFICATES}"), base / CERTIFICATES)
    buildah = Buildah(folder)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(base), "/")
    buildah("commit", "--quiet", container, BASE)
    how = ("--isolation=chroot", "--network=host", "--format=docker", f"--build-arg=PYTHON_IMAGE={BASE}")
    buildah("bud", *how, "--tag", IMAGE, ".")
    yield buildah
    shutil.rmtree(folder, ignore_errors=True)


def configured(buildah: Buildah) -> dict[str, Any]:
    return dict(json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"])


def test_what_an_engine_does_with_it(buildah: Buildah) -> None:
    config = configured(buildah)

    assert config["User"] == f"{USER}:{USER}"
    assert [*config["Entrypoint"], *config["Cmd"]] == WORDS
    assert config["Healthcheck"]["Test"] == ["CMD", "netaflux", "health"]
    assert set(config["Volumes"]) == {"/config", "/data"}


@pytest.fixture
def container(buildah: Buildah, netaflux: Program) -> Container:
    netaflux.write_config()
    given, data = netaflux.folder / "given", netaflux.folder / "data"
    given.mkdir()
    data.mkdir(mode=0o700)
    # the image's environment says where state and socket are
    text = "\n".join(netaflux.config.read_text().splitlines()[1:])
    (given / "config.toml").write_text(text)
    (given / "config.toml").chmod(0o600)
    for path in (given / "config.toml", data):
        os.chown(path, USER, USER)
    return Container(buildah.root(), given, data, configured(buildah)["Env"])


async def test_it_runs_healthy_brings_all_and_stops_clean(container: Container, outside: Outside) -> None:
    command = container.command(*WORDS)
    run = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    await until(lambda: not outside.differences())
    health, status = container("netaflux", "health"), container("netaflux", "status", "--json")
    begun = time.monotonic()
    run.terminate()
    _, told = await run.communicate()

    assert time.monotonic() - begun < STOPPED_WITHIN
    assert run.returncode == 0, told
    assert (health.returncode, health.stderr) == (0, "")
    assert [account["state"] for account in json.loads(status.stdout)["accounts"]] == ["ok"]
    assert b'"event": "service.stopped"' in told
    assert {path.stat().st_uid for path in container.data.iterdir()} == {USER}
    assert (container.data / "netaflux.db").stat().st_mode & 0o777 == 0o600
