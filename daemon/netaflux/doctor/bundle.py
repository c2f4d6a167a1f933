"""All findings in one file that a person can show to others: no secret in it, no place, no name but labels.

README.txt           what is what
findings.json        what was found
configuration.json   the settings in force with their secrets masked, or the mistakes in them
status.json          what `netaflux status --json` tells
log.jsonl            the newest events of the daemon, else of this command
versions.json        of netaflux, Python, libraries, system
"""

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from netaflux.core.errors import UsageError
from netaflux.core.findings import Finding
from netaflux.core.veil import Veil
from netaflux.doctor.machine import versions
from netaflux.doctor.places import Places, home
from netaflux.logs import masked_data

FOLDER: Final = "netaflux-doctor"
MODE: Final = 0o600
README: Final = """\
What `netaflux doctor --bundle` found, to be shown to those who help.

Passwords, tokens and the client secret are masked as ***, as are e-mail addresses, user names, coordinates
and addresses of the internet. Names of homes, places and modules stand as name-1, name-2, ...; MAC addresses
as module-1, module-2, ... Names of devices, channels, accounts and destinations as the configuration has
them, hosts, and measured values are as they are.

Look through it before you hand it on.
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the app knows beside the findings."""

    status: Mapping[str, Any] | None = None
    log: Iterable[Any] = ()
    names: Iterable[str] = field(default=(), repr=False)
    """Never written; what they stand for is."""


def require_free(path: Path) -> None:
    """Raise UsageError where something stands already."""
    if os.path.lexists(path):
        raise UsageError(f"{path} exists, and is not overwritten", advice="Name another file.")


def write(
    path: Path, findings: Iterable[Finding], places: Places | None, evidence: Evidence, now: float
) -> None:
    """Write the bundle, for its owner's eyes only. Raises UsageError where it cannot be."""
    members = _members(findings, places, evidence)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in members:
            data = text.encode()
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size, member.mode, member.mtime = len(data), MODE, int(now)
            archive.addfile(member, io.BytesIO(data))
    try:
        _create(path, packed.getvalue())
    except FileExistsError:
        require_free(path)
        raise
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", advice="Name another file."
        ) from error


def _create(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, MODE)
        file.write(data)


def _members(
    findings: Iterable[Finding], places: Places | None, evidence: Evidence
) -> Iterator[tuple[str, str]]:
    veil = Veil((*evidence.names, *_names(places, evidence)), home=home())

    def line(value: object, *, indent: int | None = None) -> str:
        return json.dumps(veil.data(masked_data(value)), ensure_ascii=False, indent=indent)

    yield "README.txt", README
    yield "findings.json", line([each.to_json() for each in findings], indent=2)
    yield "configuration.json", line(_configuration(places), indent=2)
    yield "status.json", line(evidence.status, indent=2)
    yield "log.jsonl", "".join(f"{line(event)}\n" for event in evidence.log)
    yield "versions.json", json.dumps(versions(), indent=2)


def _configuration(places: Places | None) -> Mapping[str, Any]:
    if places is None:
        return {}
    if places.loaded is None:
        # what is mistaken may be anything, a token pasted as a name included: only known keys are told
        return {"mistakes": places.mistakes.splitlines(), "given": list(places.keys)}
    path, settings = places.loaded.path, places.loaded.settings
    return {"path": str(path) if path else None, "settings": settings.model_dump(mode="json")}


def _names(places: Places | None, evidence: Evidence) -> Iterator[str]:
    """Names that are known without the app, too."""
    if places and places.loaded:
        settings = places.loaded.settings
        yield from (device.module for device in settings.devices)
        yield from (each.username for each in settings.destinations.values())
    for device in (evidence.status or {}).get("devices", ()):
        yield str(device.get("title") or "")
