"""What has happened since the start, as `status` shows it: an observer that keeps the newest of each kind."""

from dataclasses import asdict, dataclass, field
from typing import TypeVar

from netaflux.core import events
from netaflux.core.events import Event
from netaflux.core.model import AccountName, ChannelName, DestinationName, DeviceName, ModuleId, Number
from netaflux.core.ports import Clock
from netaflux.core.progress import Learnt


@dataclass(slots=True)
class Trouble:
    """A failure that is going on."""

    reason: str
    since: float
    count: int = 1
    remedy: str = ""


@dataclass(slots=True)
class Delivered:
    """What a destination has taken of one device since the start."""

    rows: int = 0
    last: int | None = None
    at: float | None = None
    """When it acknowledged rows last, unix seconds."""
    newest: dict[ChannelName, Number | None] = field(default_factory=dict)


K = TypeVar("K")


class Record:
    """The observer behind `status`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.started = clock.now()
        self.polled: dict[ModuleId, float] = {}
        """When each module's last poll came to a good end, unix seconds."""
        self.polls_failing: dict[ModuleId, Trouble] = {}
        self.accounts_failing: dict[tuple[AccountName, str], Trouble] = {}
        """By the source of what cannot be polled, too."""
        self.thrifty: dict[AccountName, events.CadenceStretched] = {}
        """The accounts whose calls are short, and what that means for their polls."""
        self.delivered: dict[tuple[DestinationName, DeviceName], Delivered] = {}
        self.learnt = Learnt()
        """What the pages have shown: how many there were, and what can be expected of others."""

    def tell(self, event: Event) -> None:
        """Keep what is worth keeping."""
        match event:
            case events.PollCompleted():
                self.polled[event.module] = self._clock.now()
                self.polls_failing.pop(event.module, None)
            case events.PollFailed() | events.AccountFailed() | events.FailureRepeated():
                self._failed(event)
            case events.PollRecovered():
                self.polls_failing.pop(event.module, None)
            case events.CadenceStretched():
                self.thrifty[event.account] = event
            case events.CadenceRestored():
                self.thrifty.pop(event.account, None)
            case events.AccountRecovered():
                self.accounts_failing.pop((event.account, event.source), None)
            case events.PageFetched():
                self.learnt.saw(event, self._clock.monotonic())
            case events.BatchDelivered() | events.BatchRepaired():
                self._took(event)

    def _failed(self, event: events.PollFailed | events.AccountFailed | events.FailureRepeated) -> None:
        now = self._clock.now()
        if not isinstance(event, events.AccountFailed) and event.module is not None:
            _count(self.polls_failing, event.module, event.reason, now)
        elif not isinstance(event, events.PollFailed):
            key = event.account, event.source
            _count(self.accounts_failing, key, event.reason, now, event.remedy)

    def _took(self, event: events.BatchDelivered | events.BatchRepaired) -> None:
        taken = self.delivered.setdefault((event.destination, event.device), Delivered())
        taken.rows += event.rows
        taken.at = self._clock.now()
        if isinstance(event, events.BatchRepaired):
            return  # it does not tell its values
        if taken.last is None or event.last >= taken.last:
            taken.last = event.last
            taken.newest = dict(zip(event.channels, event.values, strict=True))

    def begin_anew(self) -> None:
        """Another configuration takes over: what goes wrong or is stretched under it will be told again."""
        self.polls_failing.clear()
        self.accounts_failing.clear()
        self.thrifty.clear()

    def trouble(self, module: ModuleId, account: AccountName, source: str) -> dict[str, object] | None:
        """What keeps a module from being polled, if anything does."""
        trouble = self.polls_failing.get(module) or self.accounts_failing.get((account, source))
        return asdict(trouble) if trouble else None


def _count(troubles: dict[K, Trouble], key: K, reason: str, now: float, remedy: str = "") -> None:
    before = troubles.get(key)
    if before is None:
        troubles[key] = Trouble(reason, now, remedy=remedy)
    else:
        before.reason, before.count, before.remedy = reason, before.count + 1, remedy
