"""What the configuration says about Netatmo: the app, its accounts, its limits."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from netaflux.core.model import AccountName
from netaflux.core.settings import (
    LABEL,
    Count,
    Part,
    PastedSecret,
    PastedText,
    PastedUrl,
    may_carry_credentials,
)

DEFAULT_ACCOUNT: Final = AccountName("default")
"""The account that needs no name of its own."""

NETATMOS_OWN: Final = {"per_10_seconds": 50, "per_hour": 500, "app_per_10_seconds": 200, "app_per_hour": 2000}
"""What Netatmo's guide grants a user and an app; more is for servers that are not Netatmo's."""


class LimitsSettings(Part):
    """How many calls may be made in any 10 seconds and in any hour."""

    per_10_seconds: Count = 40
    """Of one account."""
    per_hour: Count = 400
    app_per_10_seconds: Count = 40
    """Of all accounts together."""
    app_per_hour: Count = 1600


class AccountSettings(Part):
    """One more person's Netatmo login."""

    refresh_token: Annotated[PastedSecret, Field(min_length=1)] | None = None
    """A seed: tried when there are no tokens yet, or those there are have been refused."""


def _not_the_default(name: str) -> str:
    if name == DEFAULT_ACCOUNT:
        raise ValueError("the account `default` has its refresh_token directly under [netatmo]")
    return name


class NetatmoSettings(Part):
    """The app registered at Netatmo, and who has let it in."""

    client_id: Annotated[PastedText, Field(min_length=1)]
    client_secret: Annotated[PastedSecret, Field(min_length=1)]
    refresh_token: Annotated[PastedSecret, Field(min_length=1)] | None = None
    """The seed of the account `default`."""
    allow_plain_http: bool = False
    """Send secrets over plain http to another machine, where anybody between can read them."""
    api_url: PastedUrl = "https://api.netatmo.com"
    redirect_uri: PastedUrl = "http://localhost:8977/callback"
    """Where the browser brings the code of an authorization; to the letter what is registered at Netatmo."""
    limits: LimitsSettings = LimitsSettings()
    accounts: dict[Annotated[AccountName, LABEL, AfterValidator(_not_the_default)], AccountSettings] = Field(
        default_factory=dict
    )

    @field_validator("api_url")
    @classmethod
    def _safe(cls, url: str, info: ValidationInfo) -> str:
        # with allow_plain_http itself mistaken, only that is worth a word
        if not may_carry_credentials(url, allow_plain_http=info.data.get("allow_plain_http", True)):
            raise ValueError(
                "plain http would show the secrets to the network; use https, or set allow_plain_http = true"
            )
        return url.rstrip("/")

    @field_validator("limits")
    @classmethod
    def _granted(cls, limits: LimitsSettings, info: ValidationInfo) -> LimitsSettings:
        beyond = [name for name, most in NETATMOS_OWN.items() if getattr(limits, name) > most]
        if beyond and is_netatmos_own(info.data.get("api_url", "")):
            told = ", ".join(f"{name} at most {NETATMOS_OWN[name]}" for name in beyond)
            raise ValueError(f"Netatmo grants {told}; more is for an api_url of your own")
        return limits

    def seed(self, account: AccountName) -> PastedSecret | None:
        """The refresh token that the configuration holds for an account."""
        if account == DEFAULT_ACCOUNT:
            return self.refresh_token
        return self.accounts.get(account, AccountSettings()).refresh_token


def is_netatmos_own(url: str) -> bool:
    """Whether the server is Netatmo itself, whose limits are known."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host.endswith((".netatmo.com", ".netatmo.net")) or host in {"netatmo.com", "netatmo.net"}
