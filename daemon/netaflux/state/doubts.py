"""What was found wrong with a database in use: the next start mends it, whatever it finds itself.

Else damage that shows in one query alone would end each start anew.
"""

from contextlib import suppress
from pathlib import Path

from netaflux.core.errors import StateDamaged, StateError
from netaflux.state.fresh import made_anew


def doubts_of(path: Path) -> Path:
    """The file that tells of it."""
    return path.with_name(f"{path.name}.doubted")


def doubt(path: Path, reason: str) -> None:
    """Tell the next start."""
    # it may find the damage by itself
    with suppress(OSError), made_anew(doubts_of(path)) as file:
        file.write(reason.encode())


def require_no_doubt(path: Path) -> None:
    """Raise StateDamaged where the last process that used the database found it damaged.

    Raises StateError where that cannot be read.
    """
    doubts = doubts_of(path)
    try:
        reason = doubts.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"{doubts} cannot be read: {error.strerror}") from error
    raise StateDamaged(reason)
