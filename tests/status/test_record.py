"""What `status` remembers of what has happened since the start."""

from netaflux.core import events
from netaflux.core.model import AccountName, ChannelName, DestinationName, DeviceName, Lane, ModuleId
from netaflux.status.record import Record
from tests.fakes import TurnedClock

ACCOUNT, MODULE = AccountName("default"), ModuleId("02:00:00:00:00:01")
PORCH, FLUX = DeviceName("Porch"), DestinationName("fluxtream")


def a_batch(first: int, last: int, value: float, rows: int = 2) -> events.BatchDelivered:
    return events.BatchDelivered(
        destination=FLUX,
        device=PORCH,
        channels=(ChannelName("RH"),),
        rows=rows,
        first=first,
        last=last,
        values=(value,),
    )


def test_a_trouble_is_kept_from_its_beginning_and_counted() -> None:
    clock = TurnedClock(1000)
    record = Record(clock)
    record.tell(events.PollFailed(module=MODULE, reason="away"))
    clock.time += 60
    record.tell(
        events.FailureRepeated(account=ACCOUNT, source="stations", module=MODULE, reason="still away")
    )

    assert record.trouble(MODULE, ACCOUNT, "stations") == {
        "reason": "still away",
        "since": 1000,
        "count": 2,
        "remedy": "",
    }


def test_a_good_poll_ends_the_trouble() -> None:
    record = Record(TurnedClock(1000))
    record.tell(events.PollFailed(module=MODULE, reason="away"))
    record.tell(events.PollCompleted(module=MODULE, pages=1, rows=12))

    assert record.trouble(MODULE, ACCOUNT, "stations") is None
    assert record.polled == {MODULE: 1000}


def test_the_trouble_of_an_account_is_that_of_its_modules_until_it_is_over() -> None:
    record = Record(TurnedClock())
    record.tell(events.AccountFailed(account=ACCOUNT, reason="not authorized", remedy="Authorize."))
    meanwhile = record.trouble(MODULE, ACCOUNT, "stations")
    record.tell(events.AccountRecovered(account=ACCOUNT, failures=1))

    assert meanwhile is not None
    assert (meanwhile["reason"], meanwhile["remedy"]) == ("not authorized", "Authorize.")
    assert record.trouble(MODULE, AccountName("parents"), "stations") is None
    assert record.trouble(MODULE, ACCOUNT, "stations") is None


def test_what_went_wrong_under_another_configuration_is_over_and_what_was_done_stays() -> None:
    """Nobody tells the end of a trouble that began before."""
    record = Record(TurnedClock(1000))
    record.tell(a_batch(100, 200, 52.0))
    record.tell(events.PollFailed(module=MODULE, reason="away"))
    record.tell(events.AccountFailed(account=ACCOUNT, reason="not authorized", remedy="Authorize."))
    record.tell(events.CadenceStretched(account=ACCOUNT, hours=2, factor=1))
    record.begin_anew()

    assert record.trouble(MODULE, ACCOUNT, "stations") is None
    assert record.thrifty == {}
    assert record.delivered[FLUX, PORCH].rows == 2


def test_the_newest_values_are_those_of_the_newest_row_whatever_comes_last() -> None:
    """History arrives after the live end."""
    record = Record(TurnedClock())
    record.tell(a_batch(500, 600, 57.0))
    record.tell(a_batch(100, 200, 52.0, rows=3))

    taken = record.delivered[FLUX, PORCH]
    assert (taken.rows, taken.last, taken.newest) == (5, 600, {"RH": 57.0})


def test_rows_that_were_repaired_were_taken_too() -> None:
    clock = TurnedClock(1000)
    record = Record(clock)
    record.tell(
        events.BatchRepaired(
            destination=FLUX, device=PORCH, channels=(ChannelName("RH"),), rows=3, first=100, last=900
        )
    )

    taken = record.delivered[FLUX, PORCH]
    assert (taken.rows, taken.at, taken.last, taken.newest) == (3, 1000, None, {})


def test_pages_are_counted_with_their_rows() -> None:
    record = Record(TurnedClock())
    for rows in (1024, 7):
        record.tell(events.PageFetched(module=MODULE, rows=rows, begin=0, last=None, lane=Lane.LIVE))

    assert (record.learnt.calls, record.learnt.rows) == (2, 1031)
