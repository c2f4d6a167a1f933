"""A whole history through Netatmo's narrow gate: in as much time as the gate takes, and that is announced."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import pytest

from netaflux.commands.perform import perform
from netaflux.commands.words import Json
from netaflux.simulator import Limits, NetatmoSettings, Span, World, estate
from tests.e2e.household import MANY, NOW, Household, household
from tests.virtual import VirtualClock, run_virtually

MODULES = 5


class Gate(NamedTuple):
    """How many days of history are to pass, and how many calls may."""

    days: int
    per_10_seconds: int
    per_hour: int

    @property
    def world(self) -> World:
        """One station that measures no more, at a Netatmo that keeps strictly to these limits."""
        limits = Limits(
            user_per_10_seconds=self.per_10_seconds,
            user_per_hour=self.per_hour,
            app_per_10_seconds=MANY,
            app_per_hour=MANY,
        )
        house = estate(NOW, modules=MODULES, days=self.days, gaps=(Span(NOW),))
        return World.of(house, netatmo=NetatmoSettings(limits=limits, latency=0.2))

    @property
    def configured(self) -> Json:
        """The same limits, in the configuration."""
        return {
            "per_10_seconds": self.per_10_seconds,
            "per_hour": self.per_hour,
            "app_per_10_seconds": MANY,
            "app_per_hour": MANY,
        }


# a tenth of the year at a tenth of the calls: of the same shape, and sooner computed
GATES = [Gate(36, 5, 50), pytest.param(Gate(365, 50, 500), marks=pytest.mark.slow)]


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_the_history_of_five_modules_is_there_within_eighty_minutes(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netaflux.commands.sync.PROGRESS_EVERY", 0.02)

    async def main(clock: VirtualClock) -> None:
        async with household(gate.world, tmp_path, clock=clock) as home:
            home.sections["netatmo.limits"] = gate.configured
            home.mirror_all()
            told = await synced(home, clock)
            took = clock.now() - NOW

            assert home.differences() == []
            assert home.uploaded_rows == MODULES * gate.days * 288
            assert took < 80 * 60
            assert_never_too_many(home, gate)
            assert_announced(told, took)

    run_virtually(main)


async def synced(home: Household, clock: VirtualClock) -> Sequence[tuple[float, Json]]:
    """What was told on the way, each with the seconds until then."""
    async with home.app() as app, aclosing(perform(app, "sync", {})) as events:
        told = [(clock.now() - NOW, event) async for event in events]
    assert told[-1][1]["exit_code"] == 0
    return [each for each in told if each[1]["event"] == "progress"]


def assert_never_too_many(home: Household, gate: Gate) -> None:
    ledger = home.served.netatmo.ledger
    assert [call for call in ledger.calls if call.code == 26] == []
    assert ledger.busiest(10) <= gate.per_10_seconds
    # four fifths at least: or it did not take what it might
    assert gate.per_hour * 0.8 <= ledger.busiest(3600) <= gate.per_hour


def assert_announced(told: Sequence[tuple[float, Json]], took: float) -> None:
    moment, first = next(each for each in told if (each[1]["done"] or 0) >= 0.1)
    assert first["eta_seconds"] == pytest.approx(took - moment, rel=0.25)
