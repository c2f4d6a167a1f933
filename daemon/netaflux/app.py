"""From settings to open, wired objects: the only place that constructs; closed again in reverse."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from netaflux import netatmo as library
from netaflux.clocks import RealClock
from netaflux.config import Loaded, Settings, state_dir
from netaflux.core.channels import Catalogue, OwnChannel
from netaflux.core.devices import Device
from netaflux.core.errors import StateError
from netaflux.core.events import Event
from netaflux.core.limits import Limit
from netaflux.core.model import AccountName, DestinationName, SourceName
from netaflux.core.ports import Clock, Observer, TokenStore
from netaflux.core.tokens import TokenRecord
from netaflux.destinations import OpenDestination, open_destination
from netaflux.flow.account import Account
from netaflux.flow.courier import Courier
from netaflux.flow.door import Door
from netaflux.http import Http
from netaflux.logs import LogObserver, forget
from netaflux.netatmo.client import NetatmoClient
from netaflux.netatmo.gate import Budget, Gate
from netaflux.netatmo.oauth import TokenEndpoint
from netaflux.netatmo.scope import World
from netaflux.netatmo.settings import LimitsSettings
from netaflux.netatmo.tokens import TokenKeeper
from netaflux.notify.outlets import Outlets, open_outlets
from netaflux.sources import Sources
from netaflux.state.open import State, open_state
from netaflux.status.record import Record

TOKENS_GRACE = 3.0
"""Real seconds, after uploads and socket have had theirs: a service that is told to stop has ten in all."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Hub:
    """Tells every observer; more may listen for a while, such as the progress of a command."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = list(observers)

    def tell(self, event: Event) -> None:
        """Pass it on."""
        for observer in tuple(self._observers):
            observer.tell(event)

    @contextmanager
    def listening(self, observer: Observer) -> Iterator[None]:
        """Let one more observer listen."""
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)


@dataclass(frozen=True)
class Connected:
    """An account with its way to Netatmo."""

    name: AccountName
    kinds: Mapping[SourceName, Account]
    """Its modules by their source, where devices mirror any; of stations anyway."""
    sources: Sources
    client: NetatmoClient
    http: Http
    keeper: TokenKeeper
    gate: Gate

    @property
    def mirrored(self) -> Sequence[Account]:
        """The kinds of modules that devices mirror; stations where there is no device yet."""
        return [each for each in self.kinds.values() if each.devices] or [*self.kinds.values()]

    @property
    def devices(self) -> Sequence[Device]:
        """All devices that mirror one of its modules."""
        return [device for each in self.kinds.values() for device in each.devices]

    @cached_property
    def netatmo(self) -> "library.Netatmo":
        """The views over all that the account has.

        The library imports them when they are asked for: a `sync`, which needs none, starts a tenth sooner.
        """
        return library.Netatmo(self.client, self.keeper, self.http)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything that a command or the daemon works with."""

    settings: Settings
    config_path: Path | None
    warnings: Sequence[str]
    clock: Clock
    state: State
    state_dir: Path
    hub: Hub
    record: Record
    budget: Budget
    catalogue: Catalogue
    destinations: Mapping[DestinationName, OpenDestination]
    doors: Mapping[DestinationName, Door]
    courier: Courier
    accounts: Mapping[AccountName, Connected]
    outlets: Outlets
    """The ways to a person."""

    def kinds(self) -> Iterator[tuple[Connected, Account]]:
        """What is polled: each account's modules, kind by kind."""
        for connected in self.accounts.values():
            for account in connected.mirrored:
                yield connected, account

    async def open_doors(self, *, patient: bool = True, record: bool = True) -> None:
        """Find out who the destinations are, all at once; a failing one is left alone until it is due.

        Without `record` nothing of it is remembered. Raises StateError.
        """
        await asyncio.gather(*(door.ready(patient=patient, record=record) for door in self.doors.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What an app stands on, and what outlives it when the configuration is read anew."""

    clock: Clock
    state: State
    state_dir: Path
    hub: Hub
    record: Record


@asynccontextmanager
async def open_ground(
    loaded: Loaded, *, clock: Clock | None = None, log_events: bool = True
) -> AsyncIterator[Ground]:
    """Lock the state and open it. Raises StateLocked, StateForeign, StateError, ConfigError.

    Without `log_events` what happens is not logged: a command says it to its person itself.
    """
    clock = clock or RealClock()
    directory, record = state_dir(loaded.settings, os.environ), Record(clock)
    hub = Hub(*([LogObserver()] if log_events else []), record)
    async with open_state(directory, clock) as state:
        yield Ground(clock=clock, state=state, state_dir=directory, hub=hub, record=record)


@asynccontextmanager
async def open_app(
    loaded: Loaded,
    *,
    clock: Clock | None = None,
    log_events: bool = True,
    ground: Ground | None = None,
) -> AsyncIterator[App]:
    """Connect everything that is configured, on a ground of its own or a given one; nothing is asked yet.

    Raises what `open_ground` raises.
    """
    async with AsyncExitStack() as stack:
        if ground is None:
            ground = await stack.enter_async_context(open_ground(loaded, clock=clock, log_events=log_events))
        yield await _connected(stack, loaded, ground)


async def _connected(stack: AsyncExitStack, loaded: Loaded, ground: Ground) -> App:
    settings, clock, state, hub = loaded.settings, ground.clock, ground.state, ground.hub
    catalogue = _catalogue(settings)
    destinations = {
        name: await stack.enter_async_context(open_destination(name, each))
        for name, each in settings.destinations.items()
    }
    doors = {
        name: Door(each, identities=state.destinations, clock=clock, observer=hub)
        for name, each in destinations.items()
    }
    courier = Courier(coverage=state.coverage, bindings=state.bindings, doors=doors, observer=hub)
    wiring = _Wiring(settings, clock, state, hub, catalogue, courier)
    budget = await stack.enter_async_context(wiring.budget())
    accounts = await wiring.accounts(stack, budget)
    return App(
        settings=settings,
        config_path=loaded.path,
        warnings=loaded.warnings,
        clock=clock,
        state=state,
        state_dir=ground.state_dir,
        hub=hub,
        record=ground.record,
        budget=budget,
        catalogue=catalogue,
        destinations=destinations,
        doors=doors,
        courier=courier,
        accounts=accounts,
        outlets=await stack.enter_async_context(open_outlets(settings.notify)),
    )


def _catalogue(settings: Settings) -> Catalogue:
    own = settings.channels.items()
    return Catalogue({str(name): OwnChannel(each.formula, each.unit) for name, each in own})


@dataclass(frozen=True, slots=True)
class _Wiring:
    """What the accounts are made of."""

    settings: Settings
    clock: Clock
    state: State
    hub: Hub
    catalogue: Catalogue
    courier: Courier

    def budget(self) -> AbstractAsyncContextManager[Budget]:
        world = World(store=self.state.budgets, clock=self.clock, boot=_boot(), observer=self.hub)
        app, account = _limits(self.settings.netatmo.limits)
        return Budget.open(app=app, account=account, world=world)

    async def accounts(self, stack: AsyncExitStack, budget: Budget) -> dict[AccountName, Connected]:
        """Every account of the configuration, connected; its tokens are closed before anything below them."""
        http = await stack.enter_async_context(Http.open())
        devices: defaultdict[AccountName, list[Device]] = defaultdict(list)
        for device in self.settings.mirrored():
            devices[device.account].append(device)
        connected = {}
        for name in self.settings.accounts:
            connected[name] = await self._connected(name, devices[name], http, budget)
        stack.push_async_callback(_closed, [each.keeper for each in connected.values()])
        return connected

    async def _connected(
        self, name: AccountName, devices: Sequence[Device], http: Http, budget: Budget
    ) -> Connected:
        keeper, gate = self._keeper(name, http), await budget.gate(name)
        with suppress(StateError):  # told when it is needed; `authorize` mends a record that is damaged
            await keeper.load()
        client = NetatmoClient(
            name,
            http=http,
            api_url=self.settings.netatmo.api_url,
            keeper=keeper,
            gate=gate,
            clock=self.clock,
            observer=self.hub,
        )
        sources = Sources(client, http, self.clock, lambda: keeper.scopes)
        wanted = {SourceName.STATIONS, *(device.source for device in devices)}
        kinds = {each: self._kind(name, devices, sources, each) for each in SourceName if each in wanted}
        return Connected(name, kinds, sources, client, http, keeper, gate)

    def _kind(
        self, name: AccountName, devices: Sequence[Device], sources: Sources, source: SourceName
    ) -> Account:
        return Account(
            name,
            [device for device in devices if device.source is source],
            source=sources[source],
            source_name=source,
            courier=self.courier,
            coverage=self.state.coverage,
            bindings=self.state.bindings,
            catalogue=self.catalogue,
            clock=self.clock,
            observer=self.hub,
        )

    def _keeper(self, name: AccountName, http: Http) -> TokenKeeper:
        netatmo = self.settings.netatmo
        endpoint = TokenEndpoint(
            http,
            api_url=netatmo.api_url,
            client_id=netatmo.client_id,
            client_secret=netatmo.client_secret,
            clock=self.clock,
        )
        return TokenKeeper(
            name,
            endpoint=endpoint,
            store=_Confided(self.state.tokens),
            clock=self.clock,
            observer=self.hub,
            client_id=netatmo.client_id,
            seed=netatmo.seed(name),
        )


@dataclass(frozen=True, slots=True)
class _Confided:
    """A store of tokens: what goes in or comes out of it is told to nobody from then on."""

    store: TokenStore

    async def load(self, account: AccountName) -> TokenRecord:
        record = await self.store.load(account)
        _forget(record)
        return record

    async def save(self, account: AccountName, record: TokenRecord) -> None:
        _forget(record)
        await self.store.save(account, record)


def _forget(record: TokenRecord) -> None:
    held = (record.previous_refresh, *((record.pair.access, record.pair.refresh) if record.pair else ()))
    forget(*filter(None, held), passing=True)


async def _closed(keepers: Sequence[TokenKeeper]) -> None:
    """Let token POSTs on their way come to their end, and their pairs to the disk, while a stop may take.

    What takes longer has its intent on disk: the next start tries the same token again.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(TOKENS_GRACE):
            await asyncio.gather(*(keeper.close() for keeper in keepers))


def _limits(limits: LimitsSettings) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
    """The windows of the app, and of each account."""
    app = (Limit(limits.app_per_10_seconds, 10), Limit(limits.app_per_hour, 3600))
    return app, (Limit(limits.per_10_seconds, 10), Limit(limits.per_hour, 3600))


def _boot() -> str:
    """Which boot the monotonic clock counts from; a system that does not say counts as always another."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return os.urandom(8).hex()
