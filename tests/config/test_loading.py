import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from netaflux.config import Loaded, load, secret_texts
from netaflux.core.devices import Device
from netaflux.core.errors import ConfigError
from netaflux.core.model import AccountName, ChannelName, DestinationName, DeviceName
from netaflux.core.since import Moment, Setup, Span
from netaflux.status.settings import Address

Write = Callable[[str], Path]

CANARY = "c4nary-in-the-mine"

SMALL = """
[netatmo]
client_id = "an-id"
client_secret = "a-secret"
"""
FLUXTREAM = """
[destinations.fluxtream]
url = "https://fluxtream.example.org/"
username = "anne"
password = "a-password"
"""
WHOLE = """
state_dir = "/var/lib/netaflux"
[netatmo]
client_id = " 'an-id' "
client_secret = "a-secret\\n"
refresh_token = "a-token"
api_url = "http://127.0.0.1:8080/"
redirect_uri = "http://localhost:9000/"
[netatmo.limits]
per_10_seconds = 1000
per_hour = 2000
app_per_10_seconds = 3000
app_per_hour = 4000
[netatmo.accounts.parents]
refresh_token = "their-token"
[destinations.fluxtream]
url = "https://fluxtream.example.org"
username = "anne"
password = "a-password"
[destinations.second]
type = "fluxtream"
url = "http://192.168.1.2:8080/flux/"
username = "anne"
password = "another"
api = "legacy"
allow_plain_http = true
[[devices]]
name = "Netatmo_Basement"
module = "AR Home/Basement"
channels = ["Temp_F", "RH", "Comfort"]
since = 2014-05-18
account = "neighbours"
destinations = ["second"]
[[devices]]
name = "Netatmo_Again"
module = "AR Home/Basement"
since = 2014-05-18T12:00:00
[channels.Comfort]
formula = "Temperature - Humidity / 10"
unit = "°C"
[poll]
interval = "90s"
[status]
socket = "/run/netaflux/netaflux.sock"
mode = "0660"
metrics_listen = "[::1]:9211"
[log]
level = "debug"
format = "json"
"""


def read(path: Path | None, environ: Mapping[str, str] | None = None) -> Loaded:
    """The configuration as this environment gives it, on a machine that has none of its own."""
    return load(path, environ or {}, root=path.parent if path else Path("/nonexistent"))


# What is read


def test_every_setting_arrives(write: Write) -> None:
    found = read(write(WHOLE)).settings

    assert str(found.state_dir) == "/var/lib/netaflux"
    assert found.netatmo.client_id == "an-id"
    assert found.netatmo.api_url == "http://127.0.0.1:8080"
    assert found.netatmo.redirect_uri == "http://localhost:9000/"
    assert found.netatmo.limits.app_per_hour == 4000
    assert {name: each.api for name, each in found.destinations.items()} == {
        "fluxtream": "auto",
        "second": "legacy",
    }
    assert found.poll.interval == 90
    assert (str(found.status.socket), found.status.mode) == ("/run/netaflux/netaflux.sock", 0o660)
    assert found.status.metrics_listen == Address("::1", 9211)
    assert (found.log.level, found.log.format) == ("debug", "json")
    assert found.channels[ChannelName("Comfort")].unit == "°C"
    assert list(secret_texts(found)) == ["a-secret", "a-token", "their-token", "a-password", "another"]


def test_devices_arrive_as_the_plan_knows_them(write: Write) -> None:
    """What a device leaves out is filled in; two devices may mirror one module."""
    basement, again = read(write(WHOLE)).settings.mirrored()

    assert basement == Device(
        name=DeviceName("Netatmo_Basement"),
        module="AR Home/Basement",
        channels=(ChannelName("Temp_F"), ChannelName("RH"), ChannelName("Comfort")),
        since=Moment(datetime(2014, 5, 18)),  # noqa: DTZ001 - in the station's own zone
        account=AccountName("neighbours"),
        destinations=(DestinationName("second"),),
    )
    assert again.since == Moment(datetime(2014, 5, 18, 12))  # noqa: DTZ001 - the same
    assert (again.channels, again.account) == (None, "default")
    assert again.destinations == ("fluxtream", "second")


def test_what_is_left_out_has_its_default(write: Write) -> None:
    """It is enough to authorize, and to ask for the modules that are there."""
    found = read(write(SMALL)).settings

    assert found.state_dir is None
    assert found.netatmo.api_url == "https://api.netatmo.com"
    assert found.netatmo.redirect_uri == "http://localhost:8977/callback"
    assert tuple(found.netatmo.limits.model_dump().values()) == (40, 400, 40, 1600)
    assert (found.poll.interval, found.status.socket, found.status.mode) == (600, None, 0o600)
    assert found.status.metrics_listen is None
    assert (found.log.level, found.log.format) == ("info", "auto")
    assert (found.mirrored(), found.destinations, found.channels) == ((), {}, {})
    assert found.accounts == ("default",)


def test_an_account_is_there_for_being_named(write: Write) -> None:
    found = read(write(WHOLE)).settings

    assert found.accounts == ("default", "neighbours", "parents")
    seeds = {
        name: seed and seed.get_secret_value()
        for name in found.accounts
        for seed in [found.netatmo.seed(name)]
    }
    assert seeds == {"default": "a-token", "neighbours": None, "parents": "their-token"}


@pytest.mark.parametrize(
    ("written", "since"),
    [
        ("", Setup()),
        ('since = "setup"', Setup()),
        ('since = "30d"', Span(30 * 86400)),
        ("since = 2014-05-18", Moment(datetime(2014, 5, 18))),  # noqa: DTZ001 - TOML's local date
        ("since = 2014-05-18T12:00:00Z", Moment(datetime(2014, 5, 18, 12, tzinfo=UTC))),
        ('since = "2014-05-18"', Moment(datetime(2014, 5, 18))),  # noqa: DTZ001 - the same
        ("since = 1400506122", Moment(datetime(2014, 5, 19, 13, 28, 42, tzinfo=UTC))),
    ],
)
def test_since_takes_what_toml_has_and_text(write: Write, written: str, since: object) -> None:
    found = read(write(f'{SMALL}[[devices]]\nname = "A"\nmodule = "x/y"\n{written}'))

    assert found.settings.devices[0].since == since


@pytest.mark.parametrize(
    "host", ["https://netatmo.example.org", "http://localhost:8080", "https://netatmo.com.example.org"]
)
def test_a_server_of_ones_own_may_be_asked_more_than_netatmo_grants(write: Write, host: str) -> None:
    found = read(write(f"{SMALL}api_url = '{host}'\n[netatmo.limits]\nper_hour = 100000"))

    assert found.settings.netatmo.limits.per_hour == 100000


@pytest.mark.parametrize(
    "host", ["https://api.netatmo.com", "https://API.Netatmo.COM.:443/x", "https://netatmo.net"]
)
def test_netatmo_itself_grants_what_it_grants(write: Write, host: str) -> None:
    within = read(write(f"{SMALL}api_url = '{host}'\n[netatmo.limits]\nper_hour = 500")).settings

    assert within.netatmo.limits.per_hour == 500
    with pytest.raises(ConfigError, match="Netatmo grants per_hour at most 500"):
        read(write(f"{SMALL}api_url = '{host}'\n[netatmo.limits]\nper_hour = 501"))


@pytest.mark.parametrize("mode", ['"0660"', '"660"', "0o660", "660"])
def test_a_socket_mode_may_be_written_in_any_of_its_ways(write: Write, mode: str) -> None:
    assert read(write(f"{SMALL}[status]\nmode = {mode}")).settings.status.mode == 0o660


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("9211", "127.0.0.1:9211"),
        ('"9211"', "127.0.0.1:9211"),
        ('" localhost:9211 "', "127.0.0.1:9211"),
        ('"127.0.0.1:1"', "127.0.0.1:1"),
        ('"192.168.1.2:65535"', "192.168.1.2:65535"),
        ('"0.0.0.0:9211"', "0.0.0.0:9211"),
        ('"[0::1]:9211"', "[::1]:9211"),
        ('"[::]:9211"', "[::]:9211"),
    ],
)
def test_the_port_of_the_metrics_is_on_loopback_unless_it_says_otherwise(
    write: Write, written: str, address: str
) -> None:
    found = read(write(f"{SMALL}[status]\nmetrics_listen = {written}")).settings

    assert str(found.status.metrics_listen) == address


def test_the_port_of_the_metrics_may_stand_in_the_environment(write: Write) -> None:
    found = read(write(SMALL), {"NETAFLUX_STATUS__METRICS_LISTEN": "9211"}).settings

    assert found.status.metrics_listen == Address("127.0.0.1", 9211)


def test_settings_cannot_be_changed_and_show_no_secret(write: Write) -> None:
    found = read(write(WHOLE)).settings

    assert not any(secret in repr(found) + found.model_dump_json() for secret in secret_texts(found))
    with pytest.raises(ValueError, match="frozen"):
        found.poll = found.poll


def test_a_mark_of_byte_order_and_windows_line_ends_do_no_harm(write: Write) -> None:
    assert read(write("\ufeff" + SMALL.replace("\n", "\r\n"))).settings.netatmo.client_id == "an-id"


# Where it is read


def in_xdg(home: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(home / "xdg"), "HOME": str(home)}


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (["named", "variable", "xdg/netaflux/config.toml", "etc/netaflux/config.toml"], "named"),
        (["variable", "xdg/netaflux/config.toml", "etc/netaflux/config.toml"], "variable"),
        (["xdg/netaflux/config.toml", ".config/netaflux/config.toml", "etc/netaflux/config.toml"], "xdg"),
        ([".config/netaflux/config.toml", "etc/netaflux/config.toml"], "etc"),
    ],
)
def test_the_first_file_that_is_there_counts(tmp_path: Path, there: list[str], taken: str) -> None:
    """With $XDG_CONFIG_HOME set, ~/.config is none of its places."""
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SMALL.replace("an-id", name.split("/")[0]))
    environ = in_xdg(tmp_path)
    if "variable" in there:
        environ["NETAFLUX_CONFIG"] = str(tmp_path / "variable")
    named = tmp_path / "named" if "named" in there else None

    found = load(named, environ, root=tmp_path)

    assert found.settings.netatmo.client_id == taken
    assert found.path is not None
    assert found.path.relative_to(tmp_path).parts[0] == taken


def test_home_is_looked_in_where_xdg_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / ".config/netaflux/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(SMALL)

    assert load(None, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"}, root=tmp_path).path == file


def test_without_any_file_it_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"HOME": "/home/anne", "NETAFLUX_LOG__LEVEL": "debug"}, root=tmp_path)

    assert caught.value.message == (
        "there is no configuration: no file at /home/anne/.config/netaflux/config.toml "
        f"or {tmp_path}/etc/netaflux/config.toml"
    )
    assert "Copy config.example.toml" in caught.value.remedy


def test_the_environment_may_hold_all_of_it() -> None:
    environ = {
        "NETAFLUX_NETATMO__CLIENT_ID": "an-id",
        "NETAFLUX_NETATMO__CLIENT_SECRET": "a-secret",
        "NETAFLUX_DEVICES": json.dumps([{"name": "A", "module": "x/y", "since": "30d"}]),
    }

    found = read(None, environ)

    assert found.path is None
    assert found.settings.devices[0].since == Span(30 * 86400)


@pytest.mark.parametrize(
    ("named", "environ", "said"),
    [
        ("gone.toml", {}, "{tmp}/gone.toml: there is no such file"),
        ("file/x.toml", {}, "{tmp}/file/x.toml: there is no such file"),
        (
            None,
            {"NETAFLUX_CONFIG": "{tmp}/gone.toml"},
            "NETAFLUX_CONFIG: {tmp}/gone.toml: there is no such file",
        ),
        ("", {}, "{tmp}: cannot be read: Is a directory"),
    ],
)
def test_a_file_that_was_named_has_to_be_there(
    tmp_path: Path, named: str | None, environ: dict[str, str], said: str
) -> None:
    (tmp_path / "file").write_text("")
    environ = {name: value.format(tmp=tmp_path) for name, value in environ.items()}

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / named if named is not None else None, environ, root=tmp_path)

    assert caught.value.message == said.format(tmp=tmp_path)


def test_a_file_in_another_encoding_is_told_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(SMALL.encode() + "# Séjour".encode("latin-1"))

    with pytest.raises(ConfigError) as caught:
        read(path)

    assert caught.value.message == f"{path}: is not UTF-8 text (byte {len(SMALL) + 4})"


# Who is stronger


@pytest.fixture
def everywhere(tmp_path: Path, write: Write) -> tuple[Path, dict[str, str]]:
    """The client secret in the file, in both directories and in both variables, the log level in the file."""
    for directory, text in (("run/secrets", "of-docker"), ("credentials", "of-systemd")):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / "netatmo__client_secret").write_text(f"{text}\n")
    environ = {
        "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"),
        "NETATMO_CLIENT_SECRET": "of-the-alias",
        "NETAFLUX_NETATMO__CLIENT_SECRET": "of-the-environment",
    }
    return write(SMALL + '[log]\nlevel = "error"\n'), environ


def test_the_environment_beats_credentials_beat_the_file(everywhere: tuple[Path, dict[str, str]]) -> None:
    path, environ = everywhere
    secrets = []

    for weaker in (
        "NETAFLUX_NETATMO__CLIENT_SECRET",
        "NETATMO_CLIENT_SECRET",
        "CREDENTIALS_DIRECTORY",
        "PATH",
    ):
        found = read(path, environ).settings
        secrets.append(found.netatmo.client_secret.get_secret_value())
        environ.pop(weaker, None)
    (path.parent / "run/secrets/netatmo__client_secret").unlink()
    found = read(path, environ).settings

    assert secrets == ["of-the-environment", "of-the-alias", "of-systemd", "of-docker"]
    assert found.netatmo.client_secret.get_secret_value() == "a-secret"
    assert found.log.level == "error"  # what only the weaker one says is kept throughout


def test_an_empty_variable_says_nothing(write: Write) -> None:
    environ = {"NETATMO_CLIENT_ID": "", "NETAFLUX_LOG__LEVEL": " ", "NETAFLUX_CONFIG": ""}

    assert read(write(SMALL), environ).settings.netatmo.client_id == "an-id"


def test_variables_reach_every_kind_of_setting(write: Write) -> None:
    environ = {
        "NETAFLUX_POLL__INTERVAL": "5m",
        "NETAFLUX_NETATMO__LIMITS__PER_HOUR": "41",
        "NETAFLUX_NETATMO__ACCOUNTS__PARENTS__REFRESH_TOKEN": "their-token",
        "NETAFLUX_DESTINATIONS__FLUXTREAM__PASSWORD": "another",
        "NETAFLUX_DESTINATIONS__FLUXTREAM__ALLOW_PLAIN_HTTP": "true",
        "NETAFLUX_CHANNELS": '{"Comfort": {"formula": "Temperature + 1"}}',
        "NETAFLUX_CHANNELS__Comfort__UNIT": "K",
        "NETAFLUX_STATUS__MODE": "0660",
        "NETAFLUX_DEVICES": '[{"name": "A", "module": "x/y"}]',
        "netaflux_ignored": "for its case",
    }

    found = read(write(SMALL + FLUXTREAM + '[[devices]]\nname = "B"\nmodule = "x/z"\n'), environ).settings

    assert found.poll.interval == 300
    assert (found.netatmo.limits.per_hour, found.netatmo.limits.per_10_seconds) == (41, 40)
    assert list(found.netatmo.accounts) == ["parents"]
    flux = found.destinations[DestinationName("fluxtream")]
    assert (flux.password.get_secret_value(), flux.username, flux.allow_plain_http) == (
        "another",
        "anne",
        True,
    )
    assert [device.name for device in found.devices] == ["A"]  # a list is one value
    assert found.status.mode == 0o660


def test_a_variable_finds_a_name_of_the_file_in_its_own_spelling(write: Write) -> None:
    text = SMALL + FLUXTREAM.replace("[destinations.fluxtream]", '[destinations.AtHome]\ntype = "fluxtream"')

    found = read(write(text), {"NETAFLUX_DESTINATIONS__ATHOME__PASSWORD": "another"}).settings

    assert {name: each.password.get_secret_value() for name, each in found.destinations.items()} == {
        "AtHome": "another"
    }


def test_credentials_may_be_of_any_name(tmp_path: Path, write: Write) -> None:
    """Other programs' secrets, folders and what cannot be listed are none of our business."""
    secrets = tmp_path / "run/secrets"
    secrets.mkdir(parents=True)
    (secrets / "kubernetes.io").mkdir()
    (secrets / "their_password").write_bytes(b"\xff")
    (secrets / "destinations__fluxtream__password").write_text("pass word\r\n")

    found = read(write(SMALL + FLUXTREAM), {"CREDENTIALS_DIRECTORY": "/nonexistent"}).settings

    assert [each.password.get_secret_value() for each in found.destinations.values()] == ["pass word"]


# What is doubted


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("NETAFLUX_LOGLEVEL", "; did you mean `NETAFLUX_LOG__LEVEL`?"),
        ("NETAFLUX_NETATM__CLIENT_ID", "; did you mean `NETAFLUX_NETATMO__CLIENT_ID`?"),
        ("NETAFLUX_CONFG", "; did you mean `NETAFLUX_CONFIG`?"),
        ("NETAFLUX_DEVICES__0__NAME", "; did you mean `NETAFLUX_DEVICES`?"),
        (
            "NETAFLUX_DESTINATIONS__FLUXTREAM__PASWORD",
            "; did you mean `NETAFLUX_DESTINATIONS__FLUXTREAM__PASSWORD`?",
        ),
        ("NETAFLUX_LOG__LEVEL__X", "; did you mean `NETAFLUX_LOG__LEVEL`?"),
        ("NETAFLUX_", ""),
        ("NETAFLUX_8080_TCP", ""),
    ],
)
def test_an_unknown_variable_is_worth_a_warning(write: Write, name: str, warning: str) -> None:
    """It is no mistake: orchestrators put variables of such names there."""
    found = read(write(SMALL + FLUXTREAM), {name: CANARY})

    assert found.warnings == (f"environment: {name} is no setting{warning}",)


def test_secrets_that_everybody_can_read_are_worth_a_warning(write: Write) -> None:
    path = write(SMALL)
    path.chmod(0o644)

    assert read(path).warnings == (
        f"{path}: every user of this machine can read netatmo.client_secret in it; try: chmod 640 {path}",
    )


def test_a_file_without_secrets_may_be_read_by_everybody(write: Write) -> None:
    path = write('[netatmo]\nclient_id = "x"\n')
    path.chmod(0o644)

    assert read(path, {"NETATMO_CLIENT_SECRET": "y"}).warnings == ()


@pytest.mark.parametrize("address", ["0.0.0.0:9211", "192.168.1.2:9211", "[::]:9211"])
def test_metrics_that_others_can_read_are_worth_a_warning(write: Write, address: str) -> None:
    path = write(SMALL)
    variable = "NETAFLUX_STATUS__METRICS_LISTEN"

    (warning,) = read(path, {variable: address}).warnings
    assert warning == (
        f"{variable}: status.metrics_listen: whoever reaches {address} can read the metrics, with the names "
        "of accounts and devices"
    )


@pytest.mark.parametrize("address", ["9211", "127.0.0.2:9211", "localhost:9211", "[::1]:9211"])
def test_metrics_for_this_machine_alone_are_not(write: Write, address: str) -> None:
    assert read(write(SMALL), {"NETAFLUX_STATUS__METRICS_LISTEN": address}).warnings == ()
