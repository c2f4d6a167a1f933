"""Netatmo's authorization from outside: the page to send a person to, what comes back, the token endpoint.

Only the `authorization_code` and `refresh_token` grants exist (the password grant was removed in 2023). The
endpoint wants client id and secret in the form. Its errors are OAuth's (`{"error": "invalid_grant"}`) or, as
Netatmo's own error table has it, the API's (`{"error": {"code": 30, …}}`).
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import SecretStr

from netaflux.core.errors import GrantRefused, NotAuthorized, UpstreamFault, UsageError
from netaflux.core.ports import Clock
from netaflux.core.tokens import LIFETIME, TokenPair
from netaflux.http import Answer, Http

ENDPOINT = "oauth2/token"
"""The token endpoint, as it stands behind the host."""
INVALID_GRANT = "invalid_grant"
CLIENT_REFUSALS = frozenset({"invalid_client", "unauthorized_client"})
"""Words that speak of the app and not of the token."""
REFUSALS = CLIENT_REFUSALS | {
    INVALID_GRANT,
    "invalid_request",
    "invalid_scope",
    "unsupported_grant_type",
    "redirect_uri_mismatch",
}
"""The words that are a definite answer (RFC 6749, and Netatmo's last one); any other is taken for a fault."""
INVALID_REFRESH_TOKEN = 30
"""Code of Netatmo's own error table."""

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 400, 401, 403
LONGEST_LIFETIME = 1e9
"""Seconds of an access token's life that are believed."""
LONGEST_REDIRECT = 8192
"""Characters of a pasted address that are looked at; real ones have about 200."""


class TokenEndpoint:
    """Netatmo's token endpoint for one app (client id and secret)."""

    def __init__(
        self, http: Http, *, api_url: str, client_id: str, client_secret: SecretStr, clock: Clock
    ) -> None:
        self._http = http
        self._url = f"{api_url.rstrip('/')}/{ENDPOINT}"
        self.client_id = client_id
        self._client_secret = client_secret
        self._clock = clock

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Spend a refresh token on a new pair; both old tokens die at once.

        Raises GrantRefused for a definite no; after UpstreamFault and Unreachable it may be spent or not.
        """
        return await self._granted({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def exchange(self, code: str, redirect_uri: str, scopes: Sequence[str]) -> TokenPair:
        """Spend the code that came back from the authorization page; raises as `refresh` does."""
        form = {"code": code, "redirect_uri": redirect_uri, "scope": " ".join(scopes)}
        return await self._granted({"grant_type": "authorization_code", **form})

    async def _granted(self, grant: Mapping[str, str]) -> TokenPair:
        # counted from the sending: an access token may well expire early, but not late
        sent = self._clock.now()
        secret = self._client_secret.get_secret_value()
        form = {**grant, "client_id": self.client_id, "client_secret": secret}
        answer = await self._http.exchange("POST", self._url, form=form)
        return _pair(answer, sent, self.client_id)


def _pair(answer: Answer, sent: float, client_id: str) -> TokenPair:
    body = answer.json()
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise _refusal(answer, body)
    access, refresh = (_token(body, name) for name in ("access_token", "refresh_token"))
    if not access or not refresh:
        raise UpstreamFault(
            "Netatmo's token endpoint answered without a pair of tokens", status=answer.status
        )
    lifetime = _lifetime(body)
    return TokenPair(access, refresh, sent + lifetime, _scopes(body), client_id, lifetime)


def _token(body: Any, name: str) -> str:  # noqa: ANN401 - JSON
    """The token, or nothing: printable ASCII (RFC 6749, A.12), for a header takes no other."""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def _lifetime(body: dict[str, Any]) -> float:
    """Seconds; a pair is worth keeping whatever is said about its expiry, in either spelling."""
    for name in ("expires_in", "expire_in"):
        value = body.get(name)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LONGEST_LIFETIME:
            return float(value)
    return LIFETIME


def _scopes(body: dict[str, Any]) -> tuple[str, ...]:
    """Netatmo sends a list, OAuth a string."""
    scope = body.get("scope")
    words = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else ()
    return tuple(word for word in words if isinstance(word, str))


def _refusal(answer: Answer, body: object) -> GrantRefused | UpstreamFault:
    """What an answer other than 200 means; texts of the server are not repeated, they may echo a token."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    code = code if isinstance(code, int) else None
    word = INVALID_GRANT if code == INVALID_REFRESH_TOKEN else error
    if answer.status in {BAD_REQUEST, UNAUTHORIZED, FORBIDDEN} and isinstance(word, str) and word in REFUSALS:
        return GrantRefused(
            f"Netatmo's token endpoint says {word} (HTTP {answer.status})", error=word, status=answer.status
        )
    said = f"HTTP {answer.status}" if code is None else f"HTTP {answer.status}, code {code}"
    return UpstreamFault(
        f"Netatmo's token endpoint answered {said}",
        status=answer.status,
        code=code,
        retry_after=answer.retry_after,
    )


def authorize_url(api_url: str, client_id: str, redirect_uri: str, scopes: Sequence[str], state: str) -> str:
    """The page where a person logs in at Netatmo and grants the scopes."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": state,
    }
    return f"{api_url.rstrip('/')}/oauth2/authorize?{urlencode(query, quote_via=quote)}"


def parse_redirect(pasted: str, expected_state: str) -> str:
    """The code in the address that the browser was sent to, as it was pasted.

    Only a whole address with the right state counts: a code alone could be anybody's.
    Raises UsageError where the address is not the right one, NotAuthorized where it says that access was
    refused.
    """
    fields = _query(pasted)
    state, error, code = (fields.get(name, "") for name in ("state", "error", "code"))
    if state and not _same(state, expected_state):
        raise UsageError(
            "This address belongs to another attempt to authorize",
            advice="Open the address that was printed last, and paste where it leads.",
        )
    if not state or not (code or error):
        # without the state any page could say that access was refused
        raise _incomplete()
    if error:
        raise _denied(error)
    if not (code.isascii() and code.isprintable()):
        raise _incomplete()
    return code


def _query(pasted: str) -> dict[str, str]:
    # terminals break long lines, and mail programs put them in quotes
    text = "".join(pasted[:LONGEST_REDIRECT].split()).strip("\"'“”‘’<>")
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, max_num_fields=50)
    except ValueError as error:
        raise _incomplete() from error
    if parts.scheme not in {"http", "https"} or len({name for name, _ in pairs}) != len(pairs):
        raise _incomplete()
    return dict(pairs)


def _incomplete() -> UsageError:
    return UsageError(
        "This is not the address that Netatmo sends the browser to",
        advice="Paste the whole of the browser's address line; it has `state=` and `code=` in it.",
    )


def _denied(error: str) -> NotAuthorized:
    if error == "access_denied":
        return NotAuthorized(
            "Access was refused on Netatmo's page", advice="Run `netaflux authorize` again, and grant it."
        )
    word = error if re.fullmatch(r"[a-z_]{1,40}", error) else "an error"
    return NotAuthorized(
        f"Netatmo's page answered {word}",
        advice="Compare client_id and redirect URI with the app at https://dev.netatmo.com/apps.",
    )


def _same(state: str, expected: str) -> bool:
    # in constant time, so that nobody finds it out letter by letter
    return hmac.compare_digest(state.encode(errors="surrogatepass"), expected.encode(errors="surrogatepass"))
