"""Who came to a simulated server's door, when, and what became of it."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from netaflux.core.ports import Clock
from netaflux.simulator.limits import HOUR, TEN_SECONDS, Gate, Sliding


@dataclass(slots=True)
class Call:
    """One request, as the door has seen it."""

    number: int
    time: float
    monotonic: float
    method: str
    endpoint: str
    user: str
    params: Mapping[str, str]
    counted: bool
    """Whether it counts to the limits."""
    status: int = 0
    """0 while, or because, nothing was answered."""
    code: int | str | None = None
    """The error in the answer: Netatmo's number, or OAuth's word."""
    fault: str | None = None
    """The fault that struck."""


CALL = web.RequestKey("call", Call)


class Ledger:
    """Every request that came to the door, refused ones too."""

    def __init__(self, clock: Clock, *, keep: int | None = None) -> None:
        self.calls: deque[Call] = deque(maxlen=keep)
        self.counts: Counter[str] = Counter()
        """Requests by endpoint, also those that are no longer kept."""
        self._clock = clock
        self._windows: dict[tuple[str, int], Sliding] = {}

    def enter(
        self, request: web.Request, user: str, params: Mapping[str, str], *, counted: bool = True
    ) -> Call:
        """Write a request down, as it comes."""
        self.counts[request.path] += 1
        call = Call(
            number=self.counts.total(),
            time=self._clock.now(),
            monotonic=self._clock.monotonic(),
            method=request.method,
            endpoint=request.path,
            user=user,
            params=params,
            counted=counted,
        )
        self.calls.append(call)
        if counted:
            for scope in (user, Gate.APP):
                for seconds in (TEN_SECONDS, HOUR):
                    self._windows.setdefault((scope, seconds), Sliding(seconds)).add(call.monotonic)
        return call

    def of(self, endpoint: str) -> list[Call]:
        """The calls of one endpoint that are kept, oldest first."""
        return [call for call in self.calls if call.endpoint == endpoint]

    def busiest(self, seconds: int, user: str = Gate.APP) -> int:
        """The most counted requests in any window of 10 or 3600 s, of one user or of all."""
        window = self._windows.get((user, seconds))
        return window.most if window else 0

    def told(self, since: int = 0) -> dict[str, Any]:
        """As JSON, with the calls after number `since`."""
        windows = self._windows.items()
        return {
            "counts": dict(self.counts),
            "busiest": [
                {"user": user, "seconds": seconds, "calls": window.most}
                for (user, seconds), window in windows
            ],
            "calls": [asdict(call) for call in self.calls if call.number > since],
        }
