"""What can be told of a configuration that has mistakes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from netaflux.config import salvage, socket_candidates, state_dir

BROKEN = """
state_dir = "/var/lib/mine"
[netatmo]
client_id = 7
client_sekret = "misplaced"
refresh_token = "spent"
api_url = "https://api.example"
[destinations.one]
url = "https://one.example"
password = "sesame"
[status]
socket = "/run/mine.sock"
colour = "red"
"""


def test_places_servers_and_secrets_are_found_beside_the_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(BROKEN)
    found = salvage(path, {"NETAFLUX_DESTINATIONS__ONE__PASSWORD": "another"}, root=tmp_path)

    assert state_dir(found.settings, {}) == Path("/var/lib/mine")
    assert socket_candidates(found.settings, {})[0] == Path("/run/mine.sock")
    assert set(found.urls) == {"https://api.example", "https://one.example"}
    assert set(found.secrets) == {"spent", "sesame", "another"}
    assert found.keys == (
        "destinations.one.password",
        "destinations.one.url",
        "netatmo.api_url",
        "netatmo.refresh_token",
        "state_dir",
        "status.socket",
    )
    assert "sesame" not in repr(found)


@pytest.mark.parametrize(
    "text", ["", "[netatmo", "\ufeff", "state_dir = 7", "status = 3", "[[status]]\nsocket = 'x'"]
)
def test_where_there_is_nothing_to_save_nothing_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    found = salvage(path, {}, root=tmp_path)

    assert (found.urls, found.secrets) == ((), ())
    assert found.settings.state_dir is None


def test_a_file_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert salvage(tmp_path / "none", {}, root=tmp_path).keys == ()


@given(some.text())
def test_whatever_is_written_there_it_does_not_raise(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("n") / "config.toml"
    path.write_text(text, "utf-8", errors="replace")

    salvage(path, {}, root=path.parent)
