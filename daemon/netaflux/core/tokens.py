"""What is known of an account's tokens, and how it changes: pure, so that every step can be saved first.

Every refresh returns a new pair and kills the old access and refresh token at once (Netatmo's announcement of
2024, and observed), so the record remembers what was about to be tried, what was tried before, and which
pasted tokens are spent. Nothing that Netatmo says ever removes a pair, but a newer pair.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any, Self

DAY = 86400.0
EARLY = 600.0
"""Seconds before its expiry at which an access token is replaced; half its life where that is shorter."""
LIFETIME = 10800.0
"""Seconds that Netatmo's access tokens live."""


class Role(Enum):
    """Whose refresh token an attempt spends."""

    PAIR = "pair"
    PREVIOUS = "previous"
    """The one before the newest."""
    SEED = "seed"
    """The one in the configuration."""


def fingerprint(token: str) -> str:
    """A token's name that can be kept and shown without giving the token away."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()[:16]


def spent_mark(client_id: str, token: str) -> str:
    """The fingerprint of a pasted token as tried with this client id: another app may well fare better."""
    return fingerprint(f"{client_id}:{token}")


@dataclass(frozen=True, slots=True)
class TokenPair:
    """One answer of the token endpoint."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float
    """Unix seconds by our clock."""
    scopes: tuple[str, ...]
    client_id: str
    lifetime: float = LIFETIME
    """Seconds that the access token was given for."""

    @property
    def refresh_at(self) -> float:
        """When it is time to replace it: ten minutes early, or at half of a short life; unix seconds."""
        return self.expires_at - min(EARLY, self.lifetime / 2)


@dataclass(frozen=True, slots=True)
class Intent:
    """A token POST that is about to be sent; found at start, it says that a crash fell into that window."""

    token: str
    """Fingerprint of the refresh token or code that is spent by it."""
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """All that must survive of an account's tokens; every method answers the record after a step."""

    pair: TokenPair | None = None
    previous_refresh: str | None = field(default=None, repr=False)
    """The refresh token before the newest; tried once when the newest is refused for good."""
    worked: bool = False
    """Whether Netatmo has ever accepted this pair: it came from a refresh, or a call with it succeeded."""
    rejected_at: float | None = None
    """When the API refused the pair's access token, unix seconds."""
    intent: Intent | None = None
    unanswered: tuple[str, ...] = ()
    """Fingerprints of tokens that were sent and, as we lived to see, got no answer: they may be spent."""
    crashed: tuple[str, ...] = ()
    """Fingerprints of tokens whose intent was found at a start: they may be spent, and the new pair lost."""
    refused_since: float | None = None
    """Since when the newest refresh token is refused, unix seconds."""
    previous_tried: bool = False
    spent: tuple[str, ...] = ()
    """`spent_mark` of each pasted refresh token that got a definite answer."""
    lost: str | None = None
    """Why a person must authorize again; None while that is not so."""

    def pair_of(self, client_id: str) -> TokenPair | None:
        """The pair, if it belongs to this client id: Netatmo takes a token from its own app only."""
        return self.pair if self.pair is not None and self.pair.client_id == client_id else None

    def lendable(self, client_id: str, now: float) -> TokenPair | None:
        """The pair, if its access token can be used at this moment."""
        pair = self.pair_of(client_id)
        good = pair is not None and self.rejected_at is None and now < pair.expires_at
        return pair if good else None

    @property
    def died_early(self) -> bool:
        """Whether the access token was refused well before it would have expired."""
        return (
            self.pair is not None and self.rejected_at is not None and self.rejected_at < self.pair.refresh_at
        )

    def doubtful(self, token: str) -> bool:
        """Whether this refresh token may have been spent without our getting what it was spent for."""
        return fingerprint(token) in (*self.unanswered, *self.crashed)

    def started(self) -> Self:
        """As a new process finds it: an intent that is still there never came to its end."""
        if self.intent is None:
            return self
        return replace(self, intent=None, crashed=_with(self.crashed, self.intent.token))

    def intending(self, token: str, now: float) -> Self:
        """About to spend this refresh token or code."""
        return replace(self, intent=Intent(fingerprint(token), now))

    def without_answer(self) -> Self:
        """The POST was sent and its outcome is unknown."""
        token = self.intent.token if self.intent is not None else ""
        return replace(self, intent=None, unanswered=_with(self.unanswered, token))

    def dismissed(self) -> Self:
        """The POST came to nothing: it never left, or was refused for no fault of the token."""
        return replace(self, intent=None)

    def refused(self, role: Role, token: str, *, client_id: str, now: float) -> Self:
        """Netatmo says that this refresh token is invalid; nothing is forgotten for that."""
        record = self.dismissed()
        if role is Role.SEED:
            return record.with_spent(client_id, token)
        if role is Role.PREVIOUS:
            return replace(record, previous_tried=True)
        # of two clocks the earlier one is believed: a moment in the future would never be over
        since = now if self.refused_since is None else min(self.refused_since, now)
        return replace(record, refused_since=since)

    def with_spent(self, client_id: str, token: str) -> Self:
        """A pasted token got its definite answer and is not tried again."""
        return replace(self, spent=_with(self.spent, spent_mark(client_id, token)))

    def granted(self, pair: TokenPair, *, for_refresh: str | None) -> Self:
        """A new pair came, for this refresh token or (None) for a code; doubts and refusals are over."""
        old = self.pair_of(pair.client_id)
        return replace(
            self,
            pair=pair,
            previous_refresh=for_refresh or (old.refresh if old is not None else None),
            worked=for_refresh is not None,
            rejected_at=None,
            intent=None,
            unanswered=(),
            crashed=(),
            refused_since=None,
            previous_tried=False,
            lost=None,
        )

    def accepted(self) -> Self:
        """A call with the pair's access token succeeded."""
        return self if self.worked else replace(self, worked=True)

    def rejecting(self, now: float) -> Self:
        """The API refused the pair's access token."""
        return replace(self, rejected_at=now)

    def given_up(self, suspicion: str) -> Self:
        """Only a person can help."""
        return replace(self, lost=suspicion)

    def to_json(self) -> dict[str, object]:
        """Plain data for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """The record that `to_json` made; unknown keys of a later version are left out."""
        known: dict[str, Any] = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        if known.get("pair") is not None:
            pair = known["pair"]
            known["pair"] = TokenPair(**{**pair, "scopes": tuple(pair["scopes"])})
        if known.get("intent") is not None:
            known["intent"] = Intent(**known["intent"])
        for name in ("unanswered", "crashed", "spent"):
            known[name] = tuple(known.get(name) or ())
        return cls(**known)


def _with(marks: tuple[str, ...], mark: str) -> tuple[str, ...]:
    return marks if mark in marks else (*marks, mark)
