"""Whoever claims rows first sends them, and nobody else while they are on their way."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from netaflux.core.model import ChannelName, DestinationId, DeviceName, Series
from netaflux.core.spans import Spans
from netaflux.flow.claims import Claim, Claims

HOME = DestinationId("fake:home#1")
PORCH, OFFICE = DeviceName("Porch"), DeviceName("Office")
TEMP = Series(HOME, PORCH, ChannelName("Temp_C"))
RH = Series(HOME, PORCH, ChannelName("RH"))
ELSEWHERE = Series(HOME, OFFICE, ChannelName("Temp_C"))


def test_the_first_who_wants_rows_has_them() -> None:
    claims = Claims()

    first = claims.take({TEMP: Spans((1, 9))})
    second = claims.take({TEMP: Spans((5, 20))})

    assert first.spans == {TEMP: Spans((1, 9))}
    assert second.spans == {TEMP: Spans((10, 20))}


def test_claims_of_other_series_are_nobodys_business() -> None:
    claims = Claims()
    claims.take({TEMP: Spans((1, 9))})

    others = claims.take({RH: Spans((1, 9)), ELSEWHERE: Spans((1, 9))})

    assert others.spans == {RH: Spans((1, 9)), ELSEWHERE: Spans((1, 9))}


def test_what_is_released_can_be_claimed_again() -> None:
    claims = Claims()
    claims.release(claims.take({TEMP: Spans((1, 9)), RH: Spans((1, 9))}))

    assert claims.take({TEMP: Spans((5, 6))}).spans == {TEMP: Spans((5, 6))}


def test_the_release_of_one_claim_leaves_the_others() -> None:
    claims = Claims()
    first, _ = claims.take({TEMP: Spans((1, 4))}), claims.take({TEMP: Spans((6, 9))})
    claims.release(first)

    assert claims.take({TEMP: Spans((1, 9))}).spans == {TEMP: Spans((1, 5))}


def test_a_row_that_changes_on_its_way_is_not_recorded() -> None:
    claims = Claims()
    claim = claims.take({TEMP: Spans((1, 9)), RH: Spans((1, 9))})

    claims.cut({PORCH}, [4, 12])

    assert claim.settled({TEMP: Spans((1, 9)), RH: Spans((1, 3))}) == {
        TEMP: Spans((1, 3), (5, 9)),
        RH: Spans((1, 3)),
    }


def test_a_row_that_changes_on_its_way_is_nobody_elses_until_that_is_over() -> None:
    """The old value must not arrive after the new one."""
    claims = Claims()
    claim = claims.take({TEMP: Spans((1, 9))})
    claims.cut({PORCH}, [4])

    assert claims.take({TEMP: Spans((4, 4))}).spans == {TEMP: Spans()}

    claims.release(claim)

    assert claims.take({TEMP: Spans((4, 4))}).spans == {TEMP: Spans((4, 4))}


def test_what_changed_before_the_claim_is_in_the_claim() -> None:
    claims = Claims()
    claims.cut({PORCH}, [4])
    claim = claims.take({TEMP: Spans((1, 9))})

    assert claim.settled({TEMP: Spans((1, 9))}) == {TEMP: Spans((1, 9))}


def test_a_change_of_one_module_touches_no_other() -> None:
    claims = Claims()
    claim = claims.take({ELSEWHERE: Spans((1, 9))})

    claims.cut({PORCH}, [4])

    assert claim.settled({ELSEWHERE: Spans((1, 9))}) == {ELSEWHERE: Spans((1, 9))}


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), min_size=1, max_size=4).map(
    lambda pairs: Spans(*((begin, begin + width) for begin, width in pairs))
)


@given(spans, spans)
def test_two_claims_share_nothing_and_leave_nothing(one: Spans, other: Spans) -> None:
    claims = Claims()

    first, second = claims.take({TEMP: one}).spans[TEMP], claims.take({TEMP: other}).spans[TEMP]

    assert not first & second
    assert first | second == one | other


class Crowd(RuleBasedStateMachine):
    """Many come and go, and rows change meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = Claims()
        self.open: list[tuple[Claim, set[int]]] = []

    @rule(wanted=spans)
    def somebody_claims(self, wanted: Spans) -> None:
        claim = self.claims.take({TEMP: wanted})
        others = Spans()
        for other, _ in self.open:
            others |= other.spans[TEMP]
        assert claim.spans[TEMP] == wanted - others
        self.open.append((claim, set()))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 100))
    def somebody_is_done(self, which: int) -> None:
        claim, changed = self.open.pop(which % len(self.open))
        settled = claim.settled({TEMP: claim.spans[TEMP]})[TEMP]
        assert settled == claim.spans[TEMP] - Spans.at(changed)
        self.claims.release(claim)

    @rule(times=st.lists(st.integers(0, 36), max_size=3))
    def rows_change(self, times: list[int]) -> None:
        self.claims.cut({PORCH}, sorted(times))
        for _, changed in self.open:
            changed.update(times)

    @invariant()
    def nobody_has_what_another_has(self) -> None:
        held = Spans()
        for claim, _ in self.open:
            assert not held & claim.spans[TEMP]
            held |= claim.spans[TEMP]


TestCrowd = Crowd.TestCase
