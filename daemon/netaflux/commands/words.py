"""How commands speak: times, and names that may have been meant."""

from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

Json = dict[str, Any]
"""One event of a command, or its request: plain data, the same over the socket."""


def iso(time: float | None) -> str | None:
    """Unix seconds as UTC text, to the second."""
    return None if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def near_or_all(name: str, known: Sequence[str]) -> str:
    """What may have been meant, else what there is."""
    if near := get_close_matches(name, known, n=3):
        return f"did you mean {' or '.join(near)}?"
    return f"there is {', '.join(known)}" if known else "there is none"
