"""The rounds: what is done when a bell rings, for each account, kind of modules, and module.

    account bell → survey → a bell for each module
    module bell  → survey, shared by its kind → early row → poll, if it has news
                 → the past, in a task of its own

The bells follow the stations' uploads (`flow/cadence`). The live end never waits for the past, and no failure
ends a job: the bell for the next round is set whatever happens.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from netaflux.app import App, Connected
from netaflux.core.cadence import SHORTEST_BACK_OFF, backed_off
from netaflux.core.errors import EXCHANGES, NetafluxError, NotAuthorized, ScopeDenied
from netaflux.core.events import (
    AccountFailed,
    AccountRecovered,
    ErrorMet,
    FailureRepeated,
    FailuresCounted,
    PollFailed,
    PollRecovered,
)
from netaflux.core.model import AccountName, ModuleId, SourceName
from netaflux.core.reminder import Reminder
from netaflux.flow.account import Account
from netaflux.flow.cadence import Cadence, SteadyCadence
from netaflux.service.bells import Hang, SchedulerBells
from netaflux.service.storage import LOOK_EVERY, Storage

log = structlog.get_logger(__name__)

DOOR_ANSWERS = 3.0
"""Seconds that a round waits for destinations that were failing; one that answers later gets the next one."""
LONGEST_PAST_BACK_OFF = 3600.0
"""Seconds until work on the past is tried again at the latest."""
LOOK_AGAIN = 86400.0
"""Seconds until an account is surveyed only because a configured module is missing."""
LOOK_AGAIN_EMPTY = 3600.0
"""The same where none of its modules was found, which may well be Netatmo's fault."""


AFTER_A_BUCKET, AFTER_A_BIN = 120.0, 60.0
"""Seconds after its end when a bucket of heating, or five minutes of a camera, are asked for."""
HALF_AN_HOUR, FIVE_MINUTES = 1800.0, 300.0
LOOK_FOR_A_SCOPE = 3600.0
"""Seconds until a call is made again that only a person can make possible."""


@dataclass(slots=True)
class Kind:
    """An account's modules of one source, and when they are polled."""

    connected: Connected
    account: Account
    cadence: Cadence | SteadyCadence
    failing: int = 0
    """How often in a row it could not be surveyed."""
    denied: str = ""
    """Why only a person can let it be surveyed: a scope is missing."""
    surveyed: bool = False
    reminder: Reminder = field(default_factory=Reminder)

    @property
    def key(self) -> str:
        """Its name among the bells."""
        return f"{self.account.name}/{self.account.source_name.value}"


@dataclass(slots=True, kw_only=True)
class Job:
    """A round that is rung again and again: a module's, or that of a kind of modules."""

    key: str
    kind: Kind
    module: ModuleId | None = None
    run: Callable[[], Awaitable[float]]
    """Does the round; answers the monotonic time of the next one."""
    next_at: float = 0.0
    rounds: int = 0
    """Rounds that came to a good end."""
    failures: int = 0
    """Failed ones in a row."""
    denied: bool = False
    """Whether only a person can make it succeed: a scope is missing."""
    task: asyncio.Task[None] | None = None
    past: asyncio.Task[None] | None = None
    """The module's work on its past."""
    past_failures: int = 0
    """How often that failed in a row."""
    past_at: float = float("-inf")
    """The monotonic time before which it is not tried again."""
    crash: str = ""
    """The bug that has been told of; the same one is not told again before a good end."""
    past_crash: str = ""
    """The same of the work on the past."""
    began: float = 0.0
    """When the round under way began, or the newest one, in monotonic time."""
    past_began: float = 0.0
    """The same of the work on the past."""
    reminder: Reminder = field(default_factory=Reminder)

    def working_since(self) -> Iterator[float]:
        """When that which is under way began."""
        for task, began in ((self.task, self.began), (self.past, self.past_began)):
            if task is not None and not task.done():
                yield began


class Rounds:
    """Polls all accounts until it is told to stop."""

    def __init__(self, app: App, *, interval: float, speed: float = 1.0, hang: Hang | None = None) -> None:
        self._app = app
        self._clock = app.clock
        self._interval = interval
        hang = hang or partial(SchedulerBells, speed=speed)
        self._bells = hang(app.clock, self._rung)
        self._kinds = [
            Kind(connected, account, self._cadence(connected, account)) for connected, account in app.kinds()
        ]
        self.storage = Storage(app.state.database, app.clock, app.hub, self.ring_all)
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[AccountName, asyncio.Task[None]] = {}
        self._scopes: dict[AccountName, Collection[str]] = {}
        self._knocking: asyncio.Task[None] | None = None
        self._resting = False

    @property
    def jobs(self) -> Collection[Job]:
        """All that is rung."""
        return self._jobs.values()

    @property
    def kinds(self) -> Sequence[Kind]:
        """What is polled."""
        return self._kinds

    def _cadence(self, connected: Connected, account: Account) -> Cadence | SteadyCadence:
        budget, clock = connected.gate.share(), self._clock
        if account.source_name in (SourceName.STATIONS, SourceName.COACHES):
            return Cadence(
                account, budget=budget, clock=clock, observer=self._app.hub, interval=self._interval
            )
        camera = account.source_name is SourceName.CAMERAS
        step, delay = (FIVE_MINUTES, AFTER_A_BIN) if camera else (HALF_AN_HOUR, AFTER_A_BUCKET)
        period = max(1, round(self._interval / step)) * step
        return SteadyCadence(account, budget=budget, clock=clock, period=period, delay=delay)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let what is on its way arrive."""
        watching = asyncio.create_task(self.storage.run(), name="storage")
        try:
            async with self._bells.running():
                for kind in self._kinds:
                    run = partial(self._kind_round, kind)
                    self._add(Job(key=f"account:{kind.key}", kind=kind, run=run))
                await stop.wait()
        finally:
            await self._end([*self._tasks(), watching])

    async def finish(self, within: float) -> None:
        """Begin no round any more, and let those under way come to their end, for so many seconds.

        Their work on the past is not waited for: it goes on where it was.
        """
        self._resting = True
        live = [job.task for job in self._jobs.values() if job.task is not None]
        if live:
            await asyncio.wait(live, timeout=within)

    def _tasks(self) -> Iterator[asyncio.Task[None]]:
        tasks = [task for job in self._jobs.values() for task in (job.task, job.past)]
        yield from (task for task in (*tasks, self._knocking, *self._waiting.values()) if task is not None)

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # what the rounds are

    async def _kind_round(self, kind: Kind) -> float:
        """Find the modules of one kind, and give each its job."""
        await self._survey(kind, max_age=self._interval)
        found = any(job.module for job in self._jobs.values() if job.kind is kind)
        return self._clock.monotonic() + (LOOK_AGAIN if found else LOOK_AGAIN_EMPTY)

    async def _module_round(self, kind: Kind, module: ModuleId) -> float:
        """Poll one module, if it has news; those of a kind share the survey of this round."""
        account, cadence = kind.account, kind.cadence
        # one that has vanished is looked for in the surveys that others need anyway
        max_age = cadence.survey_age(module) if account.targets(module) else self._interval
        await self._survey(kind, max_age=max_age)
        if not account.targets(module):
            return self._clock.monotonic() + self._interval
        await account.poll_early(module)
        if cadence.wants(module):
            polled = await account.poll(module)
            cadence.asked(module, stopped=polled.stopped)
        self._look_into_the_past(self._jobs[_key(account, module)], module)
        return cadence.next_at(module)

    async def _survey(self, kind: Kind, *, max_age: float) -> None:
        await self._open_doors()
        try:
            roster = await kind.account.survey(max_age=max_age)
        except NotAuthorized:
            raise  # its keeper has told
        except NetafluxError as error:
            if not self.storage.explains(error):
                self._kind_failed(kind, error)
            raise
        if kind.failing:
            source = kind.account.source_name.value
            recovered = AccountRecovered(account=kind.account.name, source=source, failures=kind.failing)
            self._app.hub.tell(recovered)
            kind.failing, kind.denied = 0, ""
        for module in roster.targets:
            run = partial(self._module_round, kind, module)
            self._add(Job(key=_key(kind.account, module), kind=kind, module=module, run=run))
        kind.surveyed = True
        for module in kind.cadence.surveyed():
            self._ring_now(self._jobs[_key(kind.account, module)])
        self._look_at_scopes(kind.connected)

    def _look_at_scopes(self, connected: Connected) -> None:
        """A person may have granted what another kind of modules has been waiting for."""
        scopes = connected.keeper.scopes
        if self._scopes.setdefault(connected.name, scopes) != scopes:
            self._scopes[connected.name] = scopes
            self._ring_failed(connected.name)

    async def _open_doors(self) -> None:
        """Knock at the destinations; at one that is failing in a task of its own, since it may not answer."""
        if not any(door.failures for door in self._app.doors.values()):
            await self._app.open_doors()
            return
        knocking = self._knocking
        if knocking is None or knocking.done():
            knocking = self._knocking = asyncio.create_task(self._app.open_doors(), name="doors")
        patience = asyncio.create_task(self._clock.sleep(DOOR_ANSWERS), name="patience with doors")
        try:
            await asyncio.wait({knocking, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        if knocking.done():
            knocking.result()

    def _ring_now(self, job: Job) -> None:
        """A survey that others have asked for shows its station's upload already."""
        if job.task is None or job.task.done():
            self._ring_at(job, self._clock.monotonic())

    def _kind_failed(self, kind: Kind, error: NetafluxError) -> None:
        """Told once, until it is over."""
        kind.failing += 1
        kind.denied = error.message if isinstance(error, ScopeDenied) else ""
        if kind.failing == 1:
            source = kind.account.source_name.value
            failed = AccountFailed(
                account=kind.account.name, source=source, reason=error.message, remedy=error.remedy
            )
            self._app.hub.tell(failed)
            kind.reminder.told(self._clock.monotonic())
        else:
            self._tell_repeated(kind, error)
            self._remind(kind.reminder, f"account {kind.key}", kind.failing, error)

    def _tell_repeated(self, kind: Kind, error: Exception, module: ModuleId | None = None) -> None:
        """For those who show why it fails just now."""
        told = error.message if isinstance(error, NetafluxError) else str(error)
        remedy = error.remedy if isinstance(error, NetafluxError) and module is None else ""
        account, source = kind.account.name, kind.account.source_name.value
        self._app.hub.tell(
            FailureRepeated(account=account, source=source, module=module, reason=told, remedy=remedy)
        )

    def _remind(self, reminder: Reminder, subject: str, failures: int, error: Exception) -> None:
        if reminder.due(self._clock.monotonic()):
            self._app.hub.tell(FailuresCounted(subject=subject, failures=failures, reason=str(error)))

    def _look_into_the_past(self, job: Job, module: ModuleId) -> None:
        if (job.past is None or job.past.done()) and self._clock.monotonic() >= job.past_at:
            job.past_began = self._clock.monotonic()
            job.past = asyncio.create_task(self._catch_up(job, module), name=f"past of {job.key}")

    async def _catch_up(self, job: Job, module: ModuleId) -> None:
        try:
            cadence = job.kind.cadence
            await job.kind.account.catch_up(
                module, lately=not cadence.thrift.hours, look_back=cadence.may_look_back(module)
            )
            self._past_succeeded(job, module)
        except NetafluxError as error:
            if self.storage.explains(error):
                return  # all bells ring when it is over
            if not job.past_failures:
                self._app.hub.tell(PollFailed(module=module, reason=error.message))
            elif not job.failures:
                self._tell_repeated(job.kind, error, module)
            self._past_failed(job, error)
        except Exception as error:
            if job.past_crash != repr(error):
                log.exception("past.crashed", module=module)
            job.past_crash = repr(error)
            self._past_failed(job, error)

    def _past_succeeded(self, job: Job, module: ModuleId) -> None:
        # while live polling fails, the module has not recovered
        if job.past_failures and not job.failures:
            self._app.hub.tell(PollRecovered(module=module, failures=job.past_failures))
        job.past_failures, job.past_crash = 0, ""

    def _past_failed(self, job: Job, error: Exception) -> None:
        """The past can wait, and what Netatmo refuses for ever is not to be asked for in every round."""
        self._tell_error(error)
        self._wait_for_token(job.kind.connected)
        job.past_failures += 1
        wait = min(LONGEST_PAST_BACK_OFF, 8 * backed_off(job.past_failures))
        job.past_at = self._clock.monotonic() + wait

    # how they are run

    def _add(self, job: Job) -> None:
        if job.key not in self._jobs:
            self._jobs[job.key] = job
            self._ring_at(job, self._clock.monotonic())

    def _ring_at(self, job: Job, when: float) -> None:
        job.next_at = when
        self._bells.ring_at(job.key, when)

    def _rung(self, key: str) -> None:
        job = self._jobs[key]
        if not self._resting and (job.task is None or job.task.done()):
            job.began = self._clock.monotonic()
            job.task = asyncio.create_task(self._work(job), name=key)

    async def _work(self, job: Job) -> None:
        """One round, and the bell for the next."""
        try:
            self.storage.require()
            when = await job.run()
            self._succeeded(job)
        except NetafluxError as error:
            when = self._failed(job, error)
        except Exception as error:
            if job.crash != repr(error):
                log.exception("round.crashed", job=job.key)
            job.crash = repr(error)
            when = self._failed(job, error)
        self._ring_at(job, when)

    def _succeeded(self, job: Job) -> None:
        if job.failures and job.module is not None:
            self._app.hub.tell(PollRecovered(module=job.module, failures=job.failures))
        job.failures, job.crash, job.denied = 0, "", False
        job.rounds += 1

    def _failed(self, job: Job, error: Exception) -> float:
        """Tell of it once, until it is over; answers when to try again."""
        if self.storage.explains(error):
            return self._clock.monotonic() + LOOK_EVERY
        self._tell_error(error)
        self._wait_for_token(job.kind.connected)
        job.failures += 1
        job.denied = isinstance(error, ScopeDenied)
        # what concerns the whole account is told of the account
        whole = isinstance(error, NotAuthorized) or bool(job.kind.failing)
        now = self._clock.monotonic()
        if job.module is not None and not whole:
            if job.failures == 1:
                self._app.hub.tell(PollFailed(module=job.module, reason=str(error)))
                job.reminder.told(now)
            else:
                self._tell_repeated(job.kind, error, job.module)
                self._remind(job.reminder, f"module {job.module}", job.failures, error)
        if job.denied:
            return now + LOOK_FOR_A_SCOPE
        when = now + min(self._interval, backed_off(job.failures))
        if job.module is None or whole:
            return when
        # the station's next upload comes sooner, or nearly so: its survey may show an early row
        due = max(job.kind.cadence.next_at(job.module), now + SHORTEST_BACK_OFF)
        return due if due <= when + SHORTEST_BACK_OFF else when

    def _tell_error(self, error: Exception) -> None:
        """What was met on the way to others has been told already."""
        if not isinstance(error, EXCHANGES):
            self._app.hub.tell(ErrorMet.of(error))

    def _wait_for_token(self, connected: Connected) -> None:
        """Whatever failed, it is not to wait for its bell where an access token is all that it lacks."""
        name = connected.name
        if connected.keeper.state != "ok" and (name not in self._waiting or self._waiting[name].done()):
            work = self._ring_when_authorized(connected)
            self._waiting[name] = asyncio.create_task(work, name=f"authorization of {name}")

    async def _ring_when_authorized(self, connected: Connected) -> None:
        """As soon as there is an access token again, all of the account that has failed is rung."""
        with suppress(NetafluxError):  # the bells go on ringing, only later
            await connected.keeper.wait_authorized()
            self._ring_failed(connected.name)

    def _ring_failed(self, name: AccountName) -> None:
        for job in self._jobs.values():
            if (job.failures or job.past_failures) and job.kind.account.name == name:
                job.past_at = self._clock.monotonic()
                self._ring_at(job, self._clock.monotonic())

    # how they are doing

    def next_poll(self, account: Account, module: ModuleId) -> float | None:
        """Unix seconds of a module's next poll."""
        job = self._jobs.get(_key(account, module))
        return None if job is None else self._clock.now() + job.next_at - self._clock.monotonic()

    def ring_all(self) -> None:
        """Ring every bell now."""
        for job in self._jobs.values():
            job.past_at = self._clock.monotonic()
            self._ring_at(job, self._clock.monotonic())

    def caught_up(self) -> bool:
        """Whether every module was polled and no work on the past is under way."""
        jobs = [job for job in self._jobs.values() if job.module is not None]
        polled = all(job.next_at > self._clock.monotonic() and not job.failures for job in jobs)
        return bool(jobs) and polled and all(job.past is None or job.past.done() for job in jobs)


def _key(account: Account, module: ModuleId) -> str:
    return f"module:{account.name}/{module}"
