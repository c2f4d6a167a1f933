"""The files: who may do what with them, the room that is left, the database."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from netaflux.core.findings import BAD, Finding, doubt, mode, room, trouble, well
from netaflux.doctor.places import Places
from netaflux.state.examination import examine
from netaflux.state.open import DATABASE

DAMAGED = (
    "Start netaflux anew: it sets the damaged file aside, saves what can be trusted, and says so in its log."
)


def of_permissions(places: Places) -> Iterator[Finding]:
    """Who may read and write configuration, state and socket."""
    found = [*_of_config(places), *_of_state(places), *_of_sockets(places)]
    yield from found
    if not found:
        yield well("permissions", "nobody else can read or change what is netaflux's")


def _of_config(places: Places) -> Iterator[Finding]:
    if places.config and (there := _looked_at(places.config)):
        # where it can be understood, whether others may read it has been told; a group may
        yield from _judged(places.config, there, 0o640 if places.secrets else 0o644, secret=False)


def _of_state(places: Places) -> Iterator[Finding]:
    if places.state is None or not (there := _looked_at(places.state)):
        return
    yield from _judged(places.state, there, 0o700, secret=False)
    if there.st_uid not in {os.geteuid(), os.getuid()} and os.geteuid():
        remedy = "Run netaflux and its commands as the user that the state belongs to."
        yield trouble("permissions", f"{places.state} belongs to another user", remedy, BAD)
    for path in sorted(
        each for each in places.state.iterdir() if each.name.startswith((DATABASE, "tokens-"))
    ):
        if there := _looked_at(path):
            yield from _judged(path, there, 0o600, secret=True)


def _of_sockets(places: Places) -> Iterator[Finding]:
    allowed = places.loaded.settings.status.mode if places.loaded else 0o660
    for path in places.sockets:
        if (there := _looked_at(path)) and stat.S_ISSOCK(there.st_mode):
            yield from _judged(path, there, allowed, secret=False)


def _judged(path: Path, there: os.stat_result, allowed: int, *, secret: bool) -> Iterator[Finding]:
    if finding := mode(str(path), there.st_mode, allowed, secret=secret):
        yield finding


def _looked_at(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def of_disk(places: Places) -> Iterator[Finding]:
    """The room that is left where the state is, and whether anything can be written there."""
    if places.state is None:
        return
    there = next(each for each in (places.state, *places.state.parents) if each.exists())
    kept = os.statvfs(there)
    if kept.f_flag & os.ST_RDONLY:
        yield trouble("disk", f"{there} is on a disk that can only be read", "Mount it for writing.")
    if kept.f_files and not kept.f_favail:
        yield trouble(
            "disk", f"the disk of {there} takes no more files", "Remove some: it has no inodes left."
        )
    files = there.iterdir() if there == places.state else ()
    size = sum(each.lstat().st_size for each in files if each.is_file())
    yield room(shutil.disk_usage(there).free, size)


def of_database(places: Places) -> Iterator[Finding]:
    """Whether the database is whole, and of which version."""
    if places.state is None or (found := examine(places.state)) is None:
        yield well("database", "there is none yet; the first start makes it")
        return
    if found.complaints:
        # 75 and not 78: no person has to mend it, the next start does, be it systemd's own
        yield trouble("database", f"it is damaged: {'; '.join(found.complaints)}", DAMAGED)
    if found.version > found.ours:
        text = f"a newer netaflux wrote it (its version is {found.version}, ours {found.ours})"
        yield trouble("database", text, "Use that netaflux, or another state_dir.", BAD)
    elif found.version < found.ours:
        text = f"its version is {found.version}, and the next start brings it up to {found.ours}"
        yield doubt("database", text)
    elif not found.complaints:
        yield well("database", f"it is whole, of version {found.version}, {found.size / 1e6:.1f} MB")
