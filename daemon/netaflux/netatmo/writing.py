"""Calls that change something: made once, and their outcome told as far as it is known."""

from collections.abc import Iterator

from netaflux.core.errors import (
    Busy,
    DeviceUnreachable,
    OutcomeUnknown,
    QuotaReached,
    RequestRefused,
    TokenRejected,
    Unreachable,
    UpstreamFault,
)
from netaflux.core.model import Lane
from netaflux.http import Fields
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.wire import thing, things, whole

_NOTHING_TO_MODIFY = 7
_ALREADY = 23
"""Among partial errors: it is so already."""
_UNREACHABLE = frozenset({6, 19})
_NOTHING_DONE = "Nothing was changed; try again in a moment."


async def write(
    client: NetatmoClient, endpoint: str, params: Fields, *, look: str, body: object = None
) -> bool:
    """Change something; whether there was anything to change.

    It is sent once, whatever happens. Where no answer tells what became of it, OutcomeUnknown says how to
    look. Raises NetatmoError, Unreachable where nothing was sent, NotAuthorized, StateError.
    """
    try:
        envelope = await client.call(endpoint, params, lane=Lane.LIVE, write=True, body=body)
    except Unreachable as error:
        if not error.sent:
            error.remedy = _NOTHING_DONE
            raise
        raise _unknown(error.message, look) from error
    except UpstreamFault as error:
        raise _unknown(error.message, look) from error
    except (Busy, QuotaReached, TokenRejected) as error:
        error.remedy = _NOTHING_DONE
        raise
    except RequestRefused as error:
        if error.code == _NOTHING_TO_MODIFY:
            return False
        raise
    return _judged(envelope, endpoint)


def _unknown(reason: str, look: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"whether Netatmo has done it is unknown: {reason}",
        advice=f"It is not tried again by itself. {look} shows how things are.",
    )


def _judged(envelope: Envelope, endpoint: str) -> bool:
    """Whether something was changed, where a good answer may hold errors all the same."""
    codes = set(_codes(envelope))
    if refused := codes - {_ALREADY}:
        told = ", ".join(str(code) for code in sorted(refused))
        kind = DeviceUnreachable if refused & _UNREACHABLE else RequestRefused
        raise kind(f"Netatmo could not do all of {endpoint} (code {told})", code=min(refused))
    return not codes


def _codes(envelope: Envelope) -> Iterator[int]:
    body = thing(envelope.get("body"))
    for place in (body, thing(body.get("home"))):
        for each in things(place.get("errors")):
            yield whole(each.get("code")) or 0
