"""What becomes of a command that is stopped before it has said its last: its exit code, and nothing else."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from netaflux.cli import data, heating, owner, security, setup, weather

Captured = pytest.CaptureFixture[str]
STOPPED = 143
COMMANDS: dict[str, tuple[object, Callable[[], int]]] = {
    "latest": (weather, weather.latest),
    "measure": (weather, lambda: weather.measure("Porch")),
    "minmax": (weather, weather.minmax),
    "devices": (data, data.devices),
    "check": (setup, setup.check),
    "homes": (heating, heating.homes),
    "thermostat show": (heating, heating.show),
    "thermostat schedule": (heating, heating.schedules),
    "thermostat mode": (heating, lambda: heating.set_mode("away", yes=True)),
    "cameras": (security, security.cameras),
    "persons": (security, security.persons),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("events", [[], [{"event": "order", "words": "set all"}]])
def test_a_command_that_is_stopped_says_no_more(
    name: str, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    module, command = COMMANDS[name]

    def stopped(*asked: Any) -> int:
        for event in events:
            asked[-1](event)
        return STOPPED

    for door in ("carry_out", "carry_out_each"):
        monkeypatch.setattr(module, door, stopped, raising=False)

    assert command() == STOPPED
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


@pytest.mark.parametrize("event", [{"event": "looked"}, {"event": "trouble", "message": "x", "remedy": "y"}])
def test_events_are_followed_no_longer_than_somebody_reads(
    event: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        security._followed(event)
        os.close(reader)
        if event["event"] == "looked":
            with pytest.raises(BrokenPipeError):
                security._followed(event)
        else:
            security._followed(event)


@pytest.mark.parametrize(
    ("events", "unknown"), [(["sending", "waiting"], True), (["sending", "result"], False)]
)
def test_what_others_wait_for_does_not_tell_what_became_of_something(
    events: list[str],
    unknown: bool,  # noqa: FBT001 - a table's column
    capsys: Captured,
) -> None:
    """While something is on its way, the daemon may say that Netatmo's limits are reached."""
    passing = owner._Passing(lambda _: None)
    for event in events:
        passing({"event": event, "look": "`netaflux check`", "until": 0.0, "reason": "enough"})
    passing.broken_off()

    assert ("is unknown" in capsys.readouterr().err) == unknown
