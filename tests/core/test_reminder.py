"""What lasts is told of once more after a day, and not before."""

from netaflux.core.reminder import EVERY, Reminder


def test_it_is_due_a_day_after_it_was_told_and_a_day_after_that() -> None:
    reminder = Reminder()
    reminder.told(1000.0)
    due = [reminder.due(1000.0 + EVERY * days) for days in (0, 0.9, 1, 1.5, 1.99, 2, 5, 5.5)]

    assert due == [False, False, True, False, False, True, True, False]
