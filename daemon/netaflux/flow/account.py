"""One account's modules of one kind: their survey, what devices mirror them, and their polls and spans."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from netaflux.core.channels import Catalogue
from netaflux.core.devices import Device, Missing, Target, bind, identify, target
from netaflux.core.errors import NetafluxError, NotFound, RequestRefused, UpstreamFault
from netaflux.core.events import ChannelsImpossible, ModuleBound, ModuleMissing, PollCompleted, SurveyTaken
from netaflux.core.lookback import Due
from netaflux.core.model import (
    AccountName,
    Binding,
    ChannelName,
    DeviceName,
    Module,
    ModuleId,
    SourceName,
    Survey,
    Window,
)
from netaflux.core.plan import Errand, Known, errands_asked, errands_due, errands_past, lacking_lately
from netaflux.core.ports import Bindings, Clock, Coverage, Observer, Source
from netaflux.core.since import Span
from netaflux.core.spans import Spans
from netaflux.flow.courier import Courier, Delivery
from netaflux.flow.early import ComparedSource
from netaflux.flow.errand import Carried, Carrier, measures_needed

CLOCKS_AGREE = 86400
"""Seconds by which Netatmo's clock and ours may differ while a span such as `30d` is resolved for good."""
CLOCKS_DIFFER = (
    "our clock and Netatmo's differ by more than a day, so its `since` cannot be resolved; "
    "set the clock, or configure a date"
)
CONFIRMED_WITHIN = 86400
"""Seconds within which getmeasure has to give what a survey has shown, or never will."""
FUTURE_ALLOWED = 600
"""Seconds that a stamp may be ahead of Netatmo's own clock and still be believed."""


@dataclass(slots=True)
class Roster:
    """What a survey means for the configured devices."""

    survey: Survey
    targets: dict[ModuleId, tuple[Target, ...]] = field(default_factory=dict)
    missing: dict[DeviceName, Missing] = field(default_factory=dict)
    impossible: dict[DeviceName, tuple[ChannelName, ...]] = field(default_factory=dict)
    """Configured channels that the device's module does not measure."""


class Account:
    """One person's modules of one source, and the devices that mirror them."""

    def __init__(  # noqa: PLR0913 - what it is, and the ports it works with
        self,
        name: AccountName,
        devices: Sequence[Device],
        *,
        source: Source,
        courier: Courier,
        coverage: Coverage,
        bindings: Bindings,
        catalogue: Catalogue,
        clock: Clock,
        observer: Observer,
        source_name: SourceName = SourceName.STATIONS,
    ) -> None:
        self.name = name
        self.source_name = source_name
        self.devices = tuple(devices)
        self.roster: Roster | None = None
        self._source = ComparedSource(source, observer)
        self._courier = courier
        self._coverage = coverage
        self._bindings = bindings
        self._catalogue = catalogue
        self._clock = clock
        self._observer = observer
        self._carrier = Carrier(
            source=self._source, courier=courier, observer=observer, newest=self._newest_given
        )
        self._surveying = asyncio.Lock()
        self._surveys = 0
        self._failure: NetafluxError | None = None
        self.seen: Survey | None = None
        """The newest survey, previews included."""
        self.surveyed_at = float("-inf")
        """When the newest survey was taken (`Clock.monotonic`)."""
        self._told_missing: set[DeviceName] = set()
        self._told_impossible: dict[DeviceName, tuple[ChannelName, ...]] = {}

    async def survey(self, *, max_age: float = 0) -> Roster:
        """The modules as they are now, bound to the devices; one that is young enough is used again.

        Raises NetatmoError, Unreachable, NotAuthorized, StateError.
        """
        before = self._surveys
        async with self._surveying:
            # those who came meanwhile get this survey, or what it failed with, not one of their own
            if self._surveys == before and self._is_old(max_age):
                await self._take_survey()
        if self._surveys > before and self._failure is not None:
            raise self._failure.with_traceback(None)
        return self.roster or Roster(Survey(self.name, ()))

    def _is_old(self, max_age: float) -> bool:
        return self.roster is None or self._clock.monotonic() - self.surveyed_at > max_age

    async def _take_survey(self) -> None:
        try:
            survey = self.seen = await self._source.survey()
            self._observer.tell(SurveyTaken(account=self.name, modules=len(survey.modules)))
            self.roster = await self._bound(survey)
            self.surveyed_at = self._clock.monotonic()
            self._failure = None
        except NetafluxError as error:
            self._failure = error
        self._surveys += 1

    async def preview(self) -> Roster:
        """A survey and what it would bind, with nothing recorded."""
        self.seen = await self._source.survey()
        return self._rostered(self.seen)[0]

    async def _bound(self, survey: Survey) -> Roster:
        roster, bindings = self._rostered(survey)
        for binding in bindings:
            before = self._bindings.binding(binding.device)
            if binding != before:
                await self._bindings.bind(binding)
            if before is None or before.module != binding.module:
                self._observer.tell(
                    ModuleBound(device=binding.device, module=binding.module, begin=binding.begin)
                )
        self._tell_missing(roster)
        return roster

    def _rostered(self, survey: Survey) -> tuple[Roster, list[Binding]]:
        roster, bindings = Roster(survey), []
        targets: defaultdict[ModuleId, list[Target]] = defaultdict(list)
        now = self._clock.now() if survey.server_time is None else survey.server_time
        for device in self.devices:
            before = self._bindings.binding(device.name)
            found = identify(device, survey.modules, before)
            if not isinstance(found, Missing) and not self._can_bind(device, found, before, now):
                found = Missing(device.name, CLOCKS_DIFFER)
            if isinstance(found, Missing):
                roster.missing[device.name] = found
                continue
            until = self._bindings.delivered_until(device.name)
            binding = bind(device, found, before, until, now)
            bindings.append(binding)
            made = target(device, _believable(found, now), binding, self._catalogue)
            roster.impossible.update({device.name: made.impossible} if made.impossible else {})
            if made.channels:
                targets[found.id].append(made)
        roster.targets = {module: tuple(some) for module, some in targets.items()}
        return roster, bindings

    def _can_bind(self, device: Device, module: Module, before: Binding | None, now: float) -> bool:
        """Whether `since` can be resolved for good: a span counts back from a clock that must be right."""
        resolved = (
            before is not None and before.module == module.id and before.since_text == device.since.text
        )
        return resolved or not isinstance(device.since, Span) or abs(now - self._clock.now()) < CLOCKS_AGREE

    def _tell_missing(self, roster: Roster) -> None:
        for missing in roster.missing.values():
            if missing.device not in self._told_missing:
                text = next(device.module for device in self.devices if device.name == missing.device)
                self._observer.tell(ModuleMissing(device=missing.device, module=text, reason=missing.reason))
        self._told_missing = set(roster.missing)
        for device, channels in roster.impossible.items():
            if self._told_impossible.get(device) != channels:
                self._observer.tell(ChannelsImpossible(device=device, channels=channels))
        self._told_impossible = dict(roster.impossible)

    def targets(self, module: ModuleId) -> tuple[Target, ...]:
        """The devices that mirror a module, as of the newest survey."""
        return self.roster.targets.get(module, ()) if self.roster else ()

    @property
    def server_time(self) -> float:
        """Netatmo's clock now, as far as the newest survey told it (unix seconds)."""
        told = self.roster.survey.server_time if self.roster else None
        passed = self._clock.monotonic() - self.surveyed_at
        return self._clock.now() if told is None else told + passed

    def newest(self, module: ModuleId) -> int | None:
        """The time of the newest row ever seen of a module."""
        return self._coverage.newest(module)

    def _newest_given(self, module: ModuleId) -> int | None:
        """The same, less the early rows that getmeasure does not have yet; after a day they count."""
        given = self._source.given(module)
        waited = given is not None and self.server_time - given > CONFIRMED_WITHIN
        return self._coverage.newest(module) if given is None or waited else given

    def lacks(self, module: ModuleId) -> bool:
        """Whether a destination lacks rows that the module's next poll would bring, its newest ones aside."""
        newest = self._coverage.newest(module)
        lacking = self._courier.lacking(self.targets(module))
        return newest is not None and lacking_lately(lacking, newest) is not None

    def looks_due(self, module: ModuleId) -> bool:
        """Whether looking back at the module's past needs errands of its own."""
        return bool(self._looks(module, self.targets(module)).windows)

    async def poll(self, module: ModuleId, targets: Sequence[Target] | None = None) -> Carried:
        """Fetch what is new of a module and what is due of looking back, for these devices or all of its."""
        targets = self.targets(module) if targets is None else targets
        if not targets:
            return Carried()
        known = self._known(module, targets)
        live = errands_due(known)[0]
        carried = await self._run(module, targets, [live])
        if not carried.stopped:
            await self._looked(known, targets, [live.window])
        return carried

    async def poll_early(self, module: ModuleId) -> None:
        """Deliver the module's newest row as the survey shows it, where that is known to be the row."""
        targets = self.targets(module)
        page = self._source.early_page(targets[0].module, measures_needed(targets)) if targets else None
        newest = self._coverage.newest(module)
        if page is None or newest is None or page.rows[0].time <= newest:
            return
        if self._courier.reachable(targets):
            moment = Spans.at([page.rows[0].time])
            await self._courier.deliver(
                Delivery(module=targets[0].module, page=page, targets=targets, complete=moment)
            )

    async def catch_up(
        self,
        module: ModuleId,
        targets: Sequence[Target] | None = None,
        *,
        lately: bool = True,
        look_back: bool = True,
    ) -> Carried:
        """Fetch what the destinations lack of a module's past, and what is due of looking back at it.

        Without `lately`, what the module's next poll will bring is left to it.
        """
        targets = self.targets(module) if targets is None else targets
        if not targets:
            return Carried()
        known = self._known(module, targets)
        if not look_back:
            known = replace(known, due=Due())
        # what lies between an early row and those before it may be on its way: no silence to be believed
        past = replace(known, newest=self._newest_given(module))
        carried = await self._run(module, targets, errands_past(past, lately=lately))
        if not carried.stopped:
            await self._looked(known, targets, known.due.windows)
        return carried

    async def _looked(self, known: Known, targets: Sequence[Target], windows: Sequence[Window]) -> None:
        """Note what was looked at again, where that changes what is due."""
        newest = known.newest or self._coverage.newest(known.module)
        if newest is None or not self._asks_all(known.module, targets):
            return
        before = self._coverage.looks(known.module)
        if any(before.looked(newest, window) != before for window in windows):
            await self._coverage.looked(known.module, newest, windows)

    def _asks_all(self, module: ModuleId, targets: Sequence[Target]) -> bool:
        """Whether these devices need every measure that any device needs of the module."""
        return measures_needed(targets) == measures_needed(self.targets(module))

    def _looks(self, module: ModuleId, targets: Sequence[Target]) -> Due:
        newest = self._coverage.newest(module)
        if newest is None or not self._asks_all(module, targets):
            return Due()
        return self._coverage.looks(module).due(newest)

    async def fetch_span(
        self, module: ModuleId, span: Window, targets: Sequence[Target], *, again: bool = False
    ) -> Carried:
        """Fetch a named span for these of the module's devices, below their `since` too if it says so."""
        errands = self.asked(module, span, targets, again=again)
        return await self._run(module, _from(targets, span.begin), errands, again=again)

    def due(self, module: ModuleId, targets: Sequence[Target]) -> list[Errand]:
        """The errands that a poll of these devices needs."""
        return errands_due(self._known(module, targets)) if targets else []

    def asked(
        self, module: ModuleId, span: Window, targets: Sequence[Target], *, again: bool
    ) -> list[Errand]:
        """The errands that a named span needs for these of the module's devices."""
        return errands_asked(self._known(module, _from(targets, span.begin)), span, again=again)

    def _known(self, module: ModuleId, targets: Sequence[Target]) -> Known:
        return Known(
            module=module,
            floor=min(target.begin for target in targets),
            lacking=self._courier.lacking(targets),
            newest=self._coverage.newest(module),
            told=targets[0].module.newest,
            due=self._looks(module, targets),
        )

    async def _run(
        self, module: ModuleId, targets: Sequence[Target], errands: Sequence[Errand], *, again: bool = False
    ) -> Carried:
        carried, failure = Carried(), None
        for errand in errands:
            try:
                carried += await self._carrier.carry(errand, targets[0].module, targets, again=again)
            except (RequestRefused, NotFound, UpstreamFault) as error:
                failure = failure or error  # of this window perhaps, and the others should not wait for it
        if failure:
            raise failure
        if errands and not carried.stopped:
            self._observer.tell(PollCompleted(module=module, pages=carried.pages, rows=carried.rows))
        return carried


def _from(targets: Sequence[Target], begin: int) -> tuple[Target, ...]:
    """The same devices, wanting rows from `begin` on, but never below an earlier module's last row."""
    return tuple(replace(target, begin=max(target.floor, min(target.begin, begin))) for target in targets)


def _believable(module: Module, now: float) -> Module:
    """The module without a newest row from the future: one stamp from 2036 must not steer the plan."""
    if module.newest is None or module.newest <= now + FUTURE_ALLOWED:
        return module
    return replace(module, newest=None)
