"""netaflux with a bug: once a file `crash` stands in its folder, exchanges raise what they get."""

import os
from typing import Any

from netaflux.__main__ import main
from netaflux.core import grants
from netaflux.http import Answer, Http

exchange = Http.exchange


async def crashing(self: Http, method: str, url: str, **given: Any) -> Answer:
    if os.path.exists("crash"):  # noqa: ASYNC240, PTH110 - a look at a file that is hardly ever there
        raise RuntimeError(f"{method} {url} {given!r}")
    return await exchange(self, method, url, **given)


if __name__ == "__main__":
    # after a failed request for tokens half a minute passes, which tells nothing here
    grants.GAP, grants.UNANSWERED_RESTS = 1.0, (1.0, 1.0, 1.0, 1.0)
    Http.exchange = crashing  # type: ignore[method-assign]  # the bug
    main()
