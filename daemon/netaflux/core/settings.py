"""What every part of the configuration has in common; an adapter's own settings stand beside the adapter."""

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr


class Part(BaseModel):
    """A frozen piece of the configuration: unknown keys are mistakes, and no mistake prints its input."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True
    )


def without_wrapping(value: object) -> object:
    """What was pasted, less the blanks and quotes around it."""
    if isinstance(value, SecretStr):
        return SecretStr(str(without_wrapping(value.get_secret_value())))
    return value.strip(" \t\r\n\"'“”‘’") if isinstance(value, str) else value


PastedText = Annotated[str, BeforeValidator(without_wrapping)]
PastedSecret = Annotated[SecretStr, BeforeValidator(without_wrapping)]


def _countable(value: object) -> object:
    """The value, unless pydantic would take it for a whole number and a person would not: `true`, 40.0."""
    return None if isinstance(value, bool | float) else value


Count = Annotated[int, BeforeValidator(_countable), Field(gt=0)]
"""A positive whole number."""

LABEL_PATTERN = r"^[0-9A-Za-z_-]+$"
LABEL = Field(pattern=LABEL_PATTERN, max_length=64)
"""For the name that a person gives to a part of the configuration; it stands in state, logs and metrics."""

NAME_PATTERN = r"^[0-9A-Za-z_]+$"
NAME = Field(pattern=NAME_PATTERN, max_length=200)
"""For the names of devices and channels: what every destination takes."""


def server_url(url: str) -> str:
    """The URL, if a server can have it. Raises ValueError with a sentence."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise ValueError("must be a URL such as https://host.example.org")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or a password")
    if "?" in url or "#" in url:
        raise ValueError("must end before ? or #")
    return url


PastedUrl = Annotated[PastedText, AfterValidator(server_url)]
"""Where a server is: scheme, host, perhaps a port and a path."""


LogForm = Literal["auto", "json", "console"]
"""How the log is written: `auto` is for people on a terminal, JSON elsewhere."""


def is_address(host: str) -> bool:
    """Whether it is an address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether the host name or address is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def may_carry_credentials(url: str, *, allow_plain_http: bool) -> bool:
    """Whether credentials may be sent there: https, this machine, or because the configuration says so."""
    parts = urlsplit(url)
    return parts.scheme == "https" or allow_plain_http or is_loopback(parts.hostname or "")
