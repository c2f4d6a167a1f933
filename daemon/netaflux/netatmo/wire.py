"""Netatmo's JSON read field by field: a value of the wrong type is missing, and costs nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

from netaflux.core.errors import UpstreamFault
from netaflux.core.model import ModuleId, Number
from netaflux.netatmo.errors import Envelope

_EARLIEST, _LATEST = 1_000_000_000, 4_102_444_800
"""2001 and 2100: a server's clock outside of them is not set."""
_EXACT = 2**53
"""Up to here each whole number has a float of its own; those beyond are no longer what was meant."""

NOTHING: Mapping[str, object] = {}

_SWITCHES: Mapping[bool | int | str, bool] = {
    **dict.fromkeys((True, "on", "true", "1"), True),
    **dict.fromkeys((False, "off", "false", "0"), False),
}


def text(value: object) -> str | None:
    """A string that says something, without the blanks around it."""
    return value.strip() or None if isinstance(value, str) else None


def texts(value: object) -> tuple[str, ...]:
    """The strings of a list."""
    return tuple(filter(None, map(text, value))) if isinstance(value, list) else ()


def whole(value: object) -> int | None:
    """A whole number, be it written as 5 or as 5.0."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _EXACT else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: object) -> Number | None:
    """A finite number; JSON's true and false are not numbers, though Python's are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isfinite(value) else None


def moment(value: object) -> int | None:
    """Unix seconds; Netatmo writes 0 for never, and nothing is dated beyond 2100."""
    seconds = whole(value)
    return seconds if seconds and 0 < seconds <= _LATEST else None


def truth(value: object) -> bool | None:
    """True or false."""
    return value if isinstance(value, bool) else None


def switch(value: object) -> bool | None:
    """True or false, however it is told: observed as JSON's own, as 1 and 0, as "on" and "off"."""
    word = value.strip().lower() if isinstance(value, str) else value
    return _SWITCHES.get(word) if isinstance(word, bool | int | str) else None


def identity(value: object) -> str | None:
    """An id that is no MAC address, as text; numbers are observed too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value)


def thing(value: object) -> Mapping[str, object]:
    """A JSON object, an empty one where there is none."""
    return value if isinstance(value, dict) else NOTHING


def things(value: object) -> Iterator[Mapping[str, object]]:
    """The JSON objects of a list."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def module_id(value: object) -> ModuleId | None:
    """A MAC address as we write it; observed with stray blanks and in capitals."""
    return ModuleId("".join(value.split()).lower()) or None if isinstance(value, str) else None


def server_time(envelope: Envelope) -> int | None:
    """Netatmo's clock at the moment of the answer, where it can be one."""
    seconds = whole(envelope.get("time_server"))
    return seconds if seconds and _EARLIEST <= seconds <= _LATEST else None


@dataclass(frozen=True, slots=True)
class Fault:
    """A device that a good answer could not tell about, and Netatmo's code for why."""

    device: ModuleId
    code: int | None


def faults(envelope: Envelope) -> tuple[Fault, ...]:
    """The partial errors of a good answer; observed at `body.errors` and at `body.home.errors`."""
    return tuple(
        Fault(device, whole(each.get("code")))
        for each in _errors(envelope)
        if (device := module_id(each.get("id")))
    )


def require_no_errors(envelope: Envelope, about: str) -> None:
    """For a good answer that lacks what was asked for: whether there is none, one with errors does not tell.

    Raises UpstreamFault.
    """
    error = next(_errors(envelope), None)
    if error is not None:
        code = whole(error.get("code"))
        number = "" if code is None else f", code {code}"
        raise UpstreamFault(
            f"Netatmo's answer about {about} holds errors and nothing else{number}", code=code
        )


def _errors(envelope: Envelope) -> Iterator[Mapping[str, object]]:
    body = thing(envelope.get("body"))
    for place in (body, thing(body.get("home"))):
        yield from things(place.get("errors"))
