"""One call to Netatmo's API: a permit, a token, a request, and patience with what passes."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

import orjson
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from netaflux.core.caution import PROBE
from netaflux.core.errors import (
    Busy,
    CallsUsedUp,
    NetafluxError,
    NetatmoError,
    QuotaReached,
    TokenRejected,
    TooLarge,
    Unreachable,
    UpstreamFault,
)
from netaflux.core.events import CallMade, CallRepeated, ErrorMet
from netaflux.core.model import AccountName, Lane
from netaflux.core.ports import Clock, Observer
from netaflux.http import Answer, Fields, Http
from netaflux.netatmo.crowd import Crowd
from netaflux.netatmo.errors import OK, Envelope, envelope_of
from netaflux.netatmo.gate import Gate
from netaflux.netatmo.servertime import ServerTime
from netaflux.netatmo.turns import Permit
from netaflux.netatmo.wire import NOTHING

ATTEMPTS = 3
LONGEST_PAUSE = 60.0
"""Seconds of `Retry-After` that a call waits for by itself; a longer one closes the gate for everybody."""
WRITES_WAIT = 15.0
"""Seconds that a change may wait for its permit: what somebody wants now may be wrong in an hour."""

_SHUT = (QuotaReached, Busy, UpstreamFault, TokenRejected)
"""Answers that do not show that calls are let in again; every other one does, be it a refusal."""

_BACK_OFF = wait_exponential_jitter(initial=1, max=10, jitter=1)


class Keeper(Protocol):
    """Lends the account's access token to calls; a refresh waits until all have given it back."""

    def borrowed(self) -> AbstractAsyncContextManager[str]:
        """A current access token. Raises NotAuthorized, or what keeps a refresh from succeeding just now."""
        ...

    def rejected(self, access: str) -> None:
        """Netatmo refused this access token: if it is still the current one, it needs a refresh."""
        ...


@dataclass(slots=True)
class _Call:
    """What is asked, and whether asking twice could do harm."""

    endpoint: str
    params: Fields
    lane: Lane
    write: bool
    media: bool = False
    """Whether a good answer is no JSON, but a picture."""
    answer: Answer | None = None
    body: bytes | None = None
    """A JSON body; the parameters stand in the query beside it."""
    access: str = field(default="", repr=False)
    """The token of the latest attempt; empty where there was none to be had, so that nothing was sent."""


class NetatmoClient:
    """Calls to the API in the name of one account."""

    def __init__(
        self,
        account: AccountName,
        *,
        http: Http,
        api_url: str,
        keeper: Keeper,
        gate: Gate,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.account = account
        self.time = ServerTime(clock)
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._keeper = keeper
        self._gate = gate
        self._crowd = Crowd()
        self._failing: set[str] = set()
        """Endpoints whose last call has failed for all patience: the next is made once, to see."""
        self._clock = clock
        self.observer = observer

    async def call(
        self,
        endpoint: str,
        params: Fields,
        *,
        lane: Lane,
        write: bool = False,
        body: object = None,
    ) -> Envelope:
        """Netatmo's good answer.

        A passing failure is tried again a few times, a refused token once with another; a writing call is
        never repeated, for it may have done its work. Its `body` is sent as JSON, the parameters then in the
        query. It is not made at all where it would have to wait for the limits: CallsUsedUp.

        Raises NetatmoError, Unreachable, NotAuthorized, StateError, CallsUsedUp.
        """
        return await self._called(
            _Call(endpoint, params, lane, write, body=None if body is None else orjson.dumps(body))
        )

    async def download(self, endpoint: str, params: Fields, *, lane: Lane) -> Answer | None:
        """A good answer whose content is a picture; None where it was an envelope instead.

        Raises as `call` does.
        """
        call = _Call(endpoint, params, lane, write=False, media=True)
        await self._called(call)
        return call.answer

    async def _called(self, call: _Call) -> Envelope:
        try:
            return await self._authorized(call)
        except (Busy, UpstreamFault) as error:
            if call.access and not _soon(error):
                await self._gate.pause(error.retry_after or 0.0, error.message)
            raise

    async def _authorized(self, call: _Call) -> Envelope:
        try:
            return await self._patiently(call)
        except TokenRejected:
            self._keeper.rejected(call.access)
            if call.write:
                raise
        # refused once more it stays: another refresh would not help, and every one kills a pair of tokens
        return await self._patiently(call)

    async def _patiently(self, call: _Call) -> Envelope:
        try:
            try:
                envelope = await self._attempt(call)
            except (Busy, Unreachable, UpstreamFault) as error:
                envelope = await self._again(call, error)
        except (Busy, Unreachable, UpstreamFault):
            self._failing.add(call.endpoint)
            raise
        self._failing.discard(call.endpoint)
        return envelope

    async def _again(self, call: _Call, first: NetafluxError) -> Envelope:
        """Make a call until it succeeds or patience ends, of which its `first` failure has used up a part."""

        def tell(state: RetryCallState) -> None:
            pause = state.next_action.sleep if state.next_action else 0.0
            self.observer.tell(
                CallRepeated(
                    account=self.account, endpoint=call.endpoint, reason=str(_failure(state)), pause=pause
                )
            )

        attempts = AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(1 if call.write or call.endpoint in self._failing else ATTEMPTS),
            # without a token nothing was sent, and the keeper knows best when to try again
            retry=retry_if_exception(lambda error: bool(call.access) and _passes(error)),
            wait=_pause,
            before_sleep=tell,
            reraise=True,
        )
        failures = [first]

        async def attempt() -> Envelope:
            if failures:
                raise failures.pop()
            return await self._attempt(call)

        envelope: Envelope = await attempts(attempt)
        return envelope

    async def _attempt(self, call: _Call) -> Envelope:
        probe, asked = _Call(PROBE, {}, call.lane, write=False), self._clock.monotonic()
        while True:  # every turn waits for a permit, and uses it up
            call.access = ""
            if call.write and (wait := self._gate.wait) > WRITES_WAIT:
                raise CallsUsedUp(wait)
            # first the permit, which may take an hour; a token that waits would hold up a refresh
            async with (
                self._gate.permit(call.lane) as permit,
                self._crowd.place(call.lane),
                self._keeper.borrowed() as access,
            ):
                if permit.void:
                    continue
                if call.write and self._clock.monotonic() - asked > WRITES_WAIT:
                    raise CallsUsedUp(0)
                call.access = probe.access = access
                if permit.probe and call.endpoint != PROBE:
                    await self._send(probe, permit)
                else:
                    return await self._send(call, permit)

    async def _send(self, call: _Call, permit: Permit) -> Envelope:
        """Make the call, and tell of it."""
        self.observer.tell(CallMade(account=self.account, endpoint=call.endpoint))
        try:
            return await self._sent(call, permit)
        except (NetatmoError, Unreachable) as error:
            self.observer.tell(ErrorMet.of(error))
            raise

    async def _sent(self, call: _Call, permit: Permit) -> Envelope:
        """The call's good answer; the gate knows what it means for the limits."""
        answer = await self._exchange(call)
        if call.media and answer.status == OK and answer.is_image:
            permit.succeeded()
            call.answer = answer
            return NOTHING
        try:
            envelope = envelope_of(answer, call.endpoint, secret=call.access)
        except QuotaReached as error:
            await self._gate.refused(permit, error.retry_after, error.message)
            raise
        except NetatmoError as error:
            if not isinstance(error, _SHUT):
                permit.succeeded()
            raise
        permit.succeeded()
        self.time.heard(envelope)
        return envelope

    async def _exchange(self, call: _Call) -> Answer:
        return await self._http.exchange(
            "POST" if call.write else "GET",
            f"{self._api_url}/api/{call.endpoint}",
            params=call.params if not call.write or call.body else None,
            form=call.params if call.write and not call.body else None,
            json=call.body,
            headers={"Authorization": f"Bearer {call.access}"},
        )


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _soon(error: Busy | UpstreamFault) -> bool:
    """Whether Netatmo asks for no longer pause than one call should make."""
    return (error.retry_after or 0) <= LONGEST_PAUSE


def _passes(error: BaseException) -> bool:
    if isinstance(error, TooLarge):
        return False
    return isinstance(error, Unreachable) or (isinstance(error, Busy | UpstreamFault) and _soon(error))


def _pause(state: RetryCallState) -> float:
    """A short pause that grows, each call's a little different; at least as long as Netatmo asks for."""
    error = _failure(state)
    asked = error.retry_after if isinstance(error, Busy | UpstreamFault) else None
    return max(asked or 0, _BACK_OFF(state))
