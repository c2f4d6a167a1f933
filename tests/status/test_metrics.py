"""The metrics: what they tell, what they leave out, what they are called, in which format."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric

from netaflux import __version__
from netaflux.core import errors, events
from netaflux.core.model import AccountName, DeviceName, Lane
from netaflux.status.metrics import FORESEEN, Metrics
from netaflux.status.record import Record
from tests.fakes import TurnedClock
from tests.status.metrics_scene import (
    ANNE,
    FLUX,
    MODULE,
    NOW,
    OPENMETRICS,
    PORCH,
    PROMETHEUS_3,
    Scene,
    delivered,
    families_of,
    samples_of,
)

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def refused() -> events.RowRefused:
    return events.RowRefused(destination=FLUX, device=PORCH, time=5, reason="no")


# What they tell


def test_states_are_told_as_they_are_now(scene: Scene) -> None:
    assert scene.value("netaflux_build_info", version=__version__) == 1
    scene.clock.time += 60
    assert scene.value("netaflux_start_timestamp_seconds") == NOW
    assert scene.value("netaflux_account_needs_person", account=ANNE) == 0
    assert scene.value("netaflux_token_expiry_timestamp_seconds", account=ANNE) == NOW + 5000.5
    assert scene.value("netaflux_newest_row_timestamp_seconds", device=PORCH) == NOW - 200
    assert scene.value("netaflux_last_success_timestamp_seconds", device=PORCH) == NOW - 20.5
    assert scene.value("netaflux_destination_up", destination=FLUX) == 1
    mark = scene.value("netaflux_watermark_timestamp_seconds", device=PORCH, destination=FLUX)
    assert mark == NOW - 500

    scene.seen["accounts"][0]["needs_person"] = True
    scene.seen["destinations"][0] = {"name": FLUX, "ok": False, "failures": 3}

    assert scene.value("netaflux_account_needs_person", account=ANNE) == 1
    assert scene.value("netaflux_destination_up", destination=FLUX) == 0


def test_a_device_without_a_module_is_told(scene: Scene) -> None:
    scene.seen["missing"] = [{"device": "Attic", "reason": "there is no module of this name"}]

    assert scene.samples("netaflux_device_found") == [({"device": PORCH}, 1), ({"device": "Attic"}, 0)]
    assert b"no module of this name" not in scene.metrics.exposition("")[0]


def test_a_budget_is_told_by_its_windows(scene: Scene) -> None:
    assert scene.samples("netaflux_budget_permits_left") == [
        ({"account": ANNE, "window": "10s"}, 37),
        ({"account": ANNE, "window": "1h"}, 120),
    ]
    assert scene.samples("netaflux_budget_permits_limit") == [
        ({"account": ANNE, "window": "10s"}, 40),
        ({"account": ANNE, "window": "1h"}, 400),
    ]
    assert scene.samples("netaflux_app_budget_permits_left") == [
        ({"window": "10s"}, 37),
        ({"window": "1h"}, 1320),
    ]
    assert scene.samples("netaflux_app_budget_permits_limit") == [
        ({"window": "10s"}, 40),
        ({"window": "1h"}, 1600),
    ]


def test_what_happens_is_counted(scene: Scene) -> None:
    scene.seen["accounts"].append(scene.seen["accounts"][0] | {"name": "ben"})
    scene.seen["configured"].append("Attic")
    scene.tell(
        *[events.CallMade(account=ANNE, endpoint="getmeasure")] * 3,
        events.CallMade(account=AccountName("ben"), endpoint="oauth2/token"),
        events.PageFetched(module=MODULE, rows=1024, begin=0, last=9, lane=Lane.HISTORY),
        events.PageFetched(module=MODULE, rows=7, begin=0, last=9, lane=Lane.LIVE),
        delivered(1000),
        delivered(24),
        delivered(5, DeviceName("Attic")),
        refused(),
        refused(),
    )

    assert scene.samples("netaflux_calls_total") == [
        ({"account": ANNE, "endpoint": "getmeasure"}, 3),
        ({"account": "ben", "endpoint": "oauth2/token"}, 1),
    ]
    assert scene.value("netaflux_rows_fetched_total") == 1031
    assert scene.samples("netaflux_rows_delivered_total") == [
        ({"device": PORCH, "destination": FLUX}, 1024),
        ({"device": "Attic", "destination": FLUX}, 5),
    ]
    assert scene.value("netaflux_rows_refused_total", device=PORCH, destination=FLUX) == 2
    assert scene.value("netaflux_last_delivery_timestamp_seconds", device=PORCH, destination=FLUX) == NOW


def test_errors_are_counted_by_their_class(scene: Scene) -> None:
    scene.tell(
        *[events.ErrorMet.of(errors.Busy("overload"))] * 2,
        events.ErrorMet.of(errors.StateLocked("mine")),
        events.ErrorMet.of(ZeroDivisionError("oh")),
        refused(),
    )

    counted = {labels["class"]: count for labels, count in scene.samples("netaflux_errors_total") if count}
    assert counted == {"Busy": 2, "StateLocked": 1, "Bug": 1, "BatchRefused": 1}


def test_what_can_be_counted_begins_at_nothing(scene: Scene) -> None:
    """A counter that appears with its first count has never risen, as Prometheus sees it."""
    first = scene.samples("netaflux_errors_total")

    assert {labels["class"] for labels, _ in first} == {*(kind.__name__ for kind in FORESEEN), "Bug"}
    assert {count for _, count in first} == {0}
    assert scene.value("netaflux_rows_delivered_total", device=PORCH, destination=FLUX) == 0
    assert scene.value("netaflux_rows_refused_total", device=PORCH, destination=FLUX) == 0


def test_a_state_that_cannot_be_written_is_seen(scene: Scene) -> None:
    assert scene.value("netaflux_state_writable") == 1

    scene.seen["state"]["trouble"] = "the disk is full"
    assert scene.value("netaflux_state_writable") == 0


def test_what_is_not_known_is_left_out(scene: Scene) -> None:
    """A 0 would be a date in 1970, or a destination that is down."""
    scene.seen["accounts"][0]["authorized_until"] = None
    scene.seen["devices"][0] |= {"newest": None, "last_poll": None}
    scene.seen["devices"][0]["destinations"][0]["watermark"] = None
    scene.seen["destinations"][0] = {"name": FLUX, "ok": False, "failures": 0}

    for unknown in (
        "netaflux_token_expiry_timestamp_seconds",
        "netaflux_newest_row_timestamp_seconds",
        "netaflux_last_success_timestamp_seconds",
        "netaflux_watermark_timestamp_seconds",
        "netaflux_last_delivery_timestamp_seconds",
        "netaflux_destination_up",
    ):
        assert scene.samples(unknown) == []
    assert "nan" not in scene.metrics.exposition("")[0].decode().lower()


def test_a_daemon_that_knows_nothing_yet_has_metrics_all_the_same(scene: Scene) -> None:
    scene.seen |= {"accounts": [], "devices": [], "destinations": []}

    assert scene.value("netaflux_build_info", version=__version__) == 1
    assert scene.samples("netaflux_budget_permits_left") == []


def test_a_daemon_that_has_no_configuration_in_force_yet_tells_of_its_process() -> None:
    metrics = Metrics(Record(TurnedClock(NOW)), lambda: None)

    for accept in ("", OPENMETRICS):
        families = families_of(metrics.exposition(accept))
        assert samples_of(families, "netaflux_start_timestamp_seconds") == [({}, NOW)]
        assert samples_of(families, "netaflux_rows_fetched_total") == [({}, 0)]
        assert not samples_of(families, "netaflux_calls_total")


def test_a_device_that_is_not_found_any_more_keeps_its_counts(scene: Scene) -> None:
    scene.tell(delivered(3))
    scene.seen["devices"] = []

    assert scene.value("netaflux_rows_delivered_total", device=PORCH, destination=FLUX) == 3


def test_what_another_configuration_no_longer_names_is_gone_and_goes_on_if_it_comes_back(
    scene: Scene,
) -> None:
    """Or labels would become ever more. A counter never falls."""
    before = scene.seen
    scene.tell(delivered(3), refused(), events.CallMade(account=ANNE, endpoint="getmeasure"))
    scene.seen = before | {"accounts": [], "devices": [], "configured": []}
    for name in ("calls_total", "rows_delivered_total", "rows_refused_total"):
        assert scene.samples(f"netaflux_{name}") == []
    assert scene.samples("netaflux_last_delivery_timestamp_seconds") == []

    scene.seen = before
    scene.tell(delivered(4))
    assert scene.value("netaflux_rows_delivered_total", device=PORCH, destination=FLUX) == 7
    assert scene.value("netaflux_calls_total", account=ANNE, endpoint="getmeasure") == 1


def test_any_name_survives(scene: Scene) -> None:
    name = 'Mother\'s "old" \\ pla\nce é'
    scene.seen["destinations"][0]["name"] = name

    assert scene.value("netaflux_destination_up", destination=name) == 1


def test_the_process_is_told_as_all_exporters_do(scene: Scene) -> None:
    resident = scene.value("process_resident_memory_bytes")

    assert resident is not None
    assert resident > 1e6
    assert scene.value("process_start_time_seconds") is not None


def test_several_apps_in_one_process_do_not_meet() -> None:
    """As in these tests; nothing is registered for all of a process."""
    one, other = Scene(), Scene()
    one.tell(delivered(3))

    assert other.value("netaflux_rows_delivered_total", device=PORCH, destination=FLUX) == 0


# Their names


BASE_UNITS = {"seconds", "bytes"}
OTHER_UNITS = re.compile(
    r"_(milliseconds|minutes|hours|days|kilobytes|kb|mb|percent|count|sum|bucket|created)(_|$)"
)


def ours(scene: Scene) -> Iterator[Metric]:
    """Every metric of netaflux' own, each with a sample."""
    scene.tell(events.CallMade(account=ANNE, endpoint="getmeasure"), delivered(1))
    yield from families_of(scene.metrics.exposition(OPENMETRICS))


def test_names_are_as_prometheus_asks(scene: Scene) -> None:
    """As https://prometheus.io/docs/practices/naming/ and, for its suffixes, OpenMetrics have it."""
    found = [family for family in ours(scene) if not family.name.startswith("process_")]

    assert len(found) > 15
    for family in found:
        assert re.fullmatch(r"netaflux(_[a-z]+)+", family.name), family.name
        assert not OTHER_UNITS.search(family.name), family.name
        assert not family.name.endswith(("_total", "_info")), family.name
        assert family.type in {"counter", "gauge", "info"}
        assert family.documentation.endswith("."), family.name
        suffix = {"counter": "_total", "info": "_info", "gauge": ""}[family.type]
        assert {sample.name for sample in family.samples} == {family.name + suffix}
        if family.name.endswith("_seconds"):
            assert family.unit in BASE_UNITS
            assert "_timestamp_" in family.name
            assert all(NOW - 1e6 < sample.value < NOW + 1e6 for sample in family.samples), family.name
        labels = {label for sample in family.samples for label in sample.labels}
        assert labels <= {"account", "class", "destination", "device", "endpoint", "version", "window"}


def test_the_readme_has_them_all(scene: Scene) -> None:
    told = {sample.name for family in ours(scene) for sample in family.samples}

    shown = set(re.findall(r"^\| `(netaflux_\w+)", README.read_text("utf-8"), re.MULTILINE))
    assert shown == {name for name in told if name.startswith("netaflux_")}


# In which format


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/plain", "text/html,*/*;q=0.8", "text/plain;version=0.0.4", "application/json"],
)
def test_text_is_the_default(scene: Scene, accept: str) -> None:
    body, content_type = scene.metrics.exposition(accept)

    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert samples_of(families_of((body, content_type)), "netaflux_build_info")


@pytest.mark.parametrize("accept", [OPENMETRICS, "application/openmetrics-text", PROMETHEUS_3])
def test_openmetrics_is_there_for_those_who_ask(scene: Scene, accept: str) -> None:
    body, content_type = scene.metrics.exposition(accept)

    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    families = families_of((body, content_type))
    assert samples_of(families, "netaflux_budget_permits_left") == scene.samples(
        "netaflux_budget_permits_left"
    )


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=one",
        "application/openmetrics-text; version=1.x",
        f"application/openmetrics-text; version={'9' * 5000}",
        "application/openmetrics-text; version=1.0.0.\udcff",
        "application/openmetrics-text; version=1.0.0.é",
        "text/plain; version=\t",
    ],
)
def test_who_asks_for_nonsense_gets_text(scene: Scene, accept: str) -> None:
    assert scene.metrics.exposition(accept)[1] == "text/plain; version=0.0.4; charset=utf-8"
