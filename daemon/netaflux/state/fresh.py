"""Files made anew: never through what somebody else has laid at their name."""

import os
from pathlib import Path
from typing import BinaryIO


def made_anew(path: Path) -> BinaryIO:
    """An empty file for its user alone, in the place of whatever was there. Raises OSError."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")
