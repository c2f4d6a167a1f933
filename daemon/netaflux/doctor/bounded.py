"""A look that may hang or crash, at a dead disk or a silent host, and keeps nobody waiting."""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Final

from netaflux.core.errors import NetafluxError
from netaflux.core.findings import Finding, crashed, failed, trouble

LONGEST: Final = 10.0
"""Real seconds that all looks together may take: they are taken at the same time."""

Look = Callable[[], Iterable[Finding]]


class Bounded:
    """A look that has begun, in a thread of its own that does not outlive the process."""

    def __init__(self, what: str, look: Look) -> None:
        self._what = what
        self._look = look
        self._found: list[Finding] = []
        self._thread = Thread(target=self._run, name=what, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            # one by one: what was found before it hangs or crashes counts
            for finding in self._look():
                self._found.append(finding)
        except NetafluxError as error:
            self._found.append(failed(self._what, error))
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            text = f"cannot be looked at: {where}{error.strerror or error}"
            self._found.append(trouble(self._what, text, "Look at that path and its permissions."))
        except Exception as error:  # noqa: BLE001 - it is told, and the others go on
            self._found.append(crashed(self._what, error))

    def findings(self, within: float) -> tuple[Finding, ...]:
        """What was found, as soon as it is all there; at the latest after so many seconds."""
        self._thread.join(within)
        if not self.is_done:
            self._found.append(trouble(self._what, f"gave no answer in {LONGEST:.0f} s", "Try again."))
        return tuple(self._found)

    @property
    def is_done(self) -> bool:
        """Whether it has come to its end."""
        return not self._thread.is_alive()


def all_of(looks: Iterable[tuple[str, Look]], *, longest: float = LONGEST) -> tuple[Finding, ...]:
    """Take all looks at the same time; their findings in the order of the looks."""
    begun = [Bounded(what, look) for what, look in looks]
    found: list[Finding] = []
    within = longest
    for each in begun:
        found.extend(each.findings(within))
        if not each.is_done:
            within = 0.0  # the others have had as long
    return tuple(found)
