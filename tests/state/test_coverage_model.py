"""The store of coverage and source rows against a model made of plain sets of seconds."""

import asyncio
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from netaflux.core.model import Admitted, DeviceName, ModuleId, Number, Series
from netaflux.core.spans import Spans
from netaflux.state.coverage import StoredCoverage
from netaflux.state.database import Database
from tests.state.samples import StillClock, page, series

T = TypeVar("T")

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a thousand commits
RETENTION = 40
LAST = 120
MODULES = [ModuleId("one"), ModuleId("two")]
DEVICES = {MODULES[0]: [DeviceName("Basement"), DeviceName("Again")], MODULES[1]: [DeviceName("Attic")]}
SERIES_OF = {
    module: [series(channel, device, at) for device in devices for channel, at in (("A", "x"), ("B", "y"))]
    for module, devices in DEVICES.items()
}
SERIES = [one for some in SERIES_OF.values() for one in some]

times = st.integers(0, LAST)
spans = st.lists(st.tuples(times, st.integers(0, 20)), max_size=3).map(
    lambda pairs: Spans(*((begin, begin + length) for begin, length in pairs))
)
values = st.one_of(st.none(), st.integers(0, 2))
rows = st.dictionaries(times, st.tuples(values, values), max_size=8)
measures = st.sampled_from([("T", "H"), ("H", "T"), ("T", "C")])


class Model:
    """The rules of coverage and source rows, second by second."""

    def __init__(self) -> None:
        self.covered: dict[Series, set[int]] = {one: set() for one in SERIES}
        self.rows: dict[ModuleId, dict[int, dict[str, Number | None]]] = {module: {} for module in MODULES}
        self.newest: dict[ModuleId, int | None] = dict.fromkeys(MODULES)
        self.since = dict.fromkeys(MODULES, 0)

    def admit(self, module: ModuleId, fetched: Mapping[int, Mapping[str, Number | None]]) -> Admitted:
        news = {
            time
            for time, row in fetched.items()
            if time >= self.since[module] and self.take(module, time, row)
        }
        late = {time for time in news if any(time in self.covered[one] for one in SERIES_OF[module])}
        for one in SERIES_OF[module]:
            self.covered[one] -= news
        seen = [*fetched, *([] if self.newest[module] is None else [self.newest[module]])]
        self.newest[module] = max((time for time in seen if time is not None), default=None)
        self.since[module] = max(self.since[module], (self.newest[module] or 0) - RETENTION)
        self.rows[module] = {
            time: row for time, row in self.rows[module].items() if time >= self.since[module]
        }
        return Admitted(sorted(news), sorted(late))

    def take(self, module: ModuleId, time: int, fetched: Mapping[str, Number | None]) -> bool:
        if time not in self.rows[module]:
            self.rows[module][time] = dict(fetched)
            return True
        row, news = self.rows[module][time], False
        for measure, value in fetched.items():
            if measure in row and value is not None:
                news |= value != row[measure]
                row[measure] = value
            row.setdefault(measure, value)
        return news


class StoreAndModel(RuleBasedStateMachine):
    """Whatever happens to both, they know the same."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory(dir=IN_MEMORY)
        self.model = Model()
        self.open()

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(doing)

    def open(self) -> None:
        async def open_both() -> None:
            self.context = Database.open(Path(self.directory.name) / "netaflux.db")
            database = await self.context.__aenter__()
            self.store = await StoredCoverage.open(database, StillClock(), retention=RETENTION)

        self.run(open_both())

    def close(self) -> None:
        self.run(self.context.__aexit__(None, None, None))

    def teardown(self) -> None:
        self.close()
        self.runner.close()
        self.directory.cleanup()

    @rule(grown=st.dictionaries(st.sampled_from(SERIES), spans, max_size=3))
    def grow(self, grown: dict[Series, Spans]) -> None:
        self.run(self.store.grow(grown))
        for one, pairs in grown.items():
            for begin, end in pairs:
                self.model.covered[one] |= set(range(begin, end + 1))

    @rule(module=st.sampled_from(MODULES), rows=rows, measures=measures)
    def admit(
        self, module: ModuleId, rows: dict[int, tuple[int | None, int | None]], measures: tuple[str, str]
    ) -> None:
        admitted = self.run(self.store.admit(module, page(rows, measures), DEVICES[module]))
        expected = self.model.admit(
            module, {time: dict(zip(measures, row, strict=True)) for time, row in rows.items()}
        )
        assert (list(admitted.news), list(admitted.late)) == expected

    @rule(grown=st.dictionaries(st.sampled_from(SERIES), spans, max_size=3), rows=rows)
    def grow_and_admit_in_one_transaction(
        self, grown: dict[Series, Spans], rows: dict[int, tuple[int | None, int | None]]
    ) -> None:
        async def both() -> tuple[None, Any]:
            return await asyncio.gather(
                self.store.grow(grown),
                self.store.admit(MODULES[0], page(rows, ("T", "H")), DEVICES[MODULES[0]]),
            )

        _, admitted = self.run(both())
        for one, pairs in grown.items():
            for begin, end in pairs:
                self.model.covered[one] |= set(range(begin, end + 1))
        expected = self.model.admit(
            MODULES[0], {time: dict(zip(("T", "H"), row, strict=True)) for time, row in rows.items()}
        )
        assert (list(admitted.news), list(admitted.late)) == expected

    @precondition(lambda self: self.model.newest[MODULES[0]] is not None)
    @rule()
    def reopen(self) -> None:
        self.close()
        self.open()

    @invariant()
    def both_cover_the_same(self) -> None:
        for one in SERIES:
            pairs = self.store.covered(one).pairs
            seconds = [second for begin, end in pairs for second in range(begin, end + 1)]
            assert set(seconds) == self.model.covered[one]
            assert len(seconds) == len(self.model.covered[one])

    @invariant()
    def both_have_seen_the_same(self) -> None:
        assert {module: self.store.newest(module) for module in MODULES} == self.model.newest


TestStoreAndModel = StoreAndModel.TestCase
TestStoreAndModel.settings = settings(stateful_step_count=20)
