"""The clocks: the real one, and one that runs faster for the demo and the tests of whole processes."""

import asyncio
import time


class RealClock:
    """The machine's own time."""

    speed = 1.0

    def now(self) -> float:
        """Unix seconds of the system clock."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment before the start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)


class ScaledClock:
    """Real time made `speed` times as fast from the moment of its making."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._start = time.monotonic()
        self._epoch = time.time()

    def _passed(self) -> float:
        return (time.monotonic() - self._start) * self.speed

    def now(self) -> float:
        """Unix seconds: those of the start, and what has passed since at this speed."""
        return self._epoch + self._passed()

    def monotonic(self) -> float:
        """Seconds since the start at this speed."""
        return self._passed()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        await asyncio.sleep(seconds / self.speed)
