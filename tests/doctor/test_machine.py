"""What the machine tells of itself."""

import socket
from importlib.metadata import version

from netaflux import __version__
from netaflux.doctor import machine


def test_versions_are_those_of_what_is_needed_to_run() -> None:
    found = machine.versions()

    assert found["netaflux"] == __version__
    assert found["aiohttp"] == version("aiohttp")
    assert "pytest" not in found


def test_the_machine_is_not_named() -> None:
    assert socket.gethostname() not in " ".join(machine.versions().values())


def test_the_kernels_word_for_its_clock_is_one_finding_or_none() -> None:
    assert [each.what for each in machine.of_clock()] in (["clock"], [])
