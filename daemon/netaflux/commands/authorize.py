"""`authorize`: the owner's half of an authorization. The browser's half is the command line's.

Request: `account`, and either `code` with `redirect_uri` (and `scopes`), or `refresh_token`.
Events: `pausing` where Netatmo was asked for tokens lately (`seconds`, `apart`), `sending`, and `result` with
the scopes granted.
"""

from collections.abc import AsyncGenerator
from math import ceil
from typing import Final, Self

from pydantic import model_validator

from netaflux.app import App
from netaflux.commands.requests import understood
from netaflux.commands.words import Json, account_named, iso, sending
from netaflux.core.errors import ALONE, NetafluxError
from netaflux.core.grants import GAP
from netaflux.core.model import AccountName
from netaflux.core.settings import Part, PastedSecret
from netaflux.netatmo.tokens import TokenKeeper

LOOK: Final = "`netaflux check`"


class AuthorizeRequest(Part):
    """What the command line has got from the person."""

    account: AccountName
    code: PastedSecret | None = None
    redirect_uri: str | None = None
    scopes: tuple[str, ...] = ()
    refresh_token: PastedSecret | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.code is None) == (self.refresh_token is None) or (self.code and not self.redirect_uri):
            raise ValueError("either a code and its redirect_uri, or a refresh_token")
        return self


async def authorize(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Exchange what the person brought for tokens, and keep them. Raises NotAuthorized, NetatmoError."""
    request = understood("authorize", AuthorizeRequest, asked)
    keeper = app.accounts[account_named(request.account, list(app.accounts))].keeper
    # here, and not in the keeper, a person can still break it off without anything having happened
    if (seconds := keeper.pause) > 0:
        yield {"event": "pausing", "seconds": ceil(seconds), "apart": GAP}
        await app.clock.sleep(seconds)
    yield sending(LOOK)
    try:
        await _adopt(keeper, request)
    except NetafluxError as error:
        error.remedy = ALONE.get(error.remedy, error.remedy)  # no daemon authorizes by itself either
        raise
    yield {
        "event": "result",
        "account": request.account,
        "scopes": list(keeper.scopes),
        "expires": iso(keeper.expires_at),
        "exit_code": 0,
    }


async def _adopt(keeper: TokenKeeper, request: AuthorizeRequest) -> None:
    if request.refresh_token is not None:
        await keeper.adopt_refresh(request.refresh_token.get_secret_value())
    elif request.code is not None and request.redirect_uri is not None:
        await keeper.adopt_code(request.code.get_secret_value(), request.redirect_uri, request.scopes)
