"""The configuration: file, credentials and environment become frozen settings, or all mistakes at once."""

from netaflux.config.loading import Loaded, Salvaged, load, salvage
from netaflux.config.places import socket_candidates, socket_path, state_dir
from netaflux.config.settings import (
    ChannelSettings,
    DeviceSettings,
    LogSettings,
    PollSettings,
    Settings,
    secret_texts,
)

__all__ = [
    "ChannelSettings",
    "DeviceSettings",
    "Loaded",
    "LogSettings",
    "PollSettings",
    "Salvaged",
    "Settings",
    "load",
    "salvage",
    "secret_texts",
    "socket_candidates",
    "socket_path",
    "state_dir",
]
