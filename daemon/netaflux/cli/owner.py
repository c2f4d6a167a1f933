"""Who performs a command: this process, or the daemon."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, NoReturn

from netaflux.cli.place import Place, daemon_of
from netaflux.cli.show import say, waiting
from netaflux.commands.words import Json
from netaflux.config import Loaded, secret_texts
from netaflux.core.errors import ALONE, NetafluxError, NobodyAtSocket, StateLocked
from netaflux.logs import configure_for_command
from netaflux.status.client import StatusClient

Take = Callable[[Json], None]
"""What is done with each event of a command."""


def carry_out(place: Place, name: str, asked: Json, take: Take) -> int:
    """Perform a command here, or have the daemon perform it; the exit code of its last event.

    Whoever holds the state's lock owns the tokens and the budget, so there is never a second one.
    """
    return carry_out_each(place, name, [asked], take)


def carry_out_each(place: Place, name: str, requests: Iterable[Json], take: Take) -> int:
    """Perform a command for one request after the other; the exit code of the very last event.

    What it waits for is said here, whatever the command.

    A request is taken when the events of the one before are known, and may depend on them.
    """
    passing = _Passing(take)
    loaded = place.load()
    configure_for_command(loaded.settings.log.level, secrets=secret_texts(loaded.settings))
    for warning in loaded.warnings:
        say(f"netaflux: note: {warning}")
    try:
        return asyncio.run(performed_here(loaded, name, requests, passing))
    except StateLocked as locked:
        return _by_the_daemon(loaded, name, requests, passing, locked)
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    finally:
        passing.broken_off()


class _Passing:
    """Takes what is for everybody out of a command's events, and passes the rest on."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._look = ""
        """Where to see what became of that which is on its way to change something."""

    def __call__(self, event: Json) -> None:
        if event["event"] == "waiting":  # beside the command, which may be sending meanwhile
            say(f"netaflux: {waiting(event['until'], event['reason'])}")
            return
        self._look = event["look"] if event["event"] == "sending" else ""
        if not self._look:
            self._take(event)

    @property
    def writing(self) -> bool:
        """Whether something is on its way that changes things."""
        return bool(self._look)

    def broken_off(self) -> None:
        """After the last event: say it where the outcome of something stays unknown."""
        if self._look:
            say("netaflux: whether it is done is unknown: the command was broken off")
            say(f"  → It is not tried again by itself. {self._look} shows how things are.")


async def performed_here(loaded: Loaded, name: str, requests: Iterable[Json], take: Take) -> int:
    """Perform a command for one request after the other in this process; the exit code of the last event.

    Raises StateLocked, StateForeign, StateError, ConfigError.
    """
    from netaflux.app import open_app  # noqa: PLC0415 - what a command over the socket does not need
    from netaflux.commands.perform import perform  # noqa: PLC0415 - the same

    if work := asyncio.current_task():
        # as Ctrl-C does: what is on its way arrives, and no token is lost
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    code = 1
    told_twice = loaded.settings.log.level != "debug"
    async with open_app(loaded, log_events=not told_twice) as app:
        for asked in requests:
            async with aclosing(perform(app, name, asked)) as events:
                async for event in events:
                    take(_alone(event))
                    code = event.get("exit_code", code)
    return code


def _alone(told: Any) -> Any:  # noqa: ANN401 - whatever stands in an event
    """The same, with what a person can do where no daemon goes on by itself."""
    if isinstance(told, list):
        return [_alone(each) for each in told]
    if not isinstance(told, dict):
        return told
    return {key: ALONE.get(each, each) if key == "remedy" else _alone(each) for key, each in told.items()}


def _by_the_daemon(
    loaded: Loaded, name: str, requests: Iterable[Json], take: "_Passing", locked: StateLocked
) -> int:
    client = daemon_of(loaded)
    code: int | None = None
    with _ending_in_order():
        for asked in requests:
            code = _one_by_the_daemon(client, name, asked, take, locked)
    return 1 if code is None else code


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let what asks this process to end pass through the code that says what stays unknown."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    # one that is ignored stays so, as under nohup
    ours = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _one_by_the_daemon(
    client: StatusClient, name: str, asked: Json, take: "_Passing", locked: StateLocked
) -> int:
    code: int | None = None
    try:
        for event in client.command(name, asked):
            take(event)
            code = event.get("exit_code", code)
    except NobodyAtSocket as nobody:
        # something owns the state but does not talk: another command, or a daemon that starts or stops
        raise locked from nobody
    if code is None:
        advice = "" if take.writing else "Try again."
        raise NetafluxError("the daemon ended before the command did", advice=advice)
    return code
