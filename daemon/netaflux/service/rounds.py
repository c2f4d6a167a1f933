"""The rounds: what is done when a bell rings, for each account and each module.

    account bell → survey → a bell for each module
    module bell  → survey, shared by the account → early row → poll, if it has news
                 → the past, in a task of its own

The bells follow the stations' uploads (`flow/cadence`). The live end never waits for the past, and no failure
ends a job: the bell for the next round is set whatever happens.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog

from netaflux.app import App
from netaflux.core.cadence import SHORTEST_BACK_OFF, backed_off
from netaflux.core.errors import NetafluxError, NotAuthorized
from netaflux.core.events import AccountFailed, AccountRecovered, PollFailed, PollRecovered
from netaflux.core.model import AccountName, ModuleId
from netaflux.flow.cadence import Cadence
from netaflux.service.bells import Hang, SchedulerBells

log = structlog.get_logger(__name__)

OVERDUE = 60.0
"""Seconds after which a bell that has not rung means that nothing rings."""
DATABASE_ANSWERS = 3.0
"""Real seconds that the database may take for one row."""
DOOR_ANSWERS = 3.0
"""Seconds that a round waits for destinations that were failing; one that answers later gets the next one."""
LONGEST_PAST_BACK_OFF = 3600.0
"""Seconds until work on the past is tried again at the latest."""
LOOK_AGAIN = 86400.0
"""Seconds until an account is surveyed only because a configured module is missing."""
LOOK_AGAIN_EMPTY = 3600.0
"""The same where none of its modules was found, which may well be Netatmo's fault."""


@dataclass(slots=True, kw_only=True)
class Job:
    """A round that is rung again and again: a module's, or an account's own."""

    key: str
    account: AccountName
    module: ModuleId | None = None
    run: Callable[[], Awaitable[float]]
    """Does the round; answers the monotonic time of the next one."""
    next_at: float = 0.0
    rounds: int = 0
    """Rounds that came to a good end."""
    failures: int = 0
    """Failed ones in a row."""
    task: asyncio.Task[None] | None = None
    past: asyncio.Task[None] | None = None
    """The module's work on its past."""
    past_failures: int = 0
    """How often that failed in a row."""
    past_at: float = float("-inf")
    """The monotonic time before which it is not tried again."""


class Rounds:
    """Polls all accounts until it is told to stop."""

    def __init__(self, app: App, *, interval: float, speed: float = 1.0, hang: Hang | None = None) -> None:
        self._app = app
        self._clock = app.clock
        self._interval = interval
        hang = hang or partial(SchedulerBells, speed=speed)
        self._bells = hang(app.clock, self._rung)
        self._cadences = {
            name: Cadence(
                connected.account,
                budget=connected.gate,
                clock=app.clock,
                observer=app.hub,
                interval=interval,
            )
            for name, connected in app.accounts.items()
        }
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[AccountName, asyncio.Task[None]] = {}
        self._failing: dict[AccountName, int] = {}
        self._surveyed: set[AccountName] = set()
        self._knocking: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let what is on its way arrive."""
        try:
            async with self._bells.running():
                for name in self._app.accounts:
                    run = partial(self._account_round, name)
                    self._add(Job(key=f"account:{name}", account=name, run=run))
                await stop.wait()
        finally:
            await self._end(list(self._tasks()))

    def _tasks(self) -> Iterator[asyncio.Task[None]]:
        tasks = [task for job in self._jobs.values() for task in (job.task, job.past)]
        yield from (task for task in (*tasks, self._knocking, *self._waiting.values()) if task is not None)

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # what the rounds are

    async def _account_round(self, name: AccountName) -> float:
        """Find the account's modules, and give each its job."""
        await self._survey(name, max_age=self._interval)
        found = any(job.module for job in self._jobs.values() if job.account == name)
        return self._clock.monotonic() + (LOOK_AGAIN if found else LOOK_AGAIN_EMPTY)

    async def _module_round(self, name: AccountName, module: ModuleId) -> float:
        """Poll one module, if it has news; those of an account share the survey of this round."""
        account, cadence = self._app.accounts[name].account, self._cadences[name]
        # one that has vanished is looked for in the surveys that others need anyway
        max_age = cadence.survey_age(module) if account.targets(module) else self._interval
        await self._survey(name, max_age=max_age)
        if not account.targets(module):
            return self._clock.monotonic() + self._interval
        await account.poll_early(module)
        if cadence.wants(module):
            polled = await account.poll(module)
            cadence.asked(module, stopped=polled.stopped)
        self._look_into_the_past(self._jobs[_key(name, module)], module)
        return cadence.next_at(module)

    async def _survey(self, name: AccountName, *, max_age: float) -> None:
        account = self._app.accounts[name].account
        await self._open_doors()
        try:
            roster = await account.survey(max_age=max_age)
        except NotAuthorized:
            self._wait_for_authorization(name)
            raise  # its keeper has told
        except NetafluxError as error:
            self._account_failed(name, error)
            raise
        if failures := self._failing.pop(name, 0):
            self._app.hub.tell(AccountRecovered(account=name, failures=failures))
        for module in roster.targets:
            run = partial(self._module_round, name, module)
            self._add(Job(key=_key(name, module), account=name, module=module, run=run))
        self._surveyed.add(name)
        for module in self._cadences[name].surveyed():
            self._ring_now(self._jobs[_key(name, module)])

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

    def _account_failed(self, name: AccountName, error: NetafluxError) -> None:
        """Told once, until it is over."""
        self._failing[name] = self._failing.get(name, 0) + 1
        if self._failing[name] == 1:
            self._app.hub.tell(AccountFailed(account=name, reason=error.message, remedy=error.remedy))

    def _look_into_the_past(self, job: Job, module: ModuleId) -> None:
        if (job.past is None or job.past.done()) and self._clock.monotonic() >= job.past_at:
            job.past = asyncio.create_task(self._catch_up(job, module), name=f"past of {job.key}")

    async def _catch_up(self, job: Job, module: ModuleId) -> None:
        try:
            cadence = self._cadences[job.account]
            await self._app.accounts[job.account].account.catch_up(
                module, lately=not cadence.thrift.hours, look_back=cadence.may_look_back(module)
            )
            job.past_failures = 0
        except NetafluxError as error:
            if not job.past_failures:
                self._app.hub.tell(PollFailed(module=module, reason=error.message))
            self._past_failed(job)
        except Exception:
            log.exception("past.crashed", module=module)
            self._past_failed(job)

    def _past_failed(self, job: Job) -> None:
        """The past can wait, and what Netatmo refuses for ever is not to be asked for in every round."""
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
        if job.task is None or job.task.done():
            job.task = asyncio.create_task(self._work(job), name=key)

    async def _work(self, job: Job) -> None:
        """One round, and the bell for the next."""
        try:
            when = await job.run()
            self._succeeded(job)
        except NetafluxError as error:
            when = self._failed(job, error)
        except Exception as error:
            log.exception("round.crashed", job=job.key)
            when = self._failed(job, error)
        self._ring_at(job, when)

    def _succeeded(self, job: Job) -> None:
        if job.failures and job.module is not None:
            self._app.hub.tell(PollRecovered(module=job.module, failures=job.failures))
        job.failures = 0
        job.rounds += 1

    def _failed(self, job: Job, error: Exception) -> float:
        """Tell of it once, until it is over; answers when to try again."""
        job.failures += 1
        # what concerns the whole account is told of the account
        whole = isinstance(error, NotAuthorized) or job.account in self._failing
        if job.failures == 1 and job.module is not None and not whole:
            self._app.hub.tell(PollFailed(module=job.module, reason=str(error)))
        now = self._clock.monotonic()
        when = now + min(self._interval, backed_off(job.failures))
        if job.module is None or whole:
            return when
        # the station's next upload comes sooner, or nearly so: its survey may show an early row
        due = max(self._cadences[job.account].next_at(job.module), now + SHORTEST_BACK_OFF)
        return due if due <= when + SHORTEST_BACK_OFF else when

    def _wait_for_authorization(self, name: AccountName) -> None:
        if name not in self._waiting or self._waiting[name].done():
            work = self._ring_when_authorized(name)
            self._waiting[name] = asyncio.create_task(work, name=f"authorization of {name}")

    async def _ring_when_authorized(self, name: AccountName) -> None:
        """As soon as a person has authorized the account again, all of it that has failed is rung."""
        with suppress(NetafluxError):  # the bells go on ringing, only later
            await self._app.accounts[name].keeper.wait_authorized()
            for job in self._jobs.values():
                if job.failures and job.account == name:
                    self._ring_at(job, self._clock.monotonic())

    # how they are doing

    def next_poll(self, account: AccountName, module: ModuleId) -> float | None:
        """Unix seconds of a module's next poll."""
        job = self._jobs.get(_key(account, module))
        return None if job is None else self._clock.now() + job.next_at - self._clock.monotonic()

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
        waiting = [name for name in self._app.accounts if not self._polled(name)]
        return problems + [f"account {name}: its first poll is not done yet" for name in waiting]

    def _polled(self, name: AccountName) -> bool:
        """Whether the account was surveyed, and each module that was found has had its first round."""
        jobs = [job for job in self._jobs.values() if job.account == name and job.module is not None]
        return name in self._surveyed and all(job.rounds or job.failures for job in jobs)

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


def _key(account: AccountName, module: ModuleId) -> str:
    return f"module:{account}/{module}"
