"""A destination and how it is doing: who it is, whether it takes rows, when it is tried again."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from netaflux.core.cadence import backed_off
from netaflux.core.errors import DestinationError
from netaflux.core.events import DestinationFailed, DestinationIdentified, DestinationRecovered
from netaflux.core.model import DestinationId, DestinationName
from netaflux.core.ports import Clock, Destination, Observer


class Identities(Protocol):
    """Remembers which identity a destination's name stood for."""

    async def remember_identity(self, name: DestinationName, identity: DestinationId) -> bool:
        """Whether it was another one before."""
        ...


class Door:
    """The way to one destination. A failure closes it for a while; nothing else of netaflux waits for it."""

    def __init__(
        self, destination: Destination, *, identities: Identities, clock: Clock, observer: Observer
    ) -> None:
        self.destination = destination
        self._identities = identities
        self._clock = clock
        self._observer = observer
        self.identity: DestinationId | None = None
        """Known once the destination has said who it is; before that nothing can be planned for it."""
        self.failures = 0
        self.reason: str | None = None
        """Why it failed last, while it does."""
        self.retry_at = 0.0
        """`Clock.monotonic` of the next try, while it fails."""

    @property
    def name(self) -> DestinationName:
        """Its label in the configuration."""
        return self.destination.name

    @property
    def open(self) -> bool:
        """Whether rows may be sent now: identified, and not failing or due for another try."""
        return self.identity is not None and (not self.failures or self._clock.monotonic() >= self.retry_at)

    async def ready(self, *, patient: bool = True) -> bool:
        """Find out who it is if that is not known yet; whether rows may be sent now.

        A patient caller leaves a failing destination alone until its next try is due.
        """
        if patient and self.failures and self._clock.monotonic() < self.retry_at:
            return False
        if self.identity is None or self.failures:
            return await self._tried(self._identify)
        return True

    async def _identify(self) -> None:
        identity = await self.destination.identify()
        if identity != self.identity:
            changed = await self._identities.remember_identity(self.name, identity)
            self.identity = identity
            self._observer.tell(
                DestinationIdentified(destination=self.name, identity=identity, changed=changed)
            )

    async def _tried(self, action: Callable[[], Awaitable[None]]) -> bool:
        try:
            await action()
        except DestinationError as error:
            self.failed(error)
            return False
        self.worked()
        return True

    def failed(self, error: DestinationError) -> None:
        """It did not take what it should: said once, tried again later and later."""
        if not self.failures:
            self._observer.tell(
                DestinationFailed(destination=self.name, reason=error.message, remedy=error.remedy)
            )
        self.failures += 1
        self.reason = error.message
        self.retry_at = self._clock.monotonic() + backed_off(self.failures)

    def worked(self) -> None:
        """It took what it was given."""
        if self.failures:
            self._observer.tell(DestinationRecovered(destination=self.name, failures=self.failures))
        self.failures = 0
        self.reason = None
