"""What a person may write about a Fluxtream server, and what the answer is to a mistake."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from netaflux.destinations import FluxtreamSettings
from netaflux.destinations.fluxtream.settings import place

TOLD = {
    "type": "fluxtream",
    "url": "https://fluxtream.example.org",
    "username": "anne",
    "password": "canary in the mine",
}


def settings(**changes: Any) -> FluxtreamSettings:
    return FluxtreamSettings.model_validate(TOLD | changes)


@pytest.mark.parametrize(
    ("written", "meant"),
    {
        "https://fluxtream.example.org": "https://fluxtream.example.org",
        "https://fluxtream.example.org/": "https://fluxtream.example.org",
        " 'https://fluxtream.example.org//' ": "https://fluxtream.example.org",
        "HTTPS://Fluxtream.Example.org:443/Flux/": "https://fluxtream.example.org/Flux",
        "https://fluxtream.example.org:8443": "https://fluxtream.example.org:8443",
        "http://localhost:8080": "http://localhost:8080",
        "http://127.0.0.1:80": "http://127.0.0.1",
        "http://[::1]:8080/flux": "http://[::1]:8080/flux",
    }.items(),
)
def test_a_url_is_read_with_good_will(written: str, meant: str) -> None:
    assert settings(url=written).url == meant


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("url", "", "must be a URL"),
        ("url", "fluxtream.example.org", "must be a URL"),
        ("url", "localhost:8080", "must be a URL"),
        ("url", "ftp://fluxtream.example.org", "must be a URL"),
        ("url", "https://", "must be a URL"),
        ("url", "https:///api", "must be a URL"),
        ("url", "https://fluxtream.example.org:port", "must be a URL"),
        ("url", "https://fluxtream.example.org:0", "must be a URL"),
        ("url", "https://fluxtream.example.org:99999", "must be a URL"),
        ("url", "https://[::1", "must be a URL"),
        ("url", "https://fluxtream.example\n.org", "must be a URL"),
        ("url", "https://fluxtream.example .org", "must be a URL"),
        ("url", "https://anne:canary@fluxtream.example.org", "must not hold a user name"),
        ("url", "https://fluxtream.example.org?token=canary", "must end before"),
        ("url", "https://fluxtream.example.org/?", "must end before"),
        ("url", "https://fluxtream.example.org/#top", "must end before"),
        ("url", "http://fluxtream.example.org", "allow_plain_http = true"),
        ("url", 7, "string"),
        ("username", " ", "empty"),
        ("username", "an:ne", "e-mail address"),
        ("password", "", "empty"),
        ("password", "''", "empty"),
        ("api", "v2", "'legacy'"),
        ("uploads", 0, "greater than 0"),
        ("uploads", 65, "less than or equal to 64"),
        ("type", "fluxtreem", "'fluxtream'"),
        ("passwort", "canary", "not permitted"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_without_its_value(key: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as mistake:
        settings(**{key: value})

    assert [error["loc"] for error in mistake.value.errors()] == [(key,)]
    assert "canary" not in str(mistake.value)


def test_plain_http_is_possible_for_who_asks_for_it() -> None:
    url = "http://fluxtream.example.org"

    assert settings(url=url, allow_plain_http=True).url == url


def test_the_defaults_suit_a_usual_server() -> None:
    usual = settings()

    assert (usual.api, usual.uploads, usual.allow_plain_http) == ("auto", 16, False)


def test_a_password_is_not_shown() -> None:
    shown = f"{settings()!r} {settings()} {settings().model_dump_json()}"

    assert "canary" not in shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://host", "http://host"),
        ("https://host:443", "https://HOST/"),
        ("http://host:80/flux", "https://host/flux/"),
    ],
)
def test_the_same_server_has_the_same_place(one: str, other: str) -> None:
    assert place(one) == place(other)


def test_a_device_is_not_called_like_a_connector() -> None:
    assert "Netatmo_Flickr" in str(settings().objection_to_device("Flickr"))
    assert settings().objection_to_device("Netatmo_Flickr") is None


def test_reading_settings_does_not_load_the_http_library() -> None:
    """It takes longer to load than `netaflux health` takes to run."""
    program = "import netaflux.destinations, sys; sys.exit('aiohttp' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
