"""What the configuration says about a Fluxtream server, and which server its URL means."""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from netaflux.core.settings import (
    Count,
    Part,
    PastedSecret,
    PastedText,
    may_carry_credentials,
    server_url,
)

Api = Literal["legacy", "v1"]
"""Fluxtream serves two APIs, whose routes and answers differ: `/api/…` and `/api/v1/…`."""

CONNECTORS: Final = frozenset({"Fitbit", "Flickr", "SMS_Backup", "Zeo"})
"""Names of the server's own connectors: it hides devices of such a name, or shows them in local time."""
DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class FluxtreamSettings(Part):
    """One Fluxtream server and the account that rows go to."""

    type: Literal["fluxtream"]
    allow_plain_http: bool = False
    """Send user name and password over plain http to another machine, where anybody between can read them."""
    url: PastedText
    """Where the server is, such as `https://fluxtream.example.org`; a path prefix is allowed."""
    username: PastedText
    """The user name, or the e-mail address, that the person logs in with."""
    password: PastedSecret
    api: Literal["auto", "legacy", "v1"] = "auto"
    """Which of the server's two APIs to use; `auto` finds out."""
    uploads: Annotated[Count, Field(le=64)] = 16
    """Most uploads in flight at a time."""

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str, info: ValidationInfo) -> str:
        server_url(url)
        if not may_carry_credentials(url, allow_plain_http=info.data.get("allow_plain_http", True)):
            raise ValueError(
                "plain http would show the password to the network; use https, or set allow_plain_http = true"
            )
        return f"{urlsplit(url).scheme}://{place(url)}"

    @field_validator("username")
    @classmethod
    def _sendable(cls, username: str) -> str:
        if not username:
            raise ValueError("the user name is empty")
        if ":" in username:
            raise ValueError("a user name with a colon cannot be sent; use the account's e-mail address")
        return username

    @field_validator("password")
    @classmethod
    def _given(cls, password: SecretStr) -> SecretStr:
        if not password.get_secret_value():
            raise ValueError("the password is empty")
        return password

    def objection_to_device(self, name: str) -> str | None:
        """Why the server would not show a device of this name as it is."""
        if name in CONNECTORS:
            return f"{name} is one of Fluxtream's own connectors; call the device Netatmo_{name}, for example"
        return None


def place(url: str) -> str:
    """Host, port unless it is the usual one, and path prefix: the same server has the same place."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port and parts.port != DEFAULT_PORTS.get(parts.scheme) else ""
    return f"{host}{port}{parts.path.rstrip('/')}"
