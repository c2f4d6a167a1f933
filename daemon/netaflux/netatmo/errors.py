"""Answers of Netatmo's API told apart: good ones, and what each of the others means.

Decided by HTTP status and Netatmo's own code, never by the text, which changes with the years. The codes are
those of Netatmo's error table, the statuses also those observed: an expired token comes as 403 with 3 rather
than 401, a reached limit as 403 with 26 until 2025 and as 429 with 26 since.
"""

from collections.abc import Mapping

from netaflux.core.errors import (
    Busy,
    DeviceUnreachable,
    NetatmoError,
    NotFound,
    QuotaReached,
    RequestRefused,
    ScopeDenied,
    TokenRejected,
    UpstreamFault,
)
from netaflux.http import Answer

Envelope = Mapping[str, object]
"""The JSON object around every good answer: `body`, `status`, `time_server`."""

OK = 200
_TOO_MANY = 429
_NOT_FOUND = 404
_LONGEST_TEXT = 200

_EVERY_REFUSAL = frozenset(range(400, 500)) | {OK}
_MEANINGS: tuple[tuple[type[NetatmoError], frozenset[int], frozenset[int]], ...] = (
    # missing, invalid, expired; without a refusing status the other token codes may mean anything
    (TokenRejected, frozenset({401, 403}), frozenset({-2, -1, 1, 2, 3})),
    (TokenRejected, frozenset({OK}), frozenset({2, 3})),
    (ScopeDenied, frozenset({OK, 403}), frozenset({13})),
    # usage reached, temporarily restricted
    (QuotaReached, frozenset({OK, 403, _TOO_MANY}), frozenset({26, 28, 29})),
    # "Failed to enter concurrency limited section"; with 500 the same code is a fault
    (Busy, frozenset({OK, _TOO_MANY}), frozenset({11})),
    (DeviceUnreachable, _EVERY_REFUSAL, frozenset({6, 41})),
    # no such device; an id that is not valid, for this account at least
    (NotFound, frozenset({OK, 400, _NOT_FOUND}), frozenset({9, 21})),
)
_BY_STATUS: Mapping[int, type[NetatmoError]] = {OK: UpstreamFault, _TOO_MANY: Busy, _NOT_FOUND: NotFound}


def envelope_of(answer: Answer, endpoint: str, *, secret: str = "") -> Envelope:
    """The envelope of a good answer. Raises the NetatmoError that any other answer means.

    Of what the server says, `secret` is not repeated: it was sent along, and may come back.
    """
    content = answer.json()
    if not isinstance(content, dict):
        raise _unreadable(answer, endpoint)
    if "error" in content:
        raise _refusal(answer, endpoint, content["error"], secret)
    if answer.status != OK or content.get("status") != "ok":
        raise _unreadable(answer, endpoint)
    return content


def _refusal(answer: Answer, endpoint: str, error: object, secret: str) -> NetatmoError:
    told = _told(error)
    if told is None:
        return _unreadable(answer, endpoint)
    code, text = told
    said = _printable(text.replace(secret, "***") if secret else text) or "no reason given"
    kind = _kind(answer.status, code)
    number = "" if code is None else f", code {code}"
    return kind(
        f"Netatmo answers {endpoint} with HTTP {answer.status}{number}: {said}",
        status=answer.status,
        code=code,
        retry_after=answer.retry_after,
    )


def _told(error: object) -> tuple[int | None, str] | None:
    """Code and text of `error`, which is an object or, in the OAuth manner, a string."""
    if isinstance(error, str):
        return None, error
    if not isinstance(error, dict):
        return None
    code, text = error.get("code"), error.get("message")
    return (
        code if isinstance(code, int) and not isinstance(code, bool) else None,
        text if isinstance(text, str) else "",
    )


def _printable(text: str) -> str:
    """What the server says, fit for one line of a log."""
    line = " ".join(text.split())
    return "".join(sign for sign in line if sign.isprintable())[:_LONGEST_TEXT]


def _kind(status: int, code: int | None) -> type[NetatmoError]:
    if status not in _EVERY_REFUSAL:
        return UpstreamFault
    for kind, statuses, codes in _MEANINGS:
        if status in statuses and code in codes:
            return kind
    return _BY_STATUS.get(status, RequestRefused)


def _unreadable(answer: Answer, endpoint: str) -> NetatmoError:
    """An answer in nobody's format: a proxy's page, a cut body; a 429 says enough by its status alone."""
    kind = Busy if answer.status == _TOO_MANY else UpstreamFault
    return kind(
        f"Netatmo answers {endpoint} with HTTP {answer.status} and nothing that can be read",
        status=answer.status,
        retry_after=answer.retry_after,
    )
