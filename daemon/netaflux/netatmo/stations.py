"""The answer of getstationsdata as modules; every field is optional, and kinds that nobody knows are kept."""

from collections.abc import Iterator, Mapping, Sequence

from netaflux.core.errors import UpstreamFault
from netaflux.core.measures import measures_of
from netaflux.core.model import AccountName, Measure, Module, ModuleId, Number, Survey
from netaflux.netatmo.errors import Envelope
from netaflux.netatmo.levels import battery_of
from netaflux.netatmo.wire import (
    faults,
    module_id,
    moment,
    number,
    require_no_errors,
    server_time,
    text,
    texts,
    thing,
    things,
    truth,
)

NAMELESS_KIND = "unknown"

FULL = 100
"""Percent that a battery holds at most."""
AHEAD = 600
"""Seconds that a device's clock may be ahead of Netatmo's; a time beyond that cannot be."""


def survey_of(envelope: Envelope, account: AccountName) -> Survey:
    """The account's modules, stations included, in Netatmo's order; of two with one id the first counts.

    Raises UpstreamFault where the answer is not one about stations at all, or holds errors and no station.
    """
    now = server_time(envelope)
    unreachable = {fault.device for fault in faults(envelope)}
    modules: dict[ModuleId, Module] = {}
    for station in devices_of(envelope):
        for module in _modules(station, account, now, unreachable):
            modules.setdefault(module.id, module)
    if not modules:
        require_no_errors(envelope, "stations")
    return Survey(account, tuple(modules.values()), now)


def devices_of(envelope: Envelope) -> Iterator[Mapping[str, object]]:
    """The stations, or Home Coaches, of an answer. Raises UpstreamFault where it is not one about them."""
    body = envelope.get("body")
    # an account without stations: devices [] or none, body {}, or [] as PHP writes an empty object
    devices = body.get("devices") if isinstance(body, dict) else body
    if devices is not None and not isinstance(devices, list):
        raise UpstreamFault("Netatmo's answer about stations holds no list of devices")
    return things(devices)


def _modules(
    station: Mapping[str, object], account: AccountName, now: int | None, unreachable: set[ModuleId]
) -> Iterator[Module]:
    """The station's own unit, then the others, which inherit the place but nothing that is measured."""
    station_id = module_id(station.get("_id"))
    if not station_id:
        return
    for unit in (station, *things(station.get("modules"))):
        unit_id = module_id(unit.get("_id"))
        if not unit_id:
            continue
        kind = text(unit.get("type")) or NAMELESS_KIND
        measures = measures_of(kind, texts(unit.get("data_type")))
        yield Module(
            id=unit_id,
            account=account,
            station=station_id,
            kind=kind,
            measures=measures,
            name=text(unit.get("module_name")) or (name_within(station) if unit is station else None),
            places=places_of(station),
            timezone=text(thing(station.get("place")).get("timezone")),
            set_up=moment(station.get("date_setup")),
            newest=_newest(unit, now),
            dashboard=_dashboard(unit, measures),
            stored=moment(station.get("last_status_store")),
            reachable=False if unit_id in unreachable else truth(unit.get("reachable")),
            battery=_battery(unit),
        )


def _battery(unit: Mapping[str, object]) -> Number | None:
    """Its percentage, where the module was ever heard of."""
    told = battery_of("", unit.get("battery_vp"), unit.get("battery_percent"))
    percent = None if told is None else told.percent
    return percent if percent is not None and 0 <= percent <= FULL else None


def places_of(station: Mapping[str, object]) -> tuple[str, ...]:
    """What the station is called: station name and home name."""
    names = (text(station.get("station_name")), text(station.get("home_name")))
    return tuple(dict.fromkeys(name for name in names if name))


def name_within(station: Mapping[str, object]) -> str | None:
    """The indoor unit's name where only the station's tells it: since 2020 that is `HOME (Module)`."""
    home, name = text(station.get("home_name")), text(station.get("station_name"))
    if home and name and name.startswith(f"{home} (") and name.endswith(")"):
        return text(name[len(home) + 2 : -1])
    return None


def _newest(unit: Mapping[str, object], now: int | None) -> int | None:
    """The time of the unit's own dashboard; a station's is never its modules'."""
    time = moment(thing(unit.get("dashboard_data")).get("time_utc"))
    return None if time and now and time > now + AHEAD else time


def _dashboard(unit: Mapping[str, object], measures: Sequence[Measure]) -> Mapping[Measure, Number]:
    """The values of the unit's own dashboard; nothing of a neighbour's, and nothing made of a missing one."""
    shown = thing(unit.get("dashboard_data"))
    return {measure: value for measure in measures if (value := number(shown.get(measure))) is not None}
