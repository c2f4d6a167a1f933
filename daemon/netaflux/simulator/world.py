"""The simulated outside world, served on loopback: people with houses at Netatmo, and their Fluxtream."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from aiohttp import web

from netaflux.core.ports import Clock
from netaflux.simulator.accounts import ALL_SCOPES, WEATHER_SCOPES, Account
from netaflux.simulator.compare import ChannelReport, Mirror, compare
from netaflux.simulator.control import control_fluxtream, control_netatmo
from netaflux.simulator.estate import demo_house
from netaflux.simulator.fluxtream import Fluxtream, FluxtreamSettings, User
from netaflux.simulator.house import House
from netaflux.simulator.netatmo import Netatmo, NetatmoSettings
from netaflux.simulator.units import HOME_COACH, Module

LOOPBACK = "127.0.0.1"
GRACE = 0.1
"""Seconds that calls in flight get when a server ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Who and what there is; each account and each user is one person."""

    accounts: Sequence[Account]
    users: Sequence[User]
    netatmo: NetatmoSettings = field(default_factory=NetatmoSettings)
    fluxtream: FluxtreamSettings = field(default_factory=FluxtreamSettings)

    @classmethod
    def of(
        cls,
        house: House,
        *,
        netatmo: NetatmoSettings | None = None,
        fluxtream: FluxtreamSettings | None = None,
        scopes: Sequence[str] = WEATHER_SCOPES,
    ) -> Self:
        """One person, named `default` at Netatmo and `anne` at Fluxtream, with one house."""
        return cls(
            accounts=[Account("default", house, tuple(scopes))],
            users=[User(username="anne", password="simulated", guest=7, email="anne@example.org")],  # noqa: S106 - opens nothing else
            netatmo=netatmo or NetatmoSettings(),
            fluxtream=fluxtream or FluxtreamSettings(),
        )


def demo_world(now: float, days: float = 30, *, live: bool = False) -> World:
    """The demo's house and its owner; `live` if the house goes on measuring."""
    return World.of(demo_house(now, days, live=live), scopes=ALL_SCOPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A world that can be reached."""

    world: World
    clock: Clock
    netatmo: Netatmo
    fluxtream: Fluxtream
    netatmo_url: str
    fluxtream_url: str
    refresh_tokens: dict[str, str] = field(repr=False)
    """A token to begin with for each account, good until it is used."""

    @property
    def user(self) -> User:
        """The first guest of the Fluxtream."""
        return self.fluxtream.users[0]

    @property
    def house(self) -> House:
        """The first account's house."""
        return self.world.accounts[0].house

    @property
    def in_flight(self) -> int:
        """Calls that either server has not answered yet."""
        return self.netatmo.door.in_flight + self.fluxtream.door.in_flight

    def mirrors(self) -> list[Mirror]:
        """A device for each module of the first account, as in `configuration`."""
        return [
            Mirror(device_name(each.title), each.module_id, source=each.source) for each in named(self.house)
        ]

    def compare(
        self, mirrors: Iterable[Mirror] | None = None, at: float | None = None
    ) -> list[ChannelReport]:
        """Compare the first account's house, as Netatmo has it (now), with the first user's store."""
        shown = self.mirrors() if mirrors is None else mirrors
        moment = self.clock.now() if at is None else at
        return compare(self.house, self.fluxtream.store, self.user.guest, shown, moment)

    def configuration(self, state_dir: str | None = None) -> str:
        """A configuration of netaflux for this world, ready to paste."""
        app, user = self.netatmo.settings.app, self.user
        token = self.refresh_tokens[self.world.accounts[0].name]
        lines = [
            *([f'state_dir = "{state_dir}"', ""] if state_dir else []),
            "[netatmo]",
            f'client_id = "{app.client_id}"',
            f'client_secret = "{app.client_secret}"',
            f'refresh_token = "{token}"',
            f'api_url = "{self.netatmo_url}"',
            "",
            "[destinations.fluxtream]",
            f'url = "{self.fluxtream_url}"',
            f'username = "{user.username}"',
            f'password = "{user.password}"',
            *(line for each in named(self.house) for line in _device_lines(each)),
        ]
        return "\n".join(lines) + "\n"


class Named(NamedTuple):
    """Something that a device can mirror."""

    title: str
    """`home/module`."""
    module_id: str
    source: str = "stations"
    """Where netaflux finds it."""


def named(house: House) -> list[Named]:
    """All that has a name and can be mirrored: modules, Home Coaches, heated rooms, boilers, cameras."""
    found = [
        Named(f"{station.home_name or station.name}/{unit.name}", unit.id, _source(unit))
        for station in house.stations
        for unit in station.units
        if unit.name is not None
    ]
    for home in house.homes:
        place = home.name or "home"
        rooms = [room for room in home.rooms if any(unit.room == room.id for unit in home.units)]
        found += [Named(f"{place}/{room.name}", room.id, "rooms") for room in rooms if room.name]
        boilers = [unit for unit in home.units if unit.kind == "NATherm1" and unit.name]
        found += [Named(f"{place}/{unit.name}", unit.id, "boilers") for unit in boilers]
        lenses = house.guards[home.id].lenses.values() if home.id in house.guards else ()
        found += [Named(f"{place}/{lens.name}", lens.eye.id, "cameras") for lens in lenses if lens.name]
    return found


def _source(unit: Module) -> str:
    return "coaches" if unit.kind == HOME_COACH else "stations"


def device_name(title: str) -> str:
    """What the device for `home/module` is called at Fluxtream."""
    return "Netatmo_" + re.sub(r"[^0-9A-Za-z]+", "_", title.rpartition("/")[2]).strip("_")


def _device_lines(each: Named) -> list[str]:
    source = [] if each.source == "stations" else [f'source = "{each.source}"']
    return [
        "",
        "[[devices]]",
        f'name = "{device_name(each.title)}"',
        *source,
        f'module = "{each.title}"',
    ]


@asynccontextmanager
async def serve(
    world: World, clock: Clock, *, netatmo_port: int = 0, fluxtream_port: int = 0
) -> AsyncIterator[Served]:
    """Serve a world on loopback; port 0 takes any that is free."""
    netatmo = Netatmo(world.accounts, clock, world.netatmo)
    fluxtream = Fluxtream(world.users, clock, world.fluxtream)
    netatmo_app, fluxtream_app = netatmo.application(), fluxtream.application()
    control_netatmo(netatmo_app, netatmo)
    control_fluxtream(fluxtream_app, fluxtream)
    async with AsyncExitStack() as stack:
        yield Served(
            world=world,
            clock=clock,
            netatmo=netatmo,
            fluxtream=fluxtream,
            netatmo_url=await stack.enter_async_context(_started(netatmo_app, netatmo_port)),
            fluxtream_url=await stack.enter_async_context(_started(fluxtream_app, fluxtream_port)),
            refresh_tokens={
                name: netatmo.logins.issue(name, account.scopes).refresh
                for name, account in netatmo.logins.accounts.items()
            },
        )


async def serve_forever(
    world: World,
    clock: Clock,
    announce: Callable[[Served], None],
    *,
    netatmo_port: int = 0,
    fluxtream_port: int = 0,
) -> None:
    """Serve a world until cancelled; `announce` is told where, once it can be reached."""
    async with serve(world, clock, netatmo_port=netatmo_port, fluxtream_port=fluxtream_port) as served:
        announce(served)
        await asyncio.Event().wait()


@asynccontextmanager
async def _started(app: web.Application, port: int) -> AsyncIterator[str]:
    # a caller that has gone ends its call, so that what hangs on purpose does not hang for ever
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=GRACE)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        host, bound = runner.addresses[0][:2]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()
