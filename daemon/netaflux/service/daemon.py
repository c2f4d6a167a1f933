"""`netaflux run`: until a signal, through as many configurations as it is told to read.

    Daemon     what stays: the state, the socket, the counters, the herald
      Life     what each configuration has of its own: app, rounds, health, teller

A new configuration is read and checked while the old one goes on, so a mistake in it changes nothing. One
that holds ends the old life, whose polls come to their end before.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from netaflux import __version__, logs
from netaflux.app import App, Ground, open_app, open_ground
from netaflux.clocks import RealClock, ScaledClock
from netaflux.commands.perform import perform
from netaflux.commands.status import glance, status
from netaflux.commands.words import Json
from netaflux.config import Loaded, secret_texts, state_dir
from netaflux.core.errors import ConfigError, NetafluxError, StateDamaged
from netaflux.service.health import Health
from netaflux.service.herald import Herald
from netaflux.service.reception import Reception
from netaflux.service.rounds import Rounds
from netaflux.service.signals import reload_on_hangup, stop_on_signals, told_by_signal
from netaflux.service.systemd import ServiceManager
from netaflux.service.teller import Teller
from netaflux.state.lock import name_of
from netaflux.status.metrics import Metrics
from netaflux.status.server import Answers

log = structlog.get_logger(__name__)

LEAVE_TO_FINISH: Final = 10.0
"""Seconds that polls and commands under way get when a new configuration takes over."""
LEAVE_TO_GO: Final = 30.0
"""Real seconds for those that were told to end: what changes things is not broken off before that."""
LONGEST_SWITCH: Final = 120.0
"""Seconds after which a configuration that has not taken over is stuck."""


async def run_daemon(load: Callable[[], Loaded], *, clock: RealClock | ScaledClock | None = None) -> None:
    """Run until a signal. Raises StateLocked, StateForeign, StateError, ConfigError.

    `load` reads the configuration, now and whenever SIGHUP asks for it. `clock` is for those who cannot wait:
    the tests of whole processes.
    """
    daemon = Daemon(load, clock or RealClock(), ServiceManager.of(os.environ))
    with reload_on_hangup(daemon.reload, daemon.stop), told_by_signal(daemon.toggle_debug):
        await daemon.run()
    log.info("service.stopped")


@dataclass(slots=True)
class Life:
    """The time of one configuration."""

    app: App
    rounds: Rounds
    health: Health
    teller: Teller
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when commands under way have to end."""
    guests: set[asyncio.Task[Any]] = field(default_factory=set)
    """Requests that work with the app."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nobody works with it any more."""

    @classmethod
    def of(cls, app: App, speed: float) -> "Life":
        """A life that is still to begin."""
        rounds = Rounds(app, interval=app.settings.poll.interval, speed=speed)
        health = Health(app, rounds)
        return cls(app, rounds, health, Teller(app, rounds, health))

    @contextmanager
    def visited(self) -> "Iterator[Life]":
        """Count the running task in, and out again."""
        guest = asyncio.current_task()
        assert guest is not None  # noqa: S101 - whoever awaits is one
        self.guests.add(guest)
        self.gone.clear()
        try:
            yield self
        finally:
            self.guests.discard(guest)
            if not self.guests:
                self.gone.set()

    async def finish(self) -> None:
        """Let polls and commands come to their end; those that take long are ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.rounds.finish(LEAVE_TO_FINISH))
            group.create_task(self._see_off())

    async def _see_off(self) -> None:
        """End commands that take long; those whose reader does not read notice nothing, and are cut off."""
        for leave, tell in ((LEAVE_TO_FINISH, self.ending.set), (LEAVE_TO_GO, self._put_out)):
            try:
                async with asyncio.timeout(leave):
                    await self._alone()
                    return
            except TimeoutError:
                tell()
        await self._alone()

    def _put_out(self) -> None:
        for guest in self.guests:
            guest.cancel()

    async def _alone(self) -> None:
        if self.guests:
            await self.gone.wait()


class Daemon:
    """What lives on while configurations come and go."""

    def __init__(
        self, load: Callable[[], Loaded], clock: RealClock | ScaledClock, manager: ServiceManager
    ) -> None:
        self._load = load
        self._clock = clock
        self._manager = manager
        self._secrets: set[str] = set()
        self._doubted: Sequence[str] = ()
        """What was said of the configuration already."""
        self._current: Loaded | None = None
        """The configuration that is in force."""
        self._life: asyncio.Future[Life] = asyncio.get_running_loop().create_future()
        """The life of the configuration in force; pending while one takes over."""
        self._seen: Life | None = None
        """The newest life, for scrapes: they do not wait while one takes over."""
        self._switching_since = self._clock.monotonic()
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()

    async def run(self) -> None:
        """Live with one configuration after another.

        Raises StateLocked, StateForeign, StateError, ConfigError.
        """
        loaded = self._load()
        self._log_as_told(loaded)
        loaded.settings.require_work()
        async with AsyncExitStack() as stack:
            ground = await stack.enter_async_context(open_ground(loaded, clock=self._clock))
            metrics = Metrics(ground.record, self._glance)
            stack.enter_context(ground.hub.listening(metrics))
            reception = Reception(self._answers(metrics), name_of(ground.state_dir) or "")
            stack.push_async_callback(reception.close)
            stack.enter_context(stop_on_signals(self.stop))
            herald = Herald(self._manager, self._hopeless, self._words)
            heralding = asyncio.create_task(herald.run(), name="herald")
            stack.push_async_callback(_ended, heralding)
            await self._live(loaded, ground, reception)

    async def _live(self, loaded: Loaded, ground: Ground, reception: Reception) -> None:
        following: Loaded | None = loaded
        while following is not None:
            try:
                following = await self._live_with(following, ground, reception)
            except NetafluxError as error:
                if self._current is None or self._current is following:
                    raise
                # it looked well, and could not be opened all the same
                self._refused(error)
                following = self._current

    async def _live_with(self, loaded: Loaded, ground: Ground, reception: Reception) -> Loaded | None:
        """Work with a configuration; answers the one that follows, or nothing when it is to stop."""
        async with open_app(loaded, ground=ground) as app:
            life = Life.of(app, self._clock.speed)
            await reception.be_at(loaded.settings)
            self._log_as_told(loaded)
            ground.record.begin_anew()
            self._in_force(life, loaded, reception)
            with life.health.watching():
                ending = asyncio.Event()
                work = asyncio.create_task(life.rounds.run(ending), name="rounds")
                telling = asyncio.create_task(life.teller.run(ending), name="teller")
                try:
                    following = await self._wished(work, ground, reception)
                    if following is not None and not await self._finished(life):
                        following = None
                finally:
                    ending.set()
                    await asyncio.gather(work, telling, return_exceptions=True)
                    work.result()
                    if self.stop.is_set():
                        self._manager.stopping()
                        await reception.close()
        return following

    def _in_force(self, life: Life, loaded: Loaded, reception: Reception) -> None:
        name = "service.started" if self._current is None else "configuration.reread"
        log.info(
            name,
            version=__version__,
            accounts=len(life.app.accounts),
            devices=len(loaded.settings.devices),
            socket=str(reception.path),
        )
        self._current, self._seen = loaded, life
        self._life.set_result(life)
        self._manager.ready()

    async def _wished(self, work: asyncio.Task[None], ground: Ground, reception: Reception) -> Loaded | None:
        """Wait for a wish: nothing if it is to stop, else the next configuration that holds."""
        database = ground.state.database
        while True:
            wishes = [asyncio.create_task(each.wait()) for each in (self.stop, self.reload, database.damaged)]
            try:
                await asyncio.wait([work, *wishes], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in wishes:
                    each.cancel()
            if self.stop.is_set() or work.done():
                return None
            if (damage := database.damage) is not None:
                # the next start mends it; going on would only make it worse
                told = "state.damaged" if isinstance(damage, StateDamaged) else "state.closed"
                log.error(told, reason=damage.message, remedy=damage.remedy)
                raise damage
            self.reload.clear()
            if following := await self._reread(ground, reception):
                return following

    async def _reread(self, ground: Ground, reception: Reception) -> Loaded | None:
        """The configuration as it is written now, if it holds; what does not is told and changes nothing."""
        self._manager.reloading()
        try:
            loaded = await asyncio.to_thread(self._load)
            loaded.settings.require_work()
            _stays(state_dir(loaded.settings, os.environ), ground.state_dir)
            await reception.be_at(loaded.settings)
            return loaded
        except NetafluxError as error:
            self._refused(error)
        except Exception:  # whatever is wrong with the new one, the old one is right
            log.exception("configuration.refused", reason="a bug")
        self._manager.ready()
        return None

    def _refused(self, error: NetafluxError) -> None:
        log.error("configuration.refused", reason=error.message, remedy=error.remedy)

    async def _finished(self, life: Life) -> bool:
        """Let a life end in favour of the next, with nothing dropped; false if that is to stop, too."""
        self._life = asyncio.get_running_loop().create_future()
        self._switching_since = self._clock.monotonic()
        finishing = asyncio.create_task(life.finish(), name="finishing")
        stopping = asyncio.create_task(self.stop.wait(), name="stopping")
        await asyncio.wait([finishing, stopping], return_when=asyncio.FIRST_COMPLETED)
        for each in (finishing, stopping):
            each.cancel()
        await asyncio.gather(finishing, stopping, return_exceptions=True)
        return not self.stop.is_set()

    def _log_as_told(self, loaded: Loaded) -> None:
        """Log as the configuration says; secrets of earlier ones stay masked."""
        self._secrets.update(secret_texts(loaded.settings))
        told = loaded.settings.log
        logs.configure(told.level, told.format, secrets=self._secrets)
        if loaded.warnings != self._doubted:
            for warning in loaded.warnings:
                log.warning("configuration.doubted", reason=warning)
        self._doubted = loaded.warnings

    def toggle_debug(self) -> None:
        """Tell everything, or what the configuration says again."""
        told = self._current.settings.log.level if self._current else "info"
        logs.change_level(told if logs.level_now() == "debug" else "debug", "SIGUSR1")

    # what is answered

    def _answers(self, metrics: Metrics) -> Answers:
        return Answers(
            alive=self._unwell,
            ready=self._unready,
            status=self._status,
            metrics=metrics.exposition,
            command=self._perform,
        )

    async def _unwell(self) -> list[str]:
        return await self._life.result().health.unwell() if self._life.done() else self._stuck_between()

    async def _hopeless(self) -> list[str]:
        if self._life.done():
            return await self._life.result().health.unwell(disk=False)
        return self._stuck_between()

    def _stuck_between(self) -> list[str]:
        lasts = self._clock.monotonic() - self._switching_since
        return ["the new configuration does not take over"] if lasts > LONGEST_SWITCH else []

    def _words(self) -> str:
        if self._life.done():
            return self._life.result().health.words()
        return "Starting" if self._current is None else "Taking over a new configuration"

    async def _unready(self) -> list[str]:
        return (self._seen or await self._living()).health.unready()

    async def _status(self) -> Json:
        # one that is coming to its end still tells how things are: that may take ten seconds
        with (self._seen or await self._living()).visited() as life:
            return await status(life.app, life.rounds.next_poll)

    def _glance(self) -> Json | None:
        return None if self._seen is None else glance(self._seen.app, self._seen.rounds.next_poll)

    async def _perform(self, name: str, asked: Json) -> AsyncGenerator[Json, None]:
        with (await self._living()).visited() as life:
            async with aclosing(perform(life.app, name, asked, ending=life.ending)) as events:
                async for event in events:
                    yield event

    async def _living(self) -> Life:
        """The life in force; whoever comes while one takes over waits for it."""
        return await asyncio.shield(self._life)


def _stays(directory: Path, ours: Path) -> None:
    if directory != ours:
        raise ConfigError(
            f"state_dir: another state directory, {directory}, takes a new start",
            advice="Restart netaflux, or put the old one back.",
        )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
