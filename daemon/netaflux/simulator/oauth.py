"""The simulated Netatmo's authorization: the page that a person agrees on, and the token endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import compare_digest
from typing import Literal
from urllib.parse import urlencode

from aiohttp import web

from netaflux.simulator.accounts import WEATHER_SCOPES, Logins, Pair, Refusal
from netaflux.simulator.answers import json_answer


@dataclass(slots=True)
class Consent:
    """What the person in front of the authorization page does, and who it is."""

    account: str
    mode: Literal["grant", "refuse", "wrong state"] = "grant"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application as registered on the developer portal."""

    client_id: str = "5f000000000000000000c0de"
    client_secret: str = field(default="simulated-secret", repr=False)
    redirect_uris: tuple[str, ...] = ()
    """Where codes may be sent; anywhere, if none is registered (reported by users)."""


def authorize_answer(app: App, logins: Logins, consent: Consent, query: Mapping[str, str]) -> web.Response:
    """Send the browser back to where it came from, with a code or a refusal. Raises Refusal."""
    if query.get("client_id") != app.client_id:
        raise Refusal("invalid_client")
    redirect_uri = query.get("redirect_uri", "")
    if "://" not in redirect_uri:
        raise Refusal("invalid_request")
    if app.redirect_uris and redirect_uri not in app.redirect_uris:
        raise Refusal("redirect_uri_mismatch")
    back = _returned(logins, consent, query)
    joint = "&" if "?" in redirect_uri else "?"
    return web.Response(status=302, headers={"Location": f"{redirect_uri}{joint}{urlencode(back)}"})


def _returned(logins: Logins, consent: Consent, query: Mapping[str, str]) -> dict[str, str]:
    state = {"state": query["state"]} if "state" in query else {}
    if consent.mode == "refuse":
        return {**state, "error": "access_denied"}
    scopes = query.get("scope", "").split() or WEATHER_SCOPES
    code = logins.authorize(consent.account, scopes, query["redirect_uri"])
    if consent.mode == "wrong state":
        state = {"state": "somebody-elses"}
    return {**state, "code": code}


def token_answer(app: App, logins: Logins, form: Mapping[str, str]) -> web.Response:
    """Exchange a code or a refresh token for a new pair. Raises Refusal."""
    grant = form.get("grant_type", "")
    if grant == "password":
        raise Refusal("unauthorized_client")  # the grant was withdrawn in 2023
    if grant not in _GRANTS:
        raise Refusal("invalid_request")
    secret = form.get("client_secret", "")
    if form.get("client_id") != app.client_id or not _same(secret, app.client_secret):
        raise Refusal("invalid_client")
    pair = _GRANTS[grant](logins, form)
    return json_answer(
        {
            "access_token": pair.access,
            "refresh_token": pair.refresh,
            "scope": list(pair.scopes),
            "expires_in": int(logins.lifetime),
            "expire_in": int(logins.lifetime),  # both spellings, as the real one
        }
    )


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())


def _given(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise Refusal("invalid_request")
    return form[name]


_GRANTS: Mapping[str, Callable[[Logins, Mapping[str, str]], Pair]] = {
    "authorization_code": lambda logins, form: logins.redeem(
        _given(form, "code"), form.get("redirect_uri", "")
    ),
    "refresh_token": lambda logins, form: logins.refresh(_given(form, "refresh_token")),
}
