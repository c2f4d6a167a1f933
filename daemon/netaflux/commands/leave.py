"""What an account's sources need a person's leave for, and the one command that asks for all of it."""

from collections.abc import Collection, Mapping
from typing import Final

from netaflux.app import Connected
from netaflux.config import Settings
from netaflux.core.model import AccountName, SourceName
from netaflux.netatmo.energy import READ
from netaflux.netatmo.scopes import to_grant
from netaflux.netatmo.security import READ_SCOPES

SCOPES: Final[Mapping[SourceName, tuple[str, ...]]] = {
    SourceName.STATIONS: ("read_station",),
    SourceName.COACHES: ("read_homecoach",),
    SourceName.ROOMS: (READ,),
    SourceName.BOILERS: (READ,),
    SourceName.CAMERAS: READ_SCOPES,
}
"""Any of these lets an account look."""


def needed(settings: Settings, account: AccountName) -> tuple[str, ...]:
    """What the account's devices need, and stations in any case."""
    sources = [device.source for device in settings.devices if device.account == account]
    scopes = [scope for source in (SourceName.STATIONS, *sources) for scope in SCOPES[source]]
    return tuple(dict.fromkeys(scopes))


def is_given(connected: Connected, source: SourceName) -> bool:
    """Whether the account may look for them; it may where nobody knows what was granted."""
    granted = connected.keeper.scopes
    return not granted or bool(set(SCOPES[source]) & set(granted))


def remedy(connected: Connected, sources: Collection[SourceName]) -> str:
    """What to do about all that is missing: each authorization takes the place of the one before."""
    granted = connected.keeper.scopes
    missing = [scope for source in sources for scope in SCOPES[source] if scope not in granted]
    return f"Run `{to_grant(missing, connected.name, granted)}`." if missing else ""
