"""All that the doctor looks at without the app, each by itself; none keeps the others waiting."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from netaflux.core.errors import ConfigError
from netaflux.core.findings import BAD, Finding, doubt, failed, trouble, well
from netaflux.doctor import files, machine
from netaflux.doctor.bounded import Look, all_of
from netaflux.doctor.hosts import examined, hosts
from netaflux.doctor.places import Places
from netaflux.doctor.service import Service


@dataclass(frozen=True, slots=True)
class Visit:
    """What was found, and what the next steps need."""

    places: Places | None
    """None where not even that could be read."""
    service: Service | None
    findings: tuple[Finding, ...]

    @property
    def may_open(self) -> bool:
        """Whether the app can be opened here: the configuration holds, the state is nobody's, and well."""
        hindered = {each.what for each in self.findings if each.grade == "problem"} & {"database", "disk"}
        nobody = self.service is not None and self.service.status is None and not self.service.held
        return nobody and not hindered and self.places is not None and self.places.loaded is not None


def visit(config: Path | None, environ: Mapping[str, str], *, now: float) -> Visit:
    """Look at everything; `now` in unix seconds."""
    read: list[Places] = []

    def reading() -> Iterator[Finding]:
        read.append(Places.found(config, environ))
        yield from _of_configuration(read[0])

    found = all_of([("versions", machine.of_versions), ("configuration", reading)])
    if not read:
        return Visit(None, None, found)
    places, service = read[0], Service(read[0])
    return Visit(places, service, found + all_of(_looks(places, service, now)))


def _looks(places: Places, service: Service, now: float) -> Iterator[tuple[str, Look]]:
    yield "daemon", service.examined
    yield "permissions", partial(files.of_permissions, places)
    yield "disk", partial(files.of_disk, places)
    yield "database", partial(files.of_database, places)
    yield "clock", machine.of_clock
    for host in hosts(places.urls):
        yield f"host {host.name}", partial(examined, host, now)


def _of_configuration(places: Places) -> Iterator[Finding]:
    if places.loaded is None:
        for mistake in places.mistakes.splitlines():
            yield trouble("configuration", mistake, places.remedy, BAD)
        return
    yield well("configuration", f"read from {places.loaded.path or 'the environment'}")
    for warning in places.loaded.warnings:
        yield doubt("configuration", warning)
    try:
        places.loaded.settings.require_work()
    except ConfigError as error:
        yield failed("configuration", error)
