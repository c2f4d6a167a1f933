"""`measure`: the rows that Netatmo has of a module, of any type and at any scale.

Events: `rows` with the rows of a page, as often as there are pages, then `result`.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from netaflux.app import App
from netaflux.commands.named import a_moment
from netaflux.commands.requests import OfAccount, understood
from netaflux.commands.weather import places_of
from netaflux.commands.words import Json, iso, near_or_all
from netaflux.core.errors import UsageError
from netaflux.core.measures import GUST_STRENGTH, RAIN, UNITS
from netaflux.core.model import Lane, Measure, Window
from netaflux.core.since import DAY
from netaflux.netatmo.sensors import Sensor
from netaflux.netatmo.weather import AS_MEASURED, Weather

SPANS: Final = {
    AS_MEASURED: DAY,
    "30min": DAY,
    "1hour": DAY,
    "3hours": 7 * DAY,
    "1day": 31 * DAY,
    "1week": 366 * DAY,
    "1month": 366 * DAY,
}
"""The scales, and how many seconds of each are shown where no `since` is said."""
_SHORT: Final = {
    "Temperature": "temp",
    "Humidity": "hum",
    "Pressure": "pressure",
    "Noise": "noise",
    "CO2": "co2",
}
_DATED: Final = ("1day", "1week", "1month")


class MeasureRequest(OfAccount):
    """Which rows of which module."""

    module: str
    scale: str = AS_MEASURED
    types: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None


async def measure(app: App, asked: Json) -> AsyncGenerator[Json, None]:
    """Tell the rows, the oldest first."""
    request = understood("measure", MeasureRequest, asked)
    scale = request.scale
    if scale not in SPANS:
        raise UsageError(f"--scale: no `{scale}`{near_or_all(scale, list(SPANS))}")
    place, name, sensor = (await places_of(app, request.account)).sensor(request.module)
    types = types_of(sensor, request.types, scale)
    window = _window(sensor, request, place.netatmo.now())
    yield {
        "event": "module",
        "name": name,
        "id": sensor.id,
        "scale": scale,
        "types": list(types),
        "units": [unit_of(each) for each in types],
        "timezone": sensor.timezone,
        "since": window.begin,
        "until": window.end,
    }
    rows = 0
    weather = Weather(place.netatmo.client)
    while True:
        # a person waits for these, but years of them must not stand in the way of live polling
        lane = Lane.HISTORY if rows else Lane.LIVE
        page = await weather.page(sensor, types, window, lane, scale=scale)
        rows += len(page.rows)
        yield {"event": "rows", "rows": [[row.time, *row.values] for row in page.rows]}
        if not page.full or page.last is None:
            break
        window = Window(page.last + 1, window.end)
    yield {"event": "result", "rows": rows, "exit_code": 0}


def types_of(sensor: Sensor, words: Sequence[str], scale: str) -> tuple[Measure, ...]:
    """The types that the words mean, in Netatmo's spelling; all that the module measures without any.

    Raises UsageError for one that the module cannot have at this scale.
    """
    known = {name.lower(): name for name in (*sensor.measures, *_aggregates(sensor, scale))}
    wanted = [word.strip() for each in words for word in each.split(",") if word.strip()]
    if not wanted and not sensor.measures:
        raise UsageError(f"Nobody knows what a {sensor.kind} measures: say it with --type")
    for word in wanted if sensor.measures else ():
        if word.lower() not in known:
            raise UsageError(
                f"--type: `{sensor.name or sensor.id}` has no `{word}` at scale {scale}"
                f"{near_or_all(word, list(known.values()))}"
            )
    return tuple(known.get(word.lower(), Measure(word)) for word in wanted) or sensor.measures


def _aggregates(sensor: Sensor, scale: str) -> Sequence[Measure]:
    """What Netatmo makes of a stretch of rows, besides their mean."""
    if scale == AS_MEASURED:
        return ()
    short = [_SHORT[name] for name in sensor.measures if name in _SHORT]
    names = [f"{which}_{name}" for name in short for which in ("min", "max")]
    if scale in _DATED:
        names += [f"date_{name}" for name in names]
        names += ["date_max_gust"] if GUST_STRENGTH in sensor.measures else []
    names += ["sum_rain"] if RAIN in sensor.measures else []
    return [Measure(name) for name in names]


def _window(sensor: Sensor, asked: MeasureRequest, now: float) -> Window:
    """The span that was asked for, in the station's zone. Raises UsageError."""
    end = int(now) + 1
    if asked.until is not None:
        end = min(end, a_moment("--until", asked.until).resolve(now, sensor.timezone, None))
    begin = max(0, end - SPANS[asked.scale])
    if asked.since is not None:
        begin = a_moment("--since", asked.since).resolve(now, sensor.timezone, None)
    if end <= begin:
        raise UsageError(f"nothing lies between --since ({iso(begin)}) and --until ({iso(end)})")
    return Window(begin, end)


def unit_of(name: str) -> str:
    """The unit of a type, that of its measure where it is made of one; empty where there is none."""
    of_short = {short: measure for measure, short in _SHORT.items()} | {"rain": RAIN}
    word = name.lower()
    if word.startswith("date_"):
        return ""
    measures = {measure.lower(): unit for measure, unit in UNITS.items()}
    last = of_short.get(word.rpartition("_")[2], "")
    return measures.get(word) or measures.get(str(last).lower(), "")
