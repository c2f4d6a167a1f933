"""Which module each device mirrors, and which it mirrored before."""

import sqlite3
from functools import partial
from typing import Self

from netaflux.core.model import AccountName, Binding, DeviceName, ModuleId
from netaflux.core.ports import Clock
from netaflux.state.coverage import StoredCoverage
from netaflux.state.database import Database


class StoredBindings:
    """Which module each device mirrors; reading is from memory and immediate."""

    def __init__(
        self, database: Database, clock: Clock, coverage: StoredCoverage, bindings: dict[DeviceName, Binding]
    ) -> None:
        self._database = database
        self._clock = clock
        self._coverage = coverage
        self._bindings = bindings

    @classmethod
    async def open(cls, database: Database, clock: Clock, coverage: StoredCoverage) -> Self:
        """Read what is there. Raises StateError."""
        return cls(database, clock, coverage, await database.run(_in_force))

    def binding(self, device: DeviceName) -> Binding | None:
        """The binding in force."""
        return self._bindings.get(device)

    def mirrors(self, module: ModuleId) -> frozenset[DeviceName]:
        """Every device that is bound to the module: of all accounts, configured now or not."""
        return frozenset(device for device, binding in self._bindings.items() if binding.module == module)

    async def bind(self, binding: Binding) -> None:
        """Put a binding in force; an earlier one of the device is closed and kept. Raises StateError."""
        work = partial(_bind, binding=binding, now=self._clock.now())
        await self._database.run(work, then=lambda _: self._bindings.update({binding.device: binding}))

    def delivered_until(self, device: DeviceName) -> int | None:
        """The latest moment of the device that any destination is known to hold."""
        return self._coverage.latest(device)


def _in_force(connection: sqlite3.Connection) -> dict[DeviceName, Binding]:
    rows = connection.execute(
        "SELECT device, module, account, module_text, since_text, begin, floor"
        " FROM bindings WHERE closed_at IS NULL"
    )
    return {DeviceName(row[0]): _binding(row) for row in rows}


def _binding(row: tuple[str, str, str, str, str, int, int]) -> Binding:
    device, module, account, module_text, since_text, begin, floor = row
    return Binding(
        device=DeviceName(device),
        module=ModuleId(module),
        account=AccountName(account),
        module_text=module_text,
        since_text=since_text,
        begin=begin,
        floor=floor,
    )


def _bind(connection: sqlite3.Connection, binding: Binding, now: float) -> None:
    connection.execute(
        "UPDATE bindings SET closed_at = ? WHERE device = ? AND closed_at IS NULL", (now, binding.device)
    )
    connection.execute(
        "INSERT INTO bindings (device, module, account, module_text, since_text, begin, floor, bound_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            binding.device,
            binding.module,
            binding.account,
            binding.module_text,
            binding.since_text,
            binding.begin,
            binding.floor,
            now,
        ),
    )
