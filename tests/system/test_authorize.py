"""`netaflux authorize`: a person's yes, from the browser or pasted, reaches the owner of the tokens."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from netaflux.cli.main import main
from netaflux.simulator import Fault
from tests.system.nursery import Nursery
from tests.system.program import Program, Running, until
from tests.system.world import Outside, a_world, served

README = Path(__file__).resolve().parents[2] / "README.md"
HTTP = "http://"
NOWHERE = """netaflux: no answer can come from the browser, and none can be pasted
  → Run it in a terminal and paste the address there, or name a free `redirect_uri`.
"""
FAST = 6
"""Makes 5 s of the 30 s between token requests."""
ELSEWHERE = "https://example.org/back"
"""A redirect URI that leads to another machine."""


@pytest.fixture
def netaflux(netaflux: Program) -> Program:
    """Netaflux that has never been authorized, and listens for the browser at a port of its own."""
    del netaflux.sections["netatmo"]["refresh_token"]
    netaflux.sections["netatmo"]["redirect_uri"] = f"http://127.0.0.1:{free_port()}/callback"
    return netaflux


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def taken(uri: str) -> Iterator[None]:
    """Somebody else listens where the browser would be sent to."""
    parts = urlsplit(uri)
    with socket.create_server((parts.hostname, parts.port)):
        yield


async def visit(url: str) -> tuple[int, str, str]:
    """What a browser gets there: status, text, and where it is sent to."""
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as response:
        return response.status, await response.text(), response.headers.get("Location", "")


async def sent_back(running: Running) -> str:
    """Where the browser is sent to after the person has made up their mind at the printed address."""
    url = await running.line(HTTP)
    status, _, location = await visit(url)
    assert status == 302
    return location


async def scopes_asked(netaflux: Program, *words: str) -> tuple[str, list[str]]:
    """The scopes in the printed address, and what is said of them."""
    async with netaflux.starting(*netaflux.command("authorize", *words)) as running:
        (scopes,) = parse_qs(urlsplit(await running.line(HTTP)).query)["scope"]
        await running.said("Waiting for the browser")
        return scopes, [line for line in running.err if "asking for" in line]


async def test_a_yes_in_the_browser_is_enough(netaflux: Program, outside: Outside) -> None:
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        status, page, _ = await visit(await sent_back(running))
        ended = await running.ended()
    check = await netaflux("check")

    assert (status, page) == (200, "netaflux has what it needs. You may close this page.")
    assert ended.code == 0
    assert ended.out.splitlines()[1:] == ["account default is authorized: read_station"]
    assert check.code == 0, check.out
    assert outside.token_posts == 1


async def test_the_printed_address_asks_for_what_is_needed_and_holds_no_secret(netaflux: Program) -> None:
    async with netaflux.starting(
        *netaflux.command("authorize", "--scope", "read_station read_camera")
    ) as one:
        first = urlsplit(await one.line(HTTP))
    async with netaflux.starting(*netaflux.command("authorize")) as two:
        second = urlsplit(await two.line(HTTP))

    asked, again = parse_qs(first.query), parse_qs(second.query)
    assert first.path == "/oauth2/authorize"
    assert asked["scope"] == ["read_station read_camera"]
    assert again["scope"] == ["read_station"]
    assert asked["redirect_uri"] == [netaflux.sections["netatmo"]["redirect_uri"]]
    assert asked["state"] != again["state"]
    assert len(asked["state"][0]) >= 32
    assert netaflux.sections["netatmo"]["client_secret"] not in first.query


async def test_the_address_asks_for_what_the_devices_of_the_account_need(netaflux: Program) -> None:
    netaflux.devices = [
        *netaflux.devices,
        {"name": "Bath", "source": "rooms", "module": "Home/Bath"},
        {"name": "Heating", "source": "boilers", "module": "Home/Thermostat"},
        {"name": "Bedroom", "source": "coaches", "module": "Bedroom", "account": "parents"},
    ]
    netaflux.sections["netatmo.accounts.parents"] = {}
    asked = [await scopes_asked(netaflux), await scopes_asked(netaflux, "--account", "parents")]

    assert [scopes for scopes, _ in asked] == ["read_station read_thermostat", "read_station read_homecoach"]


async def test_what_was_granted_before_is_asked_for_once_more(netaflux: Program, outside: Outside) -> None:
    """Each authorization takes the place of the one before."""
    granted = ["read_station", "read_thermostat", "write_thermostat"]
    pair = outside.served.netatmo.logins.issue("default", granted)
    netaflux.sections["netatmo"]["refresh_token"] = pair.refresh
    netaflux.devices = [
        *netaflux.devices,
        {"name": "Bedroom", "source": "coaches", "module": "Bedroom"},
    ]
    async with netaflux.daemon() as daemon:
        await daemon.running.told("tokens.refreshed")
        asked = [await scopes_asked(netaflux), await scopes_asked(netaflux, "--scope", "read_station")]

    scopes = "read_station read_homecoach read_thermostat write_thermostat"
    assert asked == [(scopes, [f"netaflux: asking for {scopes}"]), ("read_station", [])]


async def test_a_no_in_the_browser_ends_it(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.consent.mode = "refuse"
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        status, page, _ = await visit(await sent_back(running))
        ended = await running.ended()

    assert status == 400
    assert "Access was refused" in page
    assert ended.code == 77
    assert "netaflux: Access was refused on Netatmo's page" in ended.err
    assert "→ Run `netaflux authorize` again, and grant it." in ended.err
    assert outside.token_posts == 0


async def test_a_wrong_state_does_not_end_it_and_the_right_one_after_it_does(
    netaflux: Program, outside: Outside
) -> None:
    outside.served.netatmo.consent.mode = "wrong state"
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        status, page, _ = await visit(await sent_back(running))
        posts = outside.token_posts
        outside.served.netatmo.consent.mode = "grant"
        right, _, _ = await visit(await sent_back(running))
        ended = await running.ended()

    assert status == 400
    assert "belongs to another attempt" in page
    assert posts == 0
    assert (right, ended.code) == (200, 0)


async def test_an_address_is_good_for_one_attempt(netaflux: Program, outside: Outside) -> None:
    """Afterwards nobody listens, and whoever listens next takes it for somebody else's."""
    async with netaflux.starting(*netaflux.command("authorize")) as first:
        back = await sent_back(first)
        await visit(back)
        await first.ended()
        with pytest.raises(aiohttp.ClientConnectionError):
            await visit(back)
    async with netaflux.starting(*netaflux.command("authorize")) as second:
        await second.line(HTTP)
        status, page, _ = await visit(back)

    assert status == 400
    assert "belongs to another attempt" in page
    assert outside.token_posts == 1


async def test_whatever_else_knocks_at_the_door_changes_nothing(netaflux: Program) -> None:
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        back = urlsplit(await sent_back(running))
        status, _, _ = await visit(f"http://{back.netloc}/favicon.ico?{back.query}")
        bare, _, _ = await visit(f"http://{back.netloc}{back.path}")
        with socket.create_connection((back.hostname, back.port)) as noise:
            noise.sendall(b"\x16\x03\x01 not HTTP at all\r\n" * 1000)
        right, _, _ = await visit(back.geturl())
        ended = await running.ended()

    assert (status, bare) == (404, 400)
    assert (right, ended.code) == (200, 0)


async def test_the_address_can_be_pasted_on_a_machine_without_browser(
    netaflux: Program, outside: Outside
) -> None:
    netaflux.sections["netatmo"]["redirect_uri"] = ELSEWHERE
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        location = await sent_back(running)
        running.write("far too long " * 10_000 + "\n")
        await running.said("This is not the address that Netatmo sends the browser to")
        running.write(f"{ELSEWHERE}?state=somebody-elses&code=abc\n")
        await running.said("This address belongs to another attempt to authorize")
        running.write(f'  "{location}"\n')
        ended = await running.ended()

    assert location.startswith(ELSEWHERE)
    assert ended.code == 0
    assert outside.token_posts == 1


async def test_a_taken_port_leaves_the_pasting(netaflux: Program) -> None:
    with taken(netaflux.sections["netatmo"]["redirect_uri"]):
        async with netaflux.starting(*netaflux.command("authorize")) as running:
            await running.said("cannot listen at 127.0.0.1")
            running.write(await sent_back(running) + "\n")
            ended = await running.ended()

    assert ended.code == 0


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_where_no_browser_comes_the_end_of_its_input_ends_it(
    netaflux: Program,
    elsewhere: bool,  # noqa: FBT001 - a table's column
) -> None:
    uri = netaflux.sections["netatmo"]["redirect_uri"]
    netaflux.sections["netatmo"]["redirect_uri"] = ELSEWHERE if elsewhere else uri
    with taken(uri):
        async with netaflux.starting(*netaflux.command("authorize")) as running:
            await running.said("Waiting for the browser")
            running.hang_up()
            ended = await running.ended(within=10)

    assert ended.code == 77
    assert NOWHERE in ended.err


def test_without_browser_and_input_it_does_not_begin(
    netaflux: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    netaflux.write_config()
    uri = netaflux.sections["netatmo"]["redirect_uri"]
    with Path(os.devnull).open(encoding="utf-8") as nothing, taken(uri):
        monkeypatch.setattr("sys.stdin", nothing)
        code = main(["authorize", "--config", str(netaflux.config)])

    told = capsys.readouterr()
    assert (code, told.out) == (77, "")
    assert NOWHERE in told.err


async def test_the_end_of_its_input_leaves_the_browser(netaflux: Program) -> None:
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        running.hang_up()
        await visit(await sent_back(running))
        ended = await running.ended()

    assert ended.code == 0


async def test_a_refusal_can_be_pasted_too(netaflux: Program, outside: Outside) -> None:
    outside.served.netatmo.consent.mode = "refuse"
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        running.write(await sent_back(running) + "\n")
        ended = await running.ended()

    assert ended.code == 77


async def test_the_daemon_takes_the_code_and_goes_on_at_once(netaflux: Program, outside: Outside) -> None:
    async with netaflux.daemon() as daemon:
        await daemon.running.told("authorization.needed")
        async with netaflux.starting(*netaflux.command("authorize")) as running:
            await visit(await sent_back(running))
            ended = await running.ended()
        await until(lambda: not outside.differences())
        await daemon.ready()

    assert ended.code == 0
    assert ended.out.splitlines()[1:] == ["account default is authorized: read_station"]
    assert outside.token_posts == 1


async def test_a_code_for_an_app_that_netatmo_does_not_know_is_told(netaflux: Program) -> None:
    netaflux.sections["netatmo"]["client_secret"] = "not the right one"
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        await visit(await sent_back(running))
        ended = await running.ended()

    told = "Netatmo does not accept this authorization (invalid_client)"

    assert ended.code == 77
    assert told in ended.err
    assert f"| `{told}`" in README.read_text("utf-8"), "people look for what they see"
    assert "Compare client_id, client_secret" in ended.err


async def test_an_unknown_account_is_told_before_anybody_has_to_log_in(netaflux: Program) -> None:
    netaflux.sections["netatmo.accounts.parents"] = {}
    ended = await netaflux("authorize", "--account", "parent")
    pasted = await netaflux("authorize", "--account", "parent", "--refresh-token", stdin="a token\n")

    assert (ended.code, ended.out) == (2, "")
    assert "no account `parent` in the configuration; did you mean `parents`?" in ended.err
    assert (pasted.code, pasted.err) == (2, ended.err)


async def test_ctrl_c_while_waiting_for_the_browser_is_quiet(netaflux: Program) -> None:
    async with netaflux.starting(*netaflux.command("authorize")) as running:
        await running.line(HTTP)
        await running.said("paste the address")
        running.signal(signal.SIGINT)
        ended = await running.ended(within=10)

    assert ended.code == 130
    assert "Traceback" not in ended.err


async def test_a_refresh_token_from_stdin_is_taken_as_people_paste_it(
    netaflux: Program, outside: Outside
) -> None:
    token = outside.served.refresh_tokens["default"]

    ended = await netaflux("authorize", "--refresh-token", stdin=f' "{token}" \n')

    assert (ended.code, ended.out) == (0, "account default is authorized: read_station\n")
    assert token not in ended.err


async def test_a_refresh_token_that_is_refused_takes_nothing_away(
    netaflux: Program, outside: Outside
) -> None:
    token = outside.served.refresh_tokens["default"]
    await netaflux("authorize", "--refresh-token", stdin=token)
    refused = await netaflux("authorize", "--refresh-token", stdin="somebody's old one\n")
    empty = await netaflux("authorize", "--refresh-token", stdin="\n")
    check = await netaflux("check")

    assert refused.code == 77
    assert "it was used already, or is too old" in refused.err
    assert empty.code == 2
    assert "no refresh token came from standard input" in empty.err
    assert check.code == 0
    assert outside.token_posts == 2


# the distance between token requests


async def test_a_wait_for_the_next_token_request_is_said_and_can_be_broken_off(
    nursery: Nursery, folder: Path
) -> None:
    with served(a_world(), speed=FAST) as outside:
        netaflux = Program(nursery, folder, outside.sections(), outside.devices())
        async with netaflux.daemon(speed=FAST) as daemon:
            await daemon.ready()
            async with netaflux.starting(*netaflux.command("authorize", "--refresh-token")) as running:
                running.write("one that is not to be tried\n")
                waits = await running.said("waiting")
                running.signal(signal.SIGINT)
                first = await running.ended(within=10)
            fresh = outside.served.netatmo.logins.issue("default").refresh
            second = await netaflux("authorize", "--refresh-token", stdin=fresh)

        assert re.fullmatch(r"netaflux: waiting \d+ s: Netatmo is asked for tokens at most every 30 s", waits)
        assert (first.code, first.err) == (130, f"{waits}\n")
        assert (second.code, second.out) == (0, "account default is authorized: read_station\n")
        assert outside.token_posts == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_who_breaks_off_while_the_token_is_on_its_way_is_told_where_to_look(
    netaflux: Program, outside: Outside, number: signal.Signals
) -> None:
    hanging = outside.served.netatmo.faults.add(Fault.HANG_AFTER, "/oauth2/token")
    async with (
        netaflux.daemon(),
        netaflux.starting(*netaflux.command("authorize", "--refresh-token")) as running,
    ):
        running.write(outside.served.refresh_tokens["default"] + "\n")
        await until(lambda: hanging.struck)
        running.signal(number)
        ended = await running.ended(within=10)

    assert ended.code == 128 + number
    assert "whether it is done is unknown: the command was broken off" in ended.err
    assert "`netaflux check` shows how things are" in ended.err


async def test_a_command_that_ends_does_not_promise_to_try_again(netaflux: Program, outside: Outside) -> None:
    netaflux.sections["netatmo"]["api_url"] = f"http://127.0.0.1:{free_port()}"
    netaflux.sections["destinations.fluxtream"]["url"] = f"http://127.0.0.1:{free_port()}"
    token = outside.served.refresh_tokens["default"]
    alone = [await netaflux("authorize", "--refresh-token", stdin=token)]
    netaflux.sections["netatmo"]["refresh_token"] = token
    alone += [await netaflux(command) for command in ("check", "devices", "latest")]
    async with netaflux.daemon(speed=FAST) as daemon:
        await daemon.running.told("account.failed")
        asked = await netaflux("check")
        alone += [await netaflux("authorize", "--refresh-token", stdin=token)]

    for ended in alone:
        assert ended.code == 75
        assert "→ Try again.\n" in ended.out + ended.err
        assert "will be tried again" not in ended.out + ended.err
    assert "→ It will be tried again." in asked.out
    for check in (alone[1], asked):
        assert "→ See whether `url` under [destinations.fluxtream] is right and the server runs." in check.out
