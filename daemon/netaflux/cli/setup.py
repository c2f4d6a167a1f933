"""`netaflux authorize` and `netaflux check`."""

import asyncio
import os
import secrets
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from netaflux.cli.owner import carry_out
from netaflux.cli.place import Place, daemon_of
from netaflux.cli.show import about, as_json, explain, printable, say
from netaflux.commands.words import Json, account_named
from netaflux.config import Loaded
from netaflux.core.errors import NetafluxError, NobodyAtSocket, NotAuthorized, UsageError
from netaflux.core.model import AccountName
from netaflux.core.settings import is_loopback, without_wrapping
from netaflux.netatmo.oauth import authorize_url, parse_redirect

DEFAULT_PLACE = Place()
STATIONS_ONLY = ("read_station",)
PATIENCE = 600.0
"""Real seconds that a person has for the browser; the `state` is worthless afterwards."""
LONGEST_REQUEST = 8192
"""Bytes of a browser's request that are read."""


def check(*, json: bool = False, place: Place = DEFAULT_PLACE) -> int:
    """Try everything that the daemon needs, and say OK or what to do. It uploads nothing.

    Exit code 0 when all is well, 75 when something is away, 77 when an account must be authorized, 78 when
    the configuration must be mended.

    Example: `netaflux check`

    Parameters
    ----------
    json
        Print one JSON document.
    """
    checks: list[Json] = []
    failed: list[Json] = []

    def take(event: Json) -> None:
        if event["event"] == "check":
            checks.append(event)
            if not json:
                _show_check(event)
        elif event["event"] == "failed":
            failed.append(event)

    code = carry_out(place, "check", {}, take)
    for event in failed:
        explain(event)
    if json:
        as_json({"checks": checks, "exit_code": code})
    elif code == 0:
        print("OK")
    elif not failed and not all(event["ok"] for event in checks):  # else it was stopped
        print("not OK: see above")
    return code


def _show_check(event: Json) -> None:
    told = about(event["what"], event["text"])
    print(f"{'ok    ' if event['ok'] else 'FAILED'}  {printable(told)}")
    if not event["ok"] and event["remedy"]:
        print(f"        → {printable(event['remedy'])}")


def authorize(
    *,
    account: str = "default",
    scope: tuple[str, ...] = (),
    refresh_token: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Let netaflux read a Netatmo account: open the printed URL in a browser and say yes.

    The browser comes back to `redirect_uri` of the configuration. On a machine without a browser, open the
    URL elsewhere and paste the address that it ends at, which may be an error page, here.

    Example: `netaflux authorize --account anne`

    Parameters
    ----------
    account
        The account's name in the configuration.
    scope
        A scope to ask for instead of those that the configured devices need and those that the running
        daemon has; may be given several times.
    refresh_token
        Take a refresh token from standard input instead, such as the one of Netatmo's token generator.
    """
    loaded = place.load()
    known = account_named(account, loaded.settings.accounts)  # before anybody logs in for nothing
    asked: Json = {"account": known}
    if refresh_token:
        asked["refresh_token"] = _token_from_stdin()
    else:
        asked |= asyncio.run(_code_from_browser(loaded, _scopes(scope) or _needed(loaded, known)))
    return carry_out(place, "authorize", asked, partial(_show_authorized, known))


def _scopes(asked: tuple[str, ...]) -> tuple[str, ...]:
    """Scopes as given: several options, or several words in one."""
    return tuple(word for text in asked for word in text.replace(",", " ").split())


def _needed(loaded: Loaded, account: AccountName) -> tuple[str, ...]:
    """What the devices need and, since this takes the place of what was granted, that once more."""
    from netaflux.commands.leave import needed  # noqa: PLC0415 - it takes all of netaflux with it

    return tuple(dict.fromkeys((*needed(loaded.settings, account), *_granted(loaded, account))))


def _granted(loaded: Loaded, account: AccountName) -> Sequence[str]:
    """The scopes that the account has now, as far as a daemon tells; the state is not ours to read."""
    try:
        _, status = daemon_of(loaded).get("/status")
    except NobodyAtSocket:
        return ()
    return next((each["scopes"] for each in status["accounts"] if each["name"] == account), ())


def _show_authorized(account: AccountName, event: Json) -> None:
    if event["event"] == "failed":
        explain(event)
    elif event["event"] == "pausing":
        apart = f"Netatmo is asked for tokens at most every {event['apart']:.0f} s"
        say(f"netaflux: waiting {event['seconds']} s: {apart}")
    elif event["event"] == "result":
        scopes = printable(" ".join(event["scopes"])) or "no scope named"
        print(f"account {account} is authorized: {scopes}")


def _token_from_stdin() -> str:
    if sys.stdin.isatty():
        say("Paste the refresh token and press Enter:")
    token = str(without_wrapping(sys.stdin.readline()))
    if not token:
        raise UsageError("no refresh token came from standard input")
    return token


async def _code_from_browser(loaded: Loaded, scopes: tuple[str, ...]) -> Json:
    """The person's yes: from the browser's call at our door, or from the pasted address."""
    netatmo = loaded.settings.netatmo
    state = secrets.token_urlsafe(24)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with (
        _callback(netatmo.redirect_uri, state, found) as listening,
        _pasted(state, found, alone=not listening),
    ):
        if scopes != STATIONS_ONLY:
            say(f"netaflux: asking for {' '.join(scopes)}")
        say("Open this address in a browser and allow the access:")
        print(
            authorize_url(netatmo.api_url, netatmo.client_id, netatmo.redirect_uri, scopes, state), flush=True
        )
        say("Waiting for the browser. On a machine without one, paste the address that it ends at:")
        try:
            async with asyncio.timeout(PATIENCE):
                code = await found
        except TimeoutError as error:
            raise NotAuthorized("nobody came back from the browser in ten minutes") from error
    return {"code": code, "redirect_uri": netatmo.redirect_uri, "scopes": list(scopes)}


def _offer(text: str, state: str, found: asyncio.Future[str]) -> NetafluxError | None:
    """Take a redirect's address: its code, or its refusal, ends the waiting; a wrong one does not."""
    try:
        code = parse_redirect(text, state)
    except NotAuthorized as error:
        if not found.done():
            found.set_exception(error)
        return error
    except NetafluxError as error:
        return error
    if not found.done():
        found.set_result(code)
    return None


@asynccontextmanager
async def _callback(redirect_uri: str, state: str, found: asyncio.Future[str]) -> AsyncIterator[bool]:
    """Listen where the browser is sent to, if that is this machine; whether that is so."""
    parts = urlsplit(redirect_uri)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        yield False
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, redirect_uri, state, found)

    try:
        server = await asyncio.start_server(serve, parts.hostname, parts.port or 80, limit=LONGEST_REQUEST)
    except OSError as error:
        say(f"netaflux: cannot listen at {parts.netloc} ({error.strerror}); paste the address instead.")
        yield False
        return
    async with server:
        yield True


async def _answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    redirect_uri: str,
    state: str,
    found: asyncio.Future[str],
) -> None:
    parts = urlsplit(redirect_uri)
    try:
        async with asyncio.timeout(10):
            line = await reader.readuntil(b"\r\n")
        target = line.decode("latin-1").split(" ")[1]
        if urlsplit(target).path != (parts.path or "/"):
            _page(writer, "404 Not Found", "There is nothing here.")
            return
        error = _offer(f"{parts.scheme}://{parts.netloc}{target}", state, found)
        text = (
            f"netaflux: {error.message}" if error else "netaflux has what it needs. You may close this page."
        )
        _page(writer, "400 Bad Request" if error else "200 OK", text)
        await writer.drain()
    except (
        OSError,
        TimeoutError,
        ValueError,
        IndexError,
        asyncio.IncompleteReadError,
        asyncio.LimitOverrunError,
        asyncio.CancelledError,  # asyncio would print a traceback for whoever was still connected
    ):
        return  # not a browser that brings something
    finally:
        writer.close()


def _page(writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = text.encode()
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n".encode()
        + body
    )


@asynccontextmanager
async def _pasted(state: str, found: asyncio.Future[str], *, alone: bool) -> AsyncIterator[None]:
    """Read addresses from standard input meanwhile, where that is a terminal or a pipe.

    Raises NotAuthorized where that is not so and it is `alone`: nothing else can bring an answer.
    """
    if not _can_be_waited_for():
        if alone:
            raise _nowhere()
        yield
        return
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    task = asyncio.create_task(_read_pasted(reader, state, found, alone=alone))
    try:
        yield
    finally:
        task.cancel()
        transport.close()


def _can_be_waited_for() -> bool:
    """Whether standard input is such that something may still come: no plain file, and not /dev/null."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False  # closed
    return sys.stdin.isatty() or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; of one that is too long for any address, a line that is none."""
    long = False
    while True:
        try:
            line = await reader.readuntil()
        except asyncio.IncompleteReadError as ended:
            line = ended.partial
        except asyncio.LimitOverrunError as overrun:
            await reader.readexactly(overrun.consumed)
            long = True
            continue
        return b"?\n" if long else line


async def _read_pasted(
    reader: asyncio.StreamReader, state: str, found: asyncio.Future[str], *, alone: bool
) -> None:
    while line := await _line(reader):
        if line.strip() and (error := _offer(line.decode("utf-8", "replace").strip(), state, found)):
            explain({"message": error.message, "remedy": error.remedy})
    if alone and not found.done():
        found.set_exception(_nowhere())


def _nowhere() -> NotAuthorized:
    return NotAuthorized(
        "no answer can come from the browser, and none can be pasted",
        advice="Run it in a terminal and paste the address there, or name a free `redirect_uri`.",
    )
