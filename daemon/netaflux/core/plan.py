"""Which errands a module needs now: pure, from what is covered and what is known to exist."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from netaflux.core.lookback import DAILY_DEPTH, LOOK_BACK, PAGE_SPAN, Due
from netaflux.core.model import Lane, ModuleId, Page, Why, Window
from netaflux.core.spans import FOREVER, Spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Fetch this module in this window for whoever lacks it, and why."""

    module: ModuleId
    window: Window
    lane: Lane
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a module when its errands are planned."""

    module: ModuleId
    floor: int
    """Nothing below is asked for."""
    lacking: Spans
    """Device time whose rows some destination lacks; its last span is open (FOREVER)."""
    newest: int | None
    """The newest row ever read."""
    told: int | None = None
    """The newest row as the survey tells it: a hint, never a limit."""
    due: Due = field(default_factory=Due)
    """What is due of looking back."""


def errands_due(known: Known) -> list[Errand]:
    """The errands of a poll: the live end, then what is lacking below it, oldest first, then looks back."""
    begin = _live_begin(known)
    live = Errand(module=known.module, window=Window(begin), lane=Lane.LIVE, why=Why.DUE)
    return [live, *_past(known, _with_look_back(known), Spans((known.floor, begin - 1)))]


def errands_past(known: Known, *, lately: bool = True) -> list[Errand]:
    """What is lacking up to the newest row, oldest first, then looks back.

    Without `lately`, what the module's next poll will bring is left to it.
    """
    if known.newest is None:
        end = _live_begin(known) - 1
    elif not lately and (begin := lacking_lately(known.lacking, known.newest)) is not None:
        end = begin - 1
    else:
        end = known.newest
    return list(_past(known, known.lacking, Spans((known.floor, end))))


def _past(known: Known, lacking: Spans, below: Spans) -> Iterator[Errand]:
    caught_up = tuple(_history(known.module, lacking & below, Why.CATCHING_UP))
    # a window that was joined from several lacking stretches has looked at all of it
    seen = Spans(*((each.window.begin, each.window.end - 1) for each in caught_up if each.window.end))
    looked = (Spans((each.begin, each.end - 1)) for each in known.due.windows if each.end is not None)
    again = Spans(*(span for each in looked for span in (each & below) - seen))
    return chain(caught_up, _history(known.module, again, Why.LOOKING_BACK))


def _live_begin(known: Known) -> int:
    """As far before the newest row as is due or lacking; far behind, only the last hour that is told."""
    if known.newest is None:
        reached = next(iter(known.lacking), (known.floor, FOREVER))[0]
    else:
        lately = lacking_lately(known.lacking, known.newest)
        # the newest row may have come early: the hour is one before the rows that getmeasure gave
        reached = min(known.newest - known.due.depth, (lately or known.newest) - LOOK_BACK)
    if known.told is not None and known.told - reached > PAGE_SPAN:
        reached = known.told - LOOK_BACK
    return max(reached, known.floor)


def lacking_lately(lacking: Spans, newest: int) -> int | None:
    """Where the first stretch begins that is lacking up to the newest row, if one page reaches there.

    A stretch that begins further back is a matter of the past, to its end.
    """
    return next((begin for begin, _ in lacking if newest - DAILY_DEPTH <= begin <= newest), None)


def _with_look_back(known: Known) -> Spans:
    if known.newest is None:
        return known.lacking
    return known.lacking | Spans((known.newest - LOOK_BACK, known.newest))


def errands_asked(known: Known, asked: Window, *, again: bool = False) -> list[Errand]:
    """The errands of a span that a person named: what is lacking of it, or all of it once more."""
    end = FOREVER if asked.end is None else asked.end - 1
    span = Spans((max(asked.begin, known.floor), end))
    lacking = span if again else known.lacking & span
    return list(_history(known.module, lacking, Why.AGAIN if again else Why.ASKED))


def _history(module: ModuleId, lacking: Spans, why: Why) -> Iterator[Errand]:
    for begin, end in _joined(lacking):
        window = Window(begin, None if end >= FOREVER else end + 1)
        yield Errand(module=module, window=window, lane=Lane.HISTORY, why=why)


def _joined(lacking: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Gaps that fit into one page are asked for together: a call costs more than a few covered rows."""
    pending: tuple[int, int] | None = None
    for begin, end in lacking:
        if pending and end - pending[0] < PAGE_SPAN:
            pending = (pending[0], end)
            continue
        if pending:
            yield pending
        pending = (begin, end)
    if pending:
        yield pending


def following(page: Page) -> Window | None:
    """Where to go on after a page: behind its last row while it was full and its window has not ended."""
    if not page.full or page.last is None:
        return None
    begin = page.last + 1
    if page.window.end is not None and begin >= page.window.end:
        return None
    return Window(begin, page.window.end)
