"""Which windows of an errand to ask for next, several at a time, with hardly more calls than there are pages.

    whole window ─(first page: how dense are rows here?)→ windows of one page each, side by side
                  ─(a long silence)→ one open call that tells where the rows go on ─→ windows again

The answers may come in any order. What each of them makes known to be complete is told as spans, so that
coverage can grow by it.
"""

from collections.abc import Sequence
from math import ceil
from operator import sub

from netaflux.core.lookback import PAGE_SPAN
from netaflux.core.model import Page, Rows, Window
from netaflux.core.plan import following
from netaflux.core.spans import FOREVER, Spans


class Course:
    """The windows of one errand: which may be asked for now, and what the answers mean.

    Speculation is for stretches where rows are: an answer that ends in silence stops it, and when all answers
    are there, one call goes from the last row to the errand's end. A silence that is longer than what a page
    could hold is believed when two answers have told it: years must not count as empty for ever because of
    one. The crossing call is the second answer in most cases; what remains is asked once more at the end.
    """

    def __init__(self, whole: Window, *, expected: int | None = None) -> None:
        self._whole = whole
        self._expected = expected
        """Where rows are said to end: a hint, never a limit."""
        self._at: int | None = whole.begin
        """What nobody has asked for begins here; None when all of it was asked for."""
        self._rest: list[Window] = []
        """What overfull windows left, and silences to ask for once more."""
        self._under_way = 0
        self._last: int | None = None
        """The newest row seen."""
        self._step: float | None = None
        """Seconds between rows, as the latest pages have them."""
        self._page_rows = 0
        """How many rows a full page holds."""
        self._silent = False
        """Whether nothing but silence is known behind the newest row."""
        self._told = Spans()
        """Silences that an answer has told."""
        self._doubts = Spans()
        """Those of them that are too long to be believed yet."""
        self._ends = Spans()
        """Ends of windows without a row, which are no sure silence before a later row was seen."""

    @property
    def ended(self) -> bool:
        """Whether all was asked for, and answered."""
        return not (self._under_way or self._rest or self._doubts) and self._at is None

    def ask(self) -> Window | None:
        """A window to ask for now; None where an answer has to come first, or nothing is left."""
        window = self._due()
        self._under_way += window is not None
        return window

    def _due(self) -> Window | None:
        if self._at is None and not self._under_way and not self._rest:
            self._rest = [Window(begin, end + 1) for begin, end in self._doubts]
            self._doubts = Spans()
        if self._rest:
            return self._rest.pop()
        if self._at is None:
            return None
        if self._step is not None and not self._silent:
            return self._ahead(self._at, self._last, self._step)
        return None if self._under_way else self._all_from(self._at)

    def _ahead(self, begin: int, row: int | None, step: float) -> Window:
        """The next window that one page can just not overfill; the errand's last one is as it is.

        Its edges lie half a step after a row, so that rows a little early or late do not cross them.
        """
        row = begin if row is None else row
        first = max(1, ceil((begin - row) / step))
        end = max(begin + 1, int(row + (first + self._page_rows - 1.5) * step))
        if end >= self._horizon(row):
            return self._all_from(begin)
        self._at = end
        return Window(begin, end)

    def _horizon(self, row: int) -> int:
        """Where speculation ends: nothing is expected beyond it, so the last window may be an open one."""
        end = FOREVER if self._whole.end is None else self._whole.end
        if self._expected is None:
            return row if end == FOREVER else end
        return min(max(row, self._expected) + 1, end)

    def _all_from(self, begin: int) -> Window:
        """All that is left, in one call; after a silence from where it began, which settles it, too."""
        self._at = None
        if self._silent and self._last is not None:
            begin = self._last + 1
        return Window(begin, self._whole.end)

    def answered(self, page: Page, newest: int | None) -> Spans:
        """For which device time the page, with the pages before, is all there is: coverage may grow by it.

        `newest` is the newest row ever seen of the module: silence behind it means nothing *yet*.
        """
        self._under_way -= 1
        self._learn(page)
        self._refute(page)
        ahead = page.last is not None and (self._last is None or page.last > self._last)
        if ahead:
            self._last = page.last
        top = max((time for time in (newest, self._last) if time is not None), default=-1)
        if page.full:
            self._silent &= not ahead
            self._go_on(following(page))
            complete = _closed(page.window.begin, page.last)
        else:
            complete = self._heard_to_the_end(page, top, ahead=ahead)
        return self._settled(complete, top)

    def _go_on(self, rest: Window | None) -> None:
        if rest is None:
            return
        if rest.end == self._whole.end:
            self._at = rest.begin
        else:
            self._rest.append(rest)

    def _heard_to_the_end(self, page: Page, top: int, *, ahead: bool) -> Spans:
        """What a page that was not full has told of its window."""
        window = page.window
        if window.end is None:
            return _closed(window.begin, page.last)
        silence = _closed(window.begin if page.last is None else page.last + 1, window.end - 1)
        if ahead or (page.last is None and (self._last is None or window.begin > self._last)):
            self._silent = page.last is None or _longest(silence) > self._pause
        expected = silence if top < 0 else silence & Spans((0, top))
        doubtful = _longest(expected - self._told) > PAGE_SPAN
        self._told |= silence
        if doubtful:
            self._doubts |= expected
            return _closed(window.begin, page.last)
        self._ends |= silence
        return _closed(window.begin, min(window.end - 1, top))

    def _settled(self, complete: Spans, top: int) -> Spans:
        """With the ends of earlier windows that this page's rows have made sure."""
        sure = self._ends & Spans((0, top))
        self._ends -= sure
        self._doubts -= complete
        return complete | sure

    @property
    def _pause(self) -> float:
        """Seconds without a row after which a window's end counts as a silence."""
        return max(2.0, self._page_rows / 8) * (self._step or 0)

    def _refute(self, page: Page) -> None:
        """A row where an answer told silence: what that one said counts for nothing."""
        if page.rows and (wrong := self._told.around(page.rows[0].time)):
            self._told -= Spans(wrong)

    def _learn(self, page: Page) -> None:
        """How far apart rows are, from pages that hold enough of them."""
        if page.full:
            self._page_rows = max(self._page_rows, len(page.rows))
        if len(page.rows) < max(3, self._page_rows // 4):
            return
        times = Rows.of(page.rows).times
        step = _even(times)
        if self._step is not None and abs(step - self._step) < self._step / 100:
            self._step = (self._step + step) / 2
        else:
            self._step = _usual(times)


def _even(times: Sequence[int]) -> float:
    """The step of rows without a gap: from many rows at both ends, since each is a little early or late."""
    some = max(1, len(times) // 4)
    return (sum(times[-some:]) - sum(times[:some])) / some / (len(times) - some)


def _usual(times: Sequence[int]) -> float:
    """The step of rows that may have gaps, which do not count."""
    steps = sorted(map(sub, times[1:], times))
    usual = [step for step in steps if step <= 1.5 * steps[len(steps) // 2]]
    return _even(times) if len(usual) == len(steps) else sum(usual) / len(usual)


def _closed(begin: int, end: int | None) -> Spans:
    return Spans() if end is None else Spans((begin, end))


def _longest(spans: Spans) -> int:
    return max((end - begin for begin, end in spans), default=0)
