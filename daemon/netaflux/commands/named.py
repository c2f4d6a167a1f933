"""What a person names on a command line: devices, and a span of time."""

from collections.abc import Collection

from netaflux.app import App
from netaflux.commands.words import iso, near_or_all
from netaflux.core.errors import UsageError
from netaflux.core.model import DeviceName, Module, Window
from netaflux.core.since import Since, read_since


def known_devices(app: App, names: Collection[DeviceName]) -> None:
    """Make sure that the configuration has all of them. Raises UsageError, with what may have been meant."""
    known = [device.name for connected in app.accounts.values() for device in connected.devices]
    for name in names:
        if name not in known:
            raise UsageError(f"no device `{name}` in the configuration{near_or_all(name, known)}")


def a_moment(option: str, text: str) -> Since:
    """What the option says. Raises UsageError."""
    try:
        return read_since(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def span_of(since: str | None, until: str | None, *, module: Module, begin: int, now: float) -> Window:
    """What --since and --until mean for a module, in its station's zone; without --since from `begin` on.

    Raises UsageError.
    """
    end = None
    if since is not None:
        begin = a_moment("--since", since).resolve(now, module.timezone, module.set_up)
        if begin > now:
            raise UsageError(f"--since {since} lies in the future: it is {iso(begin)}")
    if until is not None:
        end = a_moment("--until", until).resolve(now, module.timezone, module.set_up)
        if since is not None and end <= begin:
            raise UsageError(f"--until ({iso(end)}) is not after --since ({iso(begin)})")
        # what is yet to come cannot be covered
        end = end if end <= now else None
    return Window(begin, end)
