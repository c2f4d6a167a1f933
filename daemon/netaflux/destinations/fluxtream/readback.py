"""Reading back what Fluxtream holds: its export of channels as CSV.

`GET …/bodytrack/exportCSV/{guest}/fluxtream-export-from-{begin}-to-{end}.csv?channels=["device.channel",…]`
answers with a header `EpochTime,device.channel,…`, then a line for each moment that has a value, with 15
significant digits and nothing between the commas where a channel has none. What stands twice has two lines.
An account that may not read the guest's data gets a 500. (Read in the server's source.)
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, nan
from typing import Final
from urllib.parse import quote

import orjson

from netaflux.core.comparison import Held
from netaflux.core.errors import CredentialsRefused, DestinationDown, ReadBackRefused
from netaflux.core.model import ChannelName, DeviceName, Number, Window
from netaflux.http import Answer

LONGEST_STRETCH: Final = 7 * 86400
"""Seconds of one export: a week of a row every second still fits into what an answer may hold."""
OK: Final = 200
UNAUTHORIZED: Final = 401
_NO_ROUTE: Final = frozenset({404, 405, 410})
_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Answers that a later try may do without; a 500 is how the export says that it may not."""
_TIME: Final = "EpochTime"


@dataclass(frozen=True, slots=True)
class Export:
    """One export that is asked for, and what its answer means."""

    device: DeviceName
    channels: tuple[ChannelName, ...]
    window: Window
    """Bounded."""

    def path(self, guest: int) -> str:
        """Below `/api` or `/api/v1`."""
        begin, end = self.window
        return f"/bodytrack/exportCSV/{guest}/fluxtream-export-from-{begin}-to-{end}.csv"

    @property
    def query(self) -> str:
        """Which channels."""
        return f"channels={quote(orjson.dumps(self._columns), safe='')}"

    @property
    def _columns(self) -> list[str]:
        return [f"{self.device}.{channel}" for channel in self.channels]

    def read(self, answer: Answer, url: str) -> list[Held] | None:
        """The rows of the answer, None where there is no such route.

        Raises ReadBackRefused, CredentialsRefused, DestinationDown.
        """
        if answer.status in _NO_ROUTE:
            return None
        if answer.status == UNAUTHORIZED:
            raise CredentialsRefused(f"{url} does not accept this user name and password.")
        if answer.status in _PASSING:
            raise DestinationDown(f"{url} answers {answer.status}")
        if answer.status != OK:
            raise ReadBackRefused(f"{url} cannot be read back: it answers {answer.status}")
        try:
            return list(self._rows(answer.body.decode()))
        except (ValueError, LookupError, csv.Error) as error:
            raise ReadBackRefused(f"{url} cannot be read back: {_told(answer, error)}") from error

    def _rows(self, text: str) -> Iterator[Held]:
        """Raises ValueError where it is another table or none at all."""
        header, *lines = csv.reader(text.splitlines()) if text else [[]]
        if sorted(header) != sorted([_TIME, *self._columns]):
            raise ValueError("it answers with another table than the one that was asked for")
        places = [header.index(name) for name in (_TIME, *self._columns)]
        for line in lines:
            if len(line) != len(header):
                raise ValueError("its table has lines that are too long or too short")
            time, *cells = (line[place] for place in places)
            moment = _moment(time)
            if self.window.begin <= moment < (self.window.end or moment + 1):
                yield Held(moment, tuple(map(_value, cells)))


def stretches(window: Window) -> Iterator[Window]:
    """A bounded window in pieces whose answers can be held."""
    begin, end = window
    if end is not None and begin < end:
        yield from (Window(*ends) for ends in pairwise([*range(begin, end, LONGEST_STRETCH), end]))


def _moment(text: str) -> Number:
    time = _value(text)
    if time is None or not isfinite(time):
        raise ValueError("its table has times that are none")
    return int(time) if time.is_integer() else time


def _value(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return nan  # Fluxtream keeps texts beside numbers


def _told(answer: Answer, error: Exception) -> str:
    """Why it is no export, in words of ours: its own may hold anything."""
    if "html" in answer.headers.get("Content-Type", "") or answer.body.lstrip()[:1] == b"<":
        return "it answers with a web page"
    return str(error) if type(error) is ValueError else "its answer is no table"
