"""The daemon's life: bells ring, rounds run in tasks of our own, a signal ends it with nothing half done.

    bell (one APScheduler job per module) → round: survey (shared by the account) → poll → history in a task
                                                   of its own, so that the live end never waits for the past

APScheduler only rings: its third version cancels running coroutines at shutdown and lets intervals drift, so
its jobs are one-shot dates in UTC and the work is ours.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from netaflux import __version__, logs
from netaflux.app import App, open_app
from netaflux.commands import perform
from netaflux.commands.status import status
from netaflux.commands.words import Json
from netaflux.config import Loaded, secret_texts, socket_path
from netaflux.core.cadence import backed_off
from netaflux.core.errors import NetafluxError, NotAuthorized
from netaflux.core.events import AccountFailed, AccountRecovered, PollFailed
from netaflux.core.model import AccountName, ModuleId
from netaflux.core.ports import Bells, Clock
from netaflux.status.server import Answers, serve

log = structlog.get_logger(__name__)

CLOCK_CHECK = 2.0
"""Real seconds between looks at whether the system clock has jumped."""
CLOCK_JUMP = 1.0
"""Seconds between wall and monotonic time that count as a jump."""
OVERDUE = 60.0
"""Seconds after which a bell that has not rung means that nothing rings."""
DATABASE_ANSWERS = 3.0
"""Real seconds that the database may take for one row."""
LOOK_AGAIN = 86400.0
"""Seconds until an account is surveyed again only because a configured module is missing."""


class SchedulerBells:
    """`Bells` by APScheduler. Its jobs hang on the wall clock, so they are set anew whenever that jumps."""

    def __init__(self, clock: Clock, ring: Callable[[str], None], *, speed: float = 1.0) -> None:
        self._clock = clock
        self._ring = ring
        self._speed = speed
        self._due: dict[str, float] = {}
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ring while the block runs."""
        self._scheduler.start()
        guard = asyncio.create_task(self._guard(), name="clock guard")
        try:
            yield
        finally:
            guard.cancel()
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # the shutdown is only queued until the loop turns once more

    def ring_at(self, key: str, when: float) -> None:
        """Ring `key` at that monotonic time."""
        self._due[key] = when
        wait = max(0.0, when - self._clock.monotonic()) / self._speed
        moment = datetime.now(UTC) + timedelta(seconds=wait)
        self._scheduler.add_job(
            self._rung,
            DateTrigger(moment),
            args=[key],
            id=key,
            replace_existing=True,
            misfire_grace_time=None,
        )

    async def _rung(self, key: str) -> None:
        # a coroutine, or APScheduler would call it in a thread
        self._due.pop(key, None)
        self._ring(key)

    async def _guard(self) -> None:
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_CHECK)
            now = time.time() - time.monotonic()
            if abs(now - offset) > CLOCK_JUMP:
                log.warning("clock.jumped", seconds=round(now - offset, 1))
                for key, when in tuple(self._due.items()):
                    self.ring_at(key, when)
            offset = now


@dataclass(slots=True)
class Job:
    """A round that is rung again and again."""

    key: str
    run: Callable[[], Awaitable[float]]
    """Does the round; answers the monotonic time of the next one."""
    next_at: float = 0.0
    failures: int = 0
    task: asyncio.Task[None] | None = None


class Service:
    """Polls all accounts until it is told to stop."""

    def __init__(self, app: App, *, interval: float, speed: float = 1.0) -> None:
        self._app = app
        self._clock = app.clock
        self._interval = interval
        self._scheduler = SchedulerBells(app.clock, self._rung, speed=speed)
        self._bells: Bells = self._scheduler
        self._jobs: dict[str, Job] = {}
        self._past: dict[ModuleId, asyncio.Task[None]] = {}
        self._waiting: dict[AccountName, asyncio.Task[None]] = {}
        self._failing: dict[AccountName, int] = {}
        self._rounds_done: set[AccountName] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let what is on its way arrive."""
        try:
            async with self._scheduler.running():
                for name in self._app.accounts:
                    self._add(f"account:{name}", partial(self._account_round, name))
                await stop.wait()
        finally:
            await self._end(list(self._tasks()))

    def _tasks(self) -> Iterator[asyncio.Task[None]]:
        yield from (job.task for job in self._jobs.values() if job.task)
        yield from self._past.values()
        yield from self._waiting.values()

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what the rounds are ---

    async def _account_round(self, name: AccountName) -> float:
        """Find the account's modules, and give each its job."""
        await self._survey(name, max_age=0)
        return self._clock.monotonic() + LOOK_AGAIN

    async def _module_round(self, name: AccountName, module: ModuleId) -> float:
        """Poll one module; those of an account share the survey of this round."""
        account = self._app.accounts[name].account
        begun = self._clock.monotonic()
        await self._survey(name, max_age=self._interval / 2)
        if account.targets(module):
            await account.poll(module)
            self._look_into_the_past(name, module)
        return max(begun, account.surveyed_at) + self._interval

    async def _survey(self, name: AccountName, *, max_age: float) -> None:
        account = self._app.accounts[name].account
        await self._app.open_doors()
        try:
            roster = await account.survey(max_age=max_age)
        except NotAuthorized:
            self._wait_for_authorization(name)
            raise  # its keeper has told
        except NetafluxError as error:
            self._failing[name] = self._failing.get(name, 0) + 1
            self._app.hub.tell(AccountFailed(account=name, reason=error.message, remedy=error.remedy))
            raise
        if failures := self._failing.pop(name, 0):
            self._app.hub.tell(AccountRecovered(account=name, failures=failures))
        for module in roster.targets:
            self._add(f"module:{module}", partial(self._module_round, name, module))
        self._rounds_done.add(name)

    def _look_into_the_past(self, name: AccountName, module: ModuleId) -> None:
        running = self._past.get(module)
        if running is None or running.done():
            work = self._catch_up(name, module)
            self._past[module] = asyncio.create_task(work, name=f"history {module}")

    async def _catch_up(self, name: AccountName, module: ModuleId) -> None:
        try:
            await self._app.accounts[name].account.catch_up(module)
        except NetafluxError as error:
            self._app.hub.tell(PollFailed(module=module, reason=error.message))
        except Exception:
            log.exception("history.crashed", module=module)

    # --- how they are run ---

    def _add(self, key: str, run: Callable[[], Awaitable[float]]) -> None:
        if key not in self._jobs:
            self._jobs[key] = Job(key, run)
            self._ring_at(self._jobs[key], self._clock.monotonic())

    def _ring_at(self, job: Job, when: float) -> None:
        job.next_at = when
        self._bells.ring_at(job.key, when)

    def _rung(self, key: str) -> None:
        job = self._jobs[key]
        if job.task is None or job.task.done():
            job.task = asyncio.create_task(self._work(job), name=key)

    async def _work(self, job: Job) -> None:
        """One round, and the bell for the next, whatever happens: no failure ends a job."""
        try:
            when = await job.run()
            job.failures = 0
        except NetafluxError as error:
            when = self._later(job)
            self._tell_failed(job, error)
        except Exception:
            when = self._later(job)
            log.exception("round.crashed", job=job.key)
        self._ring_at(job, when)

    def _later(self, job: Job) -> float:
        job.failures += 1
        return self._clock.monotonic() + min(self._interval, backed_off(job.failures))

    def _tell_failed(self, job: Job, error: NetafluxError) -> None:
        kind, _, name = job.key.partition(":")
        if kind == "module" and not isinstance(error, NotAuthorized):
            self._app.hub.tell(PollFailed(module=ModuleId(name), reason=error.message))

    def _wait_for_authorization(self, name: AccountName) -> None:
        if name not in self._waiting or self._waiting[name].done():
            work = self._ring_when_authorized(name)
            self._waiting[name] = asyncio.create_task(work, name=f"authorization {name}")

    async def _ring_when_authorized(self, name: AccountName) -> None:
        """As soon as a person has authorized the account again, all that has failed meanwhile is rung."""
        with suppress(NetafluxError):  # the bells go on ringing, only later
            await self._app.accounts[name].keeper.wait_authorized()
            for job in self._jobs.values():
                if job.failures:
                    self._ring_at(job, self._clock.monotonic())

    # --- how they are doing ---

    def next_poll(self, module: ModuleId) -> float | None:
        """Unix seconds of a module's next poll."""
        job = self._jobs.get(f"module:{module}")
        if job is None:
            return None
        return self._clock.now() + job.next_at - self._clock.monotonic()

    async def unwell(self) -> list[str]:
        """What is wrong with the process itself: bells that do not ring, a database that does not answer."""
        late = self._clock.monotonic() - OVERDUE
        problems = [
            f"the bell of {job.key} has not rung"
            for job in self._jobs.values()
            if job.next_at < late and (job.task is None or job.task.done())
        ]
        try:
            async with asyncio.timeout(DATABASE_ANSWERS):
                await self._app.state.database.probe()
        except TimeoutError:
            problems.append("the database does not answer")
        except NetafluxError as error:
            problems.append(error.message)
        return problems

    async def unready(self) -> list[str]:
        """What is missing for the service to be of use."""
        problems = [
            f"account {name}: {connected.keeper.suspicion}"
            for name, connected in self._app.accounts.items()
            if connected.keeper.needs_person
        ]
        waiting = [name for name in self._app.accounts if name not in self._rounds_done]
        return problems + [f"account {name}: its first poll is not done yet" for name in waiting]

    def ring_all(self) -> None:
        """Ring every bell now."""
        for job in self._jobs.values():
            self._ring_at(job, self._clock.monotonic())

    def caught_up(self) -> bool:
        """Whether every module was polled and no work on the past is under way."""
        modules = [job for key, job in self._jobs.items() if key.startswith("module:")]
        polled = all(job.next_at > self._clock.monotonic() and not job.failures for job in modules)
        return bool(modules) and polled and all(task.done() for task in self._past.values())


async def run_daemon(loaded: Loaded) -> None:
    """`netaflux run`: until a signal. Raises StateLocked, StateForeign, StateError, ConfigError."""
    settings = loaded.settings
    logs.configure(settings.log.level, settings.log.format, secrets=secret_texts(settings))
    for warning in loaded.warnings:
        log.warning("configuration.doubted", reason=warning)
    path = socket_path(settings, os.environ)
    stop = asyncio.Event()
    async with open_app(loaded) as app:
        service = Service(app, interval=settings.poll.interval)
        with stop_on_signals(stop):
            async with serve(path, _answers(app, service), mode=settings.status.mode, owner=os.getuid()):
                log.info(
                    "service.started",
                    version=__version__,
                    accounts=len(app.accounts),
                    devices=len(settings.devices),
                    socket=str(path),
                )
                await service.run(stop)
    log.info("service.stopped")


def _answers(app: App, service: Service) -> Answers:
    async def shown() -> Json:
        return await status(app, service.next_poll)

    return Answers(
        alive=service.unwell,
        ready=service.unready,
        status=shown,
        command=lambda name, asked: perform(app, name, asked),
    )


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
