"""The daemon: does it run, is it of this version, is it of use?"""

from collections.abc import Iterator

from netaflux import __version__
from netaflux.core.errors import NobodyAtSocket
from netaflux.core.findings import LATER, Finding, doubt, trouble, version
from netaflux.doctor.places import Places
from netaflux.state.lock import holder
from netaflux.status.client import Json


class Service:
    """The daemon as the doctor finds it."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.status: Json | None = None
        """Its answer to `/status`, where it gave one."""
        self.held = False
        """Whether somebody owns the state and does not answer."""

    def examined(self) -> Iterator[Finding]:
        """Ask it."""
        daemon = self._places.daemon
        try:
            _, status = daemon.get("/status")
            _, ready = daemon.get("/readyz")
        except NobodyAtSocket as nobody:
            yield self._silent(nobody)
            return
        self.status = status
        yield version(str(status["version"]), __version__)
        for problem in ready["problems"]:
            yield trouble("daemon", str(problem), "See what else is found, and `netaflux status`.", LATER)

    def _silent(self, nobody: NobodyAtSocket) -> Finding:
        locked = holder(self._places.state) if self._places.state else None
        if locked is None:
            return doubt("daemon", nobody.message, nobody.remedy)
        self.held = True
        return trouble("daemon", f"{locked.message}; {nobody.message}", "Wait a moment; then restart it.")
