"""What a person is asked for in `authorize`, and for how long."""

import socket
from pathlib import Path

import pytest

from netaflux.cli import setup
from netaflux.cli.main import main
from tests.ports import free_ports

Captured = pytest.CaptureFixture[str]


def configured(folder: Path, port: int) -> Path:
    path = folder / "config.toml"
    path.touch(0o600)
    path.write_text(
        f"""
        state_dir = "{folder}/state"
        [netatmo]
        client_id = "5f00c0ffee"
        client_secret = "canary-secret"
        redirect_uri = "http://127.0.0.1:{port}/callback"
        """
    )
    return path


def test_an_authorization_that_nobody_completes_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Its state is worthless then, for nobody listens any more."""
    monkeypatch.setattr(setup, "PATIENCE", 0.1)
    (port,) = free_ports(1)

    assert main(["authorize", "--config", str(configured(tmp_path, port))]) == 77

    assert "nobody came back from the browser in ten minutes" in capsys.readouterr().err
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
