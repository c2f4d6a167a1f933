"""`netaflux run`: the app, its rounds and its socket, until a signal."""

import asyncio
import os

import structlog

from netaflux import __version__, logs
from netaflux.app import App, open_app
from netaflux.clocks import RealClock, ScaledClock
from netaflux.commands.perform import perform
from netaflux.commands.status import status
from netaflux.commands.words import Json
from netaflux.config import Loaded, secret_texts, socket_path
from netaflux.service.rounds import Rounds
from netaflux.service.signals import stop_on_signals
from netaflux.state.lock import name_of
from netaflux.status.server import Answers, serve

log = structlog.get_logger(__name__)


async def run_daemon(loaded: Loaded, *, clock: RealClock | ScaledClock | None = None) -> None:
    """`netaflux run`: until a signal. Raises StateLocked, StateForeign, StateError, ConfigError.

    `clock` is for those who cannot wait: the tests of whole processes.
    """
    settings, clock = loaded.settings, clock or RealClock()
    logs.configure(settings.log.level, settings.log.format, secrets=secret_texts(settings))
    for warning in loaded.warnings:
        log.warning("configuration.doubted", reason=warning)
    settings.require_work()
    path = socket_path(settings, os.environ)
    stop = asyncio.Event()
    async with open_app(loaded, clock=clock) as app:
        rounds = Rounds(app, interval=settings.poll.interval, speed=clock.speed)
        with stop_on_signals(stop):
            async with serve(
                path,
                _answers(app, rounds),
                mode=settings.status.mode,
                owner=os.getuid(),
                state=name_of(app.state_dir) or "",
            ):
                log.info(
                    "service.started",
                    version=__version__,
                    accounts=len(app.accounts),
                    devices=len(settings.devices),
                    socket=str(path),
                )
                await rounds.run(stop)
    log.info("service.stopped")


def _answers(app: App, rounds: Rounds) -> Answers:
    async def shown() -> Json:
        return await status(app, rounds.next_poll)

    return Answers(
        alive=rounds.unwell,
        ready=rounds.unready,
        status=shown,
        command=lambda name, asked: perform(app, name, asked),
    )
