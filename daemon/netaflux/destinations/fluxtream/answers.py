"""What Fluxtream's answers mean, in both of its APIs.

The old API says `result` OK or KO with status 200; v1 has no `result`, and says `failure` with status 200
too. So an answer is judged by its status, then as JSON, then by the contract of the route that was asked;
whatever says neither yes nor no in so many words is a destination that is down.
(Read in the server's source, and measured with its own upload code.)
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import orjson

from netaflux.core.errors import BatchRefused, CredentialsRefused, DestinationDown
from netaflux.core.masking import MASK, Masks
from netaflux.destinations.fluxtream.settings import Api
from netaflux.http import Answer

OK: Final = 200
REFUSED: Final = 400
LOOK_AT_URL: Final = "See whether `url` is where the Fluxtream server is, then try `netaflux check`."
LONGEST_TEXT: Final = 300
FAR_TOO_LONG: Final = 10 * LONGEST_TEXT


class Verdict(Enum):
    """What became of an upload that the server neither refused for its content nor failed at."""

    STORED = "stored"
    UNAUTHORIZED = "unauthorized"
    TOO_LARGE = "too large"
    NO_ROUTE = "no such route"


_BY_STATUS: Final = {
    401: Verdict.UNAUTHORIZED,
    404: Verdict.NO_ROUTE,
    405: Verdict.NO_ROUTE,
    410: Verdict.NO_ROUTE,
    413: Verdict.TOO_LARGE,
}
_PASSING: Final = frozenset({408, 425, 429, *range(500, 600)})
_MEANINGS: Final = {403: "does not let this account in", 415: "does not take a form"}


@dataclass(frozen=True, slots=True)
class Guest:
    """Who the server takes us for; it calls its users guests."""

    id: int
    username: str
    fullname: str


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the answers of one URL."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)
    """What no message may repeat, though a server may."""

    def upload(self, answer: Answer, api: Api) -> Verdict:
        """What became of an upload. Raises BatchRefused, DestinationDown."""
        if answer.status in _BY_STATUS:
            return _BY_STATUS[answer.status]
        if answer.status == REFUSED and not _is_page(answer):  # so v1 answers an illegal name
            raise BatchRefused(self._reason(answer.body))
        return self._as_v1(answer) if api == "v1" else self._as_legacy(answer)

    def guest(self, answer: Answer) -> Guest | None:
        """Who we are, or None where there is no such route. Raises CredentialsRefused, DestinationDown."""
        verdict = _BY_STATUS.get(answer.status)
        if verdict is Verdict.NO_ROUTE:
            return None
        if verdict is Verdict.UNAUTHORIZED:
            raise CredentialsRefused(f"{self.url} does not accept this user name and password.")
        told = self._told(answer)
        if type(told.get("id")) is int:
            return Guest(told["id"], self._shown(told.get("username")), self._shown(told.get("fullname")))
        if told.get("result") == "KO":
            # A wrong password never comes so far, it gets 401: this is the old API's way to say 500.
            raise DestinationDown(f"{self.url} fails: {self._reason(told.get('message'))}")
        raise self._nonsense(answer)

    def _as_legacy(self, answer: Answer) -> Verdict:
        told = self._told(answer)
        payload = told.get("payload")
        counts = payload if isinstance(payload, dict) else {}
        if told.get("result") == "KO":
            raise BatchRefused(self._reason(counts.get("failure") or told.get("message")))
        if told.get("result") != "OK":
            raise self._nonsense(answer)
        return self._stored(counts)

    def _as_v1(self, answer: Answer) -> Verdict:
        told = self._told(answer)
        if told.get("failure") is not None:
            raise BatchRefused(self._reason(told["failure"]))
        if told.get("successful_records") is None:
            raise self._nonsense(answer)
        return self._stored(told)

    def _stored(self, counts: dict[str, Any]) -> Verdict:
        """Stored, unless the server counts failures beside its yes."""
        if counts.get("failed_records") not in (None, 0, "0"):
            raise BatchRefused(self._reason(f"failed_records is {self._shown(counts['failed_records'])}"))
        return Verdict.STORED

    def _reason(self, told: object) -> str:
        return self._shown(told) or "no reason given"

    def _told(self, answer: Answer) -> dict[str, Any]:
        """The JSON object of a 200. Raises DestinationDown for anything else."""
        told = answer.json()
        if answer.status != OK or not isinstance(told, dict):
            raise self._nonsense(answer)
        return told

    def _nonsense(self, answer: Answer) -> DestinationDown:
        """Says what came where an answer of Fluxtream's was expected, and what to look at."""
        if answer.status // 100 == 3:  # noqa: PLR2004 - the digit of redirects
            target = self._shown(answer.headers.get("Location")) or "nowhere"
            remedy = "Set `url` to where it points, less `/api` and what follows, then try `netaflux check`."
            return DestinationDown(f"{self.url} redirects to {target}", advice=remedy)
        if answer.status in _MEANINGS:
            return DestinationDown(
                f"{self.url} {_MEANINGS[answer.status]} ({answer.status})", advice=LOOK_AT_URL
            )
        what = "a web page" if _is_page(answer) else self._shown(answer.body) or "nothing"
        advice = None if answer.status in _PASSING else LOOK_AT_URL
        return DestinationDown(f"{self.url} answers {answer.status} with {what}", advice=advice)

    def _shown(self, told: object) -> str:
        """What a server told, fit for a log line and a terminal: no secret or control character, not long."""
        text = _text(told)
        for secret in self.secrets:  # however short
            text = text.replace(secret, MASK)
        masks = Masks()
        masks.add(self.secrets)
        text = masks.text(text)
        text = " ".join(text[:FAR_TOO_LONG].split())
        safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
        return safe if len(safe) <= LONGEST_TEXT else safe[:LONGEST_TEXT] + "…"


def _text(told: object) -> str:
    if isinstance(told, bytes):
        return told.decode("utf-8", "replace")
    if isinstance(told, str):
        return told
    return "" if told is None else orjson.dumps(told).decode()


def _is_page(answer: Answer) -> bool:
    """Whether it is HTML, from a proxy or the server's container, though none of it was asked for."""
    return "html" in answer.headers.get("Content-Type", "") or answer.body.lstrip()[:1] == b"<"
