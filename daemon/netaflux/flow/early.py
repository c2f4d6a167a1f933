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

    async def survey(self) -> Survey:
        """The account's modules, as they are now."""
        survey = await self._source.survey()
        for module in survey.modules:
            if module.newest is not None:
                self._shown[module.id].show(module.newest, module.dashboard)
        return survey

    async def page(self, module: Module, measures: Sequence[Measure], window: Window, lane: Lane) -> Page:
        """The oldest rows of the window, at most PAGE_ROWS of them."""
        page = await self._source.page(module, measures, window, lane)
        if mistake := self._shown[module.id].compare(page):
            self._observer.tell(EarlyRowsStopped(module=module.id, reason=mistake))
        return page

    def early_page(self, module: Module, measures: tuple[Measure, ...]) -> Page | None:
        """The module's newest row as the survey shows it, as a page, where that can be believed."""
        if module.newest is None or not self._shown[module.id].believed:
            return None
        row = early_row(module.newest, module.dashboard, measures)
        return row and Page(measures, Window(row.time, row.time + 1), (row,), raw_rows=1)
