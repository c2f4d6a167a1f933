"""What the flow needs of the world, each port as small as its caller allows.

Every method that does I/O is a coroutine and raises only errors of `core.errors`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from netaflux.core.budget import BudgetRecord
from netaflux.core.comparison import Held
from netaflux.core.events import Event
from netaflux.core.lookback import Looks
from netaflux.core.model import (
    AccountName,
    Admitted,
    Batch,
    Binding,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Lane,
    Measure,
    Module,
    ModuleId,
    Page,
    Series,
    SetAside,
    Survey,
    Window,
)
from netaflux.core.spans import Spans
from netaflux.core.tokens import TokenRecord


class Clock(Protocol):
    """Time, as an argument. All our waits go by it; time-outs of sockets do not."""

    def now(self) -> float:
        """Unix seconds; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward; their origin means nothing."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...


class Bells(Protocol):
    """Rings once per key at a moment of the clock's monotonic time; setting a key again moves its bell."""

    def ring_at(self, key: str, when: float) -> None:
        """Ring `key` at `when` (`Clock.monotonic`), or now if that has passed."""
        ...


class TokenStore(Protocol):
    """Keeps each account's tokens; what `save` has returned from survives a power cut."""

    async def load(self, account: AccountName) -> TokenRecord:
        """What is known of the account; an empty record for a new one."""
        ...

    async def save(self, account: AccountName, record: TokenRecord) -> None:
        """Replace the account's record, durably. Raises StateError."""
        ...


class BudgetStore(Protocol):
    """Keeps what has been leased of Netatmo's limits, per scope (an account, or the app)."""

    async def load(self, scope: str) -> BudgetRecord:
        """What is known of the scope; an empty record for a new one."""
        ...

    async def save(self, scope: str, record: BudgetRecord) -> None:
        """Replace the scope's record, durably. Raises StateError."""
        ...


class Coverage(Protocol):
    """What the destinations are known to hold, and the source rows of the last days.

    Reading is from memory and immediate; every change is one transaction.
    """

    def covered(self, series: Series) -> Spans:
        """The spans of device time whose rows are known to be there."""
        ...

    def newest(self, module: ModuleId) -> int | None:
        """The time of the newest row ever seen of the module."""
        ...

    def require_room(self) -> None:
        """Raise StateError while what is fetched could not be recorded."""
        ...

    async def admit(
        self,
        module: ModuleId,
        page: Page,
        devices: Collection[DeviceName],
        *,
        newest_hint: int | None = None,
    ) -> Admitted:
        """Keep the page's rows of the last days; answer which of them are new or have changed.

        In the same transaction the time of each such row is cut out of every coverage of `devices`, which
        mirror that module: of all destinations and channels, known to this process or not, so that delivery
        fills the hole whenever they are there again. `newest_hint` is where the module's rows are said to
        end: before its first row it spares keeping those that will be too old.
        """
        ...

    def looks(self, module: ModuleId) -> Looks:
        """When the module's last days were looked at again, and the gaps that `admit` has noticed."""
        ...

    async def looked(self, module: ModuleId, newest: int, asked: Sequence[Window]) -> None:
        """All of these windows was fetched again, as was due with rows up to `newest`."""
        ...

    async def grow(self, grown: Mapping[Series, Spans], aside: Sequence[SetAside] = ()) -> None:
        """Add what a destination has acknowledged, and the rows that it refused.

        It is written before the changes that are asked for after it.
        """
        ...


class Bindings(Protocol):
    """Which module each device mirrors."""

    def binding(self, device: DeviceName) -> Binding | None:
        """The binding in force."""
        ...

    async def bind(self, binding: Binding) -> None:
        """Put a binding in force; an earlier one of the device is closed and kept."""
        ...

    def mirrors(self, module: ModuleId) -> Collection[DeviceName]:
        """Every device that is bound to the module: of all accounts, configured now or not."""
        ...

    def delivered_until(self, device: DeviceName) -> int | None:
        """The latest moment of the device that any destination is known to hold."""
        ...


class Source(Protocol):
    """Where one account's rows come from."""

    async def survey(self) -> Survey:
        """The account's modules, as they are now."""
        ...

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest rows of the window, at most PAGE_ROWS of them."""
        ...


class LiveBudget(Protocol):
    """What the limits leave for live polling."""

    def stretch(self, wished: float) -> float:
        """By which factor live polling has to be rarer than `wished` calls an hour, for them to suffice."""
        ...

    def declare_live_need(self, calls_per_hour: float) -> None:
        """How many calls live polling is going to make; history leaves them free."""
        ...


class Destination(Protocol):
    """A place where rows come to rest. Writing a row twice is harmless."""

    @property
    def name(self) -> DestinationName:
        """Its label in the configuration."""
        ...

    async def identify(self) -> DestinationId:
        """What it is, found out from itself. Raises DestinationDown, CredentialsRefused."""
        ...

    async def write(self, batch: Batch) -> None:
        """Return only when the destination has said in so many words that it holds the batch.

        Raises DestinationDown, CredentialsRefused, BatchRefused, BatchTooLarge.
        """
        ...


class ReadBack(Protocol):
    """A destination that tells what it holds."""

    async def read_back(
        self, device: DeviceName, channels: Sequence[ChannelName], window: Window
    ) -> Sequence[Held]:
        """What stands in a bounded window, in ascending order, each moment with a place for every channel.

        Raises DestinationDown, CredentialsRefused, and ReadBackRefused where it never will tell.
        """
        ...


class NoticeChannel(Protocol):
    """A way to tell a person."""

    @property
    def name(self) -> str:
        """Its setting in the configuration."""
        ...

    async def tell(self, facts: Mapping[str, object]) -> str:
        """Return only when they are handed over, with what came back, in words. Raises NotTold."""
        ...


class Observer(Protocol):
    """Is told what happens: log, status, progress."""

    def tell(self, event: Event) -> None:
        """Take note; never raises and never waits."""
        ...
