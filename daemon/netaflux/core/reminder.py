"""When people hear once more of a failure that lasts: what is told once only is forgotten."""

from typing import Final

EVERY: Final = 86400.0
"""Seconds between two tellings."""


class Reminder:
    """Remembers when a failure was told of; times are monotonic seconds."""

    def __init__(self) -> None:
        self._told_at = float("-inf")

    def told(self, now: float) -> None:
        """It is told of now, for the first time."""
        self._told_at = now

    def due(self, now: float) -> bool:
        """Whether it is to be told of once more, which it then is."""
        if now - self._told_at < EVERY:
            return False
        self._told_at = now
        return True
