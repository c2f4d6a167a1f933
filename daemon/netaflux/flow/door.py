"""A destination and how it is doing: who it is, whether it takes rows, when it is tried again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

from netaflux.core.cadence import backed_off
from netaflux.core.errors import CredentialsRefused, DestinationDown, DestinationError, NetafluxError
from netaflux.core.events import (
    DestinationFailed,
    DestinationIdentified,
    DestinationRecovered,
    DestinationReplaced,
    ErrorMet,
    FailuresCounted,
)
from netaflux.core.model import DestinationId, DestinationName
from netaflux.core.ports import Clock, Destination, Observer
from netaflux.core.reminder import Reminder

log = structlog.get_logger(__name__)

ASK_AGAIN = 86400.0
"""Seconds after which a destination is asked again who it is: it may have been set up anew."""


class Identities(Protocol):
    """Remembers which identity a destination's name stood for."""

    async def remember_identity(self, name: DestinationName, identity: DestinationId) -> bool:
        """Whether it was another one before."""
        ...


@contextmanager
def contained(name: DestinationName) -> Iterator[None]:
    """Let a bug of a destination be its own trouble: logged, and for all others it is down.

    Else the errand would end that brings the same page to the others. Raises DestinationDown.
    """
    try:
        yield
    except NetafluxError:
        raise
    except Exception as bug:
        log.exception("destination.crashed", destination=name)
        raise DestinationDown(f"{name} has failed by a bug of ours ({type(bug).__name__})") from bug


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
        self._recorded: DestinationId | None = None
        """The identity that is remembered on disk, and whose change was told."""
        self.failures = 0
        self.reason: str | None = None
        """Why it failed last, while it does."""
        self.remedy: str | None = None
        """What a person can do about that, while it fails; empty where there is nothing to do but wait."""
        self.denied = False
        """Whether it is user name and password that it does not take, while it fails."""
        self.retry_at = 0.0
        """`Clock.monotonic` of the next try, while it fails."""
        self._reminder = Reminder()
        self._refusing_rows = False
        """Whether it was rows that it did not take: then only rows can show that it works again."""
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")

    @property
    def name(self) -> DestinationName:
        """Its label in the configuration."""
        return self.destination.name

    @property
    def open(self) -> bool:
        """Whether rows may be sent now: identified, and not failing or due for another try."""
        return self.identity is not None and not self._resting

    @property
    def _resting(self) -> bool:
        return self.failures > 0 and self._clock.monotonic() < self.retry_at

    async def ready(self, *, patient: bool = True, record: bool = True) -> bool:
        """Find out who it is if that is not known yet; whether rows may be sent now.

        A patient caller leaves a failing destination alone until its next try is due. Without `record` the
        identity is looked at for a plan, and nothing is remembered. Raises StateError.
        """
        async with self._asking:  # those who come meanwhile get this answer, and count no failure twice
            if patient and self._resting:
                return False
            if self._in_question and not await self._identified():
                return False
            if record:
                await self._record()
            return True

    @property
    def _in_question(self) -> bool:
        old = self._clock.monotonic() - self._asked_at > ASK_AGAIN
        return self.identity is None or self.failures > 0 or old

    async def _identified(self) -> bool:
        try:
            with contained(self.name):
                self.identity = await self.destination.identify()
            self._asked_at = self._clock.monotonic()
        except DestinationError as error:
            self._observer.tell(ErrorMet.of(error))
            self._count(error)
            return False
        if self._refusing_rows:
            self.retry_at = self._clock.monotonic()
        else:
            self.worked()
        return True

    async def _record(self) -> None:
        identity = self.identity
        if identity is None or identity == self._recorded:
            return
        changed = await self._identities.remember_identity(self.name, identity)
        self._recorded = identity
        said = DestinationReplaced if changed else DestinationIdentified
        self._observer.tell(said(destination=self.name, identity=identity))

    def failed(self, error: DestinationError) -> None:
        """It did not take rows: said once, tried again later and later."""
        self._observer.tell(ErrorMet.of(error))
        self._refusing_rows = True
        if self._resting:
            self._explain(error)  # one more of those that were on their way when it failed
        else:
            self._count(error)

    def _count(self, error: DestinationError) -> None:
        now = self._clock.monotonic()
        self.failures += 1
        self._explain(error)
        self.denied = isinstance(error, CredentialsRefused)
        self.retry_at = now + backed_off(self.failures)
        if self.failures == 1:
            self._reminder.told(now)
            self._observer.tell(
                DestinationFailed(destination=self.name, reason=error.message, remedy=error.remedy)
            )
        elif self._reminder.due(now):
            self._observer.tell(
                FailuresCounted(
                    subject=f"destination {self.name}", failures=self.failures, reason=error.message
                )
            )

    def _explain(self, error: DestinationError) -> None:
        self.reason, self.remedy = error.message, error.remedy

    def worked(self) -> None:
        """It took what it was given."""
        if self.failures:
            self._observer.tell(DestinationRecovered(destination=self.name, failures=self.failures))
        self.failures = 0
        self.reason = self.remedy = None
        self.denied = False
        self._refusing_rows = False
