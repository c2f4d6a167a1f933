"""How the daemon is doing: what only a new start can mend, what is wrong, and what is missing."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from math import inf
from typing import Final

from netaflux.app import App
from netaflux.core.errors import NetafluxError
from netaflux.core.events import Event
from netaflux.service.rounds import Job, Kind, Rounds

OVERDUE: Final = 60.0
"""Seconds after which a bell that has not rung means that nothing rings."""
DATABASE_ANSWERS: Final = 3.0
"""Real seconds that the database may take for one row."""
STUCK: Final = 900.0
"""Seconds after which work of which nothing is heard is stuck: calls, uploads and tellings end far sooner."""
HEARD: Final = ("account", "module", "device")
"""What events tell of, by the names of their fields."""


class Health:
    """Looks at bells, workers, the teller, database and tokens; an observer, for the signs of work."""

    def __init__(self, app: App, rounds: Rounds) -> None:
        self._app = app
        self._rounds = rounds
        self._clock = app.clock
        self._heard: dict[str, float] = {}
        """When an event told of it last, in monotonic time."""
        self._teller_moved_at = inf
        """The same of the teller; in all eternity where none is at work."""

    def watching(self) -> AbstractContextManager[None]:
        """Hear what happens while the block runs."""
        return self._app.hub.listening(self)

    def tell(self, event: Event) -> None:
        """Take it for a sign of work."""
        for field in HEARD:
            if (name := getattr(event, field, None)) is not None:
                self._heard[name] = self._clock.monotonic()

    def teller_moves(self) -> None:
        """The teller has come round, or tries to tell something."""
        self._teller_moved_at = self._clock.monotonic()

    def teller_ends(self) -> None:
        """It need not move any more."""
        self._teller_moved_at = inf

    async def unwell(self, *, disk: bool = True) -> list[str]:
        """What is wrong with the process itself: bells, workers, the teller, the database.

        Without `disk`, only what a new start would mend: a full disk is an answer, too.
        """
        return [
            *self._late_bells(),
            *self._still_workers(),
            *self._still_teller(),
            *await self._database_ails(disk=disk),
        ]

    async def _database_ails(self, *, disk: bool) -> list[str]:
        database, problems, failure = self._app.state.database, [], None
        try:
            async with asyncio.timeout(DATABASE_ANSWERS):
                await database.probe()
        except TimeoutError:
            problems.append("the database does not answer")
        except NetafluxError as error:
            failure = error
        # a full disk is told in so many words, and nothing that a new start would mend
        if database.trouble is not None and database.damage is None:
            failure = database.trouble if disk else None
        return [*problems, f"nothing is polled: {failure.message}"] if failure else problems

    def _late_bells(self) -> Iterator[str]:
        late = self._clock.monotonic() - OVERDUE
        for job in self._rounds.jobs:
            if job.next_at < late and (job.task is None or job.task.done()):
                yield f"the bell of {job.key} has not rung"

    def _still_workers(self) -> Iterator[str]:
        """Those that wait for the budget, and whoever waits for them, move in their own way."""
        late = self._clock.monotonic() - STUCK
        for job in self._rounds.jobs:
            for began in job.working_since():
                if max(began, self._last_sign(job)) < late and not self._may_wait(job):
                    yield f"{job.key} does not move"

    def _still_teller(self) -> Iterator[str]:
        if self._teller_moved_at < self._clock.monotonic() - STUCK:
            yield "the teller does not move"

    def _last_sign(self, job: Job) -> float:
        account, module = job.kind.account, job.module
        names: list[str] = [account.name]
        if module is not None:
            names = [module, *(target.device for target in account.targets(module))]
        return max(self._heard.get(name, float("-inf")) for name in names)

    def _may_wait(self, job: Job) -> bool:
        connected = job.kind.connected
        gates = (connected.gate.state(), self._app.budget.state())
        shut = self._app.state.database.trouble is not None
        return (
            shut or connected.keeper.needs_person or any(gate.waiting or gate.closed_until for gate in gates)
        )

    def unready(self) -> list[str]:
        """What is missing for the service to be of use."""
        problems = [
            f"account {name}: {connected.keeper.suspicion}"
            for name, connected in self._app.accounts.items()
            if connected.keeper.needs_person
        ]
        # what lacks a scope costs the account's other modules nothing
        kinds = self._rounds.kinds
        working = {kind.account.name for kind in kinds if not kind.denied}
        denied = [kind for kind in kinds if kind.denied and kind.account.name not in working]
        problems += [f"account {kind.account.name}: {kind.denied}" for kind in denied]
        waiting = [kind for kind in kinds if not kind.denied and not self._polled(kind)]
        names = dict.fromkeys(kind.account.name for kind in waiting)
        return problems + [f"account {name}: its first poll is not done yet" for name in names]

    def _polled(self, kind: Kind) -> bool:
        """Whether it was surveyed, and each module that was found has had its first round."""
        jobs = [job for job in self._rounds.jobs if job.kind is kind and job.module is not None]
        return kind.surveyed and all(job.rounds or job.failures for job in jobs)

    def words(self) -> str:
        """How things are, in a line."""
        if trouble := self._app.state.database.trouble:
            return f"Nothing is polled: {trouble.message}"
        if missing := self.unready():
            return "; ".join(missing)
        polled = [job for job in self._rounds.jobs if job.module is not None]
        failing = sum(bool(job.failures) for job in polled)
        down = [name for name, door in self._app.doors.items() if door.failures]
        parts = [f"Polling {_counted(len(polled), 'module')}"]
        parts += [f"{failing} failing"] if failing else []
        parts += [f"{name} does not take anything" for name in down]
        return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
