"""`netaflux doctor`: each thing that can be wrong is found, and keeps it from nothing else."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import ssl
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from netaflux import __version__
from netaflux.core.masking import MASK
from netaflux.simulator import Fault, FluxtreamSettings, User, World
from netaflux.state.lock import hold
from tests.system.nursery import Nursery
from tests.system.program import Ended, Program, until
from tests.system.world import ANNE, UPLOAD, Outside, a_world, served

TLS = Path(__file__).parent.parent / "payloads" / "tls"
HOUR = 3600


async def examined(netaflux: Program, *words: str) -> tuple[Ended, list[dict[str, Any]]]:
    """What the doctor says of this configuration as it is now."""
    ended = await netaflux("doctor", "--json", *words)
    return ended, ended.json["findings"]


def about(findings: list[dict[str, Any]], what: str) -> list[tuple[str, str]]:
    return [(each["grade"], each["text"]) for each in findings if each["what"] == what]


def troubled(findings: list[dict[str, Any]]) -> set[str]:
    """What the doctor finds that hinders netaflux."""
    return {each["what"] for each in findings if each["grade"] == "problem"}


@pytest.fixture
async def brought(netaflux: Program) -> Program:
    """Netaflux whose state holds all that there is."""
    assert (await netaflux("sync")).code == 0
    return netaflux


async def test_all_is_well_without_the_daemon_and_with_it(brought: Program) -> None:
    alone, found_alone = await examined(brought)
    async with brought.daemon() as daemon:
        await daemon.ready()
        beside, found_beside = await examined(brought)
    known = {"versions", "configuration", "daemon", "permissions", "disk", "database", "state", "clock"}
    known |= {"budget of the app", "budget of account default", "scopes of account default"}
    known |= {"account default", "destination fluxtream", "device 000001", "device 000002"}

    assert (alone.code, alone.err, troubled(found_alone)) == (0, "", set())
    assert (beside.code, beside.err, troubled(found_beside)) == (0, "", set())
    assert {each["what"] for each in found_alone} == {each["what"] for each in found_beside} == known
    assert [grade for grade, _ in about(found_alone, "daemon")] == ["warning"]
    assert about(found_beside, "daemon") == [("ok", f"it runs, version {__version__}")]
    assert ("ok", "it agrees with Netatmo's") in about(found_alone, "clock")


async def test_a_person_reads_lines_and_what_to_do(brought: Program) -> None:
    ended = await brought("doctor")
    signs = {line.split()[0] for line in ended.out.splitlines()[:-1]}

    assert ended.code == 0
    assert signs == {"ok", "note", "→"}
    assert "note    daemon: no daemon is running" in ended.out
    assert "        → Start it with `netaflux run`" in ended.out
    assert ended.out.splitlines()[-1] == "OK, with notes: see above"


async def test_it_asks_for_no_token_and_uploads_nothing(brought: Program, outside: Outside) -> None:
    before = outside.token_posts, outside.uploads
    await examined(brought)

    assert (outside.token_posts, outside.uploads) == before


# Without a configuration that holds


async def test_a_mistaken_configuration_hides_nothing_else(brought: Program) -> None:
    brought.sections["netatmo"]["client_sekret"] = brought.sections["netatmo"].pop("client_secret")
    ended, found = await examined(brought)

    assert ended.code == 78
    assert troubled(found) == {"configuration"}
    assert any("did you mean `client_secret`" in text for _, text in about(found, "configuration"))
    assert about(found, "database")[0][0] == "ok"
    assert str(brought.socket) in about(found, "daemon")[0][1]


async def test_with_a_mistaken_configuration_the_daemon_is_asked_all_the_same(brought: Program) -> None:
    async with brought.daemon() as daemon:
        await daemon.ready()
        brought.sections["nothing"] = {}
        ended, found = await examined(brought)

    assert ended.code == 78
    assert troubled(found) == {"configuration"}
    assert about(found, "daemon")[0][0] == "ok"
    assert about(found, "account default")[0][0] == "ok"


@pytest.mark.parametrize("text", ["[netatmo", "state_dir = 7", "", "\0", "state_dir = '/nowhere/\\u0000'"])
async def test_a_configuration_that_is_none_is_a_finding(netaflux: Program, text: str) -> None:
    netaflux.write_config()
    netaflux.config.write_text(text)
    ended = await netaflux.outcome("doctor", "--json", "--config", str(netaflux.config))

    assert ended.code == 78
    assert "configuration" in troubled(ended.json["findings"])


async def test_a_configuration_that_is_not_there_is_a_finding(netaflux: Program, folder: Path) -> None:
    ended = await netaflux.outcome("doctor", "--config", str(folder / "none.toml"))

    assert ended.code == 78
    assert "there is no such file" in ended.out


async def test_without_any_configuration_it_says_what_to_do_about_that(
    netaflux: Program, folder: Path
) -> None:
    netaflux.environment["XDG_CONFIG_HOME"] = str(folder / "none")
    ended = await netaflux.outcome("doctor")

    assert ended.code == 78
    assert "there is no configuration: no file at" in ended.out
    assert "→ Copy config.example.toml there and fill it in, or name a file by --config." in ended.out
    assert "Mend the configuration" not in ended.out


async def test_a_configuration_that_run_refuses_is_a_finding(netaflux: Program) -> None:
    netaflux.devices = []
    ended, found = await examined(netaflux)

    assert ended.code == 78
    assert ("problem", "the configuration names no device") in about(found, "configuration")


# Hosts


async def test_a_name_that_does_not_exist_is_found(brought: Program) -> None:
    brought.sections["destinations.away"] = brought.sections["destinations.fluxtream"] | {
        "url": "https://fluxtream.invalid"
    }
    ended, found = await examined(brought)

    assert ended.code == 75
    assert troubled(found) == {"name fluxtream.invalid", "destination away"}
    assert about(found, "destination fluxtream")[0][0] == "ok"


@contextmanager
def secured(name: str) -> Iterator[int]:
    """A server that shows this certificate to everybody, at its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{name}.pem")

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                line.settimeout(5)
                with suppress(OSError), context.wrap_socket(line, server_side=True) as shown:
                    shown.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)


@pytest.mark.parametrize(
    ("name", "authority", "grade", "words"),
    [
        ("good", True, "ok", "it is valid for"),
        ("expired", True, "problem", "is refused: certificate has expired"),
        ("good", False, "problem", "is refused: unable to get local issuer certificate"),
    ],
)
async def test_certificates_are_looked_at(
    brought: Program, outside: Outside, name: str, grade: str, words: str, *, authority: bool
) -> None:
    if authority:
        brought.environment["SSL_CERT_FILE"] = str(TLS / "authority.pem")
    with secured(name) as port:
        elsewhere = outside.fluxtream(ANNE) | {"url": f"https://127.0.0.1:{port}"}
        brought.sections["destinations.elsewhere"] = elsewhere
        _, found = await examined(brought)
    ((judged, text),) = about(found, "certificate 127.0.0.1")

    assert judged == grade
    assert words in text
    assert about(found, "destination fluxtream")[0][0] == "ok"


async def test_a_server_that_is_away_is_found(brought: Program, outside: Outside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    elsewhere = outside.fluxtream(ANNE) | {"url": f"https://127.0.0.1:{port}"}
    brought.sections["destinations.elsewhere"] = elsewhere
    ended, found = await examined(brought)

    assert ended.code == 75
    assert "cannot be asked" in about(found, "certificate 127.0.0.1")[0][1]


# Clock, scopes, budget


@pytest.mark.parametrize(
    ("ahead", "words"), [(3 * HOUR + 20, "3 h behind"), (-3 * HOUR - 20, "3 h ahead of")]
)
async def test_a_clock_that_is_wrong_is_found(
    nursery: Nursery, folder: Path, ahead: float, words: str
) -> None:
    with served(a_world(), ahead=ahead) as outside:
        netaflux = Program(nursery, folder, outside.sections(), outside.devices())
        ended, found = await examined(netaflux)

    assert ended.code == 75
    assert ("problem", f"it is {words} Netatmo's") in about(found, "clock")
    assert troubled(found) == {"clock"}


async def test_a_scope_that_is_missing_is_found_with_the_command_that_asks_for_it(brought: Program) -> None:
    coach = {"name": "Coach", "module": "70:ee:50:00:00:99", "source": "coaches"}
    brought.devices = [*brought.devices, coach]
    ended, found = await examined(brought)
    (scopes,) = [each for each in found if each["what"] == "scopes of account default"]

    assert ended.code == 77
    assert scopes["text"] == "coaches need read_homecoach; granted: read_station"
    assert scopes["remedy"] == "Run `netaflux authorize --scope read_station --scope read_homecoach`."


async def test_an_account_that_was_never_authorized_is_found(netaflux: Program) -> None:
    del netaflux.sections["netatmo"]["refresh_token"]
    ended, found = await examined(netaflux)

    assert ended.code == 77
    assert troubled(found) == {"account default"}


async def test_a_budget_that_is_closed_is_told_and_not_waited_for(brought: Program, outside: Outside) -> None:
    refusing = outside.served.netatmo.faults.add(Fault.QUOTA_403, "/api/*")
    async with brought.starting(*brought.command("sync")) as sync:
        await sync.said("waiting until")
        sync.signal()
        await sync.ended()
    assert refusing.struck
    ended, found = await examined(brought)
    ((grade, text),) = about(found, "budget of account default")

    assert ended.code == 0
    assert (grade, text.startswith("it is closed for ")) == ("warning", True)
    assert about(found, "account default")[0][0] == "warning"
    assert about(found, "destination fluxtream")[0][0] == "ok"


# Files


async def test_modes_that_let_others_in_are_found(brought: Program) -> None:
    async with brought.daemon() as daemon:
        await daemon.ready()
        brought.state.chmod(0o755)
        (brought.state / "netaflux.db").chmod(0o644)
        brought.socket.chmod(0o666)
        ended, found = await examined(brought)
    told = about(found, "permissions")

    assert ended.code == 78
    assert [(grade, text.split(" has ")[0]) for grade, text in told] == [
        ("warning", str(brought.state)),
        ("problem", str(brought.state / "netaflux.db")),
        ("problem", str(brought.socket)),
    ]


async def test_a_configuration_that_everybody_reads_is_found(brought: Program) -> None:
    brought.write_config()
    brought.config.chmod(0o646)
    ended = await brought.outcome("doctor", "--config", str(brought.config))

    assert ended.code == 78
    assert f"→ chmod 0644 {brought.config}" in ended.out
    assert "every user of this machine can read netatmo.client_secret in it" in ended.out


def spoil(path: Path) -> None:
    """Write over all pages but the first."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


async def test_a_damaged_database_is_found_and_left_as_it_is(brought: Program) -> None:
    database = brought.state / "netaflux.db"
    spoil(database)
    before, names = database.read_bytes(), {file.name for file in brought.state.iterdir()}
    ended, found = await examined(brought)

    assert ended.code == 75, "the next start mends it, and no person has to"
    assert troubled(found) == {"database"}
    assert database.read_bytes() == before
    assert {file.name for file in brought.state.iterdir()} == names


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0", b"\0" * 9000])
async def test_what_is_no_database_of_ours_is_found(brought: Program, content: bytes) -> None:
    (brought.state / "netaflux.db").write_bytes(content)
    ended, found = await examined(brought)

    assert ended.code in {75, 78}
    assert "database" in troubled(found)


async def test_a_database_of_a_newer_netaflux_is_found(brought: Program) -> None:
    with closing(sqlite3.connect(brought.state / "netaflux.db")) as database:
        database.execute("PRAGMA user_version = 99")
    ended, found = await examined(brought)

    assert ended.code == 78
    assert "a newer netaflux wrote it" in about(found, "database")[0][1]


async def test_a_state_directory_that_is_a_file_is_found(netaflux: Program) -> None:
    netaflux.state.write_text("not to be lost")
    ended, found = await examined(netaflux)

    assert ended.code == 75
    assert f"{netaflux.state}: Not a directory" in about(found, "disk")[0][1]
    assert netaflux.state.read_text() == "not to be lost"


# The daemon


async def test_a_daemon_that_does_not_move_keeps_nobody_waiting(brought: Program) -> None:
    async with brought.daemon() as daemon:
        await daemon.ready()
        daemon.running.signal(signal.SIGSTOP)
        async with asyncio.timeout(20):
            ended, found = await examined(brought)
        daemon.running.signal(signal.SIGCONT)

    assert ended.code == 75
    assert f"(pid {daemon.pid})" in about(found, "daemon")[0][1]
    assert about(found, "database")[0][0] == "ok"


async def test_a_state_that_is_held_by_a_command_is_said_to_be(brought: Program) -> None:
    with hold(brought.state):
        ended, found = await examined(brought)

    assert ended.code == 75
    assert f"netaflux already runs here (pid {os.getpid()})" in about(found, "daemon")[0][1]


async def test_what_the_daemon_lacks_is_told(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.faults.add(Fault.RESET_BEFORE)
    async with netaflux.daemon() as daemon:
        await daemon.running.told("account.failed")
        ended, found = await examined(netaflux)

    assert ended.code == 75
    assert ("problem", "account default: its first poll is not done yet") in about(found, "daemon")


# The bundle

MEMBERS = ["README.txt", "findings.json", "configuration.json", "status.json", "log.jsonl", "versions.json"]


def unpacked(bundle: Path) -> dict[str, str]:
    """What stands in each member."""
    with tarfile.open(bundle) as archive:
        files = {each.name: archive.extractfile(each) for each in archive.getmembers()}
        return {
            name.removeprefix("netaflux-doctor/"): file.read().decode()
            for name, file in files.items()
            if file
        }


async def test_the_bundle_is_for_its_owner_alone_and_overwrites_nothing(
    brought: Program, folder: Path
) -> None:
    bundle = folder / "bundle.tar.gz"
    ended = await brought("doctor", "--bundle", str(bundle))
    beside = {each["what"] for each in json.loads(unpacked(bundle)["findings.json"])}
    mode, content = bundle.stat().st_mode & 0o777, bundle.read_bytes()
    again = await brought("doctor", "--bundle", str(bundle))
    members = unpacked(bundle)

    assert ended.code == 0
    assert mode == 0o600
    assert again.code == 2
    assert "exists, and is not overwritten" in again.err
    assert bundle.read_bytes() == content
    assert list(members) == MEMBERS
    assert "secrets are masked in it, names of devices are not" in ended.err
    assert {"device 000001", "device 000002"} < beside
    assert json.loads(members["versions.json"])["netaflux"] == __version__


async def test_a_link_is_not_followed(brought: Program, folder: Path) -> None:
    (folder / "link").symlink_to(folder / "target")
    ended = await brought("doctor", "--bundle", str(folder / "link"))

    assert ended.code == 2
    assert not (folder / "target").exists()


async def test_a_bundle_that_cannot_be_written_is_said(brought: Program, folder: Path) -> None:
    ended = await brought("doctor", "--bundle", str(folder / "nowhere" / "bundle"))

    assert ended.code == 2
    assert "cannot be written: No such file or directory" in ended.err


CANARY = User(
    username="canary.anne@home.example",
    password="c4nary password, 1 %&é",
    guest=7,
    email="canary.anne@home.example",
    firstname="Gwendolyn",
)


@dataclass(frozen=True)
class Mine:
    """A world, and netaflux with a secret at every place where one can be."""

    netaflux: Program
    outside: Outside

    @property
    def secrets(self) -> set[str]:
        """All that must not be told, tokens included that have been replaced since."""
        issued = self.outside.served.netatmo.logins.issued["default"]
        tokens = {text for pair in issued for text in (pair.access, pair.refresh)}
        app = self.outside.served.netatmo.settings.app
        named = {CANARY.username, CANARY.password, CANARY.firstname, app.client_secret, "another canary"}
        modules = {each["module"] for each in self.outside.devices()}
        return tokens | named | modules | {"House 1", "Room 2", "seeded-canary|token"}

    def leaks(self, members: dict[str, str]) -> list[tuple[str, str]]:
        """What of it is told, and where."""
        spelt = {
            each: {
                each,
                json.dumps(each)[1:-1],
                quote(each),
                quote_plus(each),
                b64encode(each.encode()).decode(),
            }
            for each in self.secrets
        }
        return [
            (name, each)
            for name, text in members.items()
            for each, ways in spelt.items()
            if any(way.lower() in text.lower() for way in ways)
        ]


@pytest.fixture
def mine(nursery: Nursery, folder: Path) -> Iterator[Mine]:
    world = a_world()
    world = World(
        accounts=world.accounts, users=[CANARY], netatmo=world.netatmo, fluxtream=FluxtreamSettings()
    )
    with served(world) as outside:
        netaflux = Program(nursery, folder, outside.sections())
        (folder / "credentials").mkdir()
        secret = netaflux.sections["netatmo"].pop("client_secret")
        (folder / "credentials" / "netatmo__client_secret").write_text(secret)
        netaflux.sections["destinations.fluxtream"] = outside.fluxtream(CANARY)
        del netaflux.sections["destinations.fluxtream"]["password"]
        netaflux.sections["destinations.second"] = outside.fluxtream(CANARY) | {"password": "another canary"}
        netaflux.sections["netatmo.accounts.parents"] = {"refresh_token": "seeded-canary|token"}
        netaflux.environment = {
            "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
            "NETAFLUX_DESTINATIONS__FLUXTREAM__PASSWORD": CANARY.password,
        }
        netaflux.devices = [*outside.devices()[:1], {"name": "Second", "module": "House 1/Room 2"}]
        netaflux.devices += [{"name": "Lost", "module": "House 1/Rom 2"}]
        yield Mine(netaflux, outside)


@pytest.mark.parametrize("level", ["debug", "info"])
async def test_no_secret_and_no_name_is_in_the_bundle(mine: Mine, folder: Path, level: str) -> None:
    """With the daemon at work, both sides failing now and then, and tokens refreshed."""
    netaflux, outside = mine.netaflux, mine.outside
    netaflux.sections["log"] = {"level": level}
    await netaflux("sync", "--dry-run")  # spends the first token: a process keeps half a minute between two
    outside.served.netatmo.faults.add(Fault.RESET_AFTER, "/api/getmeasure", times=1)
    outside.served.fluxtream.faults.add(Fault.UNAUTHORIZED, UPLOAD, times=1)
    async with netaflux.daemon() as daemon:
        await until(lambda: outside.uploads)
        await daemon.running.told("module.missed")
        outside.served.netatmo.logins.expire("default")
        await netaflux("doctor", "--bundle", str(folder / "bundle"))
        _, status = await daemon.get("/status")
    members = unpacked(folder / "bundle")
    logged = [json.loads(line) for line in members["log.jsonl"].splitlines()]
    settings = json.loads(members["configuration.json"])["settings"]

    assert mine.leaks(members) == []
    assert {"service.started", "module.missed"} <= {event["event"] for event in logged}
    assert ("page.fetched" in {event["event"] for event in logged}) is (level == "debug")
    assert settings["netatmo"]["client_secret"] == MASK
    assert len(json.loads(members["status.json"])["devices"]) == len(status["devices"])
    assert outside.token_posts > 1


async def test_the_canaries_would_be_found(mine: Mine, folder: Path) -> None:
    """The same search finds them in what is not meant for others."""
    await mine.netaflux("sync")
    content = (mine.netaflux.state / "netaflux.db").read_bytes().decode("latin-1")
    told = mine.leaks({"database": content, "configuration": mine.netaflux.config.read_text()})

    assert {name for name, _ in told} == {"database", "configuration"}
    assert len(told) > 4


async def test_no_secret_is_in_the_bundle_of_a_command(mine: Mine, folder: Path) -> None:
    """Without a daemon, and with tokens in the state."""
    mine.netaflux.sections["log"] = {"level": "debug"}
    await mine.netaflux("sync")
    await mine.netaflux("doctor", "--bundle", str(folder / "bundle"))

    assert mine.leaks(unpacked(folder / "bundle")) == []


@pytest.mark.parametrize("running", [False, True])
async def test_no_secret_is_in_the_bundle_of_a_broken_configuration(
    mine: Mine, folder: Path, *, running: bool
) -> None:
    """Where what is wrong is just where a secret stands: as a key, under a wrong key, of a wrong kind."""
    netaflux = mine.netaflux
    secret = next(iter(mine.outside.served.netatmo.logins.issued["default"])).refresh
    async with AsyncExitStack() as stack:
        if running:
            await stack.enter_async_context(netaflux.daemon())
            await until(lambda: mine.outside.uploads)
        netaflux.sections["netatmo"] |= {"secret": secret, "redirect_uri": f"x{secret}"}
        netaflux.sections["destinations.fluxtream"]["pasword"] = CANARY.password
        netaflux.sections["log"] = {"level": CANARY.password}
        netaflux.write_config()
        text = netaflux.config.read_text()
        netaflux.config.write_text(text.replace("[netatmo]", f'[netatmo]\n"{secret}" = 1', 1))
        ended = await netaflux.outcome(
            "doctor", "--bundle", str(folder / "bundle"), "--config", str(netaflux.config)
        )
    members = unpacked(folder / "bundle")

    assert ended.code == 78
    assert mine.leaks(members) == []
    assert json.loads(members["configuration.json"])["given"]
    assert ("service.started" in members["log.jsonl"]) is running
