"""The log as the other tests know it, and a zone in which local time can be written down."""

import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from netaflux import logs


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in Greenwich in winter."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command sets the log up; nobody after it should write there."""
    root, quiet = logging.getLogger(), [logging.getLogger(name) for name in logs.QUIET]
    levels = [(each, each.level) for each in (root, *quiet)]
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:] = [handler for handler in root.handlers if "pytest" in type(handler).__module__]
    for each, level in levels:
        each.setLevel(level)
