"""By HTTP: a notice is posted as JSON, and a sign of life is a GET."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import orjson

from netaflux.core.errors import NotTold, Unreachable
from netaflux.core.masking import Masks, printable
from netaflux.http import Answer, Http

LONGEST_WORDS: Final = 200
"""Characters of an answer that are shown."""


def masks_of(*urls: str) -> Masks:
    """What is kept out of words about these URLs: each part of them may be a secret."""
    masks = Masks()
    for url in urls:
        parts = urlsplit(url)
        queries = [word for pair in parts.query.split("&") for word in pair.split("=", 1)[1:]]
        names = [text for text in (parts.username, parts.password) if text]
        masks.add([url, parts.path, parts.query, *parts.path.split("/"), *queries, *names])
    return masks


class _Address:
    """A URL that is a secret: whatever is said of it is said without it."""

    def __init__(self, http: Http, url: str, masks: Masks, setting: str) -> None:
        self._http = http
        self._url = url
        self._masks = masks
        self._setting = setting

    async def send(self, method: str, json: bytes | None = None) -> str:
        """Send it; answers what came back, in words. Raises NotTold."""
        try:
            answer = await self._http.exchange(method, self._url, json=json)
        except Unreachable as error:
            # its own words hold the URL
            kind = type(error.__cause__ or error).__name__
            raise NotTold(f"the server of `{self._setting}` gives no answer: {kind}") from None
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - the class of success
            raise NotTold(f"the server of `{self._setting}` refuses: {self._words(answer)}")
        return self._words(answer)

    def _words(self, answer: Answer) -> str:
        if 300 <= answer.status < 400:  # noqa: PLR2004 - a redirect
            return f"HTTP {answer.status}, a redirect, which is not followed"
        # masked before it is cut: half a secret is one, too
        said = self._masks.text(answer.body.decode("utf-8", "replace").strip())[:LONGEST_WORDS]
        return f"HTTP {answer.status}" + (f": {printable(said)}" if said else "")


class Webhook:
    """A server that takes notices."""

    name = "url"

    def __init__(self, http: Http, url: str, masks: Masks) -> None:
        self._address = _Address(http, url, masks, "url")

    async def tell(self, facts: Mapping[str, object]) -> str:
        """Post the facts; answers what came back, in words. Raises NotTold."""
        return await self._address.send("POST", orjson.dumps(facts))


class Heartbeat:
    """A server that tells somebody when it hears nothing any more."""

    def __init__(self, http: Http, url: str, masks: Masks) -> None:
        self._address = _Address(http, url, masks, "heartbeat_url")

    async def beat(self) -> str:
        """Give a sign of life; answers what came back, in words. Raises NotTold."""
        return await self._address.send("GET")
