"""The whole configuration as frozen settings; the parts that belong to an adapter stand beside it."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from netaflux.core.devices import Device
from netaflux.core.errors import ConfigError
from netaflux.core.events import Level
from netaflux.core.model import AccountName, ChannelName, DestinationName, DeviceName, SourceName
from netaflux.core.settings import LABEL, NAME, LogForm, Part
from netaflux.core.since import DAY, MINUTE, Setup, Since, read_since, span_seconds
from netaflux.destinations import DestinationSettings
from netaflux.netatmo.settings import DEFAULT_ACCOUNT, NetatmoSettings
from netaflux.notify.settings import NotifySettings
from netaflux.status.settings import AbsolutePath, StatusSettings


def _without_doubles(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names something twice")
    return names


def _typed_by_name(value: object) -> object:
    """Gives each destination without a `type` its section's name as one."""
    if not isinstance(value, Mapping):
        return value
    return {
        name: {"type": name, **table} if isinstance(table, Mapping) else table
        for name, table in value.items()
    }


def _interval(value: object) -> object:
    seconds = span_seconds(value) if isinstance(value, str) else 0
    if not MINUTE <= seconds <= DAY:
        raise ValueError('must be a span of a minute at least and a day at most, such as "10m" or "1h"')
    return seconds


class DeviceSettings(Part):
    """One device at the destinations, and the module that it mirrors."""

    name: Annotated[DeviceName, NAME]
    module: Annotated[str, Field(min_length=1)]
    """`station/module` or `home/module` by name, or the MAC address; a room's number."""
    source: SourceName = SourceName.STATIONS
    """Where it is found: among stations, coaches, rooms, boilers or cameras."""
    channels: (
        Annotated[
            tuple[Annotated[ChannelName, NAME], ...],
            Field(min_length=1),
            AfterValidator(_without_doubles),
        ]
        | None
    ) = None
    """None: all that the module can give."""
    since: Annotated[Since, PlainValidator(read_since), PlainSerializer(lambda since: since.text)] = Setup()
    account: Annotated[AccountName, LABEL] = DEFAULT_ACCOUNT
    destinations: (
        Annotated[
            tuple[DestinationName, ...],
            Field(min_length=1),
            AfterValidator(_without_doubles),
        ]
        | None
    ) = None
    """None: all of them."""


class ChannelSettings(Part):
    """A channel of one's own."""

    formula: Annotated[str, Field(min_length=1)]
    """An expression over measures and other channels."""
    unit: str = ""


class PollSettings(Part):
    """How often the modules are asked for news."""

    interval: Annotated[int, BeforeValidator(_interval)] = 10 * MINUTE
    """Seconds; written as a span."""


class LogSettings(Part):
    """What is told, and in which form."""

    level: Level = "info"
    format: LogForm = "auto"


class Settings(BaseSettings):
    """All that a person can set."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True
    )

    state_dir: AbsolutePath | None = None
    """None: where the system keeps such things."""
    netatmo: NetatmoSettings
    destinations: Annotated[
        dict[Annotated[DestinationName, LABEL], DestinationSettings], BeforeValidator(_typed_by_name)
    ] = {}
    devices: tuple[DeviceSettings, ...] = ()
    channels: dict[Annotated[ChannelName, NAME], ChannelSettings] = {}
    poll: PollSettings = PollSettings()
    status: StatusSettings = StatusSettings()
    notify: NotifySettings = NotifySettings()
    log: LogSettings = LogSettings()

    @property
    def accounts(self) -> tuple[AccountName, ...]:
        """Every account that a device, a seed or a section names; `default` where none does."""
        named = [device.account for device in self.devices]
        seeded = [DEFAULT_ACCOUNT] if self.netatmo.refresh_token else []
        return tuple(dict.fromkeys((*seeded, *named, *self.netatmo.accounts))) or (DEFAULT_ACCOUNT,)

    def require_work(self) -> None:
        """Raise ConfigError where there is nothing to mirror, or nowhere to."""
        if not self.devices:
            raise ConfigError(
                "the configuration names no device",
                advice="`netaflux devices --toml` prints [[devices]] blocks to paste into it.",
            )
        if not self.destinations:
            raise ConfigError(
                "the configuration names no destination",
                advice="Add [destinations.fluxtream] with url, username and password.",
            )

    def mirrored(self) -> tuple[Device, ...]:
        """The devices as the plan knows them, each with all of its destinations."""
        return tuple(
            Device(
                name=device.name,
                module=device.module,
                channels=device.channels,
                since=device.since,
                account=device.account,
                source=device.source,
                destinations=tuple(self.destinations) if device.destinations is None else device.destinations,
            )
            for device in self.devices
        )


def secret_texts(part: BaseModel) -> Iterator[str]:
    """Every secret that the settings hold, for those who have to keep it out of what they write."""
    yield from (text for _, text in secrets(part))


def secrets(part: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every secret with its path of keys."""
    yield from _secrets(dict(part), path)


def _secrets(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, SecretStr):
        yield path, value.get_secret_value()
    elif isinstance(value, BaseModel | Mapping):
        for key, item in dict(value).items():
            yield from _secrets(item, (*path, str(key)))
