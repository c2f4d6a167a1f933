"""The metrics of a daemon that is as a test tells, and how Prometheus would read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from netaflux.core import events
from netaflux.core.model import AccountName, ChannelName, DestinationName, DeviceName, ModuleId
from netaflux.status.metrics import Metrics
from netaflux.status.record import Record
from tests.fakes import TurnedClock

Json = dict[str, Any]
Labels = Mapping[str, str]

NOW = 1_700_000_000
ANNE, MODULE = AccountName("anne"), ModuleId("02:00:00:00:00:01")
PORCH, FLUX = DeviceName("Porch"), DestinationName("fluxtream")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What a Prometheus of our days accepts."""


def families_of(page: tuple[bytes, str]) -> list[Metric]:
    """The metrics on a page of that content type, as Prometheus' own parsers see them."""
    body, content_type = page
    if content_type.startswith("application/openmetrics-text"):
        return list(read_openmetrics(body.decode()))  # type: ignore[no-untyped-call]  # as the library has it
    return list(read_text(body.decode()))


def samples_of(families: Sequence[Metric], name: str) -> list[tuple[Labels, float]]:
    """The samples of that name, with their labels."""
    found = [sample for family in families for sample in family.samples if sample.name == name]
    return [(sample.labels, sample.value) for sample in found]


def calls(*uses: tuple[int, int, int]) -> Json:
    return {"uses": [{"left": left, "limit": limit, "seconds": seconds} for left, limit, seconds in uses]}


def a_glance() -> Json:
    """What is told of a daemon with one account, one device and one destination."""
    return {
        "accounts": [
            {
                "name": ANNE,
                "needs_person": False,
                "authorized_until": NOW + 5000.5,
                "calls": calls((37, 40, 10), (120, 400, 3600)),
            }
        ],
        "app_calls": calls((37, 40, 10), (1320, 1600, 3600)),
        "devices": [
            {
                "device": PORCH,
                "newest": NOW - 200,
                "last_poll": NOW - 20.5,
                "destinations": [{"name": FLUX, "watermark": NOW - 500}],
            }
        ],
        "configured": [PORCH],
        "missing": [],
        "state": {"trouble": None},
        "destinations": [{"name": FLUX, "ok": True, "failures": 0}],
    }


class Scene:
    """The metrics of a daemon that is as it is told to be."""

    def __init__(self) -> None:
        self.clock = TurnedClock(NOW)
        self.seen = a_glance()
        self.record = Record(self.clock)
        self.metrics = Metrics(self.record, lambda: self.seen)

    def tell(self, *told: events.Event) -> None:
        """What the app's hub does."""
        for event in told:
            self.record.tell(event)
            self.metrics.tell(event)

    def families(self) -> list[Metric]:
        """The metrics as Prometheus would read them."""
        return families_of(self.metrics.exposition(""))

    def samples(self, name: str) -> list[tuple[Labels, float]]:
        """The samples of that name."""
        return samples_of(self.families(), name)

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one sample; None where there is none."""
        return next((value for found, value in self.samples(name) if found == labels), None)


def delivered(rows: int, device: DeviceName = PORCH) -> events.BatchDelivered:
    channels, values = (ChannelName("RH"),), (57,)
    return events.BatchDelivered(
        destination=FLUX, device=device, channels=channels, rows=rows, first=1, last=9, values=values
    )
