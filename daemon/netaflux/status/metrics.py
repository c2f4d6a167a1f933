"""The metrics, in Prometheus' text format or in OpenMetrics.

Counters begin with the process, and go on when it reads another configuration; whatever has a state of its
own is looked at when the metrics are asked for. What is not known has no sample. Labels have few values:
what the configuration in force names, the endpoints, the classes of errors.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder

from netaflux import __version__
from netaflux.core import errors, events
from netaflux.core.events import BUG, Event
from netaflux.core.model import AccountName, DestinationName, DeviceName
from netaflux.status.record import Delivered, Record

Json = dict[str, Any]
Sample = tuple[Sequence[str], float | None]
"""The values of the labels, and the metric's; None where that is not known."""

FORESEEN: Final = (
    errors.Unreachable,
    errors.TokenRejected,
    errors.GrantRefused,
    errors.ScopeDenied,
    errors.QuotaReached,
    errors.Busy,
    errors.DeviceUnreachable,
    errors.NotFound,
    errors.RequestRefused,
    errors.UpstreamFault,
    errors.DestinationDown,
    errors.CredentialsRefused,
    errors.BatchRefused,
    errors.StateError,
    errors.NotAuthorized,
)
"""Counted from 0: the first of a kind would else appear as a 1 that never rose, and `increase` miss it."""

NOTHING: Final = Delivered()


class Metrics:
    """The metrics of one daemon: an observer that counts, in a registry of its own."""

    def __init__(self, record: Record, glance: Callable[[], Json | None]) -> None:
        """`glance` is how all is just now, as `commands/status` has it; None before there is anything."""
        self._record = record
        self._glance = glance
        self._calls: Counter[tuple[AccountName, str]] = Counter()
        self._errors = Counter({**{kind.__name__: 0 for kind in FORESEEN}, BUG: 0})
        self._refused: Counter[tuple[DestinationName, DeviceName]] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def tell(self, event: Event) -> None:
        """Count."""
        match event:
            case events.CallMade():
                self._calls[event.account, event.endpoint] += 1
            case events.ErrorMet():
                self._errors[event.kind] += 1
            case events.RowRefused():
                self._refused[event.destination, event.device] += 1
                self._errors[errors.BatchRefused.__name__] += 1

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics as an `Accept` header wants them, and their content type."""
        try:
            # what is asked for comes back in the answer's header, which takes no other text
            encode, content_type = choose_encoder(accept if accept.isascii() and accept.isprintable() else "")
        except TypeError:  # a version that is no number
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Every metric of this moment, for the registry."""
        yield from self._process()
        seen = self._glance()
        if seen is not None:
            yield from self._called(seen["accounts"])
            yield from _accounts(seen["accounts"])
            yield from _app(seen["app_calls"])
            yield from self._deliveries(seen)
            yield _writable(seen["state"])
            yield _found(seen["devices"], seen["missing"])
            yield from _devices(seen["devices"])
            yield from _destinations(seen["destinations"])

    def _process(self) -> Iterator[Metric]:
        """What is so under any configuration."""
        yield InfoMetricFamily("netaflux_build", "The running netaflux.", value={"version": __version__})
        yield _gauge(
            "netaflux_start_timestamp_seconds",
            "When the process started, and its counters began.",
            [],
            [([], self._record.started)],
        )
        yield _counter(
            "netaflux_errors_total",
            "What failed, by class of error; Bug where it has none.",
            ["class"],
            (([kind], count) for kind, count in self._errors.items()),
        )
        yield _counter(
            "netaflux_rows_fetched_total",
            "Rows that came from Netatmo.",
            [],
            [([], self._record.learnt.rows)],
        )

    def _called(self, accounts: Sequence[Json]) -> Iterator[Metric]:
        names = {account["name"] for account in accounts}
        yield _counter(
            "netaflux_calls_total",
            "Requests to Netatmo, answered or not; those to oauth2/token count for no limit.",
            ["account", "endpoint"],
            (each for each in self._calls.items() if each[0][0] in names),
        )

    def _deliveries(self, seen: Json) -> Iterator[Metric]:
        """What the destinations took of each device, those that are not found just now included."""
        labels, taken = ["device", "destination"], self._record.delivered
        pairs = self._pairs(seen)
        yield _counter(
            "netaflux_rows_delivered_total",
            "Rows that the destination acknowledged.",
            labels,
            (([device, name], taken.get((name, device), NOTHING).rows) for name, device in pairs),
        )
        yield _counter(
            "netaflux_rows_refused_total",
            "Rows that the destination refused for their content, and that were set aside.",
            labels,
            (([device, name], self._refused[name, device]) for name, device in pairs),
        )
        yield _gauge(
            "netaflux_last_delivery_timestamp_seconds",
            "When the destination last acknowledged rows; absent before the first since the start.",
            labels,
            (([device, name], taken[name, device].at) for name, device in pairs if (name, device) in taken),
        )

    def _pairs(self, seen: Json) -> Sequence[tuple[DestinationName, DeviceName]]:
        """The destinations with their devices; what an earlier configuration named is left out."""
        shown = ((at["name"], device["device"]) for device, at in _each_at(seen["devices"]))
        every = dict.fromkeys([*shown, *self._record.delivered, *self._refused])
        devices, destinations = {*seen["configured"]}, {each["name"] for each in seen["destinations"]}
        return [(name, device) for name, device in every if name in destinations and device in devices]


def _accounts(accounts: Sequence[Json]) -> Iterator[Metric]:
    yield _gauge(
        "netaflux_account_needs_person",
        "1 where the account goes on only after `netaflux authorize`, or another remedy that status names.",
        ["account"],
        (([account["name"]], account["needs_person"]) for account in accounts),
    )
    yield _gauge(
        "netaflux_token_expiry_timestamp_seconds",
        "When the access token expires; it is renewed ten minutes earlier.",
        ["account"],
        (([account["name"]], account["authorized_until"]) for account in accounts),
    )
    yield from _budget(
        "netaflux_budget",
        "of the account",
        ["account"],
        [([account["name"]], account["calls"]) for account in accounts],
    )


def _writable(state: Json) -> Metric:
    return _gauge(
        "netaflux_state_writable",
        "0 while the state cannot be written, as on a full disk, and so nothing is polled.",
        [],
        [([], state["trouble"] is None)],
    )


def _app(calls: Json) -> Iterator[Metric]:
    return _budget("netaflux_app_budget", "of all accounts together", [], [([], calls)])


def _budget(
    prefix: str, whose: str, labels: Sequence[str], budgets: Sequence[tuple[Sequence[str], Json]]
) -> Iterator[Metric]:
    uses = [([*values, _span(use["seconds"])], use) for values, calls in budgets for use in calls["uses"]]
    yield _gauge(
        f"{prefix}_permits_left",
        f"Calls {whose} that the limit of this window still leaves; none while Netatmo's limit is reached.",
        [*labels, "window"],
        ((values, use["left"]) for values, use in uses),
    )
    yield _gauge(
        f"{prefix}_permits_limit",
        f"Calls {whose} that the configuration allows in this window.",
        [*labels, "window"],
        ((values, use["limit"]) for values, use in uses),
    )


def _span(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{seconds:.0f}s" if rest else f"{hours}h"


def _found(devices: Sequence[Json], missing: Sequence[Json]) -> Metric:
    samples = [(each["device"], found) for some, found in ((devices, 1), (missing, 0)) for each in some]
    return _gauge(
        "netaflux_device_found",
        "1 where the account has the device's module, 0 where not; absent before it was asked.",
        ["device"],
        (([device], found) for device, found in samples),
    )


def _devices(devices: Sequence[Json]) -> Iterator[Metric]:
    yield _gauge(
        "netaflux_newest_row_timestamp_seconds",
        "The device time of the newest row that Netatmo is known to have.",
        ["device"],
        (([device["device"]], device["newest"]) for device in devices),
    )
    yield _gauge(
        "netaflux_watermark_timestamp_seconds",
        "The device time up to which the destination is known to hold all rows.",
        ["device", "destination"],
        (([device["device"], at["name"]], at["watermark"]) for device, at in _each_at(devices)),
    )
    yield _gauge(
        "netaflux_last_success_timestamp_seconds",
        "When the module was last polled to a good end; absent before the first time since the start.",
        ["device"],
        (([device["device"]], device["last_poll"]) for device in devices),
    )


def _each_at(devices: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    """Each device with each of its destinations."""
    return ((device, at) for device in devices for at in device["destinations"])


def _destinations(destinations: Sequence[Json]) -> Iterator[Metric]:
    yield _gauge(
        "netaflux_destination_up",
        "1 where the destination takes rows, 0 where it fails; absent before it was asked at all.",
        ["destination"],
        (([each["name"]], _up(each)) for each in destinations),
    )


def _up(destination: Mapping[str, Any]) -> bool | None:
    return None if not destination["ok"] and not destination["failures"] else destination["ok"]


def _counter(name: str, says: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    return _filled(CounterMetricFamily(name, says, labels=labels), samples)


def _gauge(name: str, says: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    unit = "seconds" if name.endswith("_seconds") else ""
    return _filled(GaugeMetricFamily(name, says, labels=labels, unit=unit), samples)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, samples: Iterable[Sample]) -> Metric:
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family
