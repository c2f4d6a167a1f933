import pytest

from netaflux.simulator.footage import Eye, Footage
from netaflux.simulator.picture import jpeg
from tests.simulator.guarded import ANNE, STRANGER, guard

NOW = 1_700_000_000
DAY = 86_400


def footage(**more: float) -> Footage:
    return guard(NOW, **more).footage


def test_what_was_seen_can_be_told_again() -> None:
    once, again = footage().between(NOW - DAY, NOW, NOW), footage().between(NOW - DAY, NOW, NOW)

    assert len(once) > 40
    assert once == again


def test_a_page_is_the_same_events_backwards() -> None:
    told = footage().between(NOW - DAY, NOW + 1, NOW)

    assert footage().page(NOW, len(told)) == told[::-1]


def test_a_page_from_an_event_on_begins_with_that_event() -> None:
    """As observed at Netatmo, where it has kept clients asking for ever."""
    first = footage().page(NOW, 30)
    second = footage().page(NOW, 30, first[-1].id)

    assert second[0] == first[-1]
    assert not set(second[1:]) & set(first)


def test_paging_reaches_the_very_first_event_and_ends() -> None:
    told = footage().between(0, NOW + 1, NOW)

    assert footage().page(NOW, 30, told[0].id) == [told[0]]


def test_nothing_is_seen_before_it_happens() -> None:
    newest = footage().page(NOW, 1)[0]

    assert newest not in footage().page(newest.time - 1, 1000)


def test_a_late_event_is_told_later() -> None:
    late = footage(late=0.3)
    told = late.between(NOW - 600, NOW + 1, NOW + 10_000)
    hidden = [seen for seen in late.between(0, NOW + 1, NOW + 10_000) if seen.visible_from > seen.time]

    assert told
    assert hidden
    assert hidden[-1] in late.page(hidden[-1].visible_from, 100)
    assert hidden[-1] not in late.page(hidden[-1].visible_from - 1, 100)


def test_an_id_that_no_event_has_is_unknown() -> None:
    with pytest.raises(KeyError):
        footage().find("0" * 24, NOW)


def test_a_home_sees_all_that_there_is_to_see() -> None:
    told = footage().between(0, NOW, NOW)

    assert {seen.kind for seen in told} == {"movement", "person", "person_away", "sd", "outdoor"}
    assert {part for seen in told for part in seen.parts} == {"human", "animal", "vehicle"}
    assert {seen.person for seen in told} == {None, ANNE, STRANGER}


def test_without_faces_nobody_is_seen() -> None:
    told = Footage([Eye("70:ee:50:00:00:0c", "NACamera", NOW - DAY)]).between(0, NOW, NOW)

    assert {seen.person for seen in told} == {None}


def test_a_picture_is_a_jpeg_of_its_own() -> None:
    one, other = jpeg("one"), jpeg("other")

    assert one.startswith(b"\xff\xd8\xff\xe0")
    assert one.endswith(b"\xff\xd9")
    assert b"one" in one
    assert one != other
