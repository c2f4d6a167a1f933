"""What [notify] may say."""

import pytest
from pydantic import ValidationError

from netaflux.notify.settings import NotifySettings


def told(**settings: object) -> str:
    """What is wrong with these settings."""
    with pytest.raises(ValidationError) as caught:
        NotifySettings.model_validate(settings)
    return str(caught.value)


def test_without_settings_nobody_is_told() -> None:
    assert not NotifySettings().wanted


@pytest.mark.parametrize("key", ["url", "heartbeat_url"])
def test_a_url_may_hold_a_secret_anywhere_and_does_not_show_it(key: str) -> None:
    settings = NotifySettings.model_validate({key: "https://u:canary@host.example.org/canary?key=canary"})

    assert settings.wanted
    assert "canary" not in repr(settings)


@pytest.mark.parametrize("key", ["url", "heartbeat_url"])
@pytest.mark.parametrize("url", ["ftp://host/canary", "canary", "https://", "https://host/a canary", ""])
def test_what_is_no_url_is_a_mistake_that_does_not_show_it(key: str, url: str) -> None:
    mistake = told(**{key: url})

    assert "must be a URL such as" in mistake
    assert "canary" not in mistake


@pytest.mark.parametrize("key", ["url", "heartbeat_url"])
def test_plain_http_stays_on_this_machine_unless_it_is_said_otherwise(key: str) -> None:
    assert NotifySettings.model_validate({key: "http://127.0.0.1:3001/x"}).wanted
    assert NotifySettings.model_validate({key: "http://nas/x", "allow_plain_http": True}).wanted
    assert "plain http would show the URL" in told(**{key: "http://nas/canary"})


@pytest.mark.parametrize("key", ["heartbeat_every", "max_lag", "silent_after"])
@pytest.mark.parametrize("value", ["59s", "61d", "soon", 300, None])
def test_a_span_is_written_as_one_and_within_bounds(key: str, value: object) -> None:
    assert "must be a span of a minute at least" in told(**{key: value})


@pytest.mark.parametrize("command", [[], [""], "a shell's line", ["a\0b"]])
def test_a_command_is_a_list_of_words(command: object) -> None:
    assert "command" in told(command=command)


@pytest.mark.parametrize("percent", [0, 91, 20.5, True])
def test_a_battery_is_low_below_a_whole_percentage(percent: object) -> None:
    assert "battery_below" in told(battery_below=percent)
