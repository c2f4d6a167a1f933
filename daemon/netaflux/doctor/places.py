"""Where configuration, state and socket are: as the settings say, or what can be saved of them."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netaflux.config import Loaded, Settings, load, salvage, socket_candidates, state_dir
from netaflux.core.errors import ConfigError
from netaflux.netatmo.settings import NetatmoSettings
from netaflux.state.lock import name_of
from netaflux.status.client import StatusClient

NETATMO = str(NetatmoSettings.model_fields["api_url"].default)


@dataclass(frozen=True, slots=True)
class Places:
    """What the examinations need of the configuration."""

    loaded: Loaded | None
    """None where it has mistakes."""
    mistakes: str
    remedy: str
    """What to do about them."""
    config: Path | None
    state: Path | None
    sockets: Sequence[Path]
    urls: Sequence[str]
    secrets: Sequence[str]
    keys: Sequence[str]

    @classmethod
    def found(cls, path: Path | None, environ: Mapping[str, str]) -> "Places":
        """Read the configuration, or what can be read of it."""
        try:
            loaded = load(path, environ)
        except ConfigError as error:
            return cls._saved(error, path, environ)
        settings = loaded.settings
        urls = (settings.netatmo.api_url, *(each.url for each in settings.destinations.values()))
        places = _state(settings, environ), socket_candidates(settings, environ)
        return cls(loaded, "", "", loaded.path, *places, urls, (), ())

    @classmethod
    def _saved(cls, error: ConfigError, path: Path | None, environ: Mapping[str, str]) -> "Places":
        saved = salvage(path, environ)
        urls = saved.urls or (NETATMO,)
        places = _state(saved.settings, environ), socket_candidates(saved.settings, environ)
        told = error.message, error.remedy
        return cls(None, *told, saved.path, *places, urls, saved.secrets, saved.keys)

    @property
    def daemon(self) -> StatusClient:
        """The way to the daemon."""
        return StatusClient(self.sockets, state=name_of(self.state) if self.state else None)


def _state(settings: Settings, environ: Mapping[str, str]) -> Path | None:
    with suppress(ConfigError):
        return state_dir(settings, environ)
    return None


def home() -> str:
    """The person's home directory, whose path holds their name."""
    return os.environ.get("HOME", "")
