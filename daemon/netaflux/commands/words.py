"""How commands speak: times, and names that may have been meant."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from netaflux.core.errors import UsageError
from netaflux.core.model import AccountName
from netaflux.core.near import did_you_mean

Json = dict[str, Any]
"""One event of a command, or its request: plain data, the same over the socket."""


def sending(look: str) -> Json:
    """The event before something goes out that changes things; `look` is where to see how it went.

    A command that breaks off before its next event leaves the outcome unknown.
    """
    return {"event": "sending", "look": look}


def last_of(events: Sequence[Json]) -> Json:
    """The event that a command ended with; one that says nothing where it was stopped before it said any."""
    return events[-1] if events else {"event": "nothing"}


def iso(time: float | None) -> str | None:
    """Unix seconds as UTC text, to the second."""
    return None if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def near_or_all(name: str, known: Sequence[str]) -> str:
    """The end of an error's sentence: what may have been meant, else what there is."""
    if meant := did_you_mean(name, known):
        return meant
    return f"; there is {', '.join(f'`{one}`' for one in known)}" if known else "; there is none"


def account_named(name: str, known: Sequence[AccountName]) -> AccountName:
    """The account of that name. Raises UsageError where there is none."""
    if name not in known:
        raise UsageError(f"no account `{name}` in the configuration{near_or_all(name, known)}")
    return AccountName(name)
