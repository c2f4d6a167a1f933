"""A source whose surveys are held against its pages, so that newest rows can be taken from the survey."""

from collections import defaultdict
from collections.abc import Sequence

from netaflux.core.early import Shown, early_row
from netaflux.core.events import EarlyRowsStopped
from netaflux.core.model import Lane, Measure, Module, ModuleId, Page, Survey, Window
from netaflux.core.ports import Observer, Source


class ComparedSource:
    """The source port on top of another source; passes everything on, and keeps what surveys have shown."""

    def __init__(self, source: Source, observer: Observer) -> None:
        self._source = source
        self._observer = observer
        self._shown: defaultdict[ModuleId, Shown] = defaultdict(Shown)
        self._given: dict[ModuleId, int] = {}
        """The newest row in a page."""
        self._early: dict[ModuleId, int] = {}
        """The newest row that was taken from a survey."""

    async def survey(self) -> Survey:
        """The account's modules, as they are now."""
        survey = await self._source.survey()
        for module in survey.modules:
            if module.newest is not None and module.dashboard:
                self._shown[module.id].show(module.newest, module.dashboard)
        return survey

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest rows of the window, at most PAGE_ROWS of them."""
        page = await self._source.page(module, measures, window, lane)
        if mistake := self._shown[module.id].compare(page):
            self._observer.tell(EarlyRowsStopped(module=module.id, reason=mistake))
        if page.last is not None:
            self._given[module.id] = max(self._given.get(module.id, 0), page.last)
        return page

    def given(self, module: ModuleId) -> int | None:
        """The newest row in a page, while a survey has shown a newer one: silence behind it means nothing."""
        given, early = self._given.get(module), self._early.get(module)
        return given if given is not None and early is not None and given < early else None

    def early_page(self, module: Module, measures: tuple[Measure, ...]) -> Page | None:
        """The module's newest row as the survey shows it, as a page, where that can be believed."""
        if module.newest is None or not self._shown[module.id].believed:
            return None
        row = early_row(module.newest, module.dashboard, measures)
        if row:
            self._early[module.id] = row.time
        return row and Page(measures, Window(row.time, row.time + 1), (row,), raw_rows=1)
