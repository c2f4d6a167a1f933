"""`netaflux status`: what the daemon tells, as a person reads it."""

from pathlib import Path
from typing import Any

import pytest

from netaflux.cli.daemon import health, status
from netaflux.cli.place import Place
from netaflux.status.client import StatusClient

Captured = pytest.CaptureFixture[str]
Json = dict[str, Any]

NOW = 1_400_506_122
FREE: Json = {
    "uses": [{"used": 0, "limit": 40, "seconds": 10}],
    "waiting": 0,
    "closed_until": None,
    "reason": "",
    "feeling": False,
    "per_hour": None,
    "stretch": 1.0,
}
TROUBLED: Json = {
    "version": "1",
    "now": NOW,
    "app_calls": {
        "uses": [{"used": 0, "limit": 1600, "seconds": 3600}],
        "waiting": 1,
        "closed_until": NOW + 3600,
        "reason": "how many calls were made can no longer be read",
        "feeling": False,
        "per_hour": None,
        "stretch": 1.0,
    },
    "accounts": [
        {
            "name": "default",
            "state": "due",
            "authorized_until": NOW - 5,
            "needs_person": False,
            "suspicion": None,
            "remedy": None,
            "calls": {
                "uses": [
                    {"used": 3, "limit": 40, "seconds": 10},
                    {"used": 30, "limit": 400, "seconds": 3600},
                ],
                "waiting": 2,
                "closed_until": NOW + 600,
                "reason": "User usage reached",
                "feeling": False,
                "per_hour": 12,
                "stretch": 1.52,
            },
            "backfill": {
                "rows": 12,
                "calls": 3,
                "done": 0.3456,
                "rows_left": 2048,
                "calls_left": 2,
                "rows_per_second": 103.4,
                "eta_seconds": 3725.0,
                "waiting_until": NOW + 600,
                "reason": "User usage reached",
            },
            "thrifty": {"hours": 2, "factor": 1.0},
            "trouble": {"source": "stations", "reason": "Netatmo is away", "remedy": ""},
        },
        {
            "name": "parents",
            "state": "unauthorized",
            "authorized_until": None,
            "needs_person": True,
            "suspicion": "Netatmo does not know this app",
            "remedy": "Correct `client_id`.",
            "calls": {**FREE, "per_hour": 60, "reason": "Busy", "feeling": True},
            "backfill": None,
            "thrifty": {"hours": 64, "factor": 1.52},
            "trouble": None,
        },
    ],
    "devices": [
        {
            "device": "Porch",
            "title": None,
            "module": "02:00:00:00:00:01",
            "newest": NOW - 300,
            "next_poll": NOW + 90,
            "trouble": {"reason": "it cannot be reached"},
            "destinations": [{"name": "fluxtream", "watermark": NOW - 900, "lag": 600}],
        }
    ],
    "destinations": [
        {
            "name": "fluxtream",
            "identity": "fluxtream:h#7",
            "ok": False,
            "reason": "it is full",
            "remedy": "Make room there.",
            "retry_in": 30,
        },
        {"name": "second", "identity": None, "ok": False, "reason": None, "remedy": None, "retry_in": None},
    ],
    "missing": [{"device": "Lost", "reason": "no module of this name"}],
    "state": {"trouble": None, "rescues": []},
    "notices": [
        {
            "kind": "battery_low",
            "subject": "Porch",
            "text": "The battery of Porch is low: 12 %.",
            "remedy": "Change its batteries.",
            "since": NOW,
        },
        {"kind": "state", "subject": "state", "text": "The disk is full.", "remedy": "", "since": NOW},
    ],
    "rows_aside": [
        {
            "destination": "fluxtream",
            "device": "Porch",
            "time": NOW,
            "values": {"RH": 57},
            "reason": "too moist",
        }
    ],
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    config = tmp_path / "config.toml"
    config.write_text(f'state_dir = "{tmp_path}"\n[netatmo]\nclient_id = "1"\nclient_secret = "2"\n')
    return Place(config)


def test_troubles_are_told_where_they_are(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Captured, utc: None
) -> None:
    monkeypatch.setattr(StatusClient, "get", lambda _, __: (200, TROUBLED))

    assert status(place=place) == 0
    told = capsys.readouterr()
    lines = {line.split()[0]: " ".join(line.split()) for line in told.out.splitlines()[::-1] if line}
    assert lines["default"] == (
        "default due now 3/40 in 10 s, 30/400 in 1 h; closed until 13:38:42 (User usage reached), then"
        " feeling its way at 12 calls an hour; 2 waiting"
    )
    assert lines["parents"] == (
        "parents unauthorized – 0/40 in 10 s; feeling its way at 60 calls an hour (Busy)"
    )
    assert lines["Porch"] == (
        "Porch 02:00:00:00:00:01 fluxtream 2014-05-19 13:13:42 10 min 2014-05-19 13:23:42 in 1 min 30 s"
        " it cannot be reached"
    )
    assert (
        "default is catching up: 34.6% is there · 2048 rows and 2 calls to go ·"
        " waiting until 13:38:42 for Netatmo's limits: User usage reached · 1 h 2 min left"
        in told.out.splitlines()
    )
    assert (
        "All accounts together: closed until 14:28:42 (how many calls were made can no longer be read);"
        " 1 waiting"
    ) in told.out.splitlines()
    assert [line for line in told.out.splitlines() if "short of calls" in line] == [
        "default is short of calls: newest rows come with the surveys, the rows between them every 2 hours",
        (
            "parents is short of calls: newest rows come with the surveys (which are 1.5 times as rare),"
            " the rows between them every 64 hours"
        ),
    ]
    assert lines["fluxtream"] == "fluxtream fluxtream:h#7 failing in 30 s"
    assert lines["second"] == "second – not reached yet –"
    assert told.err.splitlines() == [
        "Lost: no module of this name",
        "account default: Netatmo is away",
        "account parents: Netatmo does not know this app",
        "  → Correct `client_id`.",
        "destination fluxtream: it is full",
        "  → Make room there.",
        "set aside: Porch at 2014-05-19 13:28:42 (RH 57): too moist",
        "The battery of Porch is low: 12 %. (since 2014-05-19 13:28:42)",
        "  → Change its batteries.",
    ]


@pytest.mark.parametrize(("ready", "route"), [(False, "/livez"), (True, "/readyz")])
def test_health_asks_what_it_is_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Captured, *, ready: bool, route: str
) -> None:
    asked = []

    def get(_: StatusClient, route: str) -> tuple[int, Json]:
        asked.append(route)
        return 503, {"ok": False, "problems": ["one", "two"]}

    monkeypatch.setattr(StatusClient, "get", get)

    assert health(ready=ready, place=place) == 69
    assert asked == [route]
    assert capsys.readouterr().err == "netaflux: one\nnetaflux: two\n"
