"""Which scope a refused call lacks, and how to get it."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from netaflux.core.errors import ScopeDenied
from netaflux.core.model import AccountName


@contextmanager
def needing(scope: str, account: AccountName, granted: Callable[[], Collection[str]]) -> Iterator[None]:
    """Let a refusal name the scope that is missing, and the command that asks for it.

    Netatmo refuses with the same code what nobody may do. Where the scope is among those `granted`, its
    error stays as it is; none granted means that it is not known what was.
    """
    try:
        yield
    except ScopeDenied as error:
        # looked at now: before the first call a refresh may not have told them yet
        known = granted()
        if scope in known:
            raise
        asked = " ".join(f"--scope {each}" for each in (*known, scope))
        whose = "" if account == "default" else f" --account {account}"
        raise ScopeDenied(
            f"this needs {scope}: {error.message}",
            status=error.status,
            code=error.code,
            advice=f"Run `netaflux authorize{whose} {asked}`.",
        ) from error
