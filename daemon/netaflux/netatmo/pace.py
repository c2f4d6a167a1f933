"""What a process lives through with the token endpoint, and how long it therefore waits before the next POST.

All of it goes by the monotonic clock: a wall clock that jumps must not make the POSTs dense.
"""

from collections.abc import Callable
from dataclasses import dataclass

from netaflux.core.errors import GrantRefused, NetafluxError, StateError, Unreachable, UpstreamFault
from netaflux.core.grants import GAP, REFUSED_RESTS, UNANSWERED_RESTS, UNSAVED_RESTS, back_off
from netaflux.core.ports import Clock
from netaflux.core.tokens import Role
from netaflux.netatmo.oauth import CLIENT_REFUSALS, INVALID_GRANT

QUITE_NEW = 600.0
"""Seconds from its coming for which the API has no reason to refuse an access token."""
LONGEST_RETRY_AFTER = 3600.0
"""Seconds of a server's wish to wait that we follow."""


@dataclass(slots=True)
class Experience:
    """What happened since the last new pair."""

    unanswered: int = 0
    """Attempts in a row that came to no definite answer."""
    refusals: int = 0
    """Definite refusals."""
    pair_refused: bool = False
    client_refused: str = ""
    """Netatmo's word where it did not accept the app itself."""
    fault: NetafluxError | None = None
    """Why the last attempt failed."""


class Pace:
    """Keeps token POSTs apart, and failing ones further and further."""

    def __init__(self, clock: Clock, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._chance = chance
        self._posted: float | None = None
        self._rest_until = clock.monotonic()
        self._granted: float | None = None
        self._short_lived = 0
        self.lived = Experience()

    @property
    def gap(self) -> float:
        """Seconds for which the last POST keeps the next one waiting."""
        if self._posted is None:
            return 0.0
        return max(0.0, self._posted + GAP - self._clock.monotonic())

    @property
    def rest(self) -> float:
        """Seconds until the next attempt after one that failed."""
        return max(0.0, self._rest_until - self._clock.monotonic())

    def posted(self) -> None:
        """A token POST has come to its end."""
        self._posted = self._clock.monotonic()

    def failed(self, fault: NetafluxError) -> None:
        """No definite answer: the same token is tried again, later and later."""
        self.lived.fault = fault
        self.lived.unanswered += 1
        rests = UNSAVED_RESTS if isinstance(fault, StateError) else UNANSWERED_RESTS
        wish = fault.retry_after if isinstance(fault, UpstreamFault) else None
        self._rest(rests, self.lived.unanswered, min(wish or 0.0, LONGEST_RETRY_AFTER))

    def refused(self, role: Role, refusal: GrantRefused) -> None:
        """A definite no, of the token or of the app."""
        lived = self.lived
        lived.fault, lived.unanswered = refusal, 0
        lived.refusals += 1
        lived.client_refused = refusal.error if refusal.error in CLIENT_REFUSALS else ""
        if refusal.error == INVALID_GRANT and role is Role.PAIR:
            lived.pair_refused = True
        self._rest(REFUSED_RESTS, lived.refusals)

    def granted(self) -> None:
        """A new pair came, and is safe."""
        self.lived = Experience()
        self._granted = self._clock.monotonic()
        self.hurry()

    def hurry(self) -> None:
        """The next attempt is of another token, which need not wait for the failures of this one."""
        self._rest_until = self._clock.monotonic()

    def rejected(self) -> None:
        """The API refused the access token; where it refuses new ones too, the next would fare no better."""
        if self._granted is None or self._clock.monotonic() - self._granted > QUITE_NEW:
            self._short_lived = 0
            return
        self._short_lived += 1
        if self._short_lived > 1:
            self.lived.fault = UpstreamFault("Netatmo's API refuses one new access token after the other")
            self._rest(UNANSWERED_RESTS, self._short_lived - 1)

    def delayed(self, account: str) -> NetafluxError:
        """What to raise while an attempt has to wait."""
        fault = self.lived.fault
        reason = "" if fault is None else f": {fault.message}"
        message = f"Account {account} has no access token{reason}; the next try is in {self.rest:.0f} s"
        match fault:
            case Unreachable():
                return Unreachable(message)
            case StateError():
                return StateError(message)
            case _:
                return UpstreamFault(message, retry_after=self.rest)

    def _rest(self, rests: tuple[float, ...], failures: int, least: float = 0.0) -> None:
        seconds = max(least, back_off(rests, failures, self._chance()))
        self._rest_until = self._clock.monotonic() + seconds
