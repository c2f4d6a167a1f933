from copy import deepcopy
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import UpstreamFault
from netaflux.core.model import ModuleId
from netaflux.netatmo.camera_events import (
    CameraEvent,
    EventPart,
    Picture,
    event_of,
    events_of,
    picture_of,
    plain,
)
from tests.netatmo.world import payload

HOME = "5d0000000000000000000001"
DRIVE, HALL = ModuleId("70:ee:50:00:00:0a"), ModuleId("70:ee:50:00:00:0b")
ANNE = "91827374-7e04-5298-83ad-000000000001"


def test_todays_outdoor_event_is_read_with_its_parts() -> None:
    event = events_of(payload("events/getevents"))[0]

    assert event == CameraEvent(
        id="64d1e3deb1098051fa010336",
        home=HOME,
        kind="outdoor",
        time=1763700500,
        camera=DRIVE,
        video="2f1c7d40-0d4c-4c5c-9a3a-000000000001",
        video_status="available",
        parts=(
            EventPart(
                id="ed982de9-6227-4492-acca-000000000001",
                kind="human",
                time=1763700500,
                offset=0,
                verified=True,
                message="Person seen",
                snapshot=Picture("https://pictures.example.org/a.jpg?sig=1", 1763701100),
                vignette=Picture("https://pictures.example.org/b.jpg?sig=2", 1763701100),
                raw=event.parts[0].raw,
            ),
            EventPart(
                id="ed982de9-6227-4492-acca-000000000002",
                kind="vehicle",
                time=1763700507,
                offset=7,
                verified=False,
                message="Vehicle & trailer",
                raw=event.parts[1].raw,
            ),
        ),
        raw=event.raw,
    )


def test_the_old_shape_of_an_outdoor_event_is_read_the_same_way() -> None:
    event = events_of(payload("events/gethomedata"))[1]

    assert (event.home, event.camera, event.kind, event.video_status) == (HOME, DRIVE, "outdoor", "recording")
    assert [(part.kind, part.offset, part.message) for part in event.parts] == [("animal", 1, "Animal seen")]
    assert event.pictures == (Picture(None, None, "5d4444444444444444444442", "cdef6789"),)


def test_an_event_tells_whose_face_it_saw() -> None:
    today, before = events_of(payload("events/getevents"))[1], events_of(payload("events/gethomedata"))[0]

    assert (today.person, today.camera, today.is_arrival) == (ANNE, HALL, None)
    assert (before.person, before.camera, before.is_arrival) == (ANNE, HALL, True)


def test_a_kind_that_nobody_knows_is_kept() -> None:
    event = events_of(payload("events/getevents"))[4]

    assert (event.kind, event.camera) == ("tea_kettle_whistled", ModuleId("70:ee:50:00:00:0c"))


@pytest.mark.parametrize(("told", "sub_kind"), [(4, 4), ("4", "4"), (4.0, 4), (None, None), ([], None)])
def test_a_state_is_a_number_or_a_text(told: object, sub_kind: object) -> None:
    assert event_of({"type": "sd", "sub_type": told}).sub_kind == sub_kind


def test_what_was_read_is_kept_raw() -> None:
    envelope = payload("events/getevents")

    assert [dict(event.raw) for event in events_of(envelope)] == envelope["body"]["home"]["events"]  # type: ignore[index]


def test_what_an_event_saw_is_its_own_kind_and_its_parts() -> None:
    outdoor, person, animal, *_ = events_of(payload("events/getevents"))

    assert outdoor.saw == {"outdoor", "human", "vehicle"}
    assert person.saw == {"person"}
    assert animal.saw == {"movement", "animal"}


def test_pictures_of_the_whole_come_before_cut_outs() -> None:
    event = events_of(payload("events/getevents"))[0]

    assert [picture.url for picture in event.pictures] == [
        "https://pictures.example.org/a.jpg?sig=1",
        "https://pictures.example.org/b.jpg?sig=2",
    ]


def test_an_address_that_opens_a_picture_is_in_no_repr() -> None:
    assert "sig=1" not in repr(Picture("https://pictures.example.org/a.jpg?sig=1", 1, "id", "key"))


@pytest.mark.parametrize("body", [None, {}, [], {"home": {}}, {"home": {"events": None}}, {"homes": []}])
def test_a_home_without_events_has_none(body: object) -> None:
    assert events_of({"status": "ok", "body": body}) == ()


@pytest.mark.parametrize(
    "body", ["events", 5, True, {"errors": [{"code": 6}]}, {"home": {"errors": [{"code": 6}]}}]
)
def test_an_answer_about_something_else_is_a_fault(body: object) -> None:
    with pytest.raises(UpstreamFault):
        events_of({"status": "ok", "body": body})


def test_events_until_one_known_are_read_where_that_answer_holds_them() -> None:
    envelope = {"body": {"events_list": [{"id": "e1", "camera_id": " 70:EE:50:00:00:0B "}]}}

    assert [(one.id, one.home, one.camera) for one in events_of(envelope, HOME)] == [("e1", HOME, HALL)]


def test_an_event_told_twice_counts_once() -> None:
    twice = {
        "body": {"home": {"events": [{"id": "e1", "time": 5}, {"id": "e1", "time": 6}, {}, {"time": 7}]}}
    }

    assert [event.time for event in events_of(twice)] == [5, None, 7]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("<b>Anne</b> seen", "Anne seen"),
        ("Tom &amp; Anne\r\n seen", "Tom & Anne seen"),
        ("3 < 4 and 5 > 4", "3 < 4 and 5 > 4"),
        ("<br/>", None),
        ("", None),
        (5, None),
    ],
)
def test_a_message_is_told_without_its_markup(message: object, text: str | None) -> None:
    assert plain(message) == text


@pytest.mark.parametrize(
    "raw", [None, 5, "", "face.jpg", "file:///etc/passwd", {}, {"url": "ftp://x"}, {"id": "a"}, {"key": "b"}]
)
def test_what_cannot_be_fetched_is_no_picture(raw: object) -> None:
    assert picture_of(raw) is None


NOT_A_TEXT: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.just([1]) | st.just({"a": {}})
)
TELLS = {
    "id": "id",
    "type": "kind",
    "category": "category",
    "time": "time",
    "module_id": "camera",
    "person_id": "person",
    "video_id": "video",
    "video_status": "video_status",
    "message": "message",
    "snapshot": "snapshot",
    "vignette": "vignette",
    "subevents": "parts",
    "verified": "verified",
    "offset": "offset",
}
"""Which field of a view a key of the answer is told by."""
LEFT_OUT = object()


def spoilt(raw: dict[str, Any], key: str, wrong: object) -> None:
    if wrong is LEFT_OUT:
        del raw[key]
    else:
        raw[key] = wrong


def others(view: CameraEvent | EventPart, key: str) -> dict[str, object]:
    """All that a view tells, but for what the key told, and the raw object."""
    return {
        each.name: getattr(view, each.name) for each in fields(view) if each.name not in ("raw", TELLS[key])
    }


WHOLE = {
    **payload("events/getevents")["body"]["home"]["events"][0],  # type: ignore[index]
    "category": "human",
    "person_id": ANNE,
    "message": "Anne seen",
    "snapshot": {"url": "https://pictures.example.org/s.jpg"},
    "vignette": {"url": "https://pictures.example.org/v.jpg"},
}


@given(key=st.sampled_from(sorted(WHOLE)), wrong=NOT_A_TEXT | st.just(LEFT_OUT))
def test_a_wrong_field_costs_that_field_only(key: str, wrong: object) -> None:
    raw = deepcopy(WHOLE)
    spoilt(raw, key, wrong)
    events = [{"id": "before", "time": 1}, raw, {"id": "after", "time": 2}]

    before, event, after = events_of({"body": {"home": {"id": HOME, "events": events}}})

    assert (before.time, after.time) == (1, 2)
    assert others(event, key) == others(event_of(WHOLE, HOME), key)


@given(
    key=st.sampled_from(sorted(WHOLE["subevents"][0])),
    wrong=NOT_A_TEXT | st.just(LEFT_OUT),
    at=st.integers(0, 1),
)
def test_a_wrong_field_of_a_part_costs_that_field_only(key: str, wrong: object, at: int) -> None:
    raw = deepcopy(WHOLE)
    if key not in raw["subevents"][at]:
        raw["subevents"][at][key] = None
    spoilt(raw["subevents"][at], key, wrong)

    event, known = event_of(raw), event_of(WHOLE)

    assert others(event.parts[at], key) == others(known.parts[at], key)
    assert event.parts[1 - at] == known.parts[1 - at]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*TELLS, "home", "homes", "events", "url", "key"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(body=JSON)
def test_whatever_comes_is_read_or_refused_in_our_words(body: object) -> None:
    try:
        events = events_of({"body": body})
    except UpstreamFault:
        return
    assert all(isinstance(event.kind, str) for event in events)
