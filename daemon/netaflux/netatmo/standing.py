"""How an account's authorization stands, in words for status and errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from netaflux.core.errors import GrantRefused, NotAuthorized
from netaflux.core.grants import (
    Attempt,
    Lend,
    Mend,
    PersonNeeded,
    Situation,
    Step,
    Wait,
    next_step,
    person_needed,
)
from netaflux.core.model import AccountName
from netaflux.core.tokens import TokenRecord, fingerprint
from netaflux.netatmo.oauth import INVALID_GRANT

State = Literal["ok", "due", "refreshing", "waiting", "unsaved", "unauthorized"]
"""`ok`, `due` (the next call refreshes) and `refreshing` are well."""

_WORDS: Mapping[type[Step], State] = {
    Lend: "ok",
    Attempt: "due",
    Wait: "waiting",
    PersonNeeded: "unauthorized",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What status shows of an account's tokens; nothing of it is secret."""

    state: State
    expires_at: float | None = None
    """When the access token expires, unix seconds."""
    scopes: tuple[str, ...] = ()
    """What the person has granted."""
    refresh_fingerprint: str | None = None
    """The name of the newest refresh token, fit to be shown."""
    suspicion: str | None = None
    """Why a person is needed, where one is."""
    remedy: str | None = None
    """What that person has to do."""


def standing(record: TokenRecord, situation: Situation, account: AccountName, busy: State | None) -> Standing:
    """How it stands; `busy` is the state's word where something is going on just now."""
    pair = record.pair_of(situation.client_id)
    person = person_needed(record, situation)
    return Standing(
        state=busy or _WORDS[type(next_step(record, situation))],
        expires_at=pair.expires_at if pair is not None else None,
        scopes=pair.scopes if pair is not None else (),
        refresh_fingerprint=fingerprint(pair.refresh) if pair is not None else None,
        suspicion=person.suspicion if person is not None else None,
        remedy=remedy(account, person.mend) if person is not None else None,
    )


def remedy(account: AccountName, mend: Mend) -> str:
    """What a person has to do."""
    if mend is Mend.CLIENT:
        return "Correct `client_id` and `client_secret` under [netatmo], then try `netaflux check`."
    return f"Run `netaflux authorize --account {account}`."


def not_authorized(account: AccountName, person: PersonNeeded) -> NotAuthorized:
    """The error for whoever wants an access token meanwhile."""
    return NotAuthorized(
        f"Account {account} is not authorized: {person.suspicion}", advice=remedy(account, person.mend)
    )


def not_adopted(refusal: GrantRefused) -> NotAuthorized:
    """What a person who has just authorized can do about a refusal."""
    if refusal.error == INVALID_GRANT:
        return NotAuthorized(
            "Netatmo does not accept this authorization: it was used already, or is too old",
            advice="Run `netaflux authorize` once more.",
        )
    return NotAuthorized(
        f"Netatmo does not accept this authorization ({refusal.error})",
        advice="Compare client_id, client_secret and redirect URI with the app at https://dev.netatmo.com/apps.",
    )
