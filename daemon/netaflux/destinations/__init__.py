"""Where rows come to rest, one kind of server per package.

A new kind is a package with its settings, and two lines here: one in the union, one where it is opened.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from netaflux.core.model import DestinationName
from netaflux.core.ports import Destination, ReadBack
from netaflux.destinations.fluxtream.settings import FluxtreamSettings

__all__ = ["DestinationSettings", "FluxtreamSettings", "OpenDestination", "open_destination"]

DestinationSettings: TypeAlias = FluxtreamSettings
"""The settings of any kind, told apart by `type`; with a second kind a union discriminated by it."""


class OpenDestination(Destination, ReadBack, Protocol):
    """A destination, what it holds and what it says of us."""

    @property
    def introduction(self) -> str:
        """Who it knows us as, in words for a person; empty until it was identified."""
        ...


def open_destination(
    name: DestinationName, settings: DestinationSettings
) -> AbstractAsyncContextManager[OpenDestination]:
    """The destination of that name, its connections open; nothing is asked of it yet."""
    # aiohttp takes longer to import than a command that only reads the configuration takes to run
    from netaflux.destinations.fluxtream.destination import Fluxtream  # noqa: PLC0415 - as said above

    return Fluxtream.open(name, settings)
