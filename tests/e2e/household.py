"""Somebody's netaflux beside a simulated world: the app in this process, all else over real sockets."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netaflux.app import App, open_app
from netaflux.commands.perform import perform
from netaflux.commands.words import Json
from netaflux.config import Loaded, load
from netaflux.core.events import Event
from netaflux.simulator import Limits, NetatmoSettings, Served, World, serve
from tests.e2e.notebook import Formula, Mirror, differences, expected, held
from tests.fakes import Listener, TurnedClock

NOW = 1_700_000_000
MANY = 1_000_000
ROOMY = Limits(user_per_10_seconds=MANY, user_per_hour=MANY, app_per_10_seconds=MANY, app_per_hour=MANY)
"""Limits that no test reaches; the tests of limits are elsewhere."""

Table = dict[str, Any]


@dataclass
class Household:
    """A configuration that can be changed, a state that stays, and the world around it.

    Each command is a process's life of its own, from opening the state until it is closed again.
    """

    served: Served
    clock: TurnedClock
    folder: Path
    devices: list[Table] = field(default_factory=list)
    sections: dict[str, Table] = field(default_factory=dict)
    """The other sections, by their headings."""
    listener: Listener = field(default_factory=Listener)

    def __post_init__(self) -> None:
        app, user = self.served.netatmo.settings.app, self.served.user
        self.sections = {
            "netatmo": {
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "refresh_token": self.served.refresh_tokens["default"],
                "api_url": self.served.netatmo_url,
            },
            "netatmo.limits": {
                "per_10_seconds": MANY,
                "per_hour": MANY,
                "app_per_10_seconds": MANY,
                "app_per_hour": MANY,
            },
            "destinations.fluxtream": {
                "url": self.served.fluxtream_url,
                "username": user.username,
                "password": user.password,
            },
            **self.sections,
        }

    # --- netaflux ---

    def loaded(self) -> Loaded:
        """The configuration, written and read."""
        path = self.folder / "config.toml"
        path.touch(0o600)
        path.write_text(self._text())
        return load(path, {})

    def _text(self) -> str:
        tables = [("[" + heading + "]", table) for heading, table in self.sections.items()]
        tables += [("[[devices]]", device) for device in self.devices]
        lines = [f'state_dir = "{self.folder}/state"']
        for heading, table in tables:
            # what is written here looks the same in JSON and in TOML
            lines += ["", heading, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"

    @asynccontextmanager
    async def app(self) -> AsyncIterator[App]:
        """A process's life; the listener hears what happens in it."""
        async with open_app(self.loaded(), clock=self.clock) as app:
            with app.hub.listening(self.listener):
                yield app

    async def command(self, name: str, **asked: Any) -> list[Json]:
        """The events of a command that is performed in a process of its own."""
        async with self.app() as app:
            return await performed(app, name, **asked)

    async def sync(self, **asked: Any) -> Json:
        """The result of `netaflux sync`."""
        return (await self.command("sync", **asked))[-1]

    def told(self, kind: type[Event]) -> list[Any]:
        """The events of a kind that were told so far."""
        return [event for event in self.listener.events if isinstance(event, kind)]

    # --- the world ---

    @property
    def mirrors(self) -> list[Mirror]:
        """What each device of the configuration should show, where it names its module by the id."""
        return [Mirror(each["name"], each["module"], each.get("channels")) for each in self.devices]

    def differences(
        self, mirrors: Sequence[Mirror] | None = None, own: Mapping[str, Formula] | None = None
    ) -> list[str]:
        """How what Fluxtream holds differs from what Netatmo has now, and what was written twice."""
        shown = self.mirrors if mirrors is None else mirrors
        store = self.served.fluxtream.store
        wanted = expected(self.served.house, shown, self.clock.now(), own)
        found = differences(wanted, held(self.served.fluxtream))
        again = [f"{store.again.total()} cells written again"] if store.again else []
        return found + again + ([f"{store.doubles} cells stand twice"] if store.doubles else [])

    def calls(self, module: str | None = None) -> int:
        """How many getmeasure calls came, for one module or for all."""
        asked = [call.params for call in self.served.netatmo.ledger.of("/api/getmeasure")]
        return sum(module in (None, each.get("module_id", each["device_id"])) for each in asked)

    @property
    def uploaded_rows(self) -> int:
        """How many rows came to Fluxtream, each as often as it came."""
        return sum(upload.rows for upload in self.served.fluxtream.uploads)

    def mirror_all(self, **more: Any) -> None:
        """Configure a device for every module of the first house."""
        self.devices = [
            {"name": f"Netatmo_{number}", "module": module.id, **more}
            for number, module in enumerate(self.served.house.modules)
        ]


async def performed(app: App, name: str, **asked: Any) -> list[Json]:
    """The events of a command."""
    async with aclosing(perform(app, name, asked)) as events:
        return [event async for event in events]


@asynccontextmanager
async def household(
    world: World, folder: Path, *, clock: TurnedClock | None = None
) -> AsyncIterator[Household]:
    """Somebody who lives in that world; time stands still but for those who sleep."""
    clock = clock or TurnedClock(NOW)
    async with serve(world, clock) as served:
        yield Household(served, clock, folder)


def roomy(**more: Any) -> NetatmoSettings:
    """A Netatmo without limits that matter."""
    return NetatmoSettings(limits=ROOMY, **more)
