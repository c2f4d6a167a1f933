"""The datastore behind the simulated Fluxtream: what it takes, refuses, doubles and dies of.

All of it as measured with the real importer.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from netaflux.simulator.weather import Number

LONGEST_NAME = 255


class Cell(NamedTuple):
    """Where values of one channel are kept."""

    guest: int
    device: str
    channel: str


class BatchRefused(Exception):
    """The importer ends with an error, in its own words; without words it has crashed or could not read."""

    def __init__(self, failure: str | None = None) -> None:
        super().__init__(failure or "crashed")
        self.failure = failure


class Store:
    """Values by time, per guest, device and channel."""

    def __init__(self) -> None:
        self.values: dict[Cell, dict[Number, Number]] = defaultdict(dict)
        self.texts: dict[Cell, dict[Number, str]] = defaultdict(dict)
        """Strings stand beside the numbers, at the same times."""
        self.twins: dict[Cell, dict[Number, list[Number]]] = defaultdict(lambda: defaultdict(list))
        """Values of a time that one upload held twice: they stay for ever."""
        self.again: Counter[tuple[Cell, Number]] = Counter()
        """How often a value was written where one stood already."""

    @property
    def doubles(self) -> int:
        """How many values stand twice at one time."""
        return sum(len(values) for twins in self.twins.values() for values in twins.values())

    def writes(self, cell: Cell, time: Number) -> int:
        """How often a value was written there."""
        return (time in self.values.get(cell, {})) + self.again[cell, time]

    def put(self, guest: int, device: str, channels: Sequence[str], data: object) -> None:
        """Import a batch: rows of a time and a value for each channel. Raises BatchRefused."""
        rows = _rows(data, len(channels))
        for name in (device, *channels):
            _check_name(guest, device, name)
        if _plain(rows, channels):
            self._put_plain(guest, device, channels, rows)
            return
        times, written = [_time(row[0]) for row in rows], set[tuple[str, Number]]()
        # one channel after the other, by name: a refused batch may be half written
        for index, channel in sorted(enumerate(channels, 1), key=lambda one: one[1]):
            samples = [(time, row[index]) for time, row in zip(times, rows, strict=True) if index < len(row)]
            if any(time < 0 for time, sample in samples if sample is not None):
                raise BatchRefused("exception: adding data with negative time")
            for time, sample in samples:
                self._put_odd(Cell(guest, device, channel), time, sample, twin=(channel, time) in written)
                written.add((channel, time))

    def _put_plain(self, guest: int, device: str, channels: Sequence[str], rows: list[list[Any]]) -> None:
        if not rows:
            return
        times, *columns = zip(*rows, strict=True)
        fresh = set(times)
        for channel, column in zip(channels, columns, strict=True):
            cell = Cell(guest, device, channel)
            values = self.values[cell]
            self.again.update((cell, time) for time in values.keys() & fresh)
            values.update(zip(times, column, strict=True))

    def _put_odd(self, cell: Cell, time: Number, sample: Any, *, twin: bool) -> None:  # noqa: ANN401 - JSON
        values = self.values[cell]
        match sample:
            case None:
                pass  # what is there already stays
            case False:
                values.pop(time, None)
            case str():
                self.texts[cell][time] = sample
            case _ if twin and time in values:
                self.twins[cell][time].append(sample)
            case _:
                if time in values:
                    self.again[cell, time] += 1
                values[time] = sample


def _plain(rows: list[list[Any]], channels: Sequence[str]) -> bool:
    """Whether a batch holds nothing but numbers, none missing, no time and no channel twice."""
    return (
        len(set(channels)) == len(channels)
        and {len(row) for row in rows} <= {1 + len(channels)}
        and set(map(type, chain.from_iterable(rows))) <= {int, float}
        and len({row[0] for row in rows}) == len(rows)
        and min((row[0] for row in rows), default=0) >= 0
    )


def _rows(data: object, width: int) -> list[list[Any]]:
    """The rows, if the importer survives them. Raises BatchRefused."""
    if not isinstance(data, list) or not all(isinstance(row, list) and row for row in data):
        raise BatchRefused
    cells = set(map(type, chain.from_iterable(data)))
    if cells & {list, dict}:
        raise BatchRefused
    if width == 0 or any(cell is not None for row in data for cell in row[1 + width :]):
        raise BatchRefused  # it reads past the end of the channels
    if bool in cells and any(cell is True for cell in chain.from_iterable(data)):
        raise BatchRefused("exception: cannot ingest boolean 'true'")
    return data


def _time(cell: Any) -> Number:  # noqa: ANN401 - any JSON but lists and objects
    if cell is None:
        return 0  # stored at 1970-01-01, and reported as fine
    if isinstance(cell, bool):
        raise BatchRefused("exception: cannot ingest boolean as a time")
    return _number(cell) if isinstance(cell, str) else cell


def _number(text: str) -> Number:
    try:
        number = float(text)
    except ValueError as error:
        raise BatchRefused(f"exception: not a time: {text}") from error
    return int(number) if number.is_integer() else number


def _check_name(guest: int, device: str, name: str) -> None:
    if len(name.encode()) > LONGEST_NAME:
        raise BatchRefused("exception: make_parent_directories: File name too long")
    if name.startswith(".") or name.endswith(".") or ".." in name:
        raise BatchRefused(f"exception: Invalid key '{guest}.{device}.{name}.info'")


def numbers(store: Store, cell: Cell, begin: float, end: float) -> Iterator[tuple[Number, Number]]:
    """The numbers of a channel, begin ≤ t ≤ end, by ascending time, those that stand twice twice."""
    values, twins = store.values.get(cell, {}), store.twins.get(cell, {})
    # a channel is read back in hundreds of pieces: of each only what is asked for is put into order
    for time in sorted({time for kept in (values, twins) for time in kept if begin <= time <= end}):
        yield from ((time, number) for number in (*_some(values, time), *twins.get(time, ())))


def _some(values: dict[Number, Number], time: Number) -> list[Number]:
    return [values[time]] if time in values else []
