"""The words of netaflux as types: accounts, modules, rows, pages, series, batches.

Times are whole unix seconds (UTC) as the device stamped them; text and zones exist at the edges only.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from itertools import repeat
from operator import lt
from typing import NamedTuple, NewType, overload

Number = int | float

AccountName = NewType("AccountName", str)
ModuleId = NewType("ModuleId", str)
"""A MAC address in lower case without blanks, such as `70:ee:50:00:00:01`; of a room its number. A module's
identity."""
Measure = NewType("Measure", str)
"""A quantity Netatmo stores, for the weather in the API's spelling: `Temperature`, `CO2`, …"""
ChannelName = NewType("ChannelName", str)
DeviceName = NewType("DeviceName", str)
DestinationName = NewType("DestinationName", str)
"""The label of a destination in the configuration."""
DestinationId = NewType("DestinationId", str)
"""What a destination is: kind, host and guest id, such as `fluxtream:host#7`; coverage belongs to it."""

PAGE_ROWS = 1024
"""Most rows that one getmeasure answer holds; more are cut off silently, the oldest kept."""


class SourceName(Enum):
    """Where an account's rows come from: kinds of modules that are found and asked for in one way."""

    STATIONS = "stations"
    """Weather stations and their modules."""
    COACHES = "coaches"
    """Home Coaches."""
    ROOMS = "rooms"
    """Rooms that are heated."""
    BOILERS = "boilers"
    """What thermostats switch on and off."""
    CAMERAS = "cameras"
    """What cameras saw, counted."""


class Lane(Enum):
    """Who goes first when calls are scarce."""

    LIVE = "live"
    HISTORY = "history"


class Why(Enum):
    """The reason of an errand."""

    DUE = "due"  # the module's bell rang: newest rows and the hour before them
    CATCHING_UP = "catching up"  # rows that a destination lacks
    LOOKING_BACK = "looking back"  # rows that may have come late
    ASKED = "asked"  # a person named the span
    AGAIN = "again"  # a person wants it sent once more


class Row(NamedTuple):
    """What one module held at one moment: a value, or None, for each measure (or channel) of its page."""

    time: int
    values: tuple[Number | None, ...]


class Rows(Sequence[Row]):
    """Rows kept as columns: a page has a thousand of them, and hardly any is ever looked at by itself."""

    __slots__ = ("_ascend", "_kinds", "columns", "times")

    def __init__(
        self,
        times: Sequence[int] = (),
        columns: Sequence[Sequence[Number | None]] = (),
        *,
        ascend: bool | None = None,
    ) -> None:
        """`ascend` may tell what else has to be looked for."""
        self.times = times
        self.columns = columns
        """One for each value of a row, as long as `times`."""
        self._kinds: Sequence[AbstractSet[type]] | None = None
        self._ascend = ascend

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Rows":
        """The same rows by columns; at once where they are so already. Raises ValueError for ragged ones."""
        if isinstance(rows, Rows):
            return rows
        times, values = zip(*rows, strict=True) if rows else ((), ())
        return cls(times, tuple(zip(*values, strict=True)))

    @property
    def kinds(self) -> Sequence[AbstractSet[type]]:
        """The types that each column holds, NoneType where it has a gap; looked for once."""
        if self._kinds is None:
            self._kinds = [set(map(type, column)) for column in self.columns]
        return self._kinds

    @property
    def ascend(self) -> bool:
        """Whether every time is a whole second after the one before it; looked for once."""
        if self._ascend is None:
            whole = {int}.issuperset(map(type, self.times))
            self._ascend = whole and all(map(lt, self.times, self.times[1:]))
        return self._ascend

    def with_columns(self, columns: Sequence[tuple[Sequence[Number | None], AbstractSet[type]]]) -> "Rows":
        """Other values of the same moments: columns, each with the types that it holds."""
        rows = Rows(self.times, [column for column, _ in columns], ascend=self._ascend)
        rows._kinds = [kinds for _, kinds in columns]
        return rows

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> "Rows": ...

    def __getitem__(self, place: int | slice) -> "Row | Rows":
        if isinstance(place, slice):
            return Rows(self.times[place], [column[place] for column in self.columns])
        return Row(self.times[place], tuple([column[place] for column in self.columns]))

    def __iter__(self) -> Iterator[Row]:
        return map(Row, self.times, zip(*self.columns, strict=True) if self.columns else repeat(()))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return f"Rows.of({list(self)!r})"


class Window(NamedTuple):
    """A stretch of device time, begin ≤ t < end; an open end is None."""

    begin: int
    end: int | None = None

    def __contains__(self, time: object) -> bool:
        return isinstance(time, int) and self.begin <= time and (self.end is None or time < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Netatmo unit as a survey describes it; the station's own indoor unit is one too."""

    id: ModuleId
    account: AccountName
    station: ModuleId
    """What it is asked through: its station's MAC, for the indoor unit its own; a relay's; a home's id."""
    kind: str
    """Netatmo's type, such as NAMain; unknown ones are kept as they are. A room is a `room`."""
    measures: tuple[Measure, ...] = ()
    """What getmeasure can be asked for."""
    name: str | None = None
    places: tuple[str, ...] = ()
    """The names before the slash: station name, home name."""
    timezone: str | None = None
    set_up: int | None = None
    """When the station was installed (`date_setup`)."""
    newest: int | None = None
    """The time of the newest row as the survey tells it (`dashboard_data.time_utc`)."""
    dashboard: Mapping[Measure, Number] = field(default_factory=dict, hash=False)
    """The values of that row, as far as told; whether they are quite that row's is not documented."""
    stored: int | None = None
    """When the station last uploaded (`last_status_store`)."""
    reachable: bool | None = None
    battery: Number | None = None
    """How full its battery is, in percent, as Netatmo tells it."""

    @property
    def titles(self) -> tuple[str, ...]:
        """The names it can be configured by: `station/module` and `home/module`, known pairs as a whole."""
        return tuple(dict.fromkeys(f"{place}/{self.name}" for place in self.places)) if self.name else ()


@dataclass(frozen=True, slots=True)
class Survey:
    """All modules of an account as one getstationsdata answer shows them."""

    account: AccountName
    modules: tuple[Module, ...]
    server_time: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One getmeasure answer, read: rows sorted, unique, of plausible time, inside what was asked."""

    measures: tuple[Measure, ...]
    window: Window
    rows: Sequence[Row]
    raw_rows: int
    """Rows as sent, before anything was left out; decides whether the page was full."""
    aside: int = 0
    """Rows left out because their time cannot be: outside the asked window or in the future."""

    @property
    def full(self) -> bool:
        """Whether more rows may follow in the asked window."""
        return self.raw_rows >= PAGE_ROWS

    @property
    def last(self) -> int | None:
        """The time of the last row."""
        return self.rows[-1].time if self.rows else None


class Admitted(NamedTuple):
    """What a page brought that was not known of its module, as times in ascending order."""

    news: Sequence[int] = ()
    """Rows that are new or have changed."""
    late: Sequence[int] = ()
    """Those of them that lay in something covered, and were cut out of it."""


class Series(NamedTuple):
    """Whose coverage: one channel of one device at one destination."""

    destination: DestinationId
    device: DeviceName
    channel: ChannelName


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows for one device whose values belong to `channels`, in order; no value is missing or not finite."""

    device: DeviceName
    channels: tuple[ChannelName, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that a destination refused for its content while it took its neighbours."""

    destination: DestinationId
    device: DeviceName
    channels: tuple[ChannelName, ...]
    row: Row
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Which module a device mirrors, since when."""

    device: DeviceName
    module: ModuleId
    account: AccountName
    module_text: str
    """What the configuration called it when the binding was made."""
    since_text: str
    """`since` as it was configured when `begin` was resolved."""
    begin: int
    """The first moment wanted."""
    floor: int
    """Nothing below this belongs to this module: an earlier one's rows stand there."""
