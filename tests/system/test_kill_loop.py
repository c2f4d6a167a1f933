"""Killed again and again while both servers fail, it loses nothing but what nobody could keep.

the server changes the tokens ──► its answer ──► our commit
                             └── the window ──┘
"""

import asyncio
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from random import Random
from shutil import copy
from typing import Any, NamedTuple

import pytest

from netaflux.clocks import ScaledClock
from netaflux.core.grants import LOST_IN_WINDOW
from netaflux.simulator import (
    Fault,
    FluxtreamSettings,
    Late,
    Limits,
    NetatmoSettings,
    Rule,
    Span,
    Uploads,
    World,
    estate,
)
from netaflux.simulator.door import Door
from netaflux.simulator.netatmo import Netatmo
from netaflux.state.open import DATABASE
from tests.e2e.notebook import Mirror, differences, expected, held
from tests.system.nursery import Nursery
from tests.system.program import Program, Running, until
from tests.system.tampering import mark
from tests.system.world import ANNE, MEASURE, STATIONS, TOKEN, UPLOAD, Outside, served

KILLS = 60
MODULES = 2
FAST = 600
"""Ten minutes a second: a station uploads about as often as a life ends."""
HOUR, DAY = 3600, 86_400
SILENCE = 7.2 * DAY
PER_10_SECONDS, PER_HOUR, MANY = 50, 300, 100_000
CHANNELS = ["Temp_C", "RH", "Dew_F"]
IN_HAND = 32
"""Uploads that may be on their way when it is killed."""
TOO_LONG = 12.0
"""Real seconds after which a chosen moment does not come any more."""


Tell = Callable[[str, object], None]


class Moment(NamedTuple):
    """When it is killed: around a commit, by a server at a call, or at no chosen moment at all."""

    name: str
    commit: str | None = None
    pair: bool = False
    """Whether it is the commit of a new pair of tokens."""
    fault: Fault | None = None
    where: str = ""

    @property
    def is_in_window(self) -> bool:
        """Whether the new pair is nowhere but on its way."""
        # a call that was sent is carried out, whatever becomes of the caller
        unheard = self.where == TOKEN and self.fault in (Fault.KILL_BEFORE, Fault.KILL_DONE)
        return unheard or (self.pair and self.commit == "before")

    @property
    def needs_tokens(self) -> bool:
        """Whether it comes only where tokens change."""
        return self.pair or self.where == TOKEN


def at_calls(where: str) -> list[Moment]:
    kinds = (Fault.KILL_BEFORE, Fault.KILL_DONE, Fault.KILL_ANSWERED)
    return [Moment(f"{where}, {fault.value}", fault=fault, where=where) for fault in kinds]


MOMENTS = [
    Moment("any"),
    Moment("before a commit", "before"),
    Moment("after a commit", "after"),
    Moment("before the commit of a pair", "before", pair=True),
    Moment("after the commit of a pair", "after", pair=True),
    *at_calls(TOKEN),
    *at_calls(STATIONS),
    *at_calls(MEASURE),
    *at_calls(UPLOAD),
]


def restless(now: float, kills: int) -> World:
    """A station that uploads, with a past to fetch, and hours whose rows come hours late."""
    house = estate(now, modules=MODULES, days=2 * kills, missed=0.05, nulls=0.02)
    (station,) = house.stations
    house.put(replace(station, uploads=Uploads(int(now - DAY))))
    late = tuple(
        Late(begin, begin + 1200, begin + 5 * HOUR) for begin in range(int(now), int(now) + 5 * DAY, 2 * HOUR)
    )
    for module in house.modules:
        house.change(module.id, late=late)
    limits = Limits(
        user_per_10_seconds=PER_10_SECONDS, user_per_hour=PER_HOUR, app_per_10_seconds=MANY, app_per_hour=MANY
    )
    netatmo = NetatmoSettings(limits=limits, expires_in=4 * HOUR, latency=6)
    return World(
        accounts=World.of(house).accounts,
        users=[ANNE],
        netatmo=netatmo,
        fluxtream=FluxtreamSettings(latency=18),
    )


def trouble(outside: Outside) -> None:
    """Some answers are errors, some calls are cut off, some uploads' answers are lost."""
    netatmo, fluxtream = outside.served.netatmo.faults, outside.served.fluxtream.faults
    netatmo.add(Fault.ERROR_503, TOKEN, share=0.1)
    netatmo.add(Fault.RESET_BEFORE, TOKEN, share=0.1)
    for faults, where in ((netatmo, "/api/*"), (fluxtream, UPLOAD)):
        for fault in (Fault.ERROR_500, Fault.HTML_200, Fault.RESET_BEFORE, Fault.TRUNCATED):
            faults.add(fault, where, share=0.02)
    fluxtream.add(Fault.RESET_AFTER, UPLOAD, share=0.02)


@dataclass
class Loop:
    """One state, and the lives that it goes through."""

    netaflux: Program
    outside: Outside
    chance: Random
    kills: Counter[str] = field(default_factory=Counter)
    """By moment."""
    lost: Counter[str] = field(default_factory=Counter)
    """How often the account was lost, by moment."""
    told: list[str] = field(default_factory=list)
    """What the person is told then."""

    @property
    def netatmo(self) -> Netatmo:
        return self.outside.served.netatmo

    @property
    def clock(self) -> ScaledClock:
        clock = self.outside.served.clock
        assert isinstance(clock, ScaledClock)
        return clock

    @property
    def journal(self) -> Path:
        return self.netaflux.folder / "journal"

    def tampering(self, moment: Moment | None = None) -> dict[str, Any]:
        clock = self.clock
        wishes: dict[str, Any] = {
            "clock": {"speed": FAST, "start": clock._start, "epoch": clock._epoch},
            "kill": {"when": "never", "only_pairs": False, "after": 0, "journal": str(self.journal)},
        }
        if moment and moment.commit:
            after = 0 if moment.pair else self.chance.randrange(10)
            wishes["kill"] |= {"when": moment.commit, "only_pairs": moment.pair, "after": after}
        return wishes

    async def live(self, moment: Moment) -> None:
        """A life up to that moment."""
        self.journal.write_text("")
        issued = len(self.netatmo.logins.issued["default"])
        if moment.needs_tokens:
            self.netatmo.logins.expire("default")
        words = self.netaflux.command("run")
        async with self.netaflux.starting(*words, tampering=self.tampering(moment)) as running:
            with self.killing(moment, running):
                await self.killed(moment, running)
        assert running.code == -signal.SIGKILL, running.err
        self.kills[moment.name] += 1
        await self.look_at_the_account(moment, rotated=len(self.netatmo.logins.issued["default"]) > issued)

    @contextmanager
    def killing(self, moment: Moment, running: Running) -> Iterator[None]:
        """Let a server kill the process, if that is how it shall end."""
        if moment.fault is None:
            yield
            return
        server = self.outside.served.fluxtream if moment.where == UPLOAD else self.netatmo
        rule = Rule(fault=moment.fault, where=moment.where, pid=running.pid, times=1)
        if not moment.needs_tokens:
            rule.after = self.chance.randrange(3)
        rules = door_of(server).faults.rules
        rules.insert(0, rule)
        yield
        rules.remove(rule)
        assert rule.struck, f"{moment.name} did not come"

    async def killed(self, moment: Moment, running: Running) -> None:
        """Return once it is dead; where no moment was chosen, make it so."""
        if moment.name == "any":
            await asyncio.sleep(self.chance.uniform(0.02, 1.5))
            running.signal(signal.SIGKILL)
        with suppress(TimeoutError):
            await until(lambda: running.code is not None, within=TOO_LONG)
        assert running.code is not None, f"{moment.name} did not come: {running.err}"
        if moment.commit:
            assert "killed" in self.journal.read_text().split(), f"{moment.name} did not come"

    async def look_at_the_account(self, moment: Moment, *, rotated: bool) -> None:
        """Only a kill between the server's change of tokens and our commit may cost the account."""
        newest = self.netatmo.logins.issued["default"][-1].refresh
        # before its first use a token of the configuration stands nowhere else
        if newest in (kept_refresh(self.netaflux.state), self.netaflux.sections["netatmo"]["refresh_token"]):
            assert not (rotated and moment.is_in_window), f"{moment.name} was not in the window"
            return
        assert rotated, f"lost by {moment.name}, though no token was changed"
        assert f"kept {mark(newest)}" not in self.journal.read_text().splitlines()
        self.lost[moment.name] += 1
        await self.authorize_again()

    async def authorize_again(self) -> None:
        """The next life says what has happened, and a new token makes it go on."""
        words = self.netaflux.command("run")
        async with self.netaflux.starting(*words, tampering=self.tampering()) as running:
            event = await running.told("authorization.needed")
            assert event["suspicion"] == LOST_IN_WINDOW
            assert "netaflux authorize" in event["remedy"]
            self.told.append(f"{event['suspicion']}. {event['remedy']}")
            running.signal()
            await running.ended()
        fresh = self.netatmo.logins.issue("default").refresh
        self.netaflux.sections["netatmo"]["refresh_token"] = fresh

    async def settle(self) -> None:
        """Nothing goes wrong any more; after a week of silence and an hour of rows all is there.

        What came late is looked for when rows are a day newer, and a week: that goes by their time, not by
        the clock's. What was late before a silence may only be seen by the weekly look.
        """
        self.outside.quicken()
        house, end = self.outside.served.house, self.clock.now()
        for module in house.modules:
            late = tuple(each for each in module.late if each.begin < end)
            gaps = (Span(end, end + SILENCE), Span(end + SILENCE + HOUR))
            house.change(module.id, late=late, gaps=gaps)
        self.clock._epoch += SILENCE
        words = self.netaflux.command("run")
        async with self.netaflux.starting(*words, tampering=self.tampering()) as running:
            hour_over = end + SILENCE + HOUR + 1300
            with suppress(TimeoutError):
                await until(lambda: self.clock.now() > hour_over and not self.differences(), within=60)
            assert self.differences() == []
            running.signal()
            assert (await running.ended()).code == 0

    def differences(self) -> list[str]:
        outside = self.outside
        mirrors = [Mirror(each["name"], each["module"], CHANNELS) for each in self.netaflux.devices]
        wanted = expected(outside.served.house, mirrors, self.clock.now())
        return differences(wanted, held(outside.served.fluxtream))

    def tell(self, record: Tell) -> None:
        """Show what was counted."""
        struck = self.netatmo.faults.struck + self.outside.served.fluxtream.faults.struck
        for name, counts in (("kills", self.kills), ("accounts lost", self.lost), ("faults", struck)):
            told = [f"{', '.join(key) if isinstance(key, tuple) else key} × {n}" for key, n in counts.items()]
            record(name, "; ".join(sorted(told)))
        record("what a person is told", " / ".join(sorted(set(self.told))))


def door_of(server: Any) -> Door:
    door: Door = server.door
    return door


def kept_refresh(state: Path) -> str | None:
    """The refresh token on the disk; read from a copy, for to open a database is to repair it."""
    copied = state.parent / "copied"
    copied.mkdir(exist_ok=True)
    for old in copied.iterdir():
        old.unlink()
    for name in (DATABASE, f"{DATABASE}-wal"):
        if (state / name).exists():
            copy(state / name, copied / name)
    if not (copied / DATABASE).exists():
        return None
    with closing(sqlite3.connect(copied / DATABASE)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'accounts'").fetchall():
            return None
        query = "SELECT json_extract(record, '$.pair.refresh') FROM accounts"
        return next((refresh for (refresh,) in database.execute(query)), None)


@pytest.mark.timeout(300)
async def test_whenever_it_is_killed_all_arrives_and_only_the_window_costs_the_account(
    nursery: Nursery, folder: Path, scale: int, record_property: Tell
) -> None:
    kills = KILLS if scale == 1 else 50 * scale
    seed = int(time.time())
    record_property("seed", seed)
    chance = Random(seed)  # noqa: S311 - printed, and so the same again
    with served(restless(time.time(), kills), speed=FAST) as outside:
        netaflux = Program(nursery, folder, outside.sections())
        netaflux.sections["netatmo.limits"] |= {"per_10_seconds": PER_10_SECONDS, "per_hour": PER_HOUR}
        netaflux.devices = [{**device, "channels": CHANNELS} for device in outside.devices()]
        loop = Loop(netaflux, outside, chance)
        trouble(outside)
        for moment in islice(cycle(chance.sample(MOMENTS, len(MOMENTS))), kills):
            await loop.live(moment)
        await loop.settle()
        loop.tell(record_property)
        assert_all_is_well(loop, kills)


def assert_all_is_well(loop: Loop, kills: int) -> None:
    outside, ledger = loop.outside, loop.netatmo.ledger
    assert loop.kills.total() == kills
    assert min(loop.kills[each.name] for each in MOMENTS) >= 2
    assert min(loop.lost[each.name] for each in MOMENTS if each.is_in_window) >= 2
    assert sum(outside.served.fluxtream.faults.struck.values()) > 0
    assert loop.differences() == []
    assert outside.served.fluxtream.store.doubles == 0
    assert [call for call in ledger.calls if call.code == 26] == []
    assert ledger.busiest(10, "default") <= PER_10_SECONDS
    assert ledger.busiest(HOUR, "default") <= PER_HOUR
