"""When an account's modules are polled, and which: the rhythm of its stations, and what its budget allows."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf

from netaflux.core.cadence import (
    DAY,
    HOUR,
    PERIOD,
    RETRIES,
    RETRY_AFTER,
    Need,
    Rhythm,
    Sign,
    Thrift,
    still_behind,
    thrift,
    worth_asking,
)
from netaflux.core.events import CadenceRestored, CadenceStretched
from netaflux.core.lookback import WEEK
from netaflux.core.model import Module, ModuleId
from netaflux.core.ports import Clock, LiveBudget, Observer
from netaflux.flow.account import Account

TOGETHER = 5.0
"""Seconds of age that a survey may have for modules that ring together."""
EARLY = 0.1
"""Seconds by which a round may come before its moment and count as that one's: floats are no finer."""
LOOKS_APART = 3600.0
"""Seconds between two modules' looks further back, or they would come all at once; fewer if they are many."""


@dataclass(slots=True)
class _Asked:
    """When a module was asked last, and what came of it."""

    at: float = float("-inf")
    told: int | None = None
    """The newest row that the survey told then."""
    retry: bool = False
    """Whether to ask again in a moment: the survey tells of a row that getmeasure does not have yet."""
    retries: int = RETRIES
    """How often that may still be; none once it was in vain."""


class Cadence:
    """One account's polls: when the next is due, and for which modules it is worth a call."""

    def __init__(
        self, account: Account, *, budget: LiveBudget, clock: Clock, observer: Observer, interval: float
    ) -> None:
        self._account = account
        self._budget = budget
        self._clock = clock
        self._observer = observer
        self._interval = interval
        self._rhythms: defaultdict[ModuleId, Rhythm] = defaultdict(lambda: Rhythm(interval))
        self._asked: defaultdict[ModuleId, _Asked] = defaultdict(_Asked)
        self._survey_seen = float("-inf")
        self._turns = _LookTurns(account, clock)
        self.thrift = Thrift()
        """How live polling makes do with the calls there are."""

    # what a survey tells

    def surveyed(self) -> tuple[ModuleId, ...]:
        """Take note of the account's newest survey; answers the modules whose stations have uploaded."""
        if self._account.surveyed_at == self._survey_seen:
            return ()
        self._survey_seen = self._account.surveyed_at
        self._save_calls()
        uploaded = {station for station, module in self._stations().items() if self._has_uploaded(module)}
        return tuple(module.id for module in self._modules() if module.station in uploaded)

    def _modules(self) -> Iterable[Module]:
        roster = self._account.roster
        return [] if roster is None else [some[0].module for some in roster.targets.values()]

    def _stations(self) -> dict[ModuleId, Module]:
        """Each station, and one of its modules to speak for it."""
        return {module.station: module for module in self._modules()}

    def _has_uploaded(self, module: Module) -> bool:
        age = 0.0 if module.stored is None else max(0.0, self._account.server_time - module.stored)
        return self._rhythms[module.station].surveyed(module.stored, age, self._account.surveyed_at)

    def _save_calls(self) -> None:
        """Fit live polling into what the limits leave; told where it becomes rarer, and where it is over."""
        stations, modules = len(self._stations()), len(tuple(self._modules()))
        wished = self._interval
        need = Need(stations, modules, wished)
        factor = self._budget.stretch(need.calls)
        if factor > 1 and wished < PERIOD:
            # polls between the uploads are the first to go without
            wished = PERIOD
            need = Need(stations, modules, wished)
            factor = self._budget.stretch(need.calls)
        before, self.thrift = self.thrift, thrift(need, factor)
        hours = self.thrift.hours
        self._budget.declare_live_need(need.thrifty(hours) / self.thrift.stretch if hours else need.calls)
        for rhythm in self._rhythms.values():
            rhythm.interval = wished * self.thrift.stretch
        if hours and hours != before.hours:
            self._observer.tell(
                CadenceStretched(account=self._account.name, hours=hours, factor=self.thrift.stretch)
            )
        elif before.hours and not hours:
            self._observer.tell(CadenceRestored(account=self._account.name))

    # when and whom

    def survey_age(self, module: ModuleId) -> float:
        """Seconds of age that the survey of the module's round may have."""
        return RETRY_AFTER * (RETRIES + 1) if self._asked[module].retry else TOGETHER

    def next_at(self, module: ModuleId) -> float:
        """The monotonic time of the module's next round."""
        if self._asked[module].retry:
            return self._clock.monotonic() + RETRY_AFTER
        found = self._module(module)
        if found is None:  # it has vanished meanwhile, and may come back
            return self._clock.monotonic() + self._interval
        return self._rhythms[found.station].next_at()

    def wants(self, module: ModuleId) -> bool:
        """Whether the module is worth a call now."""
        if self._module(module) is None:
            return False
        if self._asked[module].retry:
            return True
        # whether rows are lacking decides only where there is no news, and takes longer to be known
        return worth_asking(self._sign(module, lacking=False), hours=self.thrift.hours) or worth_asking(
            self._sign(module, lacking=self._account.lacks(module)), hours=self.thrift.hours
        )

    def asked(self, module: ModuleId, *, stopped: bool = False) -> None:
        """The module was polled; or that was `stopped`, for no destination took rows."""
        asked, found = self._asked[module], self._module(module)
        if stopped or found is None:
            asked.retry = False  # what waits for a destination is in no hurry
            return
        asked.at, asked.told = self._clock.monotonic(), found.newest
        behind = still_behind(self._sign(module, lacking=False))
        asked.retry = behind and asked.retries > 0 and not self.thrift.hours
        asked.retries = RETRIES if not behind else max(0, asked.retries - 1)

    def _module(self, module: ModuleId) -> Module | None:
        """The module as the newest survey shows it, if it does: a round may outlast a survey."""
        targets = self._account.targets(module)
        return targets[0].module if targets else None

    def _sign(self, module: ModuleId, *, lacking: bool) -> Sign:
        asked, found = self._asked[module], self._module(module)
        return Sign(
            told=None if found is None else found.newest,
            newest=self._account.newest(module),
            lacking=lacking,
            now=self._account.server_time,
            asked_for=asked.told,
            since_asked=self._clock.monotonic() - asked.at,
        )

    def may_look_back(self, module: ModuleId) -> bool:
        """Whether a look further back, which takes calls of its own, is due and may be taken now."""
        return self._turns.may(module, among=len(tuple(self._modules())))


class SteadyCadence:
    """Polls of modules that tell nothing of when they have news: each time so many seconds are over.

    What there is was found by a survey, which is taken once a day: rooms, boilers and cameras seldom change.
    """

    def __init__(
        self,
        account: Account,
        *,
        budget: LiveBudget,
        clock: Clock,
        period: float,
        delay: float,
    ) -> None:
        """Polls are `delay` seconds after each multiple of `period` of Netatmo's time."""
        self._account = account
        self._budget = budget
        self._clock = clock
        self._period = period
        self._delay = delay
        self._turns = _LookTurns(account, clock)
        self.thrift = Thrift()
        """How live polling makes do with the calls there are: by polling less often."""

    def surveyed(self) -> tuple[ModuleId, ...]:
        """Fit the polls into what the limits leave; nothing in a survey tells that a module has news."""
        wished = self._modules * HOUR / self._period
        self.thrift = Thrift(stretch=max(1.0, self._budget.stretch(wished)))
        self._budget.declare_live_need(wished / ceil(self.thrift.stretch))
        return ()

    @property
    def _modules(self) -> int:
        return len(self._account.roster.targets) if self._account.roster else 0

    def survey_age(self, module: ModuleId) -> float:  # noqa: ARG002 - as its sibling
        """Seconds of age that the survey of the module's round may have."""
        return DAY

    def next_at(self, module: ModuleId) -> float:  # noqa: ARG002 - as its sibling
        """The monotonic time of the module's next round."""
        now, period = self._account.server_time, self._period * ceil(self.thrift.stretch)
        # one that is a hair early must not ring again at once, and again
        over = (now + EARLY - self._delay) // period * period + period + self._delay
        return self._clock.monotonic() + over - now

    def wants(self, module: ModuleId) -> bool:
        """Whether the module is worth a call now."""
        return bool(self._account.targets(module))

    def asked(self, module: ModuleId, *, stopped: bool = False) -> None:
        """The module was polled."""

    def may_look_back(self, module: ModuleId) -> bool:
        """Whether a look further back, which takes calls of its own, is due and may be taken now."""
        return self._turns.may(module, among=self._modules)


class _LookTurns:
    """Which module may look further back now, when all of them are due in the same hour of the week."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._looked_at: dict[ModuleId, float] = {}

    def may(self, module: ModuleId, *, among: int) -> bool:
        """Whether it is due, and its turn."""
        now, modules = self._clock.monotonic(), max(1, among)
        apart = min(LOOKS_APART, WEEK / 2 / modules)
        if now - max(self._looked_at.values(), default=-inf) < apart:
            return False
        # one whose looks do not succeed waits until all others could have had their turn
        if now - self._looked_at.get(module, -inf) < apart * modules or not self._account.looks_due(module):
            return False
        self._looked_at[module] = now
        return True
