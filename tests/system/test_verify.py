"""`netaflux verify` as a process, alone and by way of the daemon: the same words and exit codes."""

import json
from collections.abc import Mapping

import pytest

from netaflux.simulator import Cell, Fault
from tests.system.program import Ended, Program
from tests.system.world import ANNE, Outside


def plant(outside: Outside) -> tuple[Cell, int]:
    """Take one value away from Fluxtream; where it was."""
    store = outside.served.fluxtream.store
    cell = Cell(ANNE.guest, "000001", "Temp_C")
    time = sorted(store.values[cell])[100]
    del store.values[cell][time]
    return cell, int(time)


def counted(ended: Ended) -> Mapping[str, int]:
    told = json.loads(ended.out)
    channels = [channel for line in told["devices"] for channel in line["channels"]]
    return {count: sum(channel[count] for channel in channels) for count in ("missing", "repaired")}


async def test_what_is_missing_is_told_by_the_exit_code_until_it_is_repaired(
    netaflux: Program, outside: Outside
) -> None:
    await netaflux("sync")
    plant(outside)

    complained = await netaflux("verify")
    repaired = await netaflux("verify", "--repair", "--json")
    content = await netaflux("verify", "--device", "000001")

    assert (complained.code, repaired.code, content.code) == (75, 0, 0)
    assert "Not complete: 1 missing or different" in complained.out
    assert "000001 Temp_C at fluxtream: nothing, where Netatmo has" in complained.err
    assert counted(repaired) == {"missing": 1, "repaired": 1}
    assert content.out.splitlines()[-1].startswith("Complete: all values")
    assert "000002" not in content.out
    assert outside.differences() == []


async def test_the_daemon_verifies_and_repairs_as_a_process_of_its_own_does(
    netaflux: Program, outside: Outside
) -> None:
    await netaflux("sync")
    plant(outside)
    alone = await netaflux("verify")

    async with netaflux.daemon() as daemon:
        await daemon.ready()
        by_the_daemon = await netaflux("verify")
        repaired = await netaflux("verify", "--repair", "--json")

    assert by_the_daemon == alone
    assert (repaired.code, counted(repaired)) == (0, {"missing": 1, "repaired": 1})
    assert outside.differences() == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Fault.ERROR_500, "it answers 500"), (Fault.HTML_200, "it answers with a web page")],
)
async def test_a_destination_that_cannot_be_read_back_ends_it_with_78(
    netaflux: Program, outside: Outside, fault: Fault, reason: str
) -> None:
    await netaflux("sync")
    outside.served.fluxtream.faults.add(fault, "*/exportCSV/*")
    uploads = outside.uploads

    ended = await netaflux("verify", "--repair")

    assert ended.code == 78
    assert "left: destination fluxtream: http://127.0.0.1:" in ended.err
    assert f"cannot be read back: {reason}" in ended.err
    assert outside.uploads == uploads


@pytest.mark.parametrize(
    "words", [("--since", "2d", "--until", "3d"), ("--since", "2999-01-01"), ("--device", "000003")]
)
async def test_a_span_or_device_that_cannot_be_is_a_mistake_of_usage(
    netaflux: Program, outside: Outside, words: tuple[str, ...]
) -> None:
    ended = await netaflux("verify", *words)

    assert (ended.code, ended.out, outside.pages) == (2, "", 0)
    assert words[-1] in ended.err or "is not after --since" in ended.err
