"""What happens, as facts: the same words for log, status and progress.

An event's name is `noun.past_participle`; its fields are the log's fields.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self

from netaflux.core.errors import NetafluxError
from netaflux.core.model import (
    AccountName,
    ChannelName,
    DestinationId,
    DestinationName,
    DeviceName,
    Lane,
    ModuleId,
    Number,
)

Level = Literal["debug", "info", "warning", "error"]
BUG: Final = "Bug"
"""The kind of an error that is none of `core/errors`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact."""

    name: ClassVar[str]
    level: ClassVar[Level] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyTaken(Event):
    """An account's stations and modules were read."""

    name = "survey.taken"
    level = "debug"
    account: AccountName
    modules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSkipped(Event):
    """Netatmo tells no status of a home, such as one with a weather station alone; it is asked no more."""

    name = "home.skipped"
    account: AccountName
    home: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFailed(Event):
    """Modules of one kind of an account cannot be polled just now; all others go on."""

    name = "account.failed"
    level = "warning"
    account: AccountName
    source: str = "stations"
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecovered(Event):
    """Modules of an account that failed are polled again."""

    name = "account.recovered"
    account: AccountName
    source: str = "stations"
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRefreshed(Event):
    """Netatmo gave a new pair of tokens, and it is safe on disk."""

    name = "tokens.refreshed"
    account: AccountName
    expires_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationNeeded(Event):
    """Only a person can go on: authorize the account again."""

    name = "authorization.needed"
    level = "error"
    account: AccountName
    suspicion: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRestored(Event):
    """The account can be polled again."""

    name = "authorization.restored"
    account: AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMade(Event):
    """A request goes out to Netatmo's API or, without a permit, to its token endpoint."""

    name = "call.made"
    level = "debug"
    account: AccountName
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMet(Event):
    """Something failed. It is told each time, for those who count; people are told once until it is over."""

    name = "error.met"
    level = "debug"
    kind: str
    """Its class in `core/errors`, or `Bug`."""
    reason: str

    @classmethod
    def of(cls, error: Exception) -> Self:
        """What is told of an error."""
        kind = type(error).__name__ if isinstance(error, NetafluxError) else BUG
        return cls(kind=kind, reason=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class FailuresCounted(Event):
    """What was told to have failed still does; told once a day until it is over."""

    name = "failures.counted"
    level = "warning"
    subject: str
    """An account with the source of its modules, a module, or a destination."""
    failures: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRepeated(Event):
    """What was told to have failed has failed once more, perhaps for another reason."""

    name = "failure.repeated"
    level = "debug"
    account: AccountName
    source: str
    module: ModuleId | None = None
    """None where none of them can be polled."""
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRepeated(Event):
    """A call to Netatmo failed in a way that passes; it is tried again after `pause` seconds."""

    name = "call.repeated"
    level = "debug"
    account: AccountName
    endpoint: str
    reason: str
    pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetClosed(Event):
    """Netatmo's limit is reached, or so it says; no call before `until` (unix seconds)."""

    name = "budget.closed"
    level = "warning"
    scope: str
    reason: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReopened(Event):
    """Calls are made again; at most `per_hour` of them."""

    name = "budget.reopened"
    scope: str
    per_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetEased(Event):
    """Hours have passed without a refusal: as many calls may be made as the configuration says."""

    name = "budget.eased"
    scope: str
    per_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceStretched(Event):
    """The account's calls do not suffice for live polling, so it makes do with fewer.

    Each module is asked every so many hours; newest rows still come with the surveys, which are rarer by
    `factor` where even they are too many.
    """

    name = "cadence.stretched"
    level = "warning"
    account: AccountName
    hours: int
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceRestored(Event):
    """The account's calls suffice for live polling as often as it likes."""

    name = "cadence.restored"
    account: AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleBound(Event):
    """A device mirrors this module from now on."""

    name = "module.bound"
    device: DeviceName
    module: ModuleId
    begin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleMissing(Event):
    """A device's module is not among the account's; it is looked for again."""

    name = "module.missed"
    level = "warning"
    device: DeviceName
    module: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsImpossible(Event):
    """Configured channels need measures that the device's module does not have; the others go on."""

    name = "channels.refused"
    level = "warning"
    device: DeviceName
    channels: tuple[ChannelName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFetched(Event):
    """One getmeasure answer was read."""

    name = "page.fetched"
    level = "debug"
    module: ModuleId
    rows: int
    begin: int
    last: int | None
    lane: Lane
    first: int | None = None
    """The time of its first row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyRowsStopped(Event):
    """What surveys show of a module is not what getmeasure gives: its rows come from getmeasure alone."""

    name = "early_rows.stopped"
    module: ModuleId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsPutAside(Event):
    """Rows whose time cannot be were left out."""

    name = "rows.put_aside"
    level = "warning"
    module: ModuleId
    rows: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsArrivedLate(Event):
    """Rows appeared, or changed, where their neighbours were already delivered."""

    name = "rows.arrived_late"
    module: ModuleId
    rows: int
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesStarted(Event):
    """The first upload of a device or channel that a destination can never delete is about to begin."""

    name = "series.started"
    destination: DestinationName
    device: DeviceName
    channels: tuple[ChannelName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDelivered(Event):
    """A destination acknowledged rows."""

    name = "batch.delivered"
    level = "debug"
    destination: DestinationName
    device: DeviceName
    channels: tuple[ChannelName, ...]
    rows: int
    first: int
    last: int
    values: tuple[Number | None, ...]
    """The last row's values, as `channels`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRepaired(Event):
    """A destination acknowledged rows that it had lost, or that stood there with other values."""

    name = "batch.repaired"
    destination: DestinationName
    device: DeviceName
    channels: tuple[ChannelName, ...]
    rows: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRefused(Event):
    """A destination refused one row for its content; it is set aside, the rest goes on."""

    name = "row.refused"
    level = "warning"
    destination: DestinationName
    device: DeviceName
    time: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationIdentified(Event):
    """A destination said who it is."""

    name = "destination.identified"
    destination: DestinationName
    identity: DestinationId


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationReplaced(Event):
    """Another server or guest stands behind a destination's name: it gets everything from the beginning."""

    name = "destination.replaced"
    level = "warning"
    destination: DestinationName
    identity: DestinationId


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationFailed(Event):
    """A destination does not take rows just now; the others go on."""

    name = "destination.failed"
    level = "warning"
    destination: DestinationName
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRecovered(Event):
    """A destination that failed takes rows again."""

    name = "destination.recovered"
    destination: DestinationName
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCompleted(Event):
    """A module was polled and all of it is where it belongs."""

    name = "poll.completed"
    level = "debug"
    module: ModuleId
    pages: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingStopped(Event):
    """What is fetched could not be recorded, so nothing is fetched; it goes on by itself."""

    name = "polling.stopped"
    level = "error"
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingResumed(Event):
    """What is fetched can be recorded again, after so many seconds."""

    name = "polling.resumed"
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRecovered(Event):
    """A module that could not be polled was polled again."""

    name = "poll.recovered"
    module: ModuleId
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFailed(Event):
    """A module could not be polled to its end; it is tried again."""

    name = "poll.failed"
    level = "warning"
    module: ModuleId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOpened(Event):
    """A person is needed; whoever is to be told is told."""

    name = "notice.opened"
    level = "warning"
    kind: str
    subject: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEnded(Event):
    """What a person was needed for is over."""

    name = "notice.ended"
    kind: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeTold(Event):
    """A channel has taken a notice, or its end."""

    name = "notice.told"
    channel: str
    kind: str
    subject: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingFailed(Event):
    """A channel, or the heartbeat, takes nothing just now; it is tried again."""

    name = "telling.failed"
    level = "warning"
    channel: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingRecovered(Event):
    """A channel, or the heartbeat, that failed works again."""

    name = "telling.recovered"
    channel: str
    failures: int
