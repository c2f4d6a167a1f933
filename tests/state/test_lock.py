import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from netaflux.core.errors import StateError, StateForeign, StateLocked
from netaflux.state.lock import hold, holder
from tests.state.samples import another_process, largest_file, mode

HOLDER = """
import sys
from pathlib import Path
from netaflux.state.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


def test_a_missing_directory_is_made_for_its_user_alone(tmp_path: Path) -> None:
    directory = tmp_path / "some" / "where"

    with hold(directory):
        assert mode(directory) == 0o700
        assert mode(directory / "lock") == 0o600


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)

    with hold(tmp_path):
        assert mode(tmp_path) == 0o750


@pytest.mark.parametrize(
    ("before", "after"), [(0o777, 0o755), (0o770, 0o750), (0o3775, 0o3755), (0o1702, 0o1700)]
)
def test_a_directory_that_others_may_write_to_is_closed_to_them_and_that_is_told(
    tmp_path: Path, before: int, after: int
) -> None:
    tmp_path.chmod(before)

    with capture_logs() as logs:
        for _ in range(2):
            with hold(tmp_path):
                assert stat.S_IMODE(tmp_path.stat().st_mode) == after

    assert logs == [
        {
            "event": "state.closed_to_others",
            "log_level": "warning",
            "directory": str(tmp_path),
            "mode": f"{before:04o}",
        }
    ]


@pytest.mark.parametrize("error", [None, PermissionError()])
def test_a_directory_that_stays_open_to_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """As on a disk that knows no permissions; some say so."""

    def chmod(*_: object) -> None:
        if error:
            raise error

    tmp_path.chmod(0o777)
    monkeypatch.setattr(Path, "chmod", chmod)

    with pytest.raises(StateError, match=r"Others may write to .* \(0777\)") as told:
        hold(tmp_path).__enter__()

    assert told.value.exit_code == 75
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_through_a_link_at_the_lock(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    (tmp_path / "lock").symlink_to(theirs)

    with pytest.raises(StateError, match="lock is a symbolic link"):
        hold(tmp_path).__enter__()

    assert holder(tmp_path) is None
    assert theirs.read_text() == "theirs"


def test_the_lock_names_its_holder(directory: Path) -> None:
    with hold(directory):
        assert int((directory / "lock").read_text()) == os.getpid()


def test_a_second_holder_is_told_who_the_first_is(directory: Path) -> None:
    with (
        hold(directory),
        pytest.raises(StateLocked, match=rf"already runs here \(pid {os.getpid()}\)") as told,
    ):
        hold(directory).__enter__()

    assert told.value.pid == os.getpid()
    assert told.value.exit_code == 75


def test_the_directory_is_free_again_afterwards(directory: Path) -> None:
    with hold(directory):
        pass

    with hold(directory):
        pass


def test_another_process_holds_until_it_is_killed(directory: Path) -> None:
    with another_process(HOLDER, directory) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StateLocked) as told:
            hold(directory).__enter__()
        process.kill()
        process.wait()

    assert told.value.pid == process.pid
    with hold(directory):
        assert int((directory / "lock").read_text()) == os.getpid()


def test_a_lock_whose_holder_has_not_signed_yet_holds_all_the_same(directory: Path) -> None:
    with hold(directory):
        os.truncate(directory / "lock", 0)
        with pytest.raises(StateLocked) as told:
            hold(directory).__enter__()

    assert told.value.pid is None
    assert "pid" not in told.value.message


def test_a_disk_that_takes_no_byte_does_not_keep_the_lock_from_holding(directory: Path) -> None:
    with largest_file(0), hold(directory), pytest.raises(StateLocked):
        hold(directory).__enter__()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_directory_without_the_right_to_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(StateError, match="cannot be used: Permission denied"):
        hold(tmp_path).__enter__()


@as_root
def test_a_directory_that_takes_no_file_is_told() -> None:
    with pytest.raises(StateError, match="/proc cannot be used"):
        hold(Path("/proc")).__enter__()


def test_a_directory_that_cannot_be_made_is_told_with_the_reason() -> None:
    with pytest.raises(StateError, match="/proc/nowhere cannot be used: No such file") as told:
        hold(Path("/proc/nowhere")).__enter__()

    assert told.value.exit_code == 75


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with pytest.raises(StateError, match="state is not a directory"):
        hold(tmp_path / "state").__enter__()


@as_root
@pytest.mark.parametrize(("uid", "name"), [(65534, r"nobody \(uid 65534\)"), (64999, "uid 64999")])
def test_another_users_directory_is_refused_even_to_root(tmp_path: Path, uid: int, name: str) -> None:
    """Root would leave files there that the service cannot write."""
    os.chown(tmp_path, uid, -1)

    with pytest.raises(StateForeign, match=f"belongs to {name}, and this is root") as told:
        hold(tmp_path).__enter__()

    assert told.value.exit_code == 78
    assert "Run it as" in told.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(Path("/usr").stat().st_uid == os.geteuid(), reason="it is one's own")
def test_roots_directory_is_refused_to_another_user() -> None:
    with pytest.raises(StateForeign, match="/usr belongs to "):
        hold(Path("/usr")).__enter__()


@as_root
def test_another_users_directory_in_use_is_told_as_held(tmp_path: Path) -> None:
    """So that root's command can go to the daemon that runs as another user."""
    with hold(tmp_path):
        os.chown(tmp_path, 65534, -1)
        with pytest.raises(StateLocked) as told:
            hold(tmp_path).__enter__()

    assert told.value.pid == os.getpid()


@as_root
def test_another_users_directory_not_in_use_is_left_as_it_was(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    (tmp_path / "lock").write_text("4711\n")
    os.chown(tmp_path, 65534, -1)

    with pytest.raises(StateForeign):
        hold(tmp_path).__enter__()

    assert (tmp_path / "lock").read_text() == "4711\n"
