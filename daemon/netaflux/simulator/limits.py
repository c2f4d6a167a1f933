"""The limits of the simulated Netatmo: strict sliding windows, per user and for the whole application."""

from collections import deque
from dataclasses import dataclass
from math import ceil

TEN_SECONDS = 10
HOUR = 3600


class Sliding:
    """How many things happened in the last `seconds`: those at t with now - t < seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()
        self.most = 0
        """The most that any such window has held."""

    def held(self, now: float) -> int:
        """The number in the window that ends now."""
        while self._times and now - self._times[0] >= self._seconds:
            self._times.popleft()
        return len(self._times)

    def add(self, now: float) -> None:
        """One more."""
        self._times.append(now)
        self.most = max(self.most, self.held(now))

    def free_in(self, now: float, limit: int) -> float:
        """Seconds until fewer than `limit` are held."""
        held = self.held(now)
        if held < limit:
            return 0
        return self._seconds - (now - self._times[held - limit]) if limit > 0 else self._seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Most calls in any window; the defaults are the published ones."""

    user_per_10_seconds: int = 50
    user_per_hour: int = 500
    app_per_10_seconds: int = 200
    app_per_hour: int = 2000


UNLIMITED = Limits(
    user_per_10_seconds=10**9, user_per_hour=10**9, app_per_10_seconds=10**9, app_per_hour=10**9
)


class Gate:
    """Lets calls in as the limits allow, strictly; what it has refused does not count against the next."""

    APP = ""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, int], Sliding] = {}

    def refusal(self, user: str, now: float, limits: Limits) -> tuple[str, int] | None:
        """Count a call in; or answer whose limit forbids it, and after how many seconds it would not."""
        bounds = _bounds(user, limits)
        for (scope, seconds), limit in bounds.items():
            window = self._windows.setdefault((scope, seconds), Sliding(seconds))
            if wait := window.free_in(now, limit):
                return "Application" if scope == self.APP else "User", ceil(wait)
        for key in bounds:
            self._windows[key].add(now)
        return None


def _bounds(user: str, limits: Limits) -> dict[tuple[str, int], int]:
    return {
        (user, TEN_SECONDS): limits.user_per_10_seconds,
        (user, HOUR): limits.user_per_hour,
        (Gate.APP, TEN_SECONDS): limits.app_per_10_seconds,
        (Gate.APP, HOUR): limits.app_per_hour,
    }
