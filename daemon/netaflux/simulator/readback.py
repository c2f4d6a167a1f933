"""Reading back from the simulated Fluxtream: the list of sources, and exportCSV."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from netaflux.simulator.store import Cell, Store, numbers
from netaflux.simulator.weather import Number

EXPORT_NAME = re.compile(r"fluxtream-export(?:-from-(\d+))?(?:-to-(\d+))?\.csv")
DIGITS = 15
"""Significant digits of an exported number (the exporter's source)."""


def span_of(name: str) -> tuple[float, float] | None:
    """First and last moment that an export of that file name asks for; None for another name."""
    match = EXPORT_NAME.fullmatch(name)
    if match is None:
        return None
    begin, end = match.groups()
    return float(begin or "-inf"), float(end or "inf")


def csv_text(store: Store, cells: Sequence[Cell], begin: float, end: float) -> Iterator[str]:
    """The lines of an export: a header, then a line per moment, two where a value stands twice."""
    yield ",".join(["EpochTime", *(f"{cell.device}.{cell.channel}" for cell in cells)]) + "\n"
    columns = [_by_time(store, cell, begin, end) for cell in cells]
    for time in sorted(set().union(*columns)):
        values = [column.get(time, []) for column in columns]
        for line in range(max(map(len, values))):
            texts = [_digits(of_cell[line]) if line < len(of_cell) else "" for of_cell in values]
            yield ",".join([_digits(time), *texts]) + "\n"


def _by_time(store: Store, cell: Cell, begin: float, end: float) -> dict[Number, list[Number]]:
    inside = groupby(numbers(store, cell, begin, end), key=lambda one: one[0])
    return {time: [number for _, number in group] for time, group in inside}


def _digits(number: Number) -> str:
    return format(number, f".{DIGITS}g")


def sources_list(store: Store, guest: int, mappings: Iterable[Cell], *, v1: bool) -> dict[str, Any]:
    """Devices and channels with their bounds; the old API lists what is stored, then each mapping again."""
    stored = [] if v1 else [cell for cell in (*store.values, *store.texts) if cell.guest == guest]
    shown = [*dict.fromkeys(stored), *(cell for cell in mappings if cell.guest == guest)]
    devices = dict.fromkeys(cell.device for cell in shown)
    return {"sources": [_source(store, device, shown) for device in devices]}


def _source(store: Store, device: str, shown: Iterable[Cell]) -> dict[str, Any]:
    channels = [_channel(store, cell) for cell in shown if cell.device == device]
    begins = [channel["min_time"] for channel in channels if "min_time" in channel]
    ends = [channel["max_time"] for channel in channels if "max_time" in channel]
    bounds = {"min_time": min(begins), "max_time": max(ends)} if begins else {}
    return {"name": device, "channels": channels, **bounds}


def _channel(store: Store, cell: Cell) -> dict[str, Any]:
    values = store.values.get(cell, {})
    shown = {"name": cell.channel, "type": "data", "style": {"styles": [{"type": "line", "show": True}]}}
    if not values:
        return shown
    bounds = {"min": min(values.values()), "max": max(values.values())}
    return {**shown, **bounds, "min_time": min(values), "max_time": max(values)}
