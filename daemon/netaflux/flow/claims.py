"""What is on its way to a destination and not yet acknowledged.

Two errands may meet at the same rows: the live poll and a backfill, two windows that touch. Whoever claims
them first sends them; if it fails, they are still lacking and come up in the next plan. A row that changes
while it is on its way is cut out of the claim, so that the acknowledgement of the old value covers nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from netaflux.core.model import DeviceName, Series
from netaflux.core.spans import Spans


@dataclass(slots=True, eq=False)
class Claim:
    """The spans that one delivery has taken upon itself, per series."""

    spans: dict[Series, Spans]
    cut: dict[Series, Spans] = field(default_factory=dict)

    def cut_out(self, series: Series, times: Sequence[int]) -> None:
        """Do not record these moments, whatever is acknowledged."""
        if touched := self.spans[series].held(times):
            self.cut[series] = self.cut.get(series, Spans()) | Spans.at(touched)

    def settled(self, delivered: Mapping[Series, Spans]) -> dict[Series, Spans]:
        """What may be recorded of `delivered`: all but the rows that changed meanwhile."""
        return {series: spans - self.cut.get(series, Spans()) for series, spans in delivered.items()}


class Claims:
    """All claims of one process."""

    def __init__(self) -> None:
        self._open: defaultdict[Series, list[Claim]] = defaultdict(list)

    def take(self, lacking: Mapping[Series, Spans]) -> Claim:
        """Claim what nobody else has claimed of `lacking`."""
        claim = Claim({series: self._unclaimed(series, spans) for series, spans in lacking.items()})
        for series in claim.spans:
            self._open[series].append(claim)
        return claim

    def _unclaimed(self, series: Series, spans: Spans) -> Spans:
        for other in self._open.get(series, ()):
            # what was cut out of it, too: an old value still on its way must not arrive after the new one
            spans -= other.spans[series]
        return spans

    def cut(self, devices: Collection[DeviceName], times: Sequence[int]) -> None:
        """These rows are new or have changed: what is on its way of them is old, or is not on its way."""
        for series, claims in self._open.items():
            if series.device in devices:
                for claim in claims:
                    claim.cut_out(series, times)

    def release(self, claim: Claim) -> None:
        """The delivery is over, whatever came of it."""
        for series in claim.spans:
            self._open[series].remove(claim)
            if not self._open[series]:
                del self._open[series]
