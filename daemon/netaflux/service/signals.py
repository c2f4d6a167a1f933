"""A signal asks the daemon to stop, a second one does not ask; others have it read anew, or say more."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

log = structlog.get_logger(__name__)


@contextmanager
def stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a request to stop; a second one acts at once.

    asyncio's handler runs in the loop, so a request is only seen when the loop turns; giving the default
    action back lets an impatient second signal end the process even if the loop is stuck. That is safe: what
    is on disk is whole after every commit.
    """
    loop = asyncio.get_running_loop()

    def requested(number: signal.Signals) -> None:
        stop.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        log.info("stop.requested", signal=number.name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, requested, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(ValueError, RuntimeError):
                loop.remove_signal_handler(number)


@contextmanager
def reload_on_hangup(reload: asyncio.Event, stop: asyncio.Event) -> Iterator[None]:
    """Turn SIGHUP into a request to reload; where it tells of a terminal that is gone, into one to stop.

    Where it is ignored (nohup) it stays so.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return
    loop, wish = asyncio.get_running_loop(), stop if _at_a_terminal() else reload
    loop.add_signal_handler(signal.SIGHUP, wish.set)
    try:
        yield
    finally:
        with suppress(ValueError, RuntimeError):
            loop.remove_signal_handler(signal.SIGHUP)


@contextmanager
def told_by_signal(toggle: Callable[[], None]) -> Iterator[None]:
    """Turn each SIGUSR1, whose default would be to end the process, into a call."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, toggle)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
        # one that comes while the process ends must not end it otherwise
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _at_a_terminal() -> bool:
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
