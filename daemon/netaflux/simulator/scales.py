"""getmeasure at scales other than max: stretches of time, and what is made of the rows in each.

Half hours and hours follow the clock in UTC; days, weeks and months are those of the station's own calendar,
Monday first (Netatmo's answers, as captured). Without `real_time` a stretch is told by its middle.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from netaflux.simulator.history import Row
from netaflux.simulator.weather import DAY, Number

HOURS: Final[Mapping[str, int]] = {"30min": 1800, "1hour": 3600, "3hours": 10_800}
"""Scales by the seconds of a stretch."""
DAYS: Final[Mapping[str, int]] = {"1day": DAY, "1week": 7 * DAY, "1month": 30 * DAY}
"""Those of the calendar, with the seconds by which their middles are told."""
SCALES: Final = (*HOURS, *DAYS)

_SHORT: Final = {
    "temp": "Temperature",
    "hum": "Humidity",
    "pressure": "Pressure",
    "noise": "Noise",
    "co2": "CO2",
    "gust": "GustStrength",
}

Cells = Sequence[tuple[int, Number]]
Column = Callable[[Sequence[Row]], Number | None]


def first_second(scale: str, moment: int, zone: str) -> int:
    """When the stretch begins that a moment lies in."""
    if scale in HOURS:
        return moment - moment % HOURS[scale]
    return _midnight(_first_day(scale, datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone))), zone)


def offset(scale: str) -> int:
    """Seconds from a stretch's begin to the time that is told without `real_time`."""
    return (HOURS.get(scale) or DAYS[scale]) // 2


def stretches(rows: Iterable[Row], scale: str, zone: str) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each stretch that has any, by its begin."""
    for begin, within in groupby(rows, lambda row: first_second(scale, row.time, zone)):
        yield begin, list(within)


def column(name: str, measures: Sequence[str], scale: str) -> Column | None:
    """What a type makes of the rows of a stretch; None where the module or the scale has it not."""
    word = name.strip().lower()
    at = {measure.lower(): place for place, measure in enumerate(measures)}
    if word in at:
        return _mean(at[word])
    if word == "sum_rain":
        return _sum(at["rain"]) if "rain" in at else None
    dated = word.startswith("date_")
    which, _, short = word.removeprefix("date_").partition("_")
    place = at.get(_SHORT.get(short, "").lower())
    if place is None or which not in {"min", "max"} or (dated and scale not in DAYS):
        return None
    return _extreme(place, min if which == "min" else max, dated=dated)


def _known(rows: Sequence[Row], place: int) -> Cells:
    return [(row.time, cell) for row in rows if (cell := row.values[place]) is not None]


def _mean(place: int) -> Column:
    def mean(rows: Sequence[Row]) -> Number | None:
        cells = [cell for _, cell in _known(rows, place)]
        return round(sum(cells) / len(cells), 1) if cells else None

    return mean


def _sum(place: int) -> Column:
    def total(rows: Sequence[Row]) -> Number | None:
        cells = [cell for _, cell in _known(rows, place)]
        return round(sum(cells), 3) if cells else None

    return total


def _extreme(place: int, best: Callable[..., tuple[int, Number]], *, dated: bool) -> Column:
    def extreme(rows: Sequence[Row]) -> Number | None:
        cells = _known(rows, place)
        if not cells:
            return None
        when, cell = best(cells, key=lambda known: known[1])
        return when if dated else cell

    return extreme


def _first_day(scale: str, local: datetime) -> date:
    day = local.date()
    if scale == "1week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if scale == "1month" else day


def _midnight(day: date, zone: str) -> int:
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp())
