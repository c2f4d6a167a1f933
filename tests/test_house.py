"""The rules of the house that no linter knows, each shown to find what it forbids."""

import ast
import os
import re
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from aioresponses import aioresponses

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "daemon" / "netaflux"


class Module(NamedTuple):
    """A module of the package: its path in it, and what it says."""

    path: str
    tree: ast.Module

    @property
    def part(self) -> str:
        """The layer it belongs to, such as `core` or `http`."""
        return self.path.split("/", maxsplit=1)[0].removesuffix(".py")


def module(path: str, source: str) -> Module:
    return Module(path, ast.parse(source, path))


@cache
def house() -> list[Module]:
    """Every module that there is."""
    return [module(str(file.relative_to(PACKAGE)), file.read_text("utf-8")) for file in PACKAGE.rglob("*.py")]


def imported(tree: ast.Module) -> dict[str, str]:
    """What each name that an import makes stands for, in full."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".", maxsplit=1)[0]
                known[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return known


def dotted(node: ast.expr) -> str:
    """A name with what hangs on it, such as `dt.datetime.now`; nothing where it hangs on no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return ""


@cache
def names(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """Every name that is imported or used, in full whatever it is called here, such as `time.monotonic`."""
    known = imported(tree)
    found: list[tuple[str, ast.AST]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(f"{node.module}.{alias.name}", node) for alias in node.names]
        elif isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = dotted(node).partition(".")
            found.append((known.get(first, first) + dot + rest, node))
    return found


def lines(found: Module, forbidden: Callable[[str], bool]) -> Iterator[int]:
    """Where a forbidden name stands."""
    return (getattr(node, "lineno", 0) for name, node in names(found.tree) if forbidden(name))


# Each rule answers the lines that break it; its docstring is the rule.

CLOCKS = {
    *(f"time.{name}{unit}" for name in ("time", "monotonic", "perf_counter") for unit in ("", "_ns")),
    *(f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")),
    "time.sleep",
    "asyncio.sleep",
}
MAY_KNOW_THE_TIME = {"__main__", "cli", "clocks", "demo", "service"}


def time_is_an_argument(found: Module) -> Iterator[int]:
    """Whoever wants to know the time, or to wait, asks a Clock; `asyncio.sleep(0)` is no wait."""
    calls = [node for node in ast.walk(found.tree) if isinstance(node, ast.Call) and node.args]
    turns = {id(call.func) for call in calls if ast.unparse(call.args[0]) == "0"}
    if found.part not in MAY_KNOW_THE_TIME:
        yield from (
            getattr(node, "lineno", 0)
            for name, node in names(found.tree)
            if name in CLOCKS and not (name == "asyncio.sleep" and id(node) in turns)
        )


FOREIGN_ERRORS = {
    f"aiohttp.{name}"
    for name, value in vars(aiohttp).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}


def foreign_errors_stop_at_the_border(found: Module) -> Iterator[int]:
    """`http` alone knows aiohttp's errors; everybody else sees ours."""
    if found.path != "http.py":
        yield from lines(
            found, lambda name: name in FOREIGN_ERRORS or name.startswith("aiohttp.client_exceptions")
        )


def logging_is_set_up_once(found: Module) -> Iterator[int]:
    """`logs` configures structlog and owns the standard library's logging."""
    if found.path != "logs.py":
        yield from lines(
            found, lambda name: name.startswith(("structlog.configure", "logging.")) or name == "logging"
        )


def the_core_is_pure(found: Module) -> Iterator[int]:
    """What import-linter cannot see of I/O: built-in functions, a module of a package that is else fine."""
    effects = {"open", "print", "input", "__import__", "urllib.request"}
    if found.part == "core":
        yield from lines(found, lambda name: name in effects or name.startswith("urllib.request."))


def no_import_is_hidden(found: Module) -> Iterator[int]:
    """A type is imported like everything else, or import-linter's arrows would not be the true ones."""
    return lines(found, lambda name: name == "typing.TYPE_CHECKING")


def a_module_says_what_it_is(found: Module) -> Iterator[int]:
    """Every module begins with a docstring."""
    if not ast.get_docstring(found.tree):
        yield 1


def a_function_fits_on_a_screen(found: Module) -> Iterator[int]:
    """No function is longer than 60 lines."""
    for node in ast.walk(found.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if (node.end_lineno or 0) - node.lineno >= 60:
            yield node.lineno


def a_module_is_a_word_of_the_domain(found: Module) -> Iterator[int]:
    """No module is a drawer for what had no place."""
    drawers = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
    if drawers & set(found.path.removesuffix(".py").split("/")):
        yield 1


TELLING = {"debug", "info", "warning", "error", "exception", "critical"}
FACT = re.compile(
    r"[a-z]+(_[a-z]+)*\.([a-z]+_)*([a-z]+ed|bound|made|met|put|reread|set|taken|told)(_[a-z]+)*"
)


def an_event_is_a_fact(found: Module) -> Iterator[int]:
    """Its name is `noun.past_participle`, in `core/events` and wherever something is logged."""
    for node in ast.walk(found.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("log" | "_log"), attr=attr)) if attr in TELLING:
                told: ast.expr | None = node.args[0] if node.args else None
            case ast.Assign(targets=[ast.Name("name")], value=value) if found.path == "core/events.py":
                told = value
            case _:
                continue
        if not isinstance(told, ast.Constant | ast.Name) or (
            isinstance(told, ast.Constant) and not FACT.fullmatch(str(told.value))
        ):
            yield node.lineno


Rule = Callable[[Module], Iterator[int]]
RULES: list[Rule] = [
    time_is_an_argument,
    foreign_errors_stop_at_the_border,
    logging_is_set_up_once,
    the_core_is_pure,
    no_import_is_hidden,
    a_module_says_what_it_is,
    a_function_fits_on_a_screen,
    a_module_is_a_word_of_the_domain,
    an_event_is_a_fact,
]


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    broken = [f"{found.path}:{line}" for found in house() for line in rule(found)]

    assert broken == [], rule.__doc__


LONG = "def f():\n" + "    pass\n" * 60
OFFENCES: list[tuple[Rule, str, str]] = [
    (time_is_an_argument, "flow/poll.py", "from datetime import datetime, UTC\nnow = datetime.now(UTC)"),
    (time_is_an_argument, "core/plan.py", "import datetime as dt\ntoday = dt.date.today()"),
    (time_is_an_argument, "netatmo/oauth.py", "import time\nbegan = time.monotonic()"),
    (time_is_an_argument, "status/snapshot.py", "from time import time as now"),
    (time_is_an_argument, "commands/sync.py", "import asyncio\nasync def f(): await asyncio.sleep(1)"),
    (foreign_errors_stop_at_the_border, "destinations/x.py", "import aiohttp\ne = aiohttp.ClientError"),
    (foreign_errors_stop_at_the_border, "status/server.py", "from aiohttp import ClientOSError"),
    (foreign_errors_stop_at_the_border, "app.py", "from aiohttp.client_exceptions import ClientError as E"),
    (logging_is_set_up_once, "service/daemon.py", "import structlog\nstructlog.configure()"),
    (logging_is_set_up_once, "http.py", "import logging\nlog = logging.getLogger()"),
    (logging_is_set_up_once, "app.py", "from logging import config"),
    (the_core_is_pure, "core/rows.py", "print('rows')"),
    (the_core_is_pure, "core/rows.py", "def f(): return open('rows')"),
    (the_core_is_pure, "core/rows.py", "from urllib.request import urlopen"),
    (the_core_is_pure, "core/rows.py", "import urllib.request"),
    (no_import_is_hidden, "app.py", "from typing import TYPE_CHECKING"),
    (no_import_is_hidden, "app.py", "import typing as t\nif t.TYPE_CHECKING: import netaflux.cli"),
    (a_module_says_what_it_is, "app.py", ""),
    (a_module_says_what_it_is, "app.py", "import asyncio\n'Too late.'"),
    (a_function_fits_on_a_screen, "app.py", LONG),
    (
        a_function_fits_on_a_screen,
        "app.py",
        "class C:\n" + "\n".join(f"    {line}" for line in LONG.split("\n")),
    ),
    (a_function_fits_on_a_screen, "app.py", f"async {LONG}"),
    (a_module_is_a_word_of_the_domain, "core/utils.py", ""),
    (a_module_is_a_word_of_the_domain, "helpers/rows.py", ""),
    (an_event_is_a_fact, "state/spare.py", "_log.warning('spare.unreadable')"),
    (an_event_is_a_fact, "app.py", "log.info('The state is open')"),
    (an_event_is_a_fact, "app.py", "log.info(f'{name}.opened')"),
    (an_event_is_a_fact, "core/events.py", "class A:\n    name = 'poll.failure'"),
]
INNOCENT: list[tuple[Rule, str, str]] = [
    (time_is_an_argument, "clocks.py", "import time\nbegan = time.monotonic()"),
    (time_is_an_argument, "flow/poll.py", "import asyncio\nasync def f(): await asyncio.sleep(0)"),
    (time_is_an_argument, "flow/poll.py", "async def f(clock): await clock.sleep(clock.now())"),
    (foreign_errors_stop_at_the_border, "http.py", "import aiohttp\ne = aiohttp.ClientError"),
    (foreign_errors_stop_at_the_border, "status/server.py", "from aiohttp import web\ne = web.HTTPNotFound"),
    (logging_is_set_up_once, "logs.py", "import logging, structlog\nstructlog.configure()"),
    (logging_is_set_up_once, "app.py", "import structlog\nlog = structlog.get_logger()"),
    (the_core_is_pure, "core/rows.py", "from urllib.parse import urlsplit\ndef f(span): return span.open()"),
    (the_core_is_pure, "cli/show.py", "print('rows')"),
    (a_function_fits_on_a_screen, "app.py", LONG.removesuffix("    pass\n")),
    (an_event_is_a_fact, "app.py", "log.info('rows.put_aside')"),
    (an_event_is_a_fact, "core/model.py", "class A:\n    name = 'poll.failure'"),
]


@pytest.mark.parametrize(("rule", "path", "source"), OFFENCES)
def test_a_rule_finds_what_it_forbids(rule: Rule, path: str, source: str) -> None:
    assert list(rule(module(path, source)))


@pytest.mark.parametrize(("rule", "path", "source"), INNOCENT)
def test_a_rule_lets_the_rest_be(rule: Rule, path: str, source: str) -> None:
    assert list(rule(module(path, source))) == []


def test_every_rule_has_an_offence() -> None:
    assert {rule for rule, _, _ in OFFENCES} == set(RULES)


def sources_in(source_root: Path) -> list[str]:
    """Modules that stand beside the package rather than in it."""
    return [file.name for file in source_root.glob("*.py")]


def test_the_source_root_is_no_package() -> None:
    """The import name `daemon` belongs to a well-known package."""
    assert sources_in(ROOT / "daemon") == []


def test_an_init_file_in_the_source_root_is_found(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()

    assert sources_in(tmp_path) == ["__init__.py"]


# What every test stands on.


def test_no_test_connects_beyond_this_machine() -> None:
    """A datagram socket: should the guard be gone, connecting it still sends nothing."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reaching_out,
        pytest.raises(RuntimeError, match="loopback only, not to 192"),
    ):
        reaching_out.connect(("192.0.2.1", 9))


def test_tests_connect_to_loopback() -> None:
    with (
        socket.create_server(("localhost", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as caller,
        server.accept()[0] as answerer,
    ):
        answerer.sendall(b"welcome")

        assert caller.recv(7) == b"welcome"


async def test_no_test_asks_a_name_server() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(RuntimeError, match="not even for api"):
            await session.get("http://api.netatmo.com")


async def test_an_invalid_name_fails_as_names_do() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get("http://server.invalid")


async def test_a_made_up_response_is_read_like_a_real_one() -> None:
    with aioresponses() as made_up:
        made_up.get("http://server.invalid", status=418, payload={"body": []})
        async with aiohttp.ClientSession() as session, session.get("http://server.invalid") as answer:
            read = await answer.json()

        assert (answer.status, read) == (418, {"body": []})


def test_the_environment_tells_nothing_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert not [name for name in os.environ if name.startswith(("NETAFLUX_", "NETATMO_", "XDG_"))]
    assert Path.home().is_relative_to(tmp_path_factory.getbasetemp())
