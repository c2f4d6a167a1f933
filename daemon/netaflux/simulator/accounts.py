"""Who may come in: people, and the tokens that a simulated Netatmo has given for them.

Both tokens of a pair change at each refresh, and the old pair dies at that moment, its access token too
(observed since 2024).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple
from zlib import crc32

from netaflux.core.ports import Clock
from netaflux.simulator.house import House

WEATHER_SCOPES = ("read_station",)
ENERGY_SCOPES = ("read_thermostat", "write_thermostat")
CAMERA_SCOPES = (
    "read_camera",
    "write_camera",
    "access_camera",
    "read_presence",
    "access_presence",
    "read_doorbell",
    "access_doorbell",
)
ALL_SCOPES = (*WEATHER_SCOPES, "read_homecoach", *ENERGY_SCOPES, *CAMERA_SCOPES)
HOME_SCOPES = frozenset(scope for scope in (*ENERGY_SCOPES, *CAMERA_SCOPES) if scope.startswith("read_"))
"""Any of them lets a home be read."""
CODE_LIFETIME = 600


@dataclass(slots=True)
class Account:
    """One person at Netatmo."""

    name: str
    house: House = field(default_factory=House)
    scopes: tuple[str, ...] = WEATHER_SCOPES
    """What the person has granted to begin with."""

    @property
    def user_id(self) -> str:
        """What tokens begin with."""
        return f"{crc32(self.name.encode()):08x}" * 3

    @property
    def mail(self) -> str:
        """The login."""
        return f"{self.name}@example.org"


class Pair(NamedTuple):
    """What one answer of the token endpoint gave."""

    access: str
    refresh: str
    scopes: tuple[str, ...]
    expires: float
    """By the clock's monotonic time."""


class Code(NamedTuple):
    """What an authorization handed back, to be exchanged once."""

    account: Account
    scopes: tuple[str, ...]
    redirect_uri: str
    expires: float


class Refusal(Exception):
    """The token endpoint says no, in OAuth's words."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Stranger(Exception):
    """An access token that is nobody's, or nobody's any more."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("Access token expired" if expired else "Invalid access token")
        self.expired = expired


class Logins:
    """The pairs in force, and every pair that ever was."""

    def __init__(self, accounts: Iterable[Account], clock: Clock, lifetime: float) -> None:
        self.accounts = {account.name: account for account in accounts}
        self.lifetime = lifetime
        self.issued: dict[str, list[Pair]] = {name: [] for name in self.accounts}
        """Every pair given, per account, oldest first."""
        self._clock = clock
        self._current: dict[str, Pair] = {}
        self._codes: dict[str, Code] = {}

    def issue(self, name: str, scopes: Iterable[str] = WEATHER_SCOPES) -> Pair:
        """Give a fresh pair, as the developer portal's token generator does; an older one dies."""
        user = self.accounts[name].user_id
        expires = self._clock.monotonic() + self.lifetime
        pair = Pair(f"{user}|{token_hex(16)}", f"{user}|{token_hex(16)}", tuple(scopes), expires)
        self._current[name] = pair
        self.issued[name].append(pair)
        return pair

    def current(self, name: str) -> Pair | None:
        """The pair in force."""
        return self._current.get(name)

    def authorize(self, name: str, scopes: Iterable[str], redirect_uri: str) -> str:
        """A person has agreed; answer the code for the way back."""
        code = token_hex(16)
        expires = self._clock.monotonic() + CODE_LIFETIME
        self._codes[code] = Code(self.accounts[name], tuple(scopes), redirect_uri, expires)
        return code

    def redeem(self, code: str, redirect_uri: str) -> Pair:
        """Exchange a code, once, for the same redirect URI. Raises Refusal."""
        known = self._codes.pop(code, None)
        if known is None or known.expires <= self._clock.monotonic():
            raise Refusal("invalid_grant")
        if known.redirect_uri != redirect_uri:
            raise Refusal("redirect_uri_mismatch")
        return self.issue(known.account.name, known.scopes)

    def refresh(self, token: str) -> Pair:
        """Exchange a refresh token for a new pair. Raises Refusal."""
        for name, pair in self._current.items():
            if pair.refresh == token:
                return self.issue(name, pair.scopes)
        raise Refusal("invalid_grant")

    def bearer(self, token: str) -> tuple[Account, Pair]:
        """Whose access token it is. Raises Stranger."""
        name = self.owner(token)
        pair = self._current.get(name) if name else None
        if name is None or pair is None or pair.access != token:
            raise Stranger(expired=False)
        if pair.expires <= self._clock.monotonic():
            raise Stranger(expired=True)
        return self.accounts[name], pair

    def owner(self, token: str) -> str | None:
        """The account that a token names, whether or not it is still good."""
        user = token.partition("|")[0]
        return next((name for name, account in self.accounts.items() if account.user_id == user), None)

    def expire(self, name: str) -> None:
        """Let the access token run out now; the refresh token stays good."""
        if pair := self._current.get(name):
            self._current[name] = pair._replace(expires=self._clock.monotonic())

    def revoke(self, name: str) -> None:
        """The person takes the permission back: both tokens die."""
        self._current.pop(name, None)
