"""Processes of netaflux without the wait for its imports, which take longer than most of its commands.

A nursery is a process that has imported all of netaflux, and forks for each command line that it is handed.
What comes out is a process like any other, with arguments, environment, folder and streams of its own; it is
told apart from `python -m netaflux` only by the second that it did not need.

    test ── command line, environment, streams ──► nursery ── fork ──► keeper ── fork ──► netaflux
      ▲                                                                   │
      └───────────────────── a file with the pid, then the exit code ◄────┘
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

LARGEST_REQUEST = 1 << 20
STREAMS = 3
ROOT = Path(__file__).resolve().parents[2]


def surroundings() -> dict[str, str]:
    """The environment of a process as its users have it: what stands on stdout waits in a buffer."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


@dataclass(frozen=True, slots=True)
class Nursery:
    """The test's end."""

    _line: socket.socket

    def start(
        self,
        words: Sequence[str],
        *,
        speed: float,
        begun: Sequence[float],
        environment: Mapping[str, str],
        folder: Path,
        streams: Sequence[int],
        report: Path,
        tampering: Mapping[str, Any] | None = None,
    ) -> None:
        """Start `netaflux` with these words; pid and exit code will stand in `report`.

        With another `speed` than 1 the words are a configuration, for a daemon whose clock is so fast, and
        has `begun` at the same moment as another one. What `tampering` wishes is done to it first.
        """
        request = {
            "words": list(words),
            "speed": speed,
            "begun": list(begun),
            "environment": dict(environment),
            "folder": str(folder),
            "report": str(report),
            "tampering": tampering or {},
        }
        socket.send_fds(self._line, [json.dumps(request).encode()], streams)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery while the block runs."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        command = [sys.executable, "-m", "tests.system.nursery", str(theirs.fileno())]
        environment = surroundings() | {"PYTHONWARNINGS": "error"}  # ours are as bad there as here
        with theirs:
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, cwd=ROOT)
        try:
            yield Nursery(ours)
        finally:
            ours.close()
            process.wait(timeout=20)


def _nurse(line: socket.socket) -> None:
    """The nursery's end: fork for each request, until the test hangs up."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    gc.collect()
    gc.freeze()  # or each process would touch, and so copy, all that it shares with us
    while True:
        message, streams, _, _ = socket.recv_fds(line, LARGEST_REQUEST, STREAMS)
        if not message:
            return
        if os.fork() == 0:
            line.close()
            _keep(json.loads(message), streams)
        for stream in streams:
            os.close(stream)


def _keep(request: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Wait for the one process, and report its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
            os.close(stream)
        _be(request)
    for stream in streams:
        os.close(stream)
    with open(request["report"], "w", buffering=1) as report:  # noqa: PTH123 - a line at a time
        print(pid, file=report)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=report)
    os._exit(0)


def _be(request: Mapping[str, Any]) -> NoReturn:
    """Become netaflux."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _live(request)


def _live(request: Mapping[str, Any]) -> NoReturn:
    # whoever runs the tests may ignore them: by nohup, or in the background
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["netaflux", *request["words"]]
    tamper(request["tampering"])
    if request["speed"] == 1:
        netaflux.__main__.main()
        sys.exit(0)
    (config,) = request["words"]
    clock = ScaledClock(request["speed"])
    if request["begun"]:
        # the machine's monotonic time is the same for all its processes
        clock._start, clock._epoch = request["begun"]
    asyncio.run(netaflux.service.daemon.run_daemon(lambda: load(Path(config), os.environ), clock=clock))
    sys.exit(0)


if __name__ == "__main__":
    import asyncio
    import gc

    import netaflux.__main__
    import netaflux.app
    import netaflux.cli.daemon
    import netaflux.cli.data
    import netaflux.cli.setup
    import netaflux.commands.perform
    import netaflux.destinations.fluxtream.destination
    import netaflux.service.daemon
    from netaflux.clocks import ScaledClock
    from netaflux.config import load
    from tests.system.tampering import tamper

    if sys.argv[1] == "--alone":
        _live(json.loads(sys.argv[2]))
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        _nurse(requests)
