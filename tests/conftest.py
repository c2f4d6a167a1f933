"""What every test stands on: no trace of this machine, no network, the same luck everywhere."""

import inspect
import os
import socket
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import SimpleNamespace
from typing import Any

import aiohttp
import hypothesis
import pytest

hypothesis.settings.register_profile(
    "fast",
    max_examples=50,
    deadline=None,  # two workers share the machine with whatever else it does
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("fast")

OURS = ("NETAFLUX_", "NETATMO_", "XDG_", "WATCHDOG_")
SERVICE_MANAGERS = {
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
}
TERMINALS = {"CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR"}
PROXIES = {"all_proxy", "http_proxy", "https_proxy", "no_proxy"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Proofs whose size is a number can be made larger."""
    parser.addoption(
        "--scale", type=int, default=1, help="how many times as large the scaled proofs are (default: 1)"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is larger may take longer; an hour each is for what hangs."""
    if config.getoption("--scale") > 1:
        for item in items:
            item.add_marker(pytest.mark.timeout(3600), append=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what proofs have counted, and the seeds of their chance (`record_property`)."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    told = [(report.nodeid, report.user_properties) for report in reports if report.user_properties]
    if told:
        terminalreporter.section("what was counted")
    for test, properties in told:
        terminalreporter.write_line(test)
        for name, value in properties:
            terminalreporter.write_line(f"    {name}: {value}")


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> int:
    """How many times as large a proof should be: 1 in `dev.py test`."""
    factor: int = request.config.getoption("--scale")
    return factor


@pytest.fixture
def record_property(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """As pytest's, in text: what goes from one process of the tests to another has to be plain."""

    def record(name: str, value: object) -> None:
        record_property(name, str(value))

    return record


def tells_of_this_machine(name: str) -> bool:
    """Whether an environment variable could change what netaflux does."""
    return name.startswith(OURS) or name in SERVICE_MANAGERS | TERMINALS or name.lower() in PROXIES


@pytest.fixture(scope="session", autouse=True)
def scrubbed_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The environment of a new user: an empty home, and nothing set that we read."""
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(tells_of_this_machine, list(os.environ)):
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that this is, unless it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def stays_here(address: object) -> bool:
    """Whether a socket's address is a path or on the loopback interface."""
    if not isinstance(address, tuple):
        return True
    found = literal(str(address[0]))
    return found.is_loopback if found else address[0] == "localhost"


def connecting_inward(connect: Callable[..., Any]) -> Callable[..., Any]:
    """The socket's method, refusing what leaves this machine."""

    def guarded(self: socket.socket, address: Any) -> Any:
        if not stays_here(address):
            raise RuntimeError(f"tests connect to loopback only, not to {address[0]}")
        return connect(self, address)

    return guarded


def resolving_inward(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """`getaddrinfo` without a name server: for localhost, addresses, and x.invalid, which never exists."""

    def guarded(host: str | None, *args: Any, **kwargs: Any) -> Any:
        name = (host or "localhost").rstrip(".")
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name != "localhost" and not literal(name):
            raise RuntimeError(
                f"tests ask no name server, not even for {host}; for a failure, ask for x.invalid"
            )
        return resolve(host, *args, **kwargs)

    return guarded


@pytest.fixture(scope="session", autouse=True)
def no_network_but_loopback() -> Iterator[None]:
    """Whoever reaches out fails with an error that no code under test takes for its own."""
    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex"):
            patch.setattr(socket.socket, method, connecting_inward(getattr(socket.socket, method)))
        patch.setattr(socket, "getaddrinfo", resolving_inward(socket.getaddrinfo))
        yield


class MadeUpResponse(aiohttp.ClientResponse):
    """A response to no request, and so without the request's writer, which aiohttp 3.14 wants to see."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture(scope="session", autouse=True)
def aioresponses_that_know_aiohttp() -> Iterator[None]:
    """The library, as of 0.7.9, makes responses as aiohttp did before 3.14 (its issue 289)."""
    with pytest.MonkeyPatch.context() as patch:
        if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
            patch.setattr("aioresponses.core.ClientResponse", MadeUpResponse)
        yield
