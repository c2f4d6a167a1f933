"""What the configuration says about telling people."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from netaflux.core.settings import Count, Part, PastedSecret, may_carry_credentials
from netaflux.core.since import DAY, HOUR, MINUTE, span_seconds

LONGEST_LIMIT: Final = 60 * DAY


def _span(value: object) -> object:
    """Seconds of a span as people write it."""
    try:
        seconds = span_seconds(value) if isinstance(value, str) else 0
    except ValueError:
        seconds = 0
    if not MINUTE <= seconds <= LONGEST_LIMIT:
        raise ValueError('must be a span of a minute at least and 60 days at most, such as "10m" or "6h"')
    return seconds


def secret_url(url: SecretStr) -> SecretStr:
    """The URL, if something can be sent there; it may hold a secret anywhere. Raises ValueError."""
    text = url.get_secret_value()
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or " " in text:
        raise ValueError("must be a URL such as https://host.example.org/path")
    return url


Span = Annotated[int, BeforeValidator(_span)]


class NotifySettings(Part):
    """Whom netaflux tells when a person is needed, and from when on one is."""

    allow_plain_http: bool = False
    """Send to another machine over plain http, where anybody between can read along."""
    url: PastedSecret | None = None
    """Gets each notice, and its end, as JSON."""
    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = None
    """Is run for each of them: a program and its arguments, never a shell."""
    heartbeat_url: PastedSecret | None = None
    """Is asked for again and again while all is well."""
    heartbeat_every: Span = 5 * MINUTE
    max_lag: Span = 6 * HOUR
    """Seconds by which a device may be behind at a destination."""
    silent_after: Span = 3 * HOUR
    """Seconds without news after which a station or a module is silent."""
    battery_below: Annotated[Count, Field(le=90)] = 20
    """Percent, as Netatmo tells them."""

    @field_validator("url", "heartbeat_url")
    @classmethod
    def _safe(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is None:
            return None
        secret_url(url)
        allow = info.data.get("allow_plain_http", True)
        if not may_carry_credentials(url.get_secret_value(), allow_plain_http=allow):
            raise ValueError(
                "plain http would show the URL to the network; use https, or set allow_plain_http = true"
            )
        return url

    @field_validator("command")
    @classmethod
    def _runnable(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if any("\0" in word for word in command or ()):
            raise ValueError("must not hold a zero byte")
        return command

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told of anything."""
        return not (self.url is None and self.command is None and self.heartbeat_url is None)
