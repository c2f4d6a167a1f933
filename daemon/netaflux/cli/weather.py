"""`netaflux latest`, `netaflux measure` and `netaflux minmax`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from netaflux.cli.owner import carry_out
from netaflux.cli.place import Place
from netaflux.cli.show import ago, as_json, explain, number, own_zone, say, table, when
from netaflux.commands.ends import local
from netaflux.commands.words import Json, last_of
from netaflux.core.daytime import time_text
from netaflux.core.since import zone_of
from netaflux.netatmo.wire import moment

DEFAULT_PLACE = Place()

Scale = Literal["max", "30min", "1hour", "3hours", "1day", "1week", "1month"]

SHOWN: Mapping[str, Callable[[str], str]] = {
    "Temperature": "{} °C".format,
    "CO2": "{} ppm".format,
    "Humidity": "{} %".format,
    "Pressure": "{} mbar".format,
    "Noise": "{} dB".format,
    "Rain": "{} mm".format,
    "sum_rain_1": "{} mm in an hour".format,
    "sum_rain_24": "{} mm today".format,
    "WindStrength": "{} km/h".format,
    "WindAngle": "from {}°".format,
    "GustStrength": "gusts {} km/h".format,
    "GustAngle": "from {}°".format,
}
"""How a value is said to a person, in this order; one that nobody knows is said with its name."""
NOT_SHOWN = {"AbsolutePressure", "health_idx"}
"""Said by another value already."""


def latest(
    station: str | None = None,
    *,
    stale_after: str = "1h",
    account: str | None = None,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Show what every module has measured last, and which of them are late.

    A module is late when its newest values are older than that, or when there are none. Exit code 0 when all
    are on time, 75 when one is late.

    Example: `netaflux latest "AR Home" --stale-after 30m`

    Parameters
    ----------
    station
        Only this station or Home Coach, by name or id.
    stale_after
        The age at which values are late, such as 90s, 30m, 1h or 2d.
    account
        Only this account of the configuration.
    json
        Print one JSON document instead of a table.
    """
    asked: Json = {"station": station, "stale_after": stale_after, "account": account}
    sensors, result, code = _told(place, "latest", asked, "sensor")
    if result is None:
        return code
    if json:
        as_json({"sensors": [_without_event(sensor) for sensor in sensors], **_without_code(result)})
        return code
    several = len({sensor["station_id"] for sensor in sensors}) > 1
    headings = (
        *(("station",) if several else ()),
        "module",
        "newest values",
        "measured",
        "battery",
        "signal",
    )
    table(headings, [((sensor["station"],) if several else ()) + _cells(sensor) for sensor in sensors])
    late = [sensor["name"] for sensor in sensors if sensor["late"]]
    if late:
        say(f"late, by more than {ago(result['stale_after'])}: {', '.join(late)}")
    return code


def _cells(sensor: Json) -> tuple[object, ...]:
    age = "never" if not sensor["values"] else "nobody knows when"
    if sensor["age"] is not None:
        age = f"{ago(sensor['age'])} ago"
    signal = sensor["radio"] or sensor["wifi"]
    return (
        sensor["name"],
        "  ".join(_values(sensor)) or "–",
        f"{age} (late)" if sensor["late"] else age,
        _battery(sensor["battery"]),
        signal["word"] if signal else "–",
    )


def _values(sensor: Json) -> Iterator[str]:
    values = sensor["values"]
    yield from (say_it(number(values[name])) for name, say_it in SHOWN.items() if name in values)
    unknown = values.keys() - SHOWN.keys() - NOT_SHOWN
    yield from (f"{name} {number(values[name])}" for name in sorted(unknown))
    if sensor["health"]:
        yield sensor["health"]["word"]


def _battery(battery: Json | None) -> str:
    if battery is None:
        return "–"
    return battery["word"] if battery["percent"] is None else f"{battery['word']} ({battery['percent']} %)"


def measure(
    module: str,
    *,
    type: Annotated[tuple[str, ...], Parameter(name=("--type", "-t"))] = (),  # noqa: A002 - Netatmo's word
    scale: Scale = "max",
    since: str | None = None,
    until: str | None = None,
    account: str | None = None,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Show a module's rows, of any type and at any scale.

    At scale max they are what the module has measured; coarser ones have means, and extremes such as
    min_temp, max_hum or sum_rain. Times are those at which a stretch begins; days, weeks and months are the
    station's own.

    Example: `netaflux measure Porch --type Temperature,min_temp,max_temp --scale 1day --since 30d`

    Parameters
    ----------
    module
        A module or a station's own sensor, by name, station/module or id.
    type
        What to show, several with commas; by default all that the module measures.
    scale
        max, 30min, 1hour, 3hours, 1day, 1week or 1month.
    since
        A date, a date and time, a span such as 3h or 30d, unix seconds, or setup; by default the last day, or
        more for coarser scales.
    until
        The same; rows of since ≤ t < until are shown.
    account
        Only this account of the configuration.
    json
        Print one JSON document instead of a table.
    """
    asked: Json = {
        "module": module,
        "types": list(type),
        "scale": scale,
        "since": since,
        "until": until,
        "account": account,
    }
    events, result, code = _told(place, "measure", asked, "module", "rows")
    if result is None:
        return code
    told, *pages = events
    rows = [row for page in pages for row in page["rows"]]
    if json:
        as_json({**_without_event(told), "rows": rows})
    else:
        _show_rows(told, rows)
    return code


def _show_rows(told: Json, rows: list[list[Any]]) -> None:
    named = zip(told["types"], told["units"], strict=True)
    headings = [f"{name} ({unit})" if unit else name for name, unit in named]
    cells = [(_begin(told, time), *_row(told["types"], values)) for time, *values in rows]
    table(("time", *headings), cells, right=headings)


def _begin(told: Json, time: int) -> str:
    """When a row is of; a day is one of the station's own calendar, wherever the person is."""
    of_calendar = told["scale"] in {"1day", "1week", "1month"}
    return time_text(time, told["timezone"]).partition("_")[0] if of_calendar else when(time)


def _row(types: list[str], cells: list[float | None]) -> list[str]:
    """The cells of a row; those of `date_…` are moments."""
    pairs = zip(types, cells, strict=True)
    return [when(moment(cell)) if name.startswith("date_") else number(cell) for name, cell in pairs]


def minmax(
    module: str | None = None,
    *,
    day: bool = False,
    account: str | None = None,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Show the lowest and highest temperature and humidity of the last 24 hours, and when they were.

    Example: `netaflux minmax Porch --day`

    Parameters
    ----------
    module
        Only this module or station's own sensor, by name, station/module or id.
    day
        Of today, by the calendar of the station's own zone, instead of the last 24 hours.
    account
        Only this account of the configuration.
    json
        Print one JSON document instead of a table.
    """
    asked: Json = {"module": module, "day": day, "account": account}
    found, result, code = _told(place, "minmax", asked, "extremes")
    if result is None:
        return code
    if json:
        as_json({"extremes": [_without_event(each) for each in found], **_without_code(result)})
        return code
    several = len({each["station"] for each in found}) > 1
    headings = (*(("station",) if several else ()), "module", "coldest", "warmest", "driest", "dampest")
    table(headings, [((each["station"],) if several else ()) + _extremes(each, day=day) for each in found])
    if found:
        say(f"times are {_zones(found) if day else own_zone()}")
    for left in result["left"]:
        say(f"left: {left['name']}: {left['reason']}")
    return code


def _zones(found: list[Json]) -> str:
    """The stations' own zones; whose each is where they have several."""
    zones = {each["station"]: str(zone_of(each["timezone"])) for each in found}
    if len(set(zones.values())) == 1:
        return next(iter(zones.values()))
    return ", ".join(f"{zone} ({station})" for station, zone in zones.items())


def _extremes(found: Json, *, day: bool) -> tuple[object, ...]:
    """A sensor's extremes, with times of this machine or, of a `day`, of the station that it is a day of."""
    units = {"coldest": "°C", "warmest": "°C", "driest": "%", "dampest": "%"}
    zone = found["timezone"] if day else None
    cells = ((found[name], unit) for name, unit in units.items())
    told = (
        _extreme(extreme, unit, lambda at: local(at, zone) if day else when(at)) for extreme, unit in cells
    )
    return (found["name"], *told)


def _extreme(extreme: Json | None, unit: str, said: Callable[[float], str]) -> str:
    return "–" if extreme is None else f"{number(extreme['value'])} {unit}, {said(extreme['time'])[5:16]}"


def _told(place: Place, name: str, asked: Json, *wanted: str) -> tuple[list[Json], Json | None, int]:
    """The events of a command, its result, and its exit code; without a result it has said why."""
    events: list[Json] = []
    code = carry_out(place, name, asked, events.append)
    last = last_of(events)
    if last["event"] == "failed":
        explain(last)
    if last["event"] != "result":
        return [], None, code  # it was stopped before its end
    for failed in last.get("failed", ()):
        explain({"message": f"account {failed['account']}: {failed['reason']}", "remedy": failed["remedy"]})
    return [event for event in events if event["event"] in wanted], last, code


def _without_event(event: Json) -> Json:
    return {key: value for key, value in event.items() if key != "event"}


def _without_code(result: Json) -> Json:
    return {key: value for key, value in result.items() if key not in {"event", "exit_code"}}
