"""The one owner of an account's tokens: lends the access token, refreshes it, loses no pair it was given.

    intent saved → POST → new pair saved → lent

All of that runs in a task of its own that no caller's cancellation reaches. While it runs nothing is lent,
and the calls in flight have ended before it: a refresh kills the access token that they use.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from netaflux.core.errors import (
    GrantRefused,
    NetafluxError,
    NotAuthorized,
    Unreachable,
    UpstreamFault,
)
from netaflux.core.grants import (
    GAP,
    Attempt,
    Lend,
    PersonNeeded,
    Situation,
    Wait,
    next_attempt,
    next_step,
    person_needed,
)
from netaflux.core.model import AccountName
from netaflux.core.ports import Clock, Observer, TokenStore
from netaflux.core.tokens import Role, TokenPair
from netaflux.netatmo.announcing import Announcer
from netaflux.netatmo.lending import Lending, first_of
from netaflux.netatmo.oauth import INVALID_GRANT, TokenEndpoint
from netaflux.netatmo.pace import Pace
from netaflux.netatmo.standing import Standing, State, not_adopted, not_authorized, standing
from netaflux.netatmo.vault import Vault


class TokenKeeper:
    """Owns the tokens of one account; there must be no other, in this process or elsewhere."""

    def __init__(
        self,
        account: AccountName,
        *,
        endpoint: TokenEndpoint,
        store: TokenStore,
        clock: Clock,
        observer: Observer,
        client_id: str,
        seed: SecretStr | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.account = account
        self._endpoint = endpoint
        self._clock = clock
        self._client_id = client_id
        self._seed = seed
        self._vault = Vault(account, store, clock, chance)
        self._pace = Pace(clock, chance)
        self._lending = Lending(clock)
        self._announcer = Announcer(account, observer)
        self._spending: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()

    async def load(self) -> None:
        """Read what is known of the account, for status; all else does it by itself. Raises StateError."""
        await self._vault.load()
        if self._vault.record.lost is not None:
            self._announcer.told_before()

    # lending

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[str]:
        """The access token, for one API call; let the call's errors pass through, so that they count.

        Waits while a refresh is going on. Raises NotAuthorized where only a person can help, Unreachable,
        UpstreamFault or StateError where there is nothing to lend until later.
        """
        pair = await self._lendable()
        with self._lending.call():
            yield pair.access
        if self._is_current(pair.access):
            # on disk with the next intent, which comes before any refusal, or at the end
            self._vault.record = self._vault.record.accepted()

    async def valid_pair(self) -> TokenPair:
        """A pair that is good now, for those who show it rather than call with it; raises as `borrowed` does.

        It is no sign that Netatmo takes it.
        """
        return await self._lendable()

    def rejected(self, access: str) -> None:
        """The API refused this access token; say so after giving it back, then borrow once more.

        A token that is no longer current changes nothing: it died when its successor came.
        """
        if self._is_current(access) and self._vault.record.rejected_at is None:
            self._vault.record = self._vault.record.rejecting(self._clock.now())
            self._pace.rejected()

    async def wait_authorized(self) -> None:
        """Return once there is an access token to lend, whatever kept it from being there.

        A new pair ends it at once. Where only a person can help, the pair is also tried now and then, since
        an outage may outlast all patience; else the next try is left to those who borrow. Raises
        NetafluxError when it is closed.
        """
        while True:
            self._changed.clear()
            try:
                await self._lendable()
                return
            except NotAuthorized:
                await first_of(self._changed.wait(), self._closing.wait(), self._next_try())
            except NetafluxError:
                self._go_on_unless_closing()
                await first_of(self._changed.wait(), self._closing.wait())

    async def _next_try(self) -> None:
        """Wait until an attempt can be made again; forever, where there is nothing to try."""
        if next_attempt(self._vault.record, self._situation()) is None:
            await asyncio.Event().wait()
        await self._clock.sleep(max(GAP, self._pace.rest))

    async def _lendable(self) -> TokenPair:
        """The pair that can be lent at this moment: no other task has its turn before it is used."""
        while True:
            await self._settled()
            match next_step(self._vault.record, self._situation()):
                case Lend(pair):
                    return pair
                case Attempt() as attempt:
                    await self._undisturbed(self._attempt(attempt))
                case PersonNeeded() as person:
                    self._announcer.needed(person)
                    raise not_authorized(self.account, person)
                case Wait():
                    raise self._pace.delayed(self.account) from self._pace.lived.fault

    async def _settled(self) -> None:
        """Wait until no token POST is going on. Raises StateError while the newest pair is not safe."""
        await self.load()
        while self._spending is not None and not self._spending.done():
            await asyncio.wait({self._spending})
        self._go_on_unless_closing()
        self._vault.require_saved()

    # spending

    @property
    def pause(self) -> float:
        """Seconds for which whatever is to be spent now would have to wait, since there was a POST lately."""
        return self._pace.gap

    async def adopt_code(self, code: str, redirect_uri: str, scopes: Sequence[str]) -> None:
        """Take the code that a person's authorization gave; whoever waits goes on.

        Raises NotAuthorized where Netatmo refuses it, Unreachable, UpstreamFault, StateError.
        """
        await self._vault.load_or_begin_anew()
        await self._settled()
        await self._undisturbed(
            self._adopt(code, lambda: self._endpoint.exchange(code, redirect_uri, scopes), refresh=None)
        )

    async def adopt_refresh(self, refresh_token: str) -> None:
        """Take a refresh token that a person gave; it is spent at once. Raises as `adopt_code` does."""
        await self._vault.load_or_begin_anew()
        await self._settled()
        await self._undisturbed(
            self._adopt(refresh_token, lambda: self._endpoint.refresh(refresh_token), refresh=refresh_token)
        )

    async def close(self) -> None:
        """Wait for what is being spent or saved, and for nothing else.

        Raises StateError where a new pair could not be saved, and is lost.
        """
        self._closing.set()
        if self._spending is not None:
            await asyncio.wait({self._spending})
        await self._vault.close()

    async def _undisturbed(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in a task of its own; whoever is cancelled stops waiting for it, no more."""
        self._spending = asyncio.create_task(work, name=f"tokens of {self.account}")
        await asyncio.shield(self._spending)

    async def _attempt(self, attempt: Attempt) -> None:
        """Try to refresh; what comes of it is known afterwards to all who wait for it."""
        try:
            await self._refresh(attempt)
        except NetafluxError as fault:
            self._pace.failed(fault)

    async def _refresh(self, attempt: Attempt) -> None:
        try:
            pair = await self._spend(attempt.token, lambda: self._endpoint.refresh(attempt.token))
        except GrantRefused as refusal:
            await self._refused(attempt, refusal)
        else:
            pasted = attempt.role is Role.SEED
            await self._granted(pair, refresh=attempt.token, pasted=pasted)

    async def _adopt(
        self, token: str, grant: Callable[[], Awaitable[TokenPair]], refresh: str | None
    ) -> None:
        try:
            pair = await self._spend(token, grant)
        except GrantRefused as refusal:
            await self._vault.save(self._vault.record.dismissed())
            raise not_adopted(refusal) from refusal
        await self._granted(pair, refresh=refresh, pasted=refresh is not None)

    async def _spend(self, token: str, grant: Callable[[], Awaitable[TokenPair]]) -> TokenPair:
        """One token POST, with its intent on disk before it."""
        await self._quiet()
        await self._intend(token)
        try:
            return await self._post(grant)
        except (Unreachable, UpstreamFault) as fault:
            never_left = isinstance(fault, Unreachable) and not fault.sent
            record = self._vault.record
            await self._vault.save(record.dismissed() if never_left else record.without_answer())
            raise
        finally:
            self._pace.posted()

    async def _post(self, grant: Callable[[], Awaitable[TokenPair]]) -> TokenPair:
        self._announcer.posting()
        try:
            return await grant()
        except NetafluxError as error:
            self._announcer.failed(error)
            raise

    async def _intend(self, token: str) -> None:
        try:
            await self._vault.save(self._vault.record.intending(token, self._clock.now()))
        except NetafluxError:
            self._vault.record = self._vault.record.dismissed()  # it will not be sent
            raise

    async def _quiet(self) -> None:
        """Keep the distance from the last POST, and let the calls in flight end."""
        gap = self._pace.gap
        if gap > 0:
            await first_of(self._closing.wait(), self._clock.sleep(gap))
        await self._lending.drained(self._closing)
        self._go_on_unless_closing()

    def _go_on_unless_closing(self) -> None:
        if self._closing.is_set():
            raise NetafluxError("netaflux is stopping")

    async def _refused(self, attempt: Attempt, refusal: GrantRefused) -> None:
        """A definite no: nothing is forgotten, and a person is asked only when there is no other way."""
        self._pace.refused(attempt.role, refusal)
        record = self._vault.record.dismissed()
        if refusal.error == INVALID_GRANT:
            record = record.refused(
                attempt.role, attempt.token, client_id=self._client_id, now=self._clock.now()
            )
            following = next_attempt(record, self._situation())
            if following is not None and following.role is not Role.PAIR:
                self._pace.hurry()
        person = person_needed(record, self._situation())
        if person is not None:
            self._announcer.needed(person, anew=attempt.role is Role.SEED)
            record = record.given_up(person.suspicion) if person.lasting else record
        await self._vault.save(record)

    async def _granted(self, pair: TokenPair, *, refresh: str | None, pasted: bool) -> None:
        """A new pair, lent as soon as it is on disk."""
        restored = self.needs_person
        record = self._vault.record.granted(pair, for_refresh=refresh)
        if pasted and refresh is not None:
            record = record.with_spent(self._client_id, refresh)
        await self._vault.keep(record, lambda: self._in_force(pair, restored=restored))

    def _in_force(self, pair: TokenPair, *, restored: bool) -> None:
        self._pace.granted()
        self._announcer.renewed(pair.expires_at - self._clock.now(), restored=restored)
        self._changed.set()

    # standing

    @property
    def pair(self) -> TokenPair | None:
        """The newest pair of this app; only `borrowed` is for calling with it."""
        return self._vault.record.pair_of(self._client_id)

    @property
    def needs_person(self) -> bool:
        """Whether nothing will go on for long without a person."""
        return person_needed(self._vault.record, self._situation()) is not None

    @property
    def state(self) -> State:
        """One word: `ok`, `due`, `refreshing`, `waiting`, `unsaved`, `unauthorized`."""
        return self.standing.state

    @property
    def expires_at(self) -> float | None:
        """When the access token expires, unix seconds."""
        return self.standing.expires_at

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the person has granted."""
        return self.standing.scopes

    @property
    def suspicion(self) -> str | None:
        """Why a person is needed, where one is."""
        return self.standing.suspicion

    @property
    def remedy(self) -> str | None:
        """What that person has to do."""
        return self.standing.remedy

    @property
    def standing(self) -> Standing:
        """What status shows; before `load` that of an account that is not known."""
        return standing(self._vault.record, self._situation(), self.account, self._busy())

    def _busy(self) -> State | None:
        if self._vault.unsaved:
            return "unsaved"
        spending = self._spending is not None and not self._spending.done()
        return "refreshing" if spending else None

    def _situation(self) -> Situation:
        return Situation(
            now=self._clock.now(),
            client_id=self._client_id,
            seed=self._seed.get_secret_value() if self._seed is not None else None,
            rest=self._pace.rest,
            gap=self._pace.gap,
            refused=self._pace.lived.pair_refused,
            client_refused=self._pace.lived.client_refused,
        )

    def _is_current(self, access: str) -> bool:
        pair = self._vault.record.pair
        return pair is not None and pair.access == access
