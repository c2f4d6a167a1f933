"""Looks at everything that a person may be needed for; `core/notices` decides what becomes of it.

A matter that cannot be judged just now (before the first survey, or because of another matter, which is told)
is unknown: it neither begins nor ends.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from netaflux.app import App, Connected
from netaflux.core.devices import Target
from netaflux.core.errors import NetafluxError, StateError
from netaflux.core.masking import printable
from netaflux.core.model import DestinationId, DeviceName, Module, ModuleId, SourceName
from netaflux.core.notices import HOUR, Kind, Look, Matter, Sight, battery, beyond
from netaflux.flow.account import Account
from netaflux.flow.door import Door
from netaflux.service.health import DATABASE_ANSWERS
from netaflux.service.rounds import Rounds

DAY: Final = 24 * HOUR
LONGEST_NAME: Final = 100
RHYTHM: Final = 605.0
"""Seconds by which a module's newest row may be older than its station's upload."""
BY_STATION: Final = (SourceName.STATIONS, SourceName.COACHES)
"""The kinds whose surveys tell when there was news."""


class Lookout:
    """Sees what the app and its rounds know."""

    def __init__(self, app: App, rounds: Rounds) -> None:
        self._app = app
        self._rounds = rounds
        self._limits = app.settings.notify
        # what is asked for rarely lags by that already
        self._max_lag = self._limits.max_lag + app.settings.poll.interval
        self._began = app.clock.monotonic()

    @property
    def complete(self) -> bool:
        """Whether all modules that there are have been seen."""
        return all(account.roster for _, account in self._app.kinds())

    async def look(self) -> list[Sight]:
        """Everything, as it is now."""
        sights = [*self._scopes(), *self._destinations(), *await self._refused_rows(), await self._state()]
        for connected, account in self._app.kinds():
            sights += [*self._stations(account), *self._devices(connected, account)]
        return [*(self._authorized(each) for each in self._app.accounts.values()), *sights]

    # accounts

    def _authorized(self, connected: Connected) -> Sight:
        keeper, name = connected.keeper, connected.name
        return Sight(
            matter=Matter(Kind.AUTHORIZATION, name),
            look=Look.HOLDS if keeper.needs_person else Look.WELL,
            name=name,
            text=f"Account {name} must be authorized again; nothing of it is recorded until then.",
            remedy=keeper.remedy or "",
            over=f"Account {name} is authorized.",
        )

    def _scopes(self) -> Iterator[Sight]:
        for kind in self._rounds.kinds:
            name, source = kind.account.name, kind.account.source_name.value
            failing = any(job.failures for job in self._rounds.jobs if job.kind is kind)
            known = Look.WELL if kind.surveyed and not failing else Look.UNKNOWN
            yield Sight(
                matter=Matter(Kind.SCOPE, f"{name}/{source}"),
                look=Look.HOLDS if self._denied(kind.account) else known,
                name=name,
                text=f"Account {name} was authorized without its {source}; they are not recorded.",
                remedy=f"Run `netaflux authorize --account {name}` with its scope: see `netaflux check`.",
                over=f"Account {name} may be asked for its {source}.",
            )

    # modules

    def _stations(self, account: Account) -> Iterator[Sight]:
        """Stations and their modules; of what is no station's nothing tells when there should be news."""
        if account.roster is None or account.source_name not in BY_STATION:
            return
        stations: dict[ModuleId, list[tuple[Target, ...]]] = {}
        for targets in account.roster.targets.values():
            stations.setdefault(targets[0].module.station, []).append(targets)
        for station, some in stations.items():
            sight = self._station(account, station, some)
            yield sight
            for targets in some:
                yield self._module(account, targets, sight.look)
                yield self._battery(targets)

    def _station(self, account: Account, station: ModuleId, some: Sequence[tuple[Target, ...]]) -> Sight:
        module = some[0][0].module
        title = _short(module.places[-1]) if module.places else _name(some[0])
        age = _surveyed(account, self._app) - module.stored if module.stored is not None else None
        return Sight(
            matter=Matter(Kind.STATION_SILENT, station),
            look=Look.UNKNOWN if age is None else beyond(age, self._limits.silent_after),
            name=title,
            text=f"The station {title} has sent nothing for {_span(age or 0)}.",
            remedy="See to its power and its Wi-Fi.",
            over=f"The station {title} sends again.",
        )

    def _module(self, account: Account, targets: Sequence[Target], station: Look) -> Sight:
        module, title = targets[0].module, _name(targets)
        age = self._age(account, module)
        look = self._silence(module, age)
        return Sight(
            matter=Matter(Kind.MODULE_SILENT, module.id),
            # a silent station speaks for its modules
            look=Look.UNKNOWN if look is Look.HOLDS and station is Look.HOLDS else look,
            name=title,
            text=f"The module {title} "
            + ("cannot be reached." if age is None else f"is silent: {_span(age)}."),
            remedy="See to its battery, and to how far it is from its station.",
            over=f"The module {title} sends again.",
        )

    def _silence(self, module: Module, age: float | None) -> Look:
        if age is not None:
            return beyond(age, self._limits.silent_after + RHYTHM)
        return Look.HOLDS if module.reachable is False else Look.UNKNOWN

    def _age(self, account: Account, module: Module) -> float | None:
        """Seconds between its newest row and the survey; None where there never was one."""
        newest = _latest(module.newest, self._app.state.coverage.newest(module.id))
        return None if newest is None else _surveyed(account, self._app) - newest

    def _battery(self, targets: Sequence[Target]) -> Sight:
        module, title = targets[0].module, _name(targets)
        return Sight(
            matter=Matter(Kind.BATTERY_LOW, module.id),
            look=battery(module.battery, self._limits.battery_below),
            name=title,
            text=f"The battery of {title} is low: {module.battery} %.",
            remedy="Change its batteries; what it has measured is not lost by that.",
            over=f"The battery of {title} is well again.",
        )

    # devices

    def _devices(self, connected: Connected, account: Account) -> Iterator[Sight]:
        targets = {target.device: target for target in _targets(account)}
        for device in account.devices:
            yield self._missing(account, device.name)
            yield self._lag(connected, account, device.name, targets.get(device.name))

    def _missing(self, account: Account, device: DeviceName) -> Sight:
        missing = account.roster.missing if account.roster else {}
        known = Look.WELL if account.roster else Look.UNKNOWN
        return Sight(
            matter=Matter(Kind.MODULE_MISSING, device),
            look=Look.HOLDS if device in missing else known,
            name=device,
            text=f"The module of device {device} is not in account {account.name}.",
            remedy="Correct `module` in the configuration; `netaflux devices` lists what there is.",
            over=f"The module of device {device} is there again.",
        )

    def _lag(
        self, connected: Connected, account: Account, device: DeviceName, target: Target | None
    ) -> Sight:
        behind = self._behind(connected, account, device, target)
        looks = {name: beyond(seconds, self._max_lag) for name, seconds in behind.items()}
        late = [name for name, look in looks.items() if look is Look.HOLDS]
        well = bool(looks) and all(look is Look.WELL for look in looks.values())
        longest = max((behind[name] for name in late), default=0.0)
        return Sight(
            matter=Matter(Kind.LAG, device),
            look=Look.HOLDS if late else Look.WELL if well else Look.UNKNOWN,
            name=device,
            text=f"Device {device} is {_span(longest)} behind at {', '.join(late)}.",
            remedy="`netaflux status` says what it waits for; `netaflux check` tries everything.",
            over=f"Device {device} has caught up.",
        )

    def _behind(
        self, connected: Connected, account: Account, device: DeviceName, target: Target | None
    ) -> dict[str, float]:
        """By how many seconds a device is behind at each destination; without those that cannot be told."""
        if connected.keeper.needs_person or self._denied(account):
            return {}
        if target is None:
            return self._behind_unseen(account, device)
        doors = [door for name in target.destinations if not (door := self._app.doors[name]).denied]
        newest = _latest(target.module.newest, self._app.state.coverage.newest(target.module.id))
        if newest is None:
            return {}
        known = newest, self._unasked(account, target.module.id)
        return {door.name: self._behind_at(account, target, door, known) for door in doors}

    def _behind_at(self, account: Account, target: Target, door: Door, known: tuple[int, float]) -> float:
        newest, unasked = known
        delivered = self._delivered(target, door)
        if delivered is None:
            return min(account.server_time - target.begin, self._lasts)
        behind = account.server_time - delivered
        # where all that Netatmo has is there, only how long nobody has asked for more counts
        return behind if newest > delivered else min(behind, unasked)

    def _behind_unseen(self, account: Account, device: DeviceName) -> dict[str, float]:
        """Where no survey has succeeded yet; a module that is missing from one is a matter of its own."""
        if account.roster is not None:
            return {}
        delivered = self._app.state.bindings.delivered_until(device)
        behind = self._lasts if delivered is None else min(self._lasts, self._app.clock.now() - delivered)
        # that little is missing yet says nothing: an older notice stays
        return {"all destinations": behind} if behind > self._max_lag else {}

    def _denied(self, account: Account) -> bool:
        """Whether its survey or a poll lacks a scope."""
        kinds = any(kind.denied for kind in self._rounds.kinds if kind.account is account)
        return kinds or any(job.denied for job in self._rounds.jobs if job.kind.account is account)

    @property
    def _lasts(self) -> float:
        """Seconds since the beginning of this life: our clock may jump meanwhile, into this century, say."""
        return self._app.clock.monotonic() - self._began

    def _unasked(self, account: Account, module: ModuleId) -> float:
        """Seconds since Netatmo was asked last for what is new of a module."""
        clock, polled = self._app.clock, self._app.record.polled.get(module)
        unpolled = self._lasts if polled is None else clock.now() - polled
        if account.source_name not in BY_STATION:  # their surveys tell nothing of rows
            return unpolled
        return min(unpolled, clock.monotonic() - account.surveyed_at)

    def _delivered(self, target: Target, door: Door) -> int | None:
        """Up to when rows are there, of the channel that is furthest behind."""
        identity = self._identity(door)
        if identity is None or not target.channels:
            return None
        covered = [self._app.state.coverage.covered(series).pairs for series in target.series(identity)]
        return min(pairs[-1][1] for pairs in covered) if all(covered) else None

    def _identity(self, door: Door) -> DestinationId | None:
        return door.identity or self._app.state.destinations.identity(door.name)

    # destinations and the state

    def _destinations(self) -> Iterator[Sight]:
        for door in self._app.doors.values():
            known = Look.WELL if door.identity and not door.failures else Look.UNKNOWN
            yield Sight(
                matter=Matter(Kind.CREDENTIALS_REFUSED, door.name),
                look=Look.HOLDS if door.denied else known,
                name=door.name,
                text=f"Destination {door.name} does not know the user name and password.",
                remedy=f"Correct them under [destinations.{door.name}], then try `netaflux check`.",
                over=f"Destination {door.name} takes rows again.",
            )

    async def _refused_rows(self) -> list[Sight]:
        try:
            refused = await self._app.state.rows_aside.refused_since(self._app.clock.now() - DAY)
        except StateError:
            refused = None
        return [
            self._refused(door, device, None if refused is None else refused.get((identity, device), 0))
            for door in self._app.doors.values()
            if (identity := self._identity(door))
            for device in (each.name for each in self._app.settings.devices)
        ]

    def _refused(self, door: Door, device: DeviceName, rows: int | None) -> Sight:
        return Sight(
            matter=Matter(Kind.ROWS_REFUSED, f"{door.name}/{device}"),
            look=Look.UNKNOWN if rows is None else Look.HOLDS if rows else Look.WELL,
            name=device,
            text=f"Destination {door.name} has refused rows of {device} ({rows}); the others went on.",
            remedy="`netaflux status` shows them and why.",
            over=f"Destination {door.name} has refused no row of {device} for a day.",
        )

    async def _state(self) -> Sight:
        trouble = await self._trouble()
        return Sight(
            matter=Matter(Kind.STATE, "state"),
            look=Look.HOLDS if trouble else Look.WELL,
            name="state",
            text=f"netaflux cannot write its state, so nothing is recorded: {trouble}.",
            remedy=StateError.advice,
            over="netaflux can write its state again.",
        )

    async def _trouble(self) -> str:
        """Why nothing is recorded, without the place; where little room is left, small writes succeed."""
        database = self._app.state.database
        try:
            database.require_room()
            async with asyncio.timeout(DATABASE_ANSWERS):
                await database.probe()
        except TimeoutError:
            return "the database does not answer"
        except NetafluxError as error:
            place = str(self._app.state_dir)
            return error.message.replace(f"{place}: ", "").replace(f"{place}/", "")
        return ""


def _targets(account: Account) -> Iterable[Target]:
    rosters = account.roster.targets.values() if account.roster else ()
    return (target for targets in rosters for target in targets)


def _surveyed(account: Account, app: App) -> float:
    """When the newest survey was taken, by Netatmo's clock."""
    return account.server_time - (app.clock.monotonic() - account.surveyed_at)


def _latest(*moments: int | None) -> int | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _name(targets: Sequence[Target]) -> str:
    """What people call a module; where it has no name, the device that mirrors it."""
    titles = targets[0].module.titles
    return _short(titles[-1]) if titles else targets[0].device


def _short(name: str) -> str:
    """A name from elsewhere, as it can be shown."""
    return printable(name[:LONGEST_NAME])


def _span(seconds: float) -> str:
    """A length of time in words, in the larger of days, hours or minutes."""
    for size, unit in ((2 * DAY, "d"), (2 * HOUR, "h")):
        if seconds >= size:
            return f"{int(seconds // (size / 2))} {unit}"
    return f"{int(seconds // 60)} min"
