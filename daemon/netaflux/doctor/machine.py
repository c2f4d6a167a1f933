"""The machine: what runs here in which version, and whether its clock is set by another."""

import ctypes
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from re import match
from typing import Final

from netaflux import __version__
from netaflux.core.findings import Finding, synchronized, well

UNSYNCHRONIZED: Final = 5
"""TIME_ERROR, the answer of adjtimex(2) where nobody sets the clock."""
TIMEX_BYTES: Final = 512
"""More than `struct timex` has anywhere."""


def versions() -> Mapping[str, str]:
    """Of netaflux, of what it stands on, and of the machine; without its name."""
    found = {"netaflux": __version__, "Python": platform.python_version(), "system": _system()}
    return found | {name: each for name in _libraries() if (each := _version(name))}


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()}, {platform.machine()}"


def _libraries() -> Iterator[str]:
    try:
        needed = requires("netaflux") or ()
    except PackageNotFoundError:
        return
    for line in needed:
        if "extra ==" not in line and (name := match(r"[\w.-]+", line)):
            yield name[0]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def of_versions() -> Iterator[Finding]:
    """What a report of a bug should begin with."""
    found = versions()
    yield well("versions", f"netaflux {found['netaflux']}, Python {found['Python']}, {found['system']}")


def of_clock() -> Iterator[Finding]:
    """What the kernel says about its clock."""
    return synchronized(_is_synchronized())


def _is_synchronized() -> bool | None:
    """None where the kernel does not say; it is only asked, which everybody may."""
    if sys.platform != "linux":
        return None
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else answer != UNSYNCHRONIZED
