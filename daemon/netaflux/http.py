"""One HTTP exchange: time-outs, a bounded answer, foreign errors turned into ours; aiohttp's stop here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson

from netaflux import __version__
from netaflux.core.errors import TooLarge, Unreachable

USER_AGENT = f"netaflux/{__version__}"
LARGEST_ANSWER = 16 * 2**20
"""Bytes of an answer that we are willing to hold; a full getmeasure page has about 60 000."""

Fields = Mapping[str, str | Sequence[str]]
"""Names and values of a query or a form; of several values each is sent under the same name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything until it is read
        """The body as JSON; None where it is not JSON, such as the HTML page of a proxy."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def is_image(self) -> bool:
        """Whether the server calls it a picture."""
        return self.headers.get("Content-Type", "").strip().lower().startswith("image/")

    @property
    def retry_after(self) -> float | None:
        """Seconds of the `Retry-After` header, if it holds a number."""
        text = self.headers.get("Retry-After", "").strip()
        return float(text) if text.isascii() and text.isdigit() else None


class Http:
    """Exchanges with one family of hosts, over connections that are kept; cookies stay in this jar."""

    def __init__(self, session: aiohttp.ClientSession, largest: int = LARGEST_ANSWER) -> None:
        self._session = session
        self._largest = largest

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        connections: int = 32,
        total: float = 60,
        cookies: bool = False,
        largest: int = LARGEST_ANSWER,
    ) -> AsyncIterator[Self]:
        """Open a session; `total` bounds one exchange in real seconds, `largest` the bytes of its answer."""
        # unsafe: a home server is often addressed by its IP, whose cookies aiohttp would drop
        jar = aiohttp.CookieJar(unsafe=True) if cookies else aiohttp.DummyCookieJar()
        connector = aiohttp.TCPConnector(limit=connections, limit_per_host=connections, ttl_dns_cache=300)
        timeout = aiohttp.ClientTimeout(total=total, sock_connect=min(10, total), sock_read=min(30, total))
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=jar, headers={"User-Agent": USER_AGENT}
        ) as session:
            # aiohttp would send a GET once more by itself when a kept connection breaks: a call that no
            # permit was taken for; there is no public switch, aiohttp's own test client sets this, too
            session._retry_connection = False  # noqa: SLF001 - and tests/test_http.py notices when it is gone
            yield cls(session, largest)

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        params: Fields | None = None,
        form: Fields | bytes | None = None,
        json: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request once and read the whole answer, whatever its status; never follows a redirect.

        `form` is sent as application/x-www-form-urlencoded; bytes are taken as already encoded. `json`
        is a body of that kind instead.
        Raises Unreachable where no whole answer came, so that its outcome is unknown; TooLarge is one.
        """
        if self._session.closed:  # a command that is left over while the daemon stops
            raise Unreachable(f"{_place(url)} is asked no more: netaflux stops", dropped=False, sent=False)
        sent = dict(headers or {})
        if form is not None and not isinstance(form, bytes):
            form = urlencode(form, doseq=True).encode()
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        if json is not None:
            sent["Content-Type"] = "application/json"
        try:
            # a redirect would carry credentials to a host that nobody configured
            async with self._session.request(
                method,
                url,
                params=params,
                data=json if form is None else form,
                headers=sent,
                allow_redirects=False,
            ) as response:
                body = await _whole(response, url, self._largest)
                return Answer(response.status, response.headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            message = f"{_place(url)} gives no answer: {_described(error)}"
            raise Unreachable(message, dropped=_is_dropped(error), sent=_may_have_arrived(error)) from error


async def _whole(response: aiohttp.ClientResponse, url: str, largest: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > largest:
            raise TooLarge(f"{_place(url)} answers with more than {largest} bytes")
    return bytes(body)


def _is_dropped(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientConnectionError) and not isinstance(
        error, (aiohttp.ClientConnectorError, TimeoutError)
    )


def _may_have_arrived(error: BaseException) -> bool:
    return not isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))


def _place(url: str) -> str:
    """Scheme, host and path: a query may hold secrets."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _described(error: BaseException) -> str:
    """The kind of failure, and its words where they are this machine's: what the kernel says of a connection.

    aiohttp tells of an answer that it cannot read by repeating it, in which may stand what was sent, and of a
    time-out by the whole address.
    """
    ours = isinstance(error, OSError) and not isinstance(error, TimeoutError)
    return f"{_kind(error)}: {error}" if ours and str(error) else _kind(error)


def _kind(error: BaseException) -> str:
    return type(error).__name__.strip("_")
