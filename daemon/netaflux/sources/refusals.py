"""Calls that wait through refusals: a limit that is reached is an ordinary event."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from netaflux.core.errors import QuotaReached

REFUSALS = 6
"""Refusals in a row that a call waits through; the budget stays closed longer after each, up to an hour."""

T = TypeVar("T")


async def through_refusals(call: Callable[[], Awaitable[T]]) -> T:
    """What the call answers; it is made again as soon as the budget lets it pass. Raises what it raises."""
    for _ in range(REFUSALS - 1):
        try:
            return await call()
        except QuotaReached:
            continue  # the next try waits for its permit
    return await call()
