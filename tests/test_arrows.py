"""The contracts of import-linter hold in a house that keeps them, and find each import that breaks one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "daemon" / "netaflux"
LINT = "import sys; from importlinter.cli import lint_imports_command as lint; lint()"

IN_ORDER = {
    "__main__": "import netaflux.cli",
    "http": "import aiohttp",
    "clocks": "import asyncio, time",
    "state.database": "import sqlite3",
    "cli.show": "import cyclopts, rich.table\nimport netaflux.commands",
    "service": "import apscheduler.schedulers.asyncio\nimport netaflux.commands",
    "commands.sync": "import netaflux.state.database, netaflux.netatmo",
    "status.metrics": "import prometheus_client",
    "status.server": "from aiohttp import web",
    "simulator.houses": "from aiohttp import web",
    "core.plan": "import math, datetime, zoneinfo, urllib.parse",
    "core.formula": "import simpleeval",
    "sources.netatmo": "import netaflux.netatmo",
    "destinations.fluxtream": "import netaflux.http, structlog",
    "flow.poll": "import netaflux.core.plan, asyncio",
}
"""Modules below the package, and imports that are as they should be."""

OFFENCES = [
    # upwards
    ("core.a", "netaflux.http"),
    ("http", "netaflux.netatmo"),
    ("netatmo.a", "netaflux.sources"),
    ("clocks", "netaflux.http"),
    ("state.a", "netaflux.commands"),
    ("commands.a", "netaflux.cli"),
    # to a sibling
    ("state.b", "netaflux.status"),
    ("destinations.a", "netaflux.sources"),
    ("flow.a", "netaflux.state"),
    ("notify.a", "netaflux.status"),
    # out of the pure core
    ("core.b", "socket"),
    ("core.c", "time"),
    ("core.d", "asyncio"),
    ("core.e", "random"),
    ("core.f", "pathlib"),
    ("core.g", "structlog"),
    ("core.h", "sqlite3"),
    # to what flow and simulator must not know
    ("flow.b", "netaflux.netatmo"),
    ("flow.c", "netaflux.http"),
    ("flow.e", "netaflux.clocks"),
    ("simulator.a", "netaflux.netatmo"),
    ("simulator.b", "netaflux.http"),
    # to another's library
    ("flow.d", "sqlite3"),
    ("cli.a", "apscheduler"),
    ("commands.b", "rich"),
    ("commands.c", "cyclopts"),
    ("state.c", "prometheus_client"),
    ("status.client", "aiohttp"),
    ("status.record", "prometheus_client"),
    ("destinations.b", "aiohttp"),
    ("core.i", "simpleeval"),
]
"""Modules below the package, and what they must not import."""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package in the folder against the project's contracts."""
    command = [
        sys.executable,
        "-c",
        LINT,
        "--no-cache",
        "--no-logo",
        "--config",
        str(ROOT / "pyproject.toml"),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def add(folder: Path, name: str, source: str) -> None:
    """Write a module below the package, or one more import into it."""
    file = folder.joinpath("netaflux", *name.split(".")).with_suffix(".py")
    with file.open("a", encoding="utf-8") as text:
        text.write(f"{source}\n")


def furnish(folder: Path) -> Path:
    """Put a netaflux of the same parts as ours there, which says little, but nothing wrong."""
    for part in ("", *(path.parent.name for path in PACKAGE.glob("*/__init__.py"))):
        (folder / "netaflux" / part).mkdir()
        (folder / "netaflux" / part / "__init__.py").touch()
    for name, source in IN_ORDER.items():
        add(folder, name, source)
    return folder


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a house with every offence in it."""
    folder = furnish(tmp_path_factory.mktemp("house"))
    for name, module in OFFENCES:
        add(folder, name, f"import {module}")
    add(folder, "stray", "")
    return lint(folder).stdout


def test_an_orderly_house_keeps_every_contract(tmp_path: Path) -> None:
    found = lint(furnish(tmp_path))

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(("name", "module"), OFFENCES)
def test_a_contract_finds_the_import_that_breaks_it(verdict: str, name: str, module: str) -> None:
    assert f"netaflux.{name} -> {module} (" in verdict


def test_a_module_without_a_place_among_the_layers_is_found(verdict: str) -> None:
    assert "netaflux.stray" in verdict
