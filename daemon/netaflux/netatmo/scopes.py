"""Which scope a refused call lacks, and how to get it."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from netaflux.core.errors import ScopeDenied
from netaflux.core.model import AccountName


@contextmanager
def needing(
    scopes: Sequence[str], account: AccountName, granted: Callable[[], Collection[str]]
) -> Iterator[None]:
    """Let a refusal name the scopes of which one is missing, and the command that asks for it.

    Netatmo refuses with the same code what nobody may do. Where all of the scopes are among those `granted`,
    its error stays as it is; none granted means that it is not known what was.
    """
    try:
        yield
    except ScopeDenied as error:
        # looked at now: before the first call a refresh may not have told them yet
        known = granted()
        missing = [scope for scope in scopes if scope not in known]
        if not missing:
            raise
        raise ScopeDenied(
            f"this needs {' or '.join(missing)}: {error.message}",
            status=error.status,
            code=error.code,
            advice=f"Run `{to_grant(missing, account, known)}`.",
        ) from error


def to_grant(missing: Collection[str], account: AccountName, known: Collection[str]) -> str:
    """The command that asks a person for scopes, and once more for those that were granted."""
    kept = known or ("read_station",)
    asked = " ".join(f"--scope {scope}" for scope in dict.fromkeys((*kept, *missing)))
    whose = "" if account == "default" else f" --account {account}"
    return f"netaflux authorize{whose} {asked}"
