"""What to do next about an account's tokens: a value with its reason, from the record and the moment.

    lend      the access token is good
    attempt   spend this refresh token now
    wait      an attempt is under a back-off; there is nothing to lend until then
    person    only somebody who authorizes again, or mends the configuration, can help

The token endpoint answers bogus refusals in outages (observed by others), so a pair that has worked is given
a day of patience, then the refresh token before it one try, before a person is asked; and the pair is tried
on, slowly, even after that.
"""

from dataclasses import dataclass, field
from enum import Enum

from netaflux.core.tokens import DAY, Role, TokenPair, TokenRecord, fingerprint, spent_mark

PATIENCE = DAY
"""Seconds that a pair that has worked may be refused before a person is asked."""
GAP = 30.0
"""Seconds between two token POSTs of an account, at least."""
UNANSWERED_RESTS = (30.0, 60.0, 120.0, 300.0)
"""Seconds to wait after a POST without an answer, by how many there were in a row."""
REFUSED_RESTS = (300.0, 600.0, 1200.0, 2400.0, 3600.0)
"""Seconds to wait after a refusal, by how many there were in a row."""
UNSAVED_RESTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Seconds between attempts to save, by how many have failed."""

LOST_IN_WINDOW = "the new tokens were lost in the window between Netatmo's answer and our disk"
USED_ELSEWHERE = (
    "the refresh token was used by another program (each use makes the tokens before it invalid), "
    "or the access was revoked"
)
REVOKED = "the access was revoked, or the refresh token expired"
SEED_REFUSED = "Netatmo refuses the refresh token of the configuration: it was used before, or revoked"
NEVER_AUTHORIZED = "it has never been authorized"
OTHER_CLIENT = "its tokens belong to another client_id than the configuration names"


class Mend(Enum):
    """What a person has to do."""

    AUTHORIZE = "authorize"
    CLIENT = "client"
    """Correct the client id or secret of the configuration."""


@dataclass(frozen=True, slots=True)
class Lend:
    """The pair's access token can be used."""

    pair: TokenPair


@dataclass(frozen=True, slots=True)
class Attempt:
    """A refresh token to spend."""

    role: Role
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing to lend, and no attempt for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class PersonNeeded:
    """Nothing goes on without a person."""

    suspicion: str
    mend: Mend = Mend.AUTHORIZE
    lasting: bool = False
    """Whether it is so because Netatmo refused a token, and not because of the configuration alone."""


Step = Lend | Attempt | Wait | PersonNeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the record does not hold: the moment, the configuration, and this process's own experience."""

    now: float
    """Unix seconds."""
    client_id: str
    seed: str | None = field(default=None, repr=False)
    """The refresh token of the configuration."""
    rest: float = 0.0
    """Seconds until the next attempt, after one that failed."""
    gap: float = 0.0
    """Seconds for which the last POST keeps the next one waiting."""
    refused: bool = False
    """Whether this process itself has seen the pair refused."""
    client_refused: str = ""
    """Netatmo's word where it did not accept the app itself, such as `invalid_client`."""


def next_step(record: TokenRecord, situation: Situation) -> Step:
    """What whoever wants an access token should do now."""
    pair = record.lendable(situation.client_id, situation.now)
    due = pair is None or situation.now >= pair.refresh_at
    attempt = next_attempt(record, situation) if due and situation.rest <= 0 else None
    # a token that is still good is worth more than an early refresh that would have to wait
    if pair is not None and (attempt is None or situation.gap > 0):
        return Lend(pair)
    return attempt or person_needed(record, situation) or Wait(situation.rest)


def next_attempt(record: TokenRecord, situation: Situation) -> Attempt | None:
    """The refresh token to try next; None where there is none that could be tried."""
    pair = record.pair_of(situation.client_id)
    if pair is not None and record.refused_since is None:
        return Attempt(Role.PAIR, pair.refresh)
    seed = fresh_seed(record, situation)
    if seed is not None:
        return Attempt(Role.SEED, seed)
    if pair is None:
        return None
    # each process sees the pair refused once itself: it may have been down since an outage
    if situation.refused and not _patient(record, situation) and _untried(record) is not None:
        return Attempt(Role.PREVIOUS, record.previous_refresh or "")
    return Attempt(Role.PAIR, pair.refresh)


def fresh_seed(record: TokenRecord, situation: Situation) -> str | None:
    """The refresh token of the configuration, if it never got a definite answer."""
    seed = situation.seed
    if not seed or spent_mark(situation.client_id, seed) in record.spent:
        return None
    pair = record.pair_of(situation.client_id)
    return None if pair is not None and seed == pair.refresh else seed


def person_needed(record: TokenRecord, situation: Situation) -> PersonNeeded | None:
    """Why only a person can help, if that is so."""
    if situation.client_refused:
        return PersonNeeded(_of_client(situation.client_refused), Mend.CLIENT)
    if fresh_seed(record, situation) is not None:
        return None
    pair = record.pair_of(situation.client_id)
    if pair is None:
        return _without_pair(record, situation)
    if record.refused_since is None or _hopeful(record, situation, pair):
        return None
    return PersonNeeded(record.lost or _suspicion(record, pair), lasting=True)


def back_off(rests: tuple[float, ...], failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row; a chance of 0…1 spreads it by up to a quarter."""
    return rests[min(failures, len(rests)) - 1] * (1 + chance / 4)


def _patient(record: TokenRecord, situation: Situation) -> bool:
    since = record.refused_since
    return since is None or situation.now - since < PATIENCE


def _untried(record: TokenRecord) -> str | None:
    return None if record.previous_tried else record.previous_refresh


def _hopeful(record: TokenRecord, situation: Situation, pair: TokenPair) -> bool:
    """Whether the refusal may still be one of an outage."""
    if record.lost or not record.worked or fingerprint(pair.refresh) in record.crashed:
        return False
    return _patient(record, situation) or _untried(record) is not None


def _suspicion(record: TokenRecord, pair: TokenPair) -> str:
    if record.doubtful(pair.refresh):
        return LOST_IN_WINDOW
    # revoking and rotating elsewhere both kill the access token before its time; expiry does not
    return USED_ELSEWHERE if record.died_early else REVOKED


def _without_pair(record: TokenRecord, situation: Situation) -> PersonNeeded:
    if situation.seed:
        lost = record.doubtful(situation.seed)
        return PersonNeeded(LOST_IN_WINDOW if lost else SEED_REFUSED, lasting=True)
    return PersonNeeded(NEVER_AUTHORIZED if record.pair is None else OTHER_CLIENT)


def _of_client(word: str) -> str:
    if word == "unauthorized_client":
        return "Netatmo does not allow this app to use refresh tokens (unauthorized_client)"
    return f"Netatmo does not know this app by its client_id and client_secret ({word})"
