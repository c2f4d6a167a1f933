"""Everything that can go wrong and is not a bug, grouped by what a caller would do about it.

NetafluxError
├── UsageError              the command asks for what cannot be; say it otherwise
│   ├── UnknownName         nothing is called that; near names are offered
│   └── AmbiguousName       several things are called that; their ids are told
├── NoDevice                the account has no device of the kind
├── ConfigError             the configuration must be mended; restarting does not help
├── DataRefused             the data handed to us are not what they should be
├── StateError              the state directory cannot be read or written just now
│   ├── StateDamaged        the state's database is damaged; the next start mends it
│   ├── StateForeign        the state is not ours to touch: a newer version's, or another program's
│   └── StateLocked         another netaflux process owns the state
├── NobodyAtSocket          no daemon answers at the status socket
├── Overtaken               a command was under way when a new configuration took over
├── CallsUsedUp             a change would have to wait for Netatmo's limits
├── NotAuthorized           Netatmo wants the person to authorize again
├── NotTold                 a notice for a person was not taken
├── OutcomeUnknown          whether what was to be changed is changed cannot be told
├── Unreachable             no whole HTTP answer came: DNS, connection, time-out
│   └── TooLarge            the answer is larger than what we hold; asking again brings the same
├── NetatmoError            Netatmo answered, and said no
│   ├── TokenRejected       the access token is not current: refresh once, repeat once
│   ├── GrantRefused        the token endpoint refused a grant (`invalid_grant`, `invalid_client`, …)
│   ├── ScopeDenied         the account's authorization does not cover this
│   ├── QuotaReached        Netatmo's usage limit: the budget closes
│   ├── Busy                a passing overload: a short back-off
│   ├── DeviceUnreachable   the module is known but cannot be asked
│   ├── NotFound            Netatmo does not know what was asked for
│   ├── RequestRefused      any other refusal of the request itself
│   └── UpstreamFault       5xx, an HTML page, an answer that cannot be read
└── DestinationError        a destination did not take what it was given
    ├── DestinationDown     it is away, or answers nonsense: later
    ├── CredentialsRefused  it does not know the user name and password
    ├── BatchRefused        it refused this batch for its content
    ├── BatchTooLarge       it takes fewer rows at a time
    └── ReadBackRefused     it does not tell what it holds
"""

from math import ceil, inf
from typing import ClassVar, Final


class NetafluxError(Exception):
    """A failure that can be explained to a person: a sentence, an advice, an exit code (sysexits(3))."""

    advice: ClassVar[str] = ""
    advice_alone: ClassVar[str] = ""
    """What takes the place of `advice` where a command ends with its process, and nobody tries again."""
    exit_code: ClassVar[int] = 75

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = type(self).advice if advice is None else advice
        """What the person can do next; empty where there is nothing to do but wait."""


class UsageError(NetafluxError):
    """The command asks for what cannot be."""

    advice = "See `netaflux COMMAND --help`."
    exit_code = 2


class UnknownName(UsageError):
    """Nothing is called that."""

    advice = ""


class AmbiguousName(UsageError):
    """Several things are called that."""

    advice = "Say the id instead."


class NoDevice(NetafluxError):
    """The account has no device of the kind."""

    exit_code = 69


class ConfigError(NetafluxError):
    """The configuration must be mended first."""

    advice = "Mend the configuration, then try `netaflux check`."
    exit_code = 78


class DataRefused(NetafluxError):
    """The data handed to us are not what they should be."""

    exit_code = 65


class StateError(NetafluxError):
    """The state directory cannot be read or written just now."""

    advice = "Look at the disk's free space and at the permissions of the state directory."


class StateDamaged(StateError):
    """The state's database is damaged."""

    advice = "Start netaflux again: it sets the damaged file aside, and carries over what can be read."


class StateForeign(StateError):
    """The state is not ours to touch."""

    advice = "Point `state_dir` to another directory, or use the netaflux that wrote it."
    exit_code = 78


class StateLocked(StateError):
    """Another netaflux process owns the state."""

    advice = "Wait for it to end, or stop it."

    def __init__(self, message: str, *, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class NobodyAtSocket(NetafluxError):
    """No daemon answers at the status socket."""

    advice = "Start it with `netaflux run`, or look at its log."
    exit_code = 69


class Overtaken(NetafluxError):
    """A command was under way when the daemon took up a new configuration."""

    advice = "Start the command again: it goes on where it was."

    def __init__(self) -> None:
        super().__init__("the daemon took up a new configuration meanwhile")


class CallsUsedUp(NetafluxError):
    """What shall change something is not left to wait until Netatmo's limits let it pass."""

    advice = "Nothing was changed; try again then."

    def __init__(self, wait: float) -> None:
        span = f"for the next {ceil(wait / 60)} minutes" if 0 < wait < inf else "at the moment"
        super().__init__(f"Netatmo's limits leave no call {span}")


class NotAuthorized(NetafluxError):
    """Netatmo no longer accepts what we hold for this account."""

    advice = "Run `netaflux authorize`."
    exit_code = 77


class NotTold(NetafluxError):
    """A notice for a person was not taken; it is tried again."""

    advice = "Correct [notify] in the configuration, or see to whom it names."


class OutcomeUnknown(NetafluxError):
    """Something was to be changed, and no answer tells whether it is."""

    advice = "It is not tried again by itself. Look at how things are, then decide."


class Unreachable(NetafluxError):
    """No whole HTTP answer came from the host."""

    advice = "It will be tried again."
    advice_alone = "Try again."

    def __init__(
        self, message: str, *, advice: str | None = None, dropped: bool = False, sent: bool = True
    ) -> None:
        super().__init__(message, advice=advice)
        self.dropped = dropped
        """Whether a connection that stood was closed before any answer: often one that had been idle."""
        self.sent = sent
        """Whether the request may have arrived; no connection, no arrival."""


class TooLarge(Unreachable):
    """The answer is larger than what we are willing to hold."""

    advice = ""


class NetatmoError(NetafluxError):
    """Netatmo answered with an error.

    `status` is the HTTP status, `code` Netatmo's own (netatmo error table), None where it sent none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        retry_after: float | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        """Seconds that the server asked us to wait, if it said so."""


class TokenRejected(NetatmoError):
    """The access token is not (or no longer) current."""


class GrantRefused(NetatmoError):
    """The token endpoint refused; `error` is its OAuth word, such as `invalid_grant`."""

    def __init__(self, message: str, *, error: str, status: int | None = None) -> None:
        super().__init__(message, status=status)
        self.error = error


class ScopeDenied(NetatmoError):
    """The account's authorization does not cover this."""

    advice = "Run `netaflux authorize --scope …` with the scope that is missing."
    exit_code = 77


class QuotaReached(NetatmoError):
    """Netatmo's usage limit is reached."""

    advice = "netaflux waits and goes on by itself."
    advice_alone = "Try again later."


class Busy(NetatmoError):
    """Netatmo sheds load for a moment."""

    advice = "It will be tried again."
    advice_alone = "Try again."


class DeviceUnreachable(NetatmoError):
    """The module is known but cannot be reached."""


class NotFound(NetatmoError):
    """Netatmo does not know what was asked for."""


class RequestRefused(NetatmoError):
    """Netatmo refused the request itself."""


class UpstreamFault(NetatmoError):
    """Netatmo failed: a 5xx, an HTML page, an answer that cannot be read."""

    advice = "It will be tried again."
    advice_alone = "Try again."


class DestinationError(NetafluxError):
    """A destination did not take what it was given."""


class DestinationDown(DestinationError):
    """The destination is away, or answers nonsense."""

    advice = "It will be tried again; Netatmo's history keeps the rows until then."
    advice_alone = "Try again; Netatmo's history keeps the rows until then."


class CredentialsRefused(DestinationError):
    """The destination does not know this user name and password."""

    advice = "Correct `username` and `password` of the destination, then try `netaflux check`."
    exit_code = 78


class BatchRefused(DestinationError):
    """The destination refused this batch for its content."""


class BatchTooLarge(DestinationError):
    """The destination takes fewer rows at a time."""


class ReadBackRefused(DestinationError):
    """The destination does not tell what it holds."""

    advice = "See whether `url` is where the server is, and whether this account may export its data there."
    exit_code = 78


EXCHANGES: Final = (Unreachable, NetatmoError, DestinationError)
"""What comes of asking others; whoever asks tells of it, each time."""

ALONE: Final = {
    each.advice: each.advice_alone
    for each in (Unreachable, Busy, QuotaReached, UpstreamFault, DestinationDown)
}
"""What to advise instead, by the advice, where the process ends that would have tried again."""
