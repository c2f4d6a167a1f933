from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netaflux.core.errors import NoDevice, UsageError
from netaflux.core.model import ModuleId
from netaflux.netatmo.camera_events import Picture
from netaflux.netatmo.cameras import (
    Accessory,
    Camera,
    GuardedHome,
    GuardedHomes,
    Person,
    guarded_home,
    homes_of_old,
)
from tests.netatmo.world import payload

HOME = "5d0000000000000000000001"
HALL, DRIVE = ModuleId("70:ee:50:00:00:0b"), ModuleId("70:ee:50:00:00:0a")
ANNE, STRANGER = "91827374-7e04-5298-83ad-000000000001", "91827374-7e04-5298-83ad-000000000002"

TOLD: dict[str, Any] = {
    "id": HOME,
    "name": "AR Home",
    "timezone": "America/New_York",
    "persons": [
        {"id": ANNE, "pseudo": " Anne ", "url": "https://pictures.example.org/anne.jpg"},
        {"id": STRANGER, "url": "https://pictures.example.org/face.jpg"},
    ],
    "modules": [
        {"id": "70:EE:50:00 :00:0B", "type": "NACamera", "name": "Hall"},
        {"id": DRIVE, "type": "NOC", "name": "Drive"},
        {"id": "70:ee:50:00:00:01", "type": "NAMain", "name": "Basement"},
        {"id": "70:ee:50:00:00:0d", "type": "NIS", "name": "Siren", "bridge": HALL},
        {"id": "70:ee:50:00:00:0f", "type": "NEW", "name": "Eye"},
    ],
}
STATUS: dict[str, Any] = {
    "id": HOME,
    "persons": [
        {"id": ANNE, "last_seen": 1763700400, "out_of_sight": False},
        {"id": STRANGER, "last_seen": 1763600000, "out_of_sight": False},
    ],
    "modules": [
        {
            "id": HALL,
            "type": "NACamera",
            "monitoring": "on",
            "sd_status": 4,
            "alim_status": 2,
            "vpn_url": "https://prodvpn.example.org/restricted/secret",
            "is_local": True,
            "wifi_strength": 60,
        },
        {"id": DRIVE, "type": "NOC", "monitoring": "off", "floodlight": "auto", "reachable": True},
        {"id": "70:ee:50:00:00:0f", "type": "NEW", "monitoring": "on"},
    ],
}


def home(
    told: dict[str, Any] = TOLD, status: dict[str, Any] | None = STATUS, lost: tuple[str, ...] = ()
) -> GuardedHome:
    read = guarded_home(told, status, lost)
    assert read
    return read


def test_a_camera_is_read_from_both_answers() -> None:
    hall = home().cameras[0]

    assert replace(hall, raw={}) == Camera(
        id=HALL,
        home=HOME,
        kind="NACamera",
        name="Hall",
        status="on",
        sd_status=4,
        alim_status=2,
        wifi=60,
        is_local=True,
        vpn_url="https://prodvpn.example.org/restricted/secret",
    )
    assert hall.kind_in_words == "indoor camera (Welcome)"


def test_a_relay_that_opens_the_camera_is_in_no_repr() -> None:
    assert "secret" not in repr(home())


def test_a_camera_of_a_kind_that_nobody_knows_is_kept() -> None:
    eye = home().cameras[2]

    assert (eye.name, eye.kind, eye.status) == ("Eye", "NEW", "on")
    assert eye.kind_in_words == "camera of an unknown type (NEW)"


def test_a_weather_station_is_no_camera() -> None:
    assert [camera.name for camera in home().cameras] == ["Hall", "Drive", "Eye"]


def test_what_speaks_through_a_camera_is_kept() -> None:
    assert [replace(one, raw={}) for one in home().accessories] == [
        Accessory(id=ModuleId("70:ee:50:00:00:0d"), home=HOME, kind="NIS", name="Siren", camera=HALL)
    ]


def test_persons_are_those_at_home_with_a_name() -> None:
    anne, stranger = home().persons

    assert replace(anne, raw={}) == Person(
        id=ANNE,
        home=HOME,
        name="Anne",
        last_seen=1763700400,
        away=False,
        face=Picture("https://pictures.example.org/anne.jpg"),
    )
    assert (stranger.known, stranger.at_home) == (False, True)
    assert home().persons_at_home == (anne,)


def test_of_whom_nothing_is_known_is_not_at_home() -> None:
    assert home(status=None).persons_at_home == ()


def test_a_camera_that_homestatus_does_not_tell_of_is_unreachable() -> None:
    status = {**STATUS, "modules": STATUS["modules"][:1]}

    assert [camera.reachable for camera in home(status=status).cameras] == [None, False]


def test_a_camera_among_the_errors_is_unreachable() -> None:
    assert [camera.reachable for camera in home(lost=(HALL,)).cameras] == [False, True, None]


def test_without_homestatus_nothing_is_said_of_a_state() -> None:
    assert [(camera.reachable, camera.status) for camera in home(status=None).cameras] == [(None, None)] * 2


def test_a_camera_that_homestatus_alone_tells_of_is_there() -> None:
    module = {"id": "70:ee:50:00:00:10", "type": "NPC", "name": "Attic", "monitoring": "on"}

    attic = home(status={**STATUS, "modules": [*STATUS["modules"], module]}).cameras[-1]

    assert (attic.name, attic.kind, attic.status) == ("Attic", "NPC", "on")


def test_a_siren_is_no_camera_though_it_has_a_state_like_one() -> None:
    module = {"id": "70:ee:50:00:00:0d", "type": "NIS", "monitoring": "on"}

    whole = home(status={**STATUS, "modules": [*STATUS["modules"], module]})

    assert "Siren" not in [camera.name for camera in whole.cameras]
    assert [one.name for one in whole.accessories] == ["Siren"]


def test_a_home_without_an_id_is_none() -> None:
    assert guarded_home({"name": "AR Home"}) is None


def test_the_old_answer_is_read_into_the_same_types() -> None:
    old = homes_of_old(payload("events/gethomedata")).homes[0]

    assert (old.id, old.name, old.timezone) == (HOME, "AR Home", "America/New_York")
    assert [(one.id, one.kind, one.status, one.reachable) for one in old.cameras] == [
        (HALL, "NACamera", "on", None),
        (DRIVE, "NOC", "disconnected", False),
    ]
    assert [(one.sd_status, one.alim_status, one.light) for one in old.cameras] == [
        ("on", "on", None),
        ("on", "on", "auto"),
    ]
    assert [(one.kind, one.camera) for one in old.accessories] == [("NIS", HALL), ("NSD", None)]
    assert [person.name for person in old.persons_at_home] == ["Anne"]
    assert [person.face for person in old.persons] == [
        Picture("https://pictures.example.org/face.jpg", None, "5d1111111111111111111111", "0123abcd"),
        Picture(None, None, "5d2222222222222222222222", "4567ef01"),
    ]
    assert [event.kind for event in old.events] == ["person", "outdoor", "sd"]


@pytest.mark.parametrize("body", [None, {}, [], {"homes": []}, {"homes": [{}]}])
def test_an_account_without_homes_has_none(body: object) -> None:
    assert homes_of_old({"body": body}).homes == ()


EMPTY = GuardedHome(id="5d0000000000000000000009", name="Weather only")
BOTH = GuardedHomes((EMPTY, home()))


def test_the_default_home_is_the_first_with_a_camera() -> None:
    assert BOTH.home() == BOTH.homes[1]


def test_the_default_camera_is_the_first_of_the_default_home() -> None:
    assert BOTH.camera().id == HALL


@pytest.mark.parametrize("asked", ["ar home", " AR  Home", "5D0000000000000000000001"])
def test_a_home_is_found_by_name_or_id(asked: str) -> None:
    assert BOTH.home(asked).id == HOME


def test_a_camera_is_found_in_all_homes_or_in_one() -> None:
    assert BOTH.camera("drive").id == BOTH.camera("drive", "AR Home").id == DRIVE
    with pytest.raises(NoDevice):
        BOTH.camera("drive", "Weather only")


def test_a_person_is_found_by_name_or_id() -> None:
    assert BOTH.person("anne").id == BOTH.person(ANNE.upper(), HOME).id == ANNE


def test_a_name_that_is_nobodys_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean `Anne`"):
        BOTH.person("Ann")


@pytest.mark.parametrize("homes", [(), (EMPTY,)])
def test_an_account_without_cameras_says_so(homes: tuple[GuardedHome, ...]) -> None:
    with pytest.raises(NoDevice):
        GuardedHomes(homes).home()
    with pytest.raises(NoDevice):
        GuardedHomes(homes).camera()


NOT_A_TEXT: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.just([1]) | st.just({"a": {}})
)
TELLS = {
    "type": "kind",
    "name": "name",
    "monitoring": "status",
    "sd_status": "sd_status",
    "alim_status": "alim_status",
    "vpn_url": "vpn_url",
    "is_local": "is_local",
    "wifi_strength": "wifi",
    "pseudo": "name",
    "url": "face",
    "last_seen": "last_seen",
    "out_of_sight": "away",
}


def others(view: Camera | Person, key: str) -> dict[str, object]:
    names = [each.name for each in fields(view) if each.name not in ("raw", TELLS[key])]
    return {name: getattr(view, name) for name in names}


@given(
    place=st.sampled_from(["told", "status"]),
    what=st.sampled_from(["modules", "persons"]),
    key=st.sampled_from(sorted(TELLS)),
    wrong=NOT_A_TEXT,
)
def test_a_wrong_field_costs_that_field_only(place: str, what: str, key: str, wrong: object) -> None:
    answers = {"told": deepcopy(TOLD), "status": deepcopy(STATUS)}
    answers[place][what][0][key] = wrong

    spoilt, known = home(answers["told"], answers["status"]), home()

    if what == "modules":
        assert others(spoilt.cameras[0], key) == others(known.cameras[0], key)
        assert spoilt.persons == known.persons
    else:
        assert others(spoilt.persons[0], key) == others(known.persons[0], key)
        assert spoilt.cameras == known.cameras
    assert spoilt.cameras[1:] == known.cameras[1:]
    assert spoilt.persons[1:] == known.persons[1:]
    assert spoilt.accessories == known.accessories


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*TELLS, "id", "homes", "cameras", "modules", "persons", "face", "events"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(homes=st.lists(JSON, max_size=3), status=JSON)
def test_whatever_comes_is_read(homes: list[object], status: object) -> None:
    assert len(homes_of_old({"body": {"homes": homes}}).homes) <= len(homes)
    for told in homes:
        if isinstance(told, dict):
            guarded_home(told, status if isinstance(status, dict) else None)
