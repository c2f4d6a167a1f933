"""What is told of an account's authorization: a need once, and its end once."""

from netaflux.core.errors import NetafluxError
from netaflux.core.events import (
    AuthorizationNeeded,
    AuthorizationRestored,
    CallMade,
    ErrorMet,
    TokensRefreshed,
)
from netaflux.core.grants import Mend, PersonNeeded
from netaflux.core.model import AccountName
from netaflux.core.ports import Observer
from netaflux.netatmo.oauth import ENDPOINT
from netaflux.netatmo.standing import remedy


class Announcer:
    """Remembers what a person was told, so that it is not told again and again."""

    def __init__(self, account: AccountName, observer: Observer) -> None:
        self._account = account
        self._observer = observer
        self._told: Mend | None = None

    def told_before(self) -> None:
        """An earlier process has told that the account is lost."""
        self._told = self._told or Mend.AUTHORIZE

    def needed(self, person: PersonNeeded, *, anew: bool = False) -> None:
        """A person is needed.

        It is told once more only when there is something else to do, or `anew`: something was done, in vain.
        """
        if anew or self._told is not person.mend:
            self._told = person.mend
            todo = remedy(self._account, person.mend)
            event = AuthorizationNeeded(account=self._account, suspicion=person.suspicion, remedy=todo)
            self._observer.tell(event)

    def posting(self) -> None:
        """A token POST goes out."""
        self._observer.tell(CallMade(account=self._account, endpoint=ENDPOINT))

    def failed(self, error: NetafluxError) -> None:
        """It was refused, or has no answer."""
        self._observer.tell(ErrorMet.of(error))

    def renewed(self, expires_in: float, *, restored: bool) -> None:
        """A new pair is in force; `restored` where a person was needed until now, told or not."""
        self._observer.tell(TokensRefreshed(account=self._account, expires_in=expires_in))
        if restored or self._told is not None:
            self._told = None
            self._observer.tell(AuthorizationRestored(account=self._account))
