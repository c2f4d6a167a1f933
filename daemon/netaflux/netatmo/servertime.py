"""What time it is at Netatmo, which decides whether a row can be true."""

from netaflux.core.ports import Clock
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.wire import server_time


class ServerTime:
    """Netatmo's clock, carried on by ours from its last answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: float | None = None

    def heard(self, envelope: Envelope) -> None:
        """Take note of the time in an answer."""
        told = server_time(envelope)
        if told is not None:
            self._ahead = told - self._clock.monotonic()

    def ahead(self) -> float | None:
        """Seconds by which Netatmo's clock is ahead of ours; None as long as it has told no time."""
        return None if self._ahead is None else self.now() - self._clock.now()

    def now(self) -> float:
        """Unix seconds; by our own clock as long as Netatmo has told none."""
        return self._clock.now() if self._ahead is None else self._clock.monotonic() + self._ahead
