"""An account's token record, in memory and on disk: a new pair is never dropped, at worst saved late."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from netaflux.core.errors import StateError
from netaflux.core.grants import UNSAVED_RESTS, back_off
from netaflux.core.model import AccountName
from netaflux.core.ports import Clock, TokenStore
from netaflux.core.tokens import TokenRecord
from netaflux.netatmo.lending import first_of


class Vault:
    """The one holder of an account's record."""

    def __init__(
        self, account: AccountName, store: TokenStore, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._chance = chance
        self._loaded = False
        self._on_disk: TokenRecord | None = None
        self._unsaved: StateError | None = None
        self._saving: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.record = TokenRecord()
        """As it is now; what is set here comes to disk with the next save."""

    async def load(self) -> None:
        """Read the record, once. Raises StateError."""
        if self._loaded:
            return
        record = (await self._store.load(self._account)).started()
        if not self._loaded:  # another task may have been faster, and have gone on from there
            self.record, self._on_disk, self._loaded = record, record, True

    async def load_or_begin_anew(self) -> None:
        """Read the record, once; one that cannot be read gives way to what a person brings now."""
        try:
            await self.load()
        except StateError:
            self._loaded = True

    async def save(self, record: TokenRecord) -> None:
        """Replace the record. Raises StateError; it stands in memory all the same."""
        self.record = record
        await self._store.save(self._account, record)
        self._on_disk = record

    async def keep(self, record: TokenRecord, then: Callable[[], None]) -> None:
        """Replace the record by one with a new pair, and call `then` when it is safe.

        Raises StateError where that takes longer; it is then tried again until it is safe, or closed.
        """
        try:
            await self.save(record)
        except Exception as error:  # whatever it is, the pair must not go down with it
            self._unsaved = _as_ours(error)
            self._saving = asyncio.create_task(self._keep_on(then), name=f"unsaved tokens of {self._account}")
            raise self._unsaved from error
        then()

    async def _keep_on(self, then: Callable[[], None]) -> None:
        for failures in count(1):
            rest = back_off(UNSAVED_RESTS, failures, self._chance())
            await first_of(self._closing.wait(), self._clock.sleep(rest))
            last = self._closing.is_set()
            try:
                await self.save(self.record)
            except Exception as error:  # noqa: BLE001 - see `keep`
                self._unsaved = _as_ours(error)
            else:
                self._unsaved = None
                then()
                return
            if last:
                return

    @property
    def unsaved(self) -> bool:
        """Whether the newest pair is in memory only; it must not be used until it is safe."""
        return self._unsaved is not None

    def require_saved(self) -> None:
        """Raise StateError while the newest pair is in memory only."""
        if self._unsaved is not None:
            raise StateError(self._unsaved.message) from self._unsaved

    async def close(self) -> None:
        """Save what is not saved. Raises StateError where a new pair is lost by that; less is no loss."""
        self._closing.set()
        if self._saving is not None:
            await asyncio.wait({self._saving})
        self.require_saved()
        if self._loaded and self.record != self._on_disk:
            with suppress(StateError):
                await self.save(self.record)


def _as_ours(error: Exception) -> StateError:
    # no text of it: a stranger among the errors might repeat the record
    return error if isinstance(error, StateError) else StateError(f"Tokens not saved: {type(error).__name__}")
