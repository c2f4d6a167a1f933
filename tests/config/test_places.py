from pathlib import Path

import pytest

from netaflux.config import Settings, socket_candidates, socket_path, state_dir
from netaflux.core.errors import ConfigError
from netaflux.netatmo.settings import NetatmoSettings
from netaflux.status.settings import StatusSettings

HOME = {"HOME": "/home/anne"}
XDG = {"XDG_STATE_HOME": "/xdg/state", "XDG_RUNTIME_DIR": "/run/user/1000"}
SYSTEMD = {"STATE_DIRECTORY": "/var/lib/netaflux:/var/lib/other", "RUNTIME_DIRECTORY": "/run/netaflux:/run/b"}
NETATMO = NetatmoSettings.model_validate({"client_id": "x", "client_secret": "y"})


def settings(state: str | None = None, socket: str | None = None) -> Settings:
    """Settings that say where the state and the socket are."""
    return Settings.model_construct(
        state_dir=Path(state) if state else None,
        netatmo=NETATMO,
        status=StatusSettings(socket=Path(socket) if socket else None),
    )


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        ("/srv/state", HOME | XDG | SYSTEMD, "/srv/state"),
        ("~/state", HOME | XDG | SYSTEMD, "/home/anne/state"),
        (None, HOME | XDG | SYSTEMD, "/var/lib/netaflux"),
        (None, HOME | XDG, "/xdg/state/netaflux"),
        (None, HOME, "/home/anne/.local/state/netaflux"),
        (
            None,
            HOME | {"XDG_STATE_HOME": "relative", "STATE_DIRECTORY": ""},
            "/home/anne/.local/state/netaflux",
        ),
    ],
)
def test_the_state_is_where_the_first_of_them_says(
    configured: str | None, environ: dict[str, str], expected: str
) -> None:
    assert state_dir(settings(configured), environ) == Path(expected)


@pytest.mark.parametrize(
    ("state", "socket", "environ", "expected"),
    [
        ("/srv/state", "/srv/my.sock", HOME | XDG | SYSTEMD, "/srv/my.sock"),
        ("/srv/state", "~/my.sock", HOME, "/home/anne/my.sock"),
        ("/srv/state", None, HOME | XDG | SYSTEMD, "/run/netaflux/netaflux.sock"),
        ("/srv/state", None, HOME | XDG, "/run/user/1000/netaflux.sock"),
        ("/srv/state", None, HOME, "/srv/state/netaflux.sock"),
        (None, None, HOME, "/home/anne/.local/state/netaflux/netaflux.sock"),
    ],
)
def test_the_daemon_listens_where_the_first_of_them_says(
    state: str | None, socket: str | None, environ: dict[str, str], expected: str
) -> None:
    assert socket_path(settings(state, socket), environ) == Path(expected)


@pytest.mark.parametrize(
    ("found", "environ", "expected"),
    [
        (
            settings("/srv/state", "/srv/my.sock"),
            HOME | XDG,
            [
                "/srv/my.sock",
                "/run/netaflux/netaflux.sock",
                "/run/user/1000/netaflux.sock",
                "/srv/state/netaflux.sock",
            ],
        ),
        (settings("/srv/state"), {}, ["/srv/state/netaflux.sock", "/run/netaflux/netaflux.sock"]),
        (
            settings(),
            HOME | SYSTEMD,
            ["/run/netaflux/netaflux.sock", "/var/lib/netaflux/netaflux.sock"],
        ),
        (
            None,
            HOME | {"XDG_RUNTIME_DIR": "/run/user/0"},
            [
                "/run/user/0/netaflux.sock",
                "/run/netaflux/netaflux.sock",
                "/home/anne/.local/state/netaflux/netaflux.sock",
            ],
        ),
        # nothing says where: the service's own place is still worth a try
        (None, {}, ["/run/netaflux/netaflux.sock"]),
        (settings("~/state", "/srv/my.sock"), {}, ["/srv/my.sock", "/run/netaflux/netaflux.sock"]),
    ],
)
def test_commands_look_where_the_daemon_may_listen_the_likeliest_first(
    found: Settings | None, environ: dict[str, str], expected: list[str]
) -> None:
    assert [str(path) for path in socket_candidates(found, environ)] == expected


def test_a_state_that_nobody_places_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="nothing says where the state is kept") as caught:
        state_dir(settings(), {})

    assert "state_dir" in caught.value.remedy


def test_a_home_that_is_not_known_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"~/state needs \$HOME"):
        state_dir(settings("~/state"), {})


def with_socket_of(length: int) -> Settings:
    """Settings whose state directory gives the socket a path of so many bytes."""
    return settings(f"/é{'x' * (length - len('/é/netaflux.sock'.encode()))}")


def test_a_socket_path_may_be_as_long_as_the_kernel_holds() -> None:
    """Bytes count, not letters, and the name that netaflux adds counts, too."""
    assert len(bytes(socket_path(with_socket_of(107), {}))) == 107


def test_a_socket_path_that_the_kernel_cannot_hold_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="is too long: a socket's path has at most 107 bytes") as caught:
        socket_path(with_socket_of(108), {})

    assert "[status]" in caught.value.remedy
