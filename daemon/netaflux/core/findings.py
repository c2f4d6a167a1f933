"""What an examination finds, and how it is judged: a value with its reason and what to do next.

An examiner looks, these functions judge. Nothing here looks at anything itself.
"""

import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final, Literal

from netaflux.core.budget import BudgetState
from netaflux.core.errors import ConfigError, NetafluxError, NotAuthorized
from netaflux.core.since import DAY, MINUTE

Grade = Literal["ok", "warning", "problem"]

HOUR: Final = 60 * MINUTE
CLOCK_DOUBTED: Final = MINUTE
CLOCK_WRONG: Final = 10 * MINUTE
"""Seconds by which two clocks may differ; rows further ahead of Netatmo's clock are not believed either."""
CERTIFICATE_SHORT: Final = 14 * DAY
"""Seconds before its end when a certificate that renews itself would have been renewed."""
ROOM_SHORT, ROOM_LACKING = 500_000_000, 50_000_000
"""Bytes free; below the first a person should look, below the second a day's log may fill the disk."""

SET_CLOCK: Final = "Let the machine's clock be set by NTP, such as by `timedatectl set-ntp true`."
REPORT: Final = "Please report it."

BAD, LATER = ConfigError.exit_code, NetafluxError.exit_code
"""A person must mend something; it may pass."""
WORST_FIRST: Final = (BAD, NotAuthorized.exit_code, LATER, 1)
"""What a person must mend comes before what only time can."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    grade: Grade
    text: str
    remedy: str = ""
    code: int = 0
    """The exit code that it would be alone."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Finding":
        """From what the daemon sends, which may be of another version."""
        grade: Grade = "warning" if data.get("grade") == "warning" else "problem"
        grade = "ok" if data.get("grade") == "ok" else grade
        what, text, remedy = (str(data.get(key, "")) for key in ("what", "text", "remedy"))
        code = data.get("code", 0)
        return cls(what, grade, text, remedy, code if isinstance(code, int) else LATER)


def well(what: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(what, "ok", text)


def doubt(what: str, text: str, remedy: str = "") -> Finding:
    """It works, and a person should look at it all the same."""
    return Finding(what, "warning", text, remedy)


def trouble(what: str, text: str, remedy: str = "", code: int = LATER) -> Finding:
    """Something does not work."""
    return Finding(what, "problem", text, remedy, code)


def failed(what: str, error: NetafluxError) -> Finding:
    """An error of ours, as what it is about."""
    return trouble(what, error.message, error.remedy, error.exit_code)


def crashed(what: str, error: Exception) -> Finding:
    """The examination itself has a bug; the others go on."""
    return trouble(what, f"could not be looked at, for a bug: {error!r}", REPORT, 1)


def worst(codes: Iterable[int]) -> int:
    """The exit code of all together."""
    found = set(codes)
    return next((code for code in WORST_FIRST if code in found), 0)


def span(seconds: float) -> str:
    """A length of time in words, by its two largest units."""
    whole = round(abs(seconds))
    for size, unit, smaller, small in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {small}" if rest else f"{whole // size} {unit}"
    return f"{whole // MINUTE} min" if whole >= MINUTE else f"{whole} s"


def clock(ahead: float | None) -> Finding:
    """Our clock beside Netatmo's, which is so many seconds ahead; None where Netatmo has told no time."""
    if ahead is None:
        return doubt("clock", "not compared: Netatmo has told no time yet")
    if abs(ahead) < CLOCK_DOUBTED:
        return well("clock", "it agrees with Netatmo's")
    text = f"it is {span(ahead)} {'behind' if ahead > 0 else 'ahead of'} Netatmo's"
    return doubt("clock", text, SET_CLOCK) if abs(ahead) < CLOCK_WRONG else trouble("clock", text, SET_CLOCK)


def synchronized(told: bool | None) -> Iterator[Finding]:  # noqa: FBT001 - the kernel's word for it
    """Whether the kernel says that its clock is set by another; nothing where it does not say."""
    if told:
        yield well("clock", "the kernel says that it is synchronized")
    elif told is not None:
        yield doubt("clock", "the kernel says that it is not synchronized", SET_CLOCK)


def certificate(host: str, ends: float, now: float) -> Finding:
    """A certificate that holds, by the time that it has left."""
    what, left = f"certificate {host}", ends - now
    text = f"it is valid for {span(left)} more"
    if left < CERTIFICATE_SHORT:
        return doubt(what, text, "See why the server's certificate has not been renewed.")
    return well(what, text)


def room(free: int, size: int) -> Finding:
    """The space that is left for a state of that size, in bytes."""
    text = f"the state has {_megabytes(size)}, {_megabytes(free)} are free"
    remedy = "Make room on the disk of the state directory."
    # a file that is rebuilt needs its own size once more
    if free < max(ROOM_LACKING, size):
        return trouble("disk", text, remedy)
    return doubt("disk", text, remedy) if free < ROOM_SHORT + size else well("disk", text)


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"  # noqa: PLR2004 - a gigabyte


def mode(name: str, found: int, allowed: int, *, secret: bool) -> Finding | None:
    """The permissions of a file, where others may do more than is allowed; `secret` where it holds such."""
    beyond = stat.S_IMODE(found) & ~allowed & 0o077
    if not beyond:
        return None
    text = f"{name} has the mode {stat.S_IMODE(found):04o}: others may {_deeds(beyond)} it"
    remedy = f"chmod {allowed:04o} {name}"
    if secret or beyond & 0o022:
        return trouble("permissions", text, remedy, BAD)
    return doubt("permissions", text, remedy)


def _deeds(beyond: int) -> str:
    deeds = {0o044: "read", 0o022: "write", 0o011: "enter"}
    return " and ".join(word for bits, word in deeds.items() if beyond & bits)


def budget(what: str, state: BudgetState) -> Finding:
    """What Netatmo's limits leave."""
    text = ", ".join(
        f"{left} of {use.limit.permits} calls left in {span(use.limit.seconds)}"
        for use, left in zip(state.uses, state.left, strict=True)
    )
    if state.closed_until is None and state.per_hour is None:
        return well(what, text)
    why = f" ({state.reason})" if state.reason else ""
    if state.closed_until is None:
        return doubt(what, f"{text}; Netatmo gets {state.per_hour} calls an hour at most for now{why}")
    wait = f" for {span(state.wait)} more" if isfinite(state.wait) else ""
    return doubt(what, f"it is closed{wait}{why}; {text}", "netaflux waits, and goes on by itself.")


def scopes(
    what: str, granted: Collection[str], needed: Mapping[str, Collection[str]], remedy: str
) -> Finding:
    """What was granted beside what each kind of modules needs, of which any one scope will do."""
    if not granted:
        return doubt(what, "it is not known which are granted")
    missing = [
        f"{kind} {'need' if kind.endswith('s') else 'needs'} {' or '.join(any_of)}"
        for kind, any_of in needed.items()
        if not set(any_of) & set(granted)
    ]
    if missing:
        return trouble(
            what, f"{'; '.join(missing)}; granted: {' '.join(granted)}", remedy, NotAuthorized.exit_code
        )
    return well(what, f"granted: {' '.join(granted)}")


def version(running: str, ours: str) -> Finding:
    """The running daemon's version beside that of this command."""
    if running == ours:
        return well("daemon", f"it runs, version {running}")
    text = f"it runs version {running}, and this command is version {ours}"
    return doubt("daemon", text, "Restart the daemon, or use the command that belongs to it.")
