"""A program that uses the library: it opens the front door of a simulated Netatmo, and keeps its pairs."""

from contextlib import AbstractAsyncContextManager

from netaflux.core.tokens import TokenPair
from netaflux.netatmo import Netatmo
from netaflux.simulator import Served


class Shelf:
    """Where the program keeps its pairs; it notes what Netatmo had been asked for by then."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.pairs: list[TokenPair] = []
        self.called_before: list[list[str]] = []
        self.full = False

    async def keep(self, pair: TokenPair) -> None:
        if self.full:
            raise OSError("no space left")
        self.called_before.append(called(self.served))
        self.pairs.append(pair)


def opened(
    served: Served, shelf: Shelf | None = None, refresh_token: str | None = None
) -> AbstractAsyncContextManager[Netatmo]:
    app = served.netatmo.settings.app
    return Netatmo.open(
        client_id=app.client_id,
        client_secret=app.client_secret,
        refresh_token=refresh_token or served.refresh_tokens["default"],
        save=(shelf or Shelf(served)).keep,
        api_url=served.netatmo_url,
        clock=served.clock,
    )


def called(served: Served) -> list[str]:
    """The endpoints that were asked, in order."""
    return [call.endpoint for call in served.netatmo.ledger.calls]
