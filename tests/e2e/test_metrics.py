"""The metrics of a whole daemon are what both servers have seen, and what the app knows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from netaflux.app import App
from netaflux.commands.status import glance, status
from netaflux.core.errors import StateError
from netaflux.core.model import AccountName, SourceName
from netaflux.flow.account import Account
from netaflux.service.rounds import Rounds
from netaflux.simulator import Fault, World
from netaflux.status.metrics import Metrics
from tests.e2e.freshness import HOUR, uploading
from tests.e2e.household import MANY, NOW, Household, household, performed, roomy
from tests.e2e.lived_in import BOILER, CAMERA, COACH, ROOM, lived_in
from tests.status.metrics_scene import OPENMETRICS, families_of, samples_of
from tests.virtual import VirtualClock, daemon, run_virtually, until

MEASURE, STATIONS, TOKEN = "/api/getmeasure", "/api/getstationsdata", "/oauth2/token"
UPLOAD = "/api/bodytrack/upload"
DEFAULT = AccountName("default")


Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Living:
    """A household with its daemon, and the metrics of that."""

    home: Household
    app: App
    rounds: Rounds
    metrics: Metrics

    @property
    def account(self) -> Account:
        return self.app.accounts[DEFAULT].kinds[SourceName.STATIONS]

    def scraped(self, name: str, by: str) -> Mapping[str, float]:
        """The samples of that name, by one of their labels."""
        families = families_of(self.metrics.exposition(""))
        return {labels[by]: value for labels, value in samples_of(families, name)}

    def errors(self) -> Mapping[str, float]:
        """What has failed, by its class."""
        return {
            kind: count for kind, count in self.scraped("netaflux_errors_total", "class").items() if count
        }


@asynccontextmanager
async def living(
    clock: VirtualClock, folder: Path, world: World | None = None, devices: Sequence[Table] = ()
) -> AsyncIterator[Living]:
    """A daemon that is about to begin."""
    world = world or World.of(uploading(2), netatmo=roomy())
    async with household(world, folder, clock=clock) as home:
        home.mirror_all()
        if devices:
            home.devices = [*devices]
        async with home.app() as app, daemon(app) as rounds:
            metrics = Metrics(app.record, lambda: glance(app, rounds.next_poll))
            with app.hub.listening(metrics):
                yield Living(home, app, rounds, metrics)


def test_they_tell_what_both_servers_have_seen(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            await clock.sleep(3.5 * HOUR)

            ledger = here.home.served.netatmo.ledger
            assert here.scraped("netaflux_calls_total", "endpoint") == {
                "getstationsdata": ledger.counts[STATIONS],
                "getmeasure": ledger.counts[MEASURE],
                "oauth2/token": ledger.counts[TOKEN],
            }
            assert ledger.counts[TOKEN] == 2
            lately = [
                call for call in ledger.calls if call.counted and call.time > clock.now() - 1.001 * HOUR
            ]
            assert here.scraped("netaflux_budget_permits_left", "window")["1h"] == MANY - len(lately)
            delivered = here.scraped("netaflux_rows_delivered_total", "device")
            assert sum(delivered.values()) == here.home.uploaded_rows > 500

    run_virtually(main, now=NOW)


def test_they_tell_what_the_app_knows(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            await clock.sleep(HOUR)

            known = await status(here.app, here.rounds.next_poll)
            marks = {each["device"]: each["destinations"][0]["watermark"] for each in known["devices"]}
            newest = {each["device"]: each["newest"] for each in known["devices"]}
            polled = {each["device"]: each["last_poll"] for each in known["devices"]}
            assert here.scraped("netaflux_watermark_timestamp_seconds", "device") == marks == newest
            assert here.scraped("netaflux_newest_row_timestamp_seconds", "device") == newest
            assert here.scraped("netaflux_last_success_timestamp_seconds", "device") == polled
            assert all(
                clock.now() - 1300 < time <= clock.now() for time in (*newest.values(), *polled.values())
            )
            until = here.scraped("netaflux_token_expiry_timestamp_seconds", "account")
            assert until == {DEFAULT: known["accounts"][0]["authorized_until"]}
            assert here.scraped("netaflux_destination_up", "destination") == {"fluxtream": 1}
            assert here.errors() == {}

    run_virtually(main, now=NOW)


def test_every_kind_of_device_is_told_and_one_without_a_module_too(tmp_path: Path) -> None:
    nobody = {"name": "Nobody", "module": "Nowhere/Nothing"}
    kinds = {each["name"] for each in (ROOM, BOILER, CAMERA, COACH)}

    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path, lived_in(), [ROOM, BOILER, CAMERA, COACH, nobody]) as here:
            await clock.sleep(HOUR)

            found = here.scraped("netaflux_device_found", "device")
            assert found == {**dict.fromkeys(kinds, 1), "Nobody": 0}
            for name in ("watermark", "newest_row", "last_success", "last_delivery"):
                assert {*here.scraped(f"netaflux_{name}_timestamp_seconds", "device")} == kinds
            delivered = here.scraped("netaflux_rows_delivered_total", "device")
            assert {*delivered} == kinds
            assert sum(delivered.values()) == here.home.uploaded_rows

    run_virtually(main, now=NOW)


def test_each_call_of_each_kind_is_told_once(tmp_path: Path) -> None:
    """Read as OpenMetrics, which forbids the same sample twice."""

    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path, lived_in(), [ROOM, BOILER, CAMERA, COACH]) as here:
            await clock.sleep(HOUR)

            families = families_of(here.metrics.exposition(OPENMETRICS))
            calls = {
                labels["endpoint"]: count for labels, count in samples_of(families, "netaflux_calls_total")
            }
            counts = here.home.served.netatmo.ledger.counts
            assert calls == {path.removeprefix("/api/").lstrip("/"): count for path, count in counts.items()}
            assert len(calls) > 4

    run_virtually(main, now=NOW)


def test_before_anything_is_known_nothing_is_claimed(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            assert here.scraped("netaflux_destination_up", "destination") == {}
            assert here.scraped("netaflux_token_expiry_timestamp_seconds", "account") == {}
            assert here.scraped("netaflux_watermark_timestamp_seconds", "device") == {}
            assert here.scraped("netaflux_calls_total", "endpoint") == {}
            assert here.scraped("netaflux_account_needs_person", "account") == {DEFAULT: 0}

    run_virtually(main, now=NOW)


def test_each_error_is_counted_where_it_is_met(tmp_path: Path) -> None:
    """Once, though it makes a call, a poll and a round fail."""

    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            netatmo, fluxtream = here.home.served.netatmo.faults, here.home.served.fluxtream.faults
            await until(clock, here.rounds.caught_up)
            netatmo.add(Fault.RESET_BEFORE, "/api/*", times=5)
            netatmo.add(Fault.HTML_200, "/api/*", times=4)
            netatmo.add(Fault.ERROR_500, TOKEN, times=1)
            fluxtream.add(Fault.ERROR_503, UPLOAD, times=2)
            await clock.sleep(4 * HOUR)
            assert here.errors() == {"Unreachable": 5, "UpstreamFault": 4 + 1, "DestinationDown": 2}

            netatmo.add(Fault.QUOTA_403, MEASURE, times=1)
            await clock.sleep(HOUR)
            assert here.errors()["QuotaReached"] == 1
            assert here.scraped("netaflux_destination_up", "destination") == {"fluxtream": 1}

    run_virtually(main, now=NOW)


def test_a_destination_that_is_down_and_an_account_that_is_lost_are_seen(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            await until(clock, here.rounds.caught_up)
            here.home.served.fluxtream.faults.add(Fault.UNAUTHORIZED)
            here.home.served.netatmo.faults.add(Fault.INVALID_GRANT, TOKEN)
            await clock.sleep(HOUR)
            marks = here.scraped("netaflux_watermark_timestamp_seconds", "device")
            await clock.sleep(40 * HOUR)

            assert here.scraped("netaflux_destination_up", "destination") == {"fluxtream": 0}
            assert here.scraped("netaflux_account_needs_person", "account") == {DEFAULT: 1}
            assert here.scraped("netaflux_watermark_timestamp_seconds", "device") == marks
            assert {"CredentialsRefused", "GrantRefused", "NotAuthorized"} <= set(here.errors())

    run_virtually(main, now=NOW)


@pytest.mark.parametrize("work", ["poll", "catch_up"])
def test_what_fails_in_the_house_is_counted_too(tmp_path: Path, work: str) -> None:
    """A disk that is full, and a bug, in a module's round or in its past."""

    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            await until(clock, here.rounds.caught_up)
            failures: list[Exception] = [
                StateError("disk full"),
                StateError("disk full"),
                ZeroDivisionError(),
            ]
            works = getattr(here.account, work)

            async def failing(*asked: Any, **how: Any) -> Any:
                if failures:
                    raise failures.pop()
                return await works(*asked, **how)

            setattr(here.account, work, failing)
            await clock.sleep(6 * HOUR)

            assert here.errors() == {"StateError": 2, "Bug": 1}

    run_virtually(main, now=NOW)


def test_a_command_with_a_bug_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails for what it was asked is no error of the daemon's."""

    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            (*_, refused) = await performed(here.app, "sync", device=["Nowhere"])
            assert (refused["event"], here.errors()) == ("failed", {})

            monkeypatch.setattr("netaflux.commands.devices._module", None)
            (*_, crashed) = await performed(here.app, "devices")
            assert (crashed["exit_code"], here.errors()) == (1, {"Bug": 1})

    run_virtually(main, now=NOW)


def test_no_secret_comes_to_them(tmp_path: Path) -> None:
    """Not even while both sides refuse what they are shown."""

    async def main(clock: VirtualClock) -> None:
        async with living(clock, tmp_path) as here:
            await until(clock, here.rounds.caught_up)
            here.home.served.fluxtream.faults.add(Fault.UNAUTHORIZED, UPLOAD, times=1)
            here.home.served.netatmo.faults.add(Fault.HTML_403, "/api/*", times=2)
            await clock.sleep(4 * HOUR)

            served = here.home.served
            pairs = served.netatmo.logins.issued[DEFAULT]
            secrets = [served.netatmo.settings.app.client_secret, served.user.password]
            secrets += [token for pair in pairs for token in (pair.access, pair.refresh)]
            assert len(secrets) > 4
            for accept in ("", "application/openmetrics-text"):
                text = here.metrics.exposition(accept)[0].decode()
                assert not [secret for secret in secrets if secret in text]

    run_virtually(main, now=NOW)
