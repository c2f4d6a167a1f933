import json
from collections.abc import Callable, Mapping
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from netaflux.config import load
from netaflux.core.errors import ConfigError

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


def mistakes(path: Path | None, environ: Mapping[str, str] | None = None) -> list[str]:
    """The lines of the error that reading it ends with; the file is called `file`."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, root=path.parent if path else Path("/nonexistent"))
    assert caught.value.exit_code == 78
    return caught.value.message.replace(str(path), "file").splitlines()


APP = "register an app at https://dev.netatmo.com/apps to get one"
FITBIT = "Fitbit is one of Fluxtream's own connectors; call the device Netatmo_Fitbit, for example"
NEAR_TEMP = "there is no channel of this name; did you mean `Temp_F` or `Temp_C`?"
NO_DESTINATION = "there is no destination of this name"
SECRET = "; did you mean `NETAFLUX_NETATMO__CLIENT_SECRET`?"
FLUX = "; did you mean `fluxtream`?"
GRANTED = (
    "Netatmo grants per_hour at most 500, app_per_10_seconds at most 200; more is for an api_url of your own"
)
TEMPRATURE = "`Temprature` is neither a measure nor a channel (column 1); did you mean `Temperature`?"
SPAN = 'must be a span such as "90s", "10m" or "1h" (s, m, h, d, w)'
SHORT = 'must be a span of a minute at least and a day at most, such as "10m" or "1h"'
SINCE = (
    "must be a date (2014-05-18), a date and time (2014-05-18T12:00, with or without an offset), "
    'a span back from now such as "3h" or "30d" (s, m, h, d, w), unix seconds of ten digits, or "setup"'
)
SOURCE = "must be `stations`, `coaches`, `rooms`, `boilers` or `cameras`"
LISTEN = (
    'must be a port, such as "9211", or an address of this machine with one, such as "127.0.0.1:9211" or '
    '"[::1]:9211"'
)
MODE = 'must be "0600" (only this user) or "0660" (the group may read, too)'
PLAIN = "plain http would show the secrets to the network; use https, or set allow_plain_http = true"
WORD = "may hold only the letters A to Z and a to z, digits and _"
LABEL = "may hold only the letters A to Z and a to z, digits, _ and -"
DEVICE = '[[devices]]\nname = "Cellar"\nmodule = "x/y"\n'

MISTAKES = [
    # sections and keys
    ("", [f"netatmo.client_id: is missing; {APP}", f"netatmo.client_secret: is missing; {APP}"]),
    ("netatmo = 3", ["netatmo: must be a section"]),
    (SMALL.replace("an-id", " '' "), [f"netatmo.client_id: is empty; {APP}"]),
    (SMALL.replace("a-secret", ""), [f"netatmo.client_secret: is empty; {APP}"]),
    (f"{SMALL}refresh_token = ''", ["netatmo.refresh_token: is empty"]),
    (f"{SMALL}clientsecret = 'x'", ["netatmo.clientsecret: is no setting; did you mean `client_secret`?"]),
    (f"stat_dir = '/x'\n{SMALL}", ["stat_dir: is no setting; did you mean `state_dir`?"]),
    (f"'a\\u001b\\nb' = 1\n{SMALL}", ['"a\\\\u001b\\\\nb": is no setting']),
    (f'"a\\u001b\\nb" = 1\n{SMALL}', ['"a\\u001b\\nb": is no setting']),
    (f"{SMALL}[log.x]\ny = 1", ["log.x: is no setting"]),
    # places
    (f"state_dir = 'state'\n{SMALL}", ["state_dir: must be an absolute path, or begin with ~/"]),
    (f"state_dir = ''\n{SMALL}", ["state_dir: must be an absolute path, or begin with ~/"]),
    (f'state_dir = "/a\\u0000b"\n{SMALL}', ["state_dir: must not hold control characters"]),
    (f"state_dir = 3\n{SMALL}", ["state_dir: must be a path, in quotes"]),
    (
        f"{SMALL}[status]\nsocket = '/{'x' * 107}'",
        ["status.socket: is too long: a socket's path has at most 107 bytes"],
    ),
    (f"{SMALL}[status]\nmode = '0666'", [f"status.mode: {MODE}"]),
    (f"{SMALL}[status]\nmode = true", [f"status.mode: {MODE}"]),
    *(
        (f"{SMALL}[status]\nmetrics_listen = {value}", [f"status.metrics_listen: {LISTEN}"])
        for value in (
            *("true", "0", "65536", "9211.0", "-1", "[9211]", "''", "'9211 x'", "'٩٢١١'"),
            *("':9211'", "'host:9211'", "'host.example.org:9211'", "'127.0.0.1'", "'127.0.0.1:'"),
            *("'127.0.0.1:0'", "'127.0.0.1:99999'", "'127.0.0.256:9211'", "'127.1:9211'"),
            *("'::1:9211'", "'[::1]'", "'[127.0.0.1]:9211'", "'[localhost]:9211'", "'[::g]:9211'"),
            "'http://127.0.0.1:9211'",
        )
    ),
    # servers
    (
        f"{SMALL}api_url = 'api.netatmo.com'",
        ["netatmo.api_url: must be a URL such as https://host.example.org"],
    ),
    (f"{SMALL}api_url = 'http://host'", [f"netatmo.api_url: {PLAIN}"]),
    (f"{SMALL}api_url = 'https://a:b@host'", ["netatmo.api_url: must not hold a user name or a password"]),
    (f"{SMALL}api_url = 'https://host/?a=b'", ["netatmo.api_url: must end before ? or #"]),
    (
        f"{SMALL}api_url = 'https://host:x'",
        ["netatmo.api_url: must be a URL such as https://host.example.org"],
    ),
    (
        f"{SMALL}redirect_uri = 'urn:x'",
        ["netatmo.redirect_uri: must be a URL such as https://host.example.org"],
    ),
    (f"{SMALL}allow_plain_http = 'maybe'", ["netatmo.allow_plain_http: must be true or false"]),
    # limits
    *(
        (f"{SMALL}[netatmo.limits]\nper_hour = {value}", [f"netatmo.limits.per_hour: {said}"])
        for value, said in (
            ("0", "must be above 0"),
            ("-1", "must be above 0"),
            ("true", "must be a whole number"),
            ("40.0", "must be a whole number"),
            ("nan", "must be a whole number"),
            ("'many'", "must be a whole number"),
            ("[]", "must be a whole number"),
        )
    ),
    (
        f"{SMALL}[netatmo.limits]\nper_hour = 501\napp_per_10_seconds = 201",
        [f"netatmo.limits: {GRANTED}"],
    ),
    # accounts
    (
        f"{SMALL}[netatmo.accounts.default]\nrefresh_token = 'x'",
        ["netatmo.accounts.default: the account `default` has its refresh_token directly under [netatmo]"],
    ),
    (f"{SMALL}[netatmo.accounts.'a b']", [f'netatmo.accounts."a b": {LABEL}']),
    # destinations
    (
        f"{SMALL}{FLUXTREAM}passwort = 'x'",
        ["destinations.fluxtream.passwort: is no setting; did you mean `password`?"],
    ),
    (f"{SMALL}[destinations.influx]\nurl = 'x'", ["destinations.influx.type: must be `fluxtream`"]),
    (
        f"{SMALL}[destinations.mine]\ntype = 'fluxtreem'",
        ["destinations.mine.type: must be `fluxtream`; did you mean `fluxtream`?"],
    ),
    (f"{SMALL}[destinations]\nfluxtream = 'x'", ["destinations.fluxtream: must be a section"]),
    (f"{SMALL}{FLUXTREAM}api = 'v2'", ["destinations.fluxtream.api: must be `auto`, `legacy` or `v1`"]),
    (
        f"{SMALL}[destinations.fluxtream]\nurl = 'https://x'\nusername = 'y'",
        ["destinations.fluxtream.password: is missing"],
    ),
    # devices
    (f"{SMALL}devices = 3", ["netatmo.devices: is no setting"]),
    (f"devices = 3\n{SMALL}", ["devices: must be a list, in [ ]"]),
    (f"devices = [3]\n{SMALL}", ["devices[0]: must be a section"]),
    (f"{SMALL}[[devices]]\nname = 'A'", ["devices[0].module (A): is missing"]),
    (f"{SMALL}[[devices]]\nmodule = 'A'", ["devices[0].name: is missing"]),
    (f"{SMALL}[[devices]]\nname = 'A B'\nmodule = 'x'", [f"devices[0].name: {WORD}"]),
    (
        f"{SMALL}[[devices]]\nname = '{'a' * 201}'\nmodule = 'x'",
        ["devices[0].name: is longer than 200 characters"],
    ),
    (f"{SMALL}[[devices]]\nname = 'A'\nmodule = ' '", ["devices[0].module (A): is empty"]),
    (f"{SMALL}{DEVICE}{DEVICE}", ["devices[1].name (Cellar): is the name of devices[0], too"]),
    (f"{SMALL}{DEVICE}modul = 'x'", ["devices[0].modul (Cellar): is no setting; did you mean `module`?"]),
    (f"{SMALL}{DEVICE}source = 'room'", [f"devices[0].source (Cellar): {SOURCE}; did you mean `rooms`?"]),
    (f"{SMALL}{DEVICE}source = 3", [f"devices[0].source (Cellar): {SOURCE}"]),
    (f"{SMALL}{DEVICE}since = 'soon'", [f"devices[0].since (Cellar): {SINCE}"]),
    (f"{SMALL}{DEVICE}since = 12:00:00", [f"devices[0].since (Cellar): {SINCE}"]),
    (
        f"{SMALL}{DEVICE}since = 0214-05-18",
        ["devices[0].since (Cellar): must lie between the years 1971 and 2999"],
    ),
    (f"{SMALL}{DEVICE}account = ''", [f"devices[0].account (Cellar): {LABEL}"]),
    (f"{SMALL}{DEVICE}channels = []", ["devices[0].channels (Cellar): is empty"]),
    (f"{SMALL}{DEVICE}channels = 'RH'", ["devices[0].channels (Cellar): must be a list, in [ ]"]),
    (f"{SMALL}{DEVICE}channels = ['RH', 'RH']", ["devices[0].channels (Cellar): names something twice"]),
    (
        f"{SMALL}{DEVICE}channels = ['Temp_f', 3]",
        [
            "devices[0].channels[1] (Cellar): must be text, in quotes",
            f"devices[0].channels[0] (Cellar): {NEAR_TEMP}",
        ],
    ),
    (
        f"{SMALL}{FLUXTREAM}{DEVICE}destinations = ['fluxtrem']",
        [f"devices[0].destinations[0] (Cellar): {NO_DESTINATION}{FLUX}"],
    ),
    (f"{SMALL}{DEVICE}destinations = []", ["devices[0].destinations (Cellar): is empty"]),
    (
        f"{SMALL}{FLUXTREAM}{DEVICE}destinations = [{{ name = 'fluxtream' }}]",
        [
            "devices[0].destinations[0] (Cellar): must be text, in quotes",
            "devices[0].destinations (Cellar): is empty",
        ],
    ),
    (
        f"{SMALL}{FLUXTREAM}{DEVICE.replace('Cellar', 'Fitbit')}",
        [f"devices[0].name (Fitbit): {FITBIT}"],
    ),
    # channels
    (f"{SMALL}[channels.'a.b']\nformula = 'Temperature'", [f'channels."a.b": {WORD}']),
    (f"{SMALL}[channels.A]\nunit = 'x'", ["channels.A.formula: is missing"]),
    (f"{SMALL}[channels.A]\nformula = ''", ["channels.A.formula: is empty"]),
    (
        f"{SMALL}[channels.A]\nformula = 'Temprature'",
        [f"channels.A.formula: {TEMPRATURE}"],
    ),
    (
        f"{SMALL}[channels.RH]\nformula = 'Humidity'",
        ["channels.RH: this is a built-in channel; choose another name"],
    ),
    # the rest
    (f"{SMALL}[poll]\ninterval = 600", [f"poll.interval: {SHORT}"]),
    (f"{SMALL}[poll]\ninterval = '59s'", [f"poll.interval: {SHORT}"]),
    (f"{SMALL}[poll]\ninterval = '10'", [f"poll.interval: {SPAN}"]),
    (
        f"{SMALL}[log]\nlevel = 'inf'",
        ["log.level: must be `debug`, `info`, `warning` or `error`; did you mean `info`?"],
    ),
    (f"{SMALL}[log]\nformat = 3", ["log.format: must be `auto`, `json` or `console`"]),
    # what is no TOML
    ("[netatmo\n", ["line 1, column 9: Expected ']' at the end of a table declaration"]),
    ("a = \n", ["line 1, column 5: Invalid value"]),
    ("a = 1\na = 2\n", ["line 2, column 6: Cannot overwrite a value"]),
    (f"a = {'[' * 5000}", ["is nested too deep"]),
    (f"a = {'1' * 5000}", ["is not TOML"]),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_is_wrong(write: Write, text: str, said: list[str]) -> None:
    assert mistakes(write(text)) == [f"file: {line}" for line in said]


def test_all_mistakes_are_told_at_once(write: Write) -> None:
    path = write(
        f"""
        stat_dir = "/x"
        [netatmo]
        client_id = "an-id"
        {DEVICE}channels = ["Tmp_F"]
        {DEVICE}destinations = ["nowhere"]
        [channels.Own]
        formula = "1 +"
        """.replace("        ", "")
    )
    environ = {
        "NETAFLUX_LOG__LEVEL": "loud",
        "NETAFLUX_STATUS": "{",
        "CREDENTIALS_DIRECTORY": str(path.parent),
    }
    (path.parent / "poll__interval").write_text("often")
    (path.parent / "state_dir").write_bytes(b"/\xff")

    found = mistakes(path, environ)

    assert found == [
        "NETAFLUX_STATUS: status: must be JSON, because it is a section or a list",
        f"{path.parent}/state_dir: state_dir: is not UTF-8 text",
        f"file: netatmo.client_secret: is missing; {APP}",
        f"{path.parent}/poll__interval: poll.interval: {SPAN}",
        "NETAFLUX_LOG__LEVEL: log.level: must be `debug`, `info`, `warning` or `error`",
        "file: stat_dir: is no setting; did you mean `state_dir`?",
        "file: channels.Own.formula: invalid syntax (column 4)",
        "file: devices[1].name (Cellar): is the name of devices[0], too",
        f"file: devices[0].channels[0] (Cellar): {NEAR_TEMP}",
        f"file: devices[1].destinations[0] (Cellar): {NO_DESTINATION}",
    ]


def test_a_mistake_in_a_list_from_the_environment_is_looked_for_there(write: Write) -> None:
    environ = {"NETAFLUX_DEVICES": '[{"name": "A", "modul": "x/y"}]'}

    assert mistakes(write(SMALL + DEVICE), environ) == [
        "NETAFLUX_DEVICES: devices[0].module (A): is missing",
        "NETAFLUX_DEVICES: devices[0].modul (A): is no setting; did you mean `module`?",
    ]


def test_what_a_section_of_two_sources_lacks_is_looked_for_in_the_file(write: Write) -> None:
    environ = {"NETAFLUX_DESTINATIONS__FLUXTREAM__URL": "https://x.example"}

    assert mistakes(write(f"{SMALL}[destinations.fluxtream]\nusername = 'anne'"), environ) == [
        "file: destinations.fluxtream.password: is missing"
    ]


def test_a_section_of_the_environment_alone_is_looked_for_there(write: Write) -> None:
    environ = {"NETAFLUX_DESTINATIONS__FLUXTREAM__URL": "https://x.example"}

    assert mistakes(write(SMALL), environ)[0] == "environment: destinations.fluxtream.username: is missing"


def test_a_variable_below_one_that_is_no_section_changes_nothing(write: Write) -> None:
    environ = {"NETAFLUX_LOG": '"loud"', "NETAFLUX_LOG__LEVEL": "info"}

    assert mistakes(write(SMALL), environ) == ["NETAFLUX_LOG: log: must be a section"]


def test_what_the_environment_alone_lacks_is_told() -> None:
    assert mistakes(None, {"NETATMO_CLIENT_ID": "x"}) == [
        f"environment: netatmo.client_secret: is missing; {APP}"
    ]


def test_a_misspelt_variable_is_told_beside_what_is_missing_for_it(write: Write) -> None:
    environ = {"NETAFLUX_NETATMO__CLIENTSECRET": CANARY}

    assert mistakes(write('[netatmo]\nclient_id = "x"'), environ)[1:] == [
        f"environment: NETAFLUX_NETATMO__CLIENTSECRET is no setting{SECRET}"
    ]


# That no secret gets out

LEAKS = [
    f"[netatmo]\nclient_id = 3\nclient_secret = '{CANARY}'",
    f"[netatmo]\nclient_secret = '{CANARY}'",
    f"[netatmo]\nclient_id = 'x'\nclient_secret = ['{CANARY}']",
    f"[netatmo]\nclient_id = 'x'\nclient_secret = {{ x = '{CANARY}' }}",
    f"netatmo = '{CANARY}'",
    f"{SMALL}refresh_tokn = '{CANARY}'",
    f"{SMALL}api_url = 'http://anne:{CANARY}@host'",
    f"{SMALL}[destinations]\nfluxtream = '{CANARY}'",
    f"{SMALL}[destinations.x]\ntype = '{CANARY}'",
    f"{SMALL}[destinations.fluxtream]\nurl = '{CANARY}'\nusername = '{CANARY}:'\npassword = ''\napi = 'x'",
    f"{SMALL}[destinations.fluxtream]\npassword = '{CANARY}'",
    f"{SMALL}[[devices]]\nname = '{CANARY}'\nmodule = 3\nsince = '{CANARY}'\nchannels = ['{CANARY}']",
    f"{SMALL}[[devices]]\nname = 'A'\nmodule = 'x'\ndestinations = ['{CANARY}']\naccount = '{CANARY} '",
    f"{SMALL}[status]\nmode = '{CANARY}'\nsocket = '{CANARY}'\n[log]\nlevel = '{CANARY}'",
    f"{SMALL}[poll]\ninterval = '{CANARY}'",
    f"{SMALL}[netatmo.limits]\nper_hour = '{CANARY}'",
    f"[netatmo]\nclient_secret = '{CANARY}\n",
    f'[netatmo]\nclient_secret = "{CANARY}\\x"',
]


@pytest.mark.parametrize("text", LEAKS)
def test_no_mistake_says_what_was_written(write: Write, text: str) -> None:
    environ = {"NETAFLUX_NETATMO__LIMITS": f'{{"x": "{CANARY}"', "NETAFLUX_X": CANARY}
    path = write(text)

    with pytest.raises(ConfigError) as caught:
        load(path, environ, root=path.parent)

    assert CANARY not in f"{caught.value!r} {caught.value.message} {caught.value.remedy}"
    assert CANARY not in "".join(format_exception(caught.value))


WORDS = """
    netatmo destinations devices channels poll status log limits accounts fluxtream client_id client_secret
    url password type name module since formula Own mode interval level per_hour api_url refresh_token socket
    state_dir uploads
"""
KEYS = some.sampled_from([*WORDS.split(), "", "ä\n"])
VALUES = (
    some.sampled_from([CANARY, "", "fluxtream", "https://x", "30d", "Temperature", True, 0, 1.5, 10**30])
    | some.dates().map(str)
    | some.none()
)
TREES = some.dictionaries(
    KEYS,
    some.recursive(
        VALUES,
        lambda inner: some.lists(inner, max_size=2) | some.dictionaries(KEYS, inner, max_size=4),
        max_leaves=8,
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES)
def test_whatever_is_written_ends_in_settings_or_in_our_own_words(write: Write, tree: dict[str, Any]) -> None:
    """Every mistake that pydantic can find has a sentence of ours, and none holds what was written."""
    path = write(SMALL)
    environ = {
        f"NETAFLUX_{key.upper()}": json.dumps(value) for key, value in tree.items() if key.isidentifier()
    }

    said = outcome(path, environ)

    assert CANARY not in said
    assert "not what belongs here" not in said


def outcome(path: Path, environ: Mapping[str, str]) -> str:
    """What a person reads of it."""
    try:
        return repr(load(path, environ, root=path.parent).settings.log)
    except ConfigError as error:
        return error.message
