"""`netaflux doctor`."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netaflux import logs
from netaflux.cli.owner import performed_here
from netaflux.cli.place import Place
from netaflux.cli.show import about, as_json, printable, say
from netaflux.commands.words import Json
from netaflux.config import secret_texts
from netaflux.core.errors import NetafluxError
from netaflux.core.findings import Finding, failed, trouble, worst
from netaflux.doctor.bundle import Evidence, require_free, write
from netaflux.doctor.places import Places
from netaflux.doctor.visit import Visit, visit

DEFAULT_PLACE = Place()
PATIENCE = 40.0
"""Real seconds that the daemon may say nothing: twice what each of its examinations may take."""
SIGNS = {"ok": "ok    ", "warning": "note  ", "problem": "FAILED"}


def doctor(
    *,
    bundle: Annotated[Path | None, Parameter(name="--bundle")] = None,
    json: bool = False,
    place: Place = DEFAULT_PLACE,
) -> int:
    """Examine everything that netaflux works with, and say what to do about it. It uploads nothing.

    It looks at whatever can be looked at: with the daemon or without, and with a broken configuration or
    state, too. Exit code 0 when nothing hinders netaflux, 75 when something is away or a new start mends it,
    77 when an account must be authorized, 78 when something must be mended by a person.

    Example: `netaflux doctor --bundle netaflux-doctor.tar.gz`

    Parameters
    ----------
    bundle
        Write all of it, with configuration, status and the newest events of the log, to this new file, for
        those who help. Secrets and places are masked in it, and names but for those of devices, channels,
        accounts, destinations and hosts.
    json
        Print one JSON document.
    """
    if bundle is not None:
        require_free(bundle)
    told = _Told(quiet=json)
    visited = visit(place.config, os.environ, now=time.time())
    for finding in visited.findings:
        told.take({"event": "finding", **finding.to_json()})
    _have_examined(visited, told, evidence=bundle is not None)
    code = worst(finding.code for finding in told.findings)
    if bundle is not None:
        write(bundle, told.findings, visited.places, _evidence(visited, told), time.time())
    _end(told, code, bundle, json=json)
    return code


class _Told:
    """What was found so far; told at once, unless it is to be one document."""

    def __init__(self, *, quiet: bool) -> None:
        self.findings: list[Finding] = []
        self.evidence: Json = {}
        self._quiet = quiet

    def take(self, event: Json) -> None:
        """Take an event of the examination."""
        match event["event"]:
            case "finding":
                self.add(Finding.from_json(event))
            case "evidence":
                self.evidence = event
            case "failed":
                self.add(trouble("app", event["message"], event["remedy"], event["exit_code"]))

    def add(self, finding: Finding) -> None:
        """Take a finding."""
        self.findings.append(finding)
        if self._quiet:
            return
        print(f"{SIGNS[finding.grade]}  {printable(about(finding.what, finding.text))}")
        if finding.remedy:
            print(f"        → {printable(finding.remedy)}", flush=True)


def _have_examined(visited: Visit, told: _Told, *, evidence: bool) -> None:
    """Have the rest examined by whoever owns the state; where nobody can, that has been said already."""
    places, service = visited.places, visited.service
    _listen(places)
    if places is None or service is None:
        return
    asked = {"evidence": evidence}
    try:
        if service.status is not None:
            for event in places.daemon.command("doctor", asked, patience=PATIENCE):
                told.take(event)
        elif visited.may_open and places.loaded is not None:
            asyncio.run(performed_here(places.loaded, "doctor", [asked], told.take))
    except NetafluxError as error:
        told.add(failed("app", error))
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None


def _listen(places: Places | None) -> None:
    """Log as a command does, with everything masked that is known to be secret."""
    if places is not None and places.loaded is not None:
        settings = places.loaded.settings
        logs.configure_for_command(settings.log.level, secrets=secret_texts(settings))
    else:
        logs.configure_for_command("info", secrets=places.secrets if places else ())


def _evidence(visited: Visit, told: _Told) -> Evidence:
    found, service = told.evidence, visited.service
    status = service.status if service and service.status else found.get("status")
    return Evidence(status, found.get("log", logs.recent()), found.get("names", ()))


def _end(told: _Told, code: int, bundle: Path | None, *, json: bool) -> None:
    if json:
        findings = [finding.to_json() for finding in told.findings]
        as_json({"findings": findings, "exit_code": code, "bundle": str(bundle) if bundle else None})
        return
    noted = any(finding.grade == "warning" for finding in told.findings)
    print("not OK: see above" if code else "OK, with notes: see above" if noted else "OK")
    if bundle is not None:
        say(f"netaflux: {bundle} has all of it; secrets are masked in it, names of devices are not.")
        say("  → Look through it, then hand it on.")
